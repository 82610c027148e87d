//! What became of each join and each leave: from times of calls, reports and datagrams to delays. Pure: it reads no clock.

use crate::model::delay::Distribution;
use crate::model::group::Membership;
use crate::model::join::{
    GroupRow, InterfaceCounts, JoinCounts, JoinDelays, LeaveDelays, ZapDelays,
};
use crate::stats::latency::Latency;
use crate::units::Nanos;
use crate::wire::probe::{Kind, Probe};
use crate::wire::sighting::Change;

/// Streams of a group whose sequence numbers are followed; those of further senders count as received.
const MOST_STREAMS: usize = 16;

/// A call, from the time before it to that after it.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// Just before it.
    pub at: Nanos,
    /// Just after it.
    pub done: Nanos,
}

/// A group, and its membership if it has one or is watched after one.
#[derive(Debug)]
pub struct Channel {
    /// The group.
    pub membership: Membership,
    state: State,
    /// The last datagram at the interface.
    last_at_interface: Option<Nanos>,
    /// The last datagram at the socket.
    last_at_socket: Option<Nanos>,
    streams: Vec<Stream>,
    memberships: u64,
    counts: JoinCounts,
    interface: InterfaceCounts,
    extremes: Option<(Nanos, Nanos)>,
    /// Between two datagrams at the interface while it was joined.
    longest_gap: Option<Nanos>,
}

#[derive(Debug)]
enum State {
    /// Neither joined nor watched.
    Idle,
    Joined(Joined),
    /// Left, and watched to see when it stops.
    Watched(Left),
}

#[derive(Debug)]
struct Joined {
    call: Call,
    was_flowing: bool,
    report: Option<Nanos>,
    /// The first datagram at the interface since the call, and since the report.
    at_interface: Option<Nanos>,
    after_report: Option<Nanos>,
    at_socket: Option<Nanos>,
}

#[derive(Debug)]
struct Left {
    call: Call,
    report: Option<Nanos>,
    /// Of the group that was joined instead: when it first reached the interface.
    successor_at: Option<Nanos>,
    is_zap: bool,
}

/// Sequence numbers of one stream of ours.
#[derive(Debug)]
struct Stream {
    session: u32,
    stream: u16,
    highest: u64,
    /// Number of the membership in which it was last heard.
    membership: u64,
}

/// Delays of all groups.
#[derive(Debug, Default)]
pub struct Tally {
    /// From the call to the first datagram at the socket.
    pub to_socket: Latency,
    join_call: Latency,
    join_report: Latency,
    from_join_report: Latency,
    never_after_report: u64,
    leave_call: Latency,
    leave_report: Latency,
    to_last: Latency,
    from_leave_report: Latency,
    never_ended: u64,
    never_ended_reported: u64,
    gap: Latency,
    never_after_gap: u64,
    overlap: Latency,
    endless_overlaps: u64,
    /// From the first call of a round to the time at which all groups have come.
    pub all: Latency,
    /// Rounds in which a group did not come.
    pub never_all: u64,
}

impl Channel {
    /// Not joined yet.
    pub fn new(membership: Membership) -> Self {
        Self {
            membership,
            state: State::Idle,
            last_at_interface: None,
            last_at_socket: None,
            streams: Vec::new(),
            memberships: 0,
            counts: JoinCounts::default(),
            interface: InterfaceCounts::default(),
            extremes: None,
            longest_gap: None,
        }
    }

    /// It was joined. A datagram at the interface less than `quiet` before means that it flows already.
    pub fn joined(&mut self, call: Call, quiet: Nanos) {
        self.memberships += 1;
        self.state = State::Joined(Joined {
            call,
            was_flowing: self.is_loud(call.at, quiet),
            report: None,
            at_interface: None,
            after_report: None,
            at_socket: None,
        });
    }

    /// A report of the host about the group left by the interface.
    pub fn reported(&mut self, at: Nanos, change: Change) {
        match (&mut self.state, change) {
            (State::Joined(Joined { call, report, .. }), Change::Joined)
            | (State::Watched(Left { call, report, .. }), Change::Left)
                if report.is_none() && at >= call.at =>
            {
                *report = Some(at);
            }
            _ => {}
        }
    }

    /// A datagram reached the interface.
    pub fn at_interface(&mut self, at: Nanos) {
        let before = self.last_at_interface;
        self.last_at_interface = before.max(Some(at));
        if let State::Joined(joined) = &mut self.state
            && at >= joined.call.at
        {
            let first = *joined.at_interface.get_or_insert(at);
            if let Some(before) = before.filter(|before| *before >= first) {
                self.longest_gap = self.longest_gap.max(Some(at.saturating_sub(before)));
            }
            if joined.report.is_some_and(|report| at >= report) {
                joined.after_report.get_or_insert(at);
            }
        }
    }

