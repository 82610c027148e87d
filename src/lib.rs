//! mcast-bench: how much multicast a path or a host can take, what it loses, and how late it is.
//!
//! This page is the map of the house. The README says what the program is for; here is how it is built.
//!
//! # Floors
//!
//! ```text
//!  5  cli
//!  4  live  report     doctor
//!  3  trial  pingpong  joining
//!  2  sys -> net -> engine
//!  1  units -> wire, stats -> model
//! ```
//!
//! A module uses lower floors only, and on its own floor only what stands to its left behind an arrow. [`live`]
//! and [`report`] use floor 1 and nothing else. [`model`] is the waist: [`cli`] makes a
//! [`model::spec::TrialSpec`] of words, [`trial`] turns it into [`model::snapshot::Snapshot`]s and a
//! [`model::report::TrialReport`], everyone else reads those. [`model::Observer`] is declared on floor 1, called
//! by [`trial`] and implemented by [`live`] and [`report`]; that is why these need not know each other.
//! [`error`] is below everything. A test, `tidy.rs`, holds all this and names the line that breaks it.
//!
//! # The way of one datagram
//!
//! 1. [`cli`] makes flags of a scenario, if there is one, parses words into types and makes one spec of them, or one error with a hint. Report files are
//!    opened now.
//! 2. [`trial`] plans workers, cores and flows, and has an engine from [`engine::ENGINES`] opened. All memory is
//!    taken here. Receive timestamps are chosen and warmed up before anything is joined.
//! 3. Senders announce the start; then each asks its [`stats::schedule::Schedule`] what is due, reserves slots of
//!    its engine, has [`wire::probe`] write sequence number and due time into them, and commits. What the kernel
//!    refuses is counted by errno, and its number goes to the next datagram.
//! 4. The network.
//! 5. Receivers poll their engine. For each datagram [`wire::probe`] reads the header, [`trial::ledger`] finds the
//!    stream, [`stats::seq`] says what it was, [`stats::latency`] records how late it came.
//! 6. At the end of an interval a worker hands what it gathered to the collector, over a bounded channel that it
//!    never waits for. The collector makes snapshots of them, reads the counters of the host beside them, and tells
//!    the observers. One of these, [`model::timeline`], keeps what the report says of when.
//! 7. Senders announce the end and how many datagrams there were. Receivers wait for stragglers, for the loss
//!    threshold.
//! 8. [`trial::validity`] judges whether the trial may be used; [`report::FORMATS`] write it down; the exit code
//!    says it once more.
//!
//! # The way of one round trip
//!
//! `ping` and `echo` move one datagram at a time, so they have no engine and no crew: [`pingpong`] has one thread that
//! sends *and* receives, on sockets of its own. [`wire::echo`] is what comes back, [`pingpong::books`] and
//! [`pingpong::sessions`] say what became of it at either end, [`model::ping`] and [`model::echo`] are the reports.
//!
//! # The way of a datagram that is only shown
//!
//! `dump` has no trial either: [`net::receiver`] takes it from the socket with all that the kernel says of it,
//! [`model::heard`] says what its bytes are, and [`report::dump`] or [`wire::capture::writer`] writes it down.
//!
//! # The way of one membership
//!
//! `join` sends nothing: it joins and leaves groups that flow already, and asks when their datagrams begin and end.
//! [`joining`] has one thread with the sockets that join and a packet socket that sees the interface; [`wire::sighting`]
//! reads its frames, [`joining::books`] makes delays of the stamps, [`model::join`] is the report.
//!
//! # Invariants
//!
//! 1. Only [`sys`] contains `unsafe`.
//! 2. Floor 1 reads no clock, opens no file, and allocates nothing after construction in what workers call.
//! 3. Between two batches a worker takes no lock, allocates nothing, prints nothing. A new stream is the
//!    exception: its books are opened when it is first heard, and its window is given back when it has long ended. So is a
//!    new responder, or asker.
//! 4. No output module measures; no measuring module prints.
//! 5. No option is decided below `cli/spec.rs`; below it there are no defaults.
//! 6. A fallback is an event in the report, never silent.
//! 7. An engine never knows about sequence numbers; a header never knows about sockets.
//! 8. There is no global mutable state.
//!
//! # How to add things
//!
//! | To add | Write | And one line in |
//! |---|---|---|
//! | an engine | `engine/foo.rs` (and `sys/foo.rs`, if the facility of the kernel is new) | [`engine::ENGINES`] |
//! | a report format | `report/foo.rs` | [`report::FORMATS`] |
//! | a look at the host | a function in `doctor/` | [`doctor::CHECKS`] |
//! | a live view | `live/foo.rs` | the watchers in `cli/session.rs` |
//! | a metric | a line in `live/prometheus/page.rs`, and what it adds up in `totals.rs` | - |
//! | a preset | `cli/presets/foo.toml` | the presets in `cli/presets.rs` |
//! | a verb | `cli/foo.rs` | the verbs in `cli/args.rs` and `cli/mod.rs` |
//!
//! Conformance tests, help texts and tidy read the lists. When in doubt about style, do as `stats/seq.rs` does.

pub mod error;

pub mod units;
pub mod wire;
pub mod stats;
pub mod model;

pub mod sys;
pub mod net;
pub mod engine;

pub mod trial;
pub mod pingpong;
pub mod joining;

pub mod live;
pub mod report;
pub mod doctor;

pub mod cli;

#[cfg(test)]
mod tidy;
