//! Tests of the program as its users meet it: its command line, its files, and real sockets.

mod lab;
mod readme;
