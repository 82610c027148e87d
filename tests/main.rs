//! Tests of the program as its users meet it: its command line, its files, and real sockets.

mod af_packet;
mod blame;
mod browser;
mod cli;
mod doctor;
mod engines;
mod lab;
mod ledger;
mod peers;
mod pingpong;
mod readme;
mod report;
