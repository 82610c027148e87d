//! Tests of the program as its users meet it: its command line, its files, and real sockets.

mod af_packet;
mod blame;
mod browser;
mod cli;
mod doctor;
mod dump;
mod doctor_listen;
mod engines;
mod interop;
mod join;
mod lab;
mod ledger;
mod metrics;
mod package;
mod peers;
mod pingpong;
mod readme;
mod report;
mod silence;
mod soak;
