//! The command line tool; all of it is in the library.

fn main() {}