    /// A datagram came up to the socket; `probe` is what it says if it is ours.
    pub fn at_socket(&mut self, at: Nanos, probe: Option<&Probe>) {
        self.counts.received += 1;
        self.last_at_socket = self.last_at_socket.max(Some(at));
        if let State::Joined(joined) = &mut self.state
            && at >= joined.call.at
        {
            joined.at_socket.get_or_insert(at);
        }
        match probe {
            Some(probe) if probe.kind == Kind::Data => {
                // What is read late may belong to the membership before.
                let is_earlier =
                    matches!(&self.state, State::Joined(joined) if at < joined.call.at);
                self.follow(probe, self.memberships - u64::from(is_earlier));
            }
            Some(_) => {}
            None => self.counts.foreign += 1,
        }
    }

    fn follow(&mut self, probe: &Probe, membership: u64) {
        let is_it =
            |known: &&mut Stream| (known.session, known.stream) == (probe.session, probe.stream);
        let Some(known) = self.streams.iter_mut().find(is_it) else {
            if self.streams.len() < MOST_STREAMS {
                let (session, stream, highest) = (probe.session, probe.stream, probe.seq);
                self.streams.push(Stream { session, stream, highest, membership });
            }
            return;
        };
        let missed = match known.membership == membership {
            true => &mut self.counts.missed_joined,
            false => &mut self.counts.missed_away,
        };
        match probe.seq.checked_sub(known.highest + 1) {
            Some(between) => {
                *missed += between;
                known.highest = probe.seq;
            }
            // It was missing, and comes late.
            None if probe.seq < known.highest => *missed = missed.saturating_sub(1),
            None => {}
        }
        known.membership = membership;
    }

    /// When it was joined; `None`: it is not.
    pub fn joined_at(&self) -> Option<Nanos> {
        match &self.state {
            State::Joined(joined) => Some(joined.call.at),
            _ => None,
        }
    }

    /// When the first datagram of this membership came up to the socket.
    pub fn answered_at(&self) -> Option<Nanos> {
        match &self.state {
            State::Joined(joined) => joined.at_socket,
            _ => None,
        }
    }

    /// Whether it is joined, and nothing came so far.
    pub fn is_waiting(&self) -> bool {
        matches!(&self.state, State::Joined(joined) if joined.at_socket.is_none())
    }

    /// When the first datagram of this membership reached the interface.
    pub fn reached_at(&self) -> Option<Nanos> {
        match &self.state {
            State::Joined(joined) => joined.at_interface,
            _ => None,
        }
    }

    /// When the last datagram before now came up to the socket.
    pub fn last_at_socket(&self) -> Option<Nanos> {
        self.last_at_socket
    }

    /// Since when it has been watched; `None`: it is not.
    pub fn watched_since(&self) -> Option<Nanos> {
        match &self.state {
            State::Watched(left) => Some(left.call.at),
            _ => None,
        }
    }

    /// Whether a datagram reached the interface less than `quiet` before `now`.
    pub fn is_loud(&self, now: Nanos, quiet: Nanos) -> bool {
        self.last_at_interface.is_some_and(|last| now.saturating_sub(last) < quiet)
    }

    /// Puts a join into the books.
    fn close_join(&mut self, tally: &mut Tally, is_watched: bool) {
        let State::Joined(joined) = &self.state else { return };
        self.counts.joins += 1;
        tally.join_call.record(joined.call.at, joined.call.done);
        match joined.at_socket {
            Some(at) => {
                self.counts.answered += 1;
                tally.to_socket.record(joined.call.at, at);
                let delay = at - joined.call.at;
                let (min, max) = self.extremes.unwrap_or((delay, delay));
                self.extremes = Some((min.min(delay), max.max(delay)));
            }
            None => self.counts.unanswered += 1,
        }
        if !is_watched {
            return;
        }
        let own = &mut self.interface;
        own.kept_back += u64::from(joined.at_interface.is_some() && joined.at_socket.is_none());
        let came_before = |report| joined.at_interface.is_some_and(|first| first < report);
        let is_flowing = joined.was_flowing || joined.report.is_some_and(came_before);
        own.already_flowing += u64::from(is_flowing);
        let Some(report) = joined.report else { return };
        own.join_reports += 1;
        tally.join_report.record(joined.call.at, report);
        match joined.after_report {
            _ if is_flowing => {}
            Some(first) => tally.from_join_report.record(report, first),
            None => tally.never_after_report += 1,
        }
    }

    /// It was left. Only a join that was answered is worth watching, and only if the interface is watched; says whether
    /// it is. `is_zap`: for another group.
    pub fn left(&mut self, call: Call, tally: &mut Tally, is_watched: bool, is_zap: bool) -> bool {
        self.close_join(tally, is_watched);
        let was_answered = self.answered_at().is_some();
        self.state = State::Idle;
        if !is_watched || !was_answered {
            return false;
        }
        tally.leave_call.record(call.at, call.done);
        self.state = State::Watched(Left { call, report: None, successor_at: None, is_zap });
        true
    }

    /// The group that it was left for has reached the interface.
    pub fn succeeded(&mut self, at: Nanos) {
        if let State::Watched(left) = &mut self.state {
            left.successor_at.get_or_insert(at);
        }
    }

    /// Ends the watch at `now`. It has stopped if it was silent for `quiet`.
    pub fn close_watch(&mut self, now: Nanos, quiet: Nanos, tally: &mut Tally) {
        let has_ended = !self.is_loud(now, quiet);
        let last = self.last_at_interface;
        let State::Watched(left) = &self.state else { return };
        let own = &mut self.interface;
        own.leaves += 1;
        if let Some(report) = left.report {
            own.leave_reports += 1;
            tally.leave_report.record(left.call.at, report);
        }
        if has_ended {
            own.ended += 1;
            let behind = |start: Nanos| start.max(last.unwrap_or(start));
            tally.to_last.record(left.call.at, behind(left.call.at));
            if let Some(report) = left.report {
                tally.from_leave_report.record(report, behind(report));
            }
        } else {
            own.not_ended += 1;
            tally.never_ended += 1;
            tally.never_ended_reported += u64::from(left.report.is_some());
        }
        match left.successor_at {
            Some(_) if left.is_zap && !has_ended => tally.endless_overlaps += 1,
            Some(first) if left.is_zap => {
                tally.overlap.record(first, first.max(last.unwrap_or(first)))
            }
            _ => {}
        }
        self.state = State::Idle;
    }

    /// What came of it.
    pub fn row(&self, is_watched: bool) -> GroupRow {
        GroupRow {
            group: self.membership.to_string(),
            counts: JoinCounts { interface: is_watched.then_some(self.interface), ..self.counts },
            min_ns: self.extremes.map(|(min, _)| min),
            max_ns: self.extremes.map(|(_, max)| max),
            longest_gap_ns: self.longest_gap,
        }
    }

    /// Joins that were done with, those that were answered, and groups that stopped after they were left.
    pub fn progress(&self) -> [u64; 3] {
        [self.counts.joins, self.counts.answered, self.interface.ended]
    }
}

impl Tally {
    /// Without data from the last datagram of one group to the first of the next, if that came.
    pub fn zapped(&mut self, last: Option<Nanos>, first: Option<Nanos>) {
        match (last, first) {
            (Some(last), Some(first)) => self.gap.record(last, first.max(last)),
            (Some(_), None) => self.never_after_gap += 1,
            (None, _) => {}
        }
    }

    /// Delays of joining, of which so many were not answered.
    pub fn join(&self, unanswered: u64, is_watched: bool) -> JoinDelays {
        let watched =
            |of: &Latency, never| is_watched.then(|| Distribution::with_losses(&of.read(), never));
        JoinDelays {
            to_socket_ns: Distribution::with_losses(&self.to_socket.read(), unanswered),
            call_ns: Distribution::of(&self.join_call.read()),
            to_report_ns: watched(&self.join_report, 0),
            from_report_ns: watched(&self.from_join_report, self.never_after_report),
        }
    }

    /// Delays of leaving.
    pub fn leave(&self) -> LeaveDelays {
        LeaveDelays {
            to_last_ns: Distribution::with_losses(&self.to_last.read(), self.never_ended),
            call_ns: Distribution::of(&self.leave_call.read()),
            to_report_ns: Distribution::of(&self.leave_report.read()),
            from_report_ns: Distribution::with_losses(
                &self.from_leave_report.read(),
                self.never_ended_reported,
            ),
        }
    }

    /// Delays of zapping.
    pub fn zap(&self, is_watched: bool) -> ZapDelays {
        let overlap = || Distribution::with_losses(&self.overlap.read(), self.endless_overlaps);
        ZapDelays {
            gap_ns: Distribution::with_losses(&self.gap.read(), self.never_after_gap),
            overlap_ns: is_watched.then(overlap),
        }
    }

    /// Until all groups of a round have come.
    pub fn all(&self) -> Distribution {
        Distribution::with_losses(&self.all.read(), self.never_all)
    }
}

#[cfg(test)]
mod tests;
