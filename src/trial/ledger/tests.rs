use super::*;
use crate::model::by_stream::StreamInterval;
use crate::model::report::{StreamCounts, StreamEnd};
use crate::model::snapshot::VariationSums;
use crate::stats::patterns::PatternHistograms;
use crate::trial::shared::MAX_NOTED;
use crate::wire::announcement::Conduct;
use crate::wire::probe::Encoder;

struct Receiver {
    ledger: Ledger,
    interval: ReceiverInterval,
    now: Nanos,
    /// What the socket dropped before the next datagram.
    dropped: u32,
}

const OWN_CLOCK: SenderClock = SenderClock { host: 7, error: None };

/// A sender as its datagrams look: address, session, stream.
#[derive(Clone, Copy)]
struct Sender(&'static str, u32, u16);

const ALICE: Sender = Sender("10.0.0.1:1000", 0xa11ce, 0);
const BOB: Sender = Sender("10.0.0.2:1000", 0xb0b, 0);

impl Receiver {
    fn new() -> Self {
        let options = Options {
            session: None,
            loss_distance: 99,
            reorder_density: Some(8),
            media_rate_bps: None,
            variation: true,
            positions: true,
        };
        let interval = ReceiverInterval::new(true);
        Self { ledger: Ledger::new(options, OWN_CLOCK), interval, now: Nanos(0), dropped: 0 }
    }

    fn hear(
        &mut self,
        sender: Sender,
        kind: Kind,
        seqs: impl IntoIterator<Item = u64>,
    ) -> &mut Self {
        for seq in seqs {
            let mut payload = [0; 120];
            let conduct = Conduct { offered: seq, ..Conduct::default() };
            let encoder = Encoder::new(sender.1, sender.2, true);
            let due_at = Nanos(1_000_000 + seq);
            match kind {
                Kind::Data => encoder.encode(&mut payload, kind, seq, due_at, Nanos(0)),
                _ => encoder.announce(&mut payload, kind, seq, due_at, (&OWN_CLOCK, &conduct)),
            }
            self.hear_bytes(sender.0, &payload);
        }
        self
    }

    fn hear_bytes(&mut self, source: &str, payload: &[u8]) {
        let datagram = Datagram {
            payload,
            received_at: Nanos(2_000_000),
            source: source.parse().unwrap(),
            flow: Some(0),
            dropped_before: self.dropped,
        };
        self.ledger.enter(&datagram, self.now, &mut self.interval);
    }

    fn close(mut self) -> (Vec<StreamReport>, Vec<Event>) {
        let group = "239.1.1.1".parse().unwrap();
        self.ledger.finish(&mut self.interval);
        let group = Membership { source: None, group, port: 5000 };
        let Closed { streams: rows, happened, .. } = self.ledger.close(&[group]);
        for row in &rows {
            let StreamCounts { received, unique, duplicates, too_late, corrupt, .. } = row.counts;
            assert_eq!(received, unique + duplicates + too_late + corrupt, "{row:?}");
            if let Some(sent) = row.sent {
                assert_eq!(sent, unique + row.lost, "{row:?}");
            }
            if row.lost_ranges_complete && too_late + corrupt == 0 {
                assert_eq!(row.lost_ranges.iter().map(|lost| lost.len).sum::<u64>(), row.lost);
            }
        }
        (rows, happened)
    }

    fn only_row(self) -> StreamReport {
        let (mut rows, _) = self.close();
        assert_eq!(rows.len(), 1);
        rows.remove(0)
    }
}

#[test]
fn loss_at_start_middle_and_end() {
    let mut receiver = Receiver::new();
    receiver.hear(ALICE, Kind::Start, [0]).hear(ALICE, Kind::Data, 10..50);
    receiver.hear(ALICE, Kind::Data, 60..90).hear(ALICE, Kind::End, [100]);
    let row = receiver.only_row();
    assert_eq!((row.sent, row.lost, row.counts.unique), (Some(100), 30, 70));
    assert_eq!((row.first_seq, row.highest_seq, row.before_join), (0, Some(89), 0));
    assert_eq!((row.loss_ratio, row.end), (Some(0.3), StreamEnd::Announced));
    let ranges: Vec<_> = row.lost_ranges.iter().map(|lost| (lost.first_seq, lost.len)).collect();
    assert_eq!(ranges, [(0, 10), (50, 10), (90, 10)]);
}

/// RFC 7680 section 4.1: of five packets one is lost; of an empty sample there is no ratio.
#[test]
fn rfc_7680_section_4_1() {
    let mut receiver = Receiver::new();
    receiver.hear(ALICE, Kind::Start, [0]).hear(ALICE, Kind::Data, [0, 1, 3, 4]);
    receiver.hear(ALICE, Kind::End, [5]);
    assert_eq!(receiver.only_row().loss_ratio, Some(0.2));
    let mut receiver = Receiver::new();
    receiver.hear(ALICE, Kind::Start, [0]).hear(ALICE, Kind::End, [0]);
    assert_eq!(receiver.only_row().loss_ratio, None);
}

/// A gap that follows drops of the own socket is the receiver's own, as far as the drops go. What is left of them
/// was none of this stream's: the next gap is of the way again.
#[test]
fn own_drops_are_placed_in_the_sequence() {
    let mut receiver = Receiver::new();
    receiver.hear(ALICE, Kind::Start, [0]).hear(ALICE, Kind::Data, 0..10);
    receiver.hear(ALICE, Kind::Data, [15]);
    receiver.dropped = 7;
    receiver.hear(ALICE, Kind::Data, [20]);
    receiver.dropped = 0;
    receiver.hear(ALICE, Kind::Data, [30]).hear(ALICE, Kind::End, [31]);
    let own: Vec<_> = receiver
        .only_row()
        .lost_ranges
        .iter()
        .map(|lost| (lost.first_seq, lost.len, lost.own_socket))
        .collect();
    assert_eq!(own, [(10, 5, 0), (16, 4, 4), (21, 9, 0)]);
}

/// Who goes on from a position must find each number once: received, lost, or still awaited.
#[test]
fn a_position_accounts_for_every_number() {
    let mut receiver = Receiver::new();
    let told = |receiver: &Receiver| {
        let mut positions = Positions::default();
        receiver.ledger.tell_positions(0, None, &mut positions);
        let (_, position) = positions.iter().next().unwrap();
        let below = receiver.ledger.counts().unique + receiver.ledger.lost();
        (position.first_seq, position.next_seq, position.awaited, position.has_ended, below)
    };
    receiver.hear(ALICE, Kind::Start, [0]);
    assert_eq!(told(&receiver), (0, 0, 0, false, 0));
    receiver.hear(ALICE, Kind::Data, [0, 1, 5, 6]);
    assert_eq!(told(&receiver), (0, 7, 3, false, 4));
    receiver.hear(ALICE, Kind::Data, [3, 3]);
    assert_eq!(told(&receiver), (0, 7, 2, false, 5));
    receiver.ledger.settle(Nanos(2_000_000), &mut receiver.interval);
    assert_eq!(told(&receiver), (0, 7, 0, false, 7));
    receiver.hear(ALICE, Kind::End, [10]);
    assert_eq!(told(&receiver), (0, 7, 3, true, 7));
    // Nobody expects them any more.
    receiver.now = Nanos(1_000);
    receiver.ledger.look_for_silence(receiver.now, Nanos(1));
    assert_eq!(told(&receiver), (0, 7, 0, true, 10));
    assert_eq!(receiver.only_row().lost, 5);
}

/// A loss is told, as a whole period, in the interval in which it becomes certain; what was told is not told again.
#[test]
fn intervals_have_their_own_patterns() {
    let mut receiver = Receiver::new();
    receiver.hear(ALICE, Kind::Start, [0]).hear(ALICE, Kind::Data, 0..10);
    receiver.hear(ALICE, Kind::Data, [15, 14, 12]);
    let told = |receiver: &mut Receiver| {
        receiver.ledger.settle(Nanos(2_000_000), &mut receiver.interval);
        receiver.ledger.end_interval(Nanos(0), Nanos(1), &mut receiver.interval);
        let PatternHistograms { order, loss, .. } = &receiver.interval.patterns;
        let VariationSums { ipdv, sent_train_max, .. } = receiver.interval.variation;
        let losses = (loss.lost, loss.periods, loss.period_max, loss.lengths.len());
        let order = (order.counters.reordered, order.counters.discontinuity_size);
        let told = (losses, order, ipdv.pairs(), sent_train_max);
        receiver.interval.clear();
        told
    };
    assert_eq!(told(&mut receiver), ((3, 2, 2, 2), (2, 5), 10, 1));
    assert_eq!(told(&mut receiver), ((0, 0, 0, 0), (0, 0), 0, 1));
    receiver.hear(ALICE, Kind::Data, [20]);
    assert_eq!(told(&mut receiver), ((4, 1, 4, 1), (0, 4), 0, 1));
    let row = receiver.only_row();
    assert_eq!((row.lost, row.loss.periods, row.loss.period_max), (7, 3, 4));
    assert_eq!((row.order.discontinuities, row.order.discontinuity_size), (2, 9));
    assert_eq!(row.variation.unwrap().ipdv_pairs, 10);
}

#[test]
fn as_many_duplicates_as_losses_do_not_cancel() {
    let mut receiver = Receiver::new();
    receiver.hear(ALICE, Kind::Start, [0]).hear(ALICE, Kind::Data, 0..50);
    receiver.hear(ALICE, Kind::Data, 40..50).hear(ALICE, Kind::Data, 60..100);
    receiver.hear(ALICE, Kind::End, [100]);
    let row = receiver.only_row();
    assert_eq!((row.counts.received, row.counts.duplicates, row.lost), (100, 10, 10));
}

#[test]
fn a_late_receiver_loses_nothing_before_it_came() {
    let mut receiver = Receiver::new();
    receiver.hear(ALICE, Kind::Data, 500..600).hear(ALICE, Kind::End, [601]);
    let row = receiver.only_row();
    assert_eq!((row.sent, row.lost, row.before_join), (Some(101), 1, 500));
    // One that heard of the stream before any datagram knows where it came in.
    let mut receiver = Receiver::new();
    receiver.hear(ALICE, Kind::Progress, [500]).hear(ALICE, Kind::Data, 510..600);
    receiver.hear(ALICE, Kind::Progress, [590]).hear(ALICE, Kind::End, [600]);
    let row = receiver.only_row();
    assert_eq!((row.sent, row.lost, row.before_join), (Some(100), 10, 500));
}

#[test]
fn all_lost_is_known_and_nothing_heard_is_not_loss() {
    let mut receiver = Receiver::new();
    receiver.hear(ALICE, Kind::Start, [0]).hear(ALICE, Kind::End, [100]);
    let row = receiver.only_row();
    assert_eq!((row.sent, row.lost, row.loss_ratio), (Some(100), 100, Some(1.0)));
    let mut receiver = Receiver::new();
    receiver.hear(ALICE, Kind::End, [100]);
    let row = receiver.only_row();
    assert_eq!((row.sent, row.lost, row.loss_ratio), (Some(0), 0, None));
    assert_eq!(row.before_join, 100);
}

#[test]
fn a_killed_sender_leaves_its_tail_unknown_and_its_return_is_noticed() {
    let second = Sender("10.0.0.1:2000", 0xa11cf, 0);
    let mut receiver = Receiver::new();
    receiver.hear(ALICE, Kind::Start, [0]).hear(ALICE, Kind::Data, 0..10);
    receiver.now = Nanos(5);
    receiver.hear(second, Kind::Start, [0]).hear(second, Kind::Data, 0..10);
    receiver.hear(second, Kind::End, [10]);
    receiver.ledger.look_for_silence(Nanos(100), Nanos(50));
    assert_eq!(receiver.ledger.open(), 0);
    let (rows, happened) = receiver.close();
    assert_eq!((rows[0].sent, rows[0].lost, rows[0].end), (None, 0, StreamEnd::Silent));
    assert_eq!((rows[1].sent, rows[1].end), (Some(10), StreamEnd::Announced));
    let gone = Happening::SenderSilent { session: "0a11ce".into(), source: ALICE.0.into() };
    let back = Happening::SenderRestarted { session: "0a11cf".into(), source: second.0.into() };
    let event = |at, what| Event { at_ns: Nanos(at), what };
    assert_eq!(happened, [event(0, gone), event(5, back)]);
}

#[test]
fn a_sender_that_was_there_all_the_time_is_nobodys_return() {
    let neighbour = Sender("10.0.0.1:2000", 0xa11cf, 0);
    let mut receiver = Receiver::new();
    receiver.hear(neighbour, Kind::Start, [0]);
    receiver.now = Nanos(5);
    receiver.hear(ALICE, Kind::Start, [0]);
    receiver.now = Nanos(90);
    receiver.hear(neighbour, Kind::Data, 0..10).hear(neighbour, Kind::End, [10]);
    receiver.ledger.look_for_silence(Nanos(100), Nanos(50));
    let (_, happened) = receiver.close();
    let gone = Happening::SenderSilent { session: "0a11ce".into(), source: ALICE.0.into() };
    assert_eq!(happened, [Event { at_ns: Nanos(5), what: gone }]);
}

#[test]
fn silence_ends_when_the_sender_speaks_again() {
    let mut receiver = Receiver::new();
    receiver.hear(ALICE, Kind::Data, 0..10);
    receiver.ledger.look_for_silence(Nanos(100), Nanos(50));
    assert_eq!(receiver.ledger.open(), 0);
    receiver.now = Nanos(200);
    receiver.hear(ALICE, Kind::Data, 10..20);
    assert_eq!(receiver.ledger.open(), 1);
    receiver.hear(ALICE, Kind::End, [20]);
    assert_eq!(receiver.ledger.open(), 0);
    let (rows, happened) = receiver.close();
    assert_eq!((rows[0].lost, happened.len()), (0, 0));
}

#[test]
fn senders_that_share_a_group_are_told_apart() {
    let same_session = Sender(BOB.0, ALICE.1, ALICE.2);
    let second_stream = Sender(ALICE.0, ALICE.1, 1);
    let mut receiver = Receiver::new();
    for seq in 0..100 {
        receiver.hear(ALICE, Kind::Data, [seq]).hear(same_session, Kind::Data, [seq]);
        receiver.hear(BOB, Kind::Data, [seq]).hear(second_stream, Kind::Data, [seq * 2]);
    }
    let (rows, _) = receiver.close();
    assert_eq!(rows.iter().map(|row| row.lost).collect::<Vec<_>>(), [0, 0, 0, 99]);
}

/// Who knows its own senders, because it is they, takes nobody else's datagrams for theirs.
#[test]
fn the_senders_of_another_process_are_foreign() {
    let mut receiver = Receiver::new();
    receiver.ledger.options.session = Some(ALICE.1);
    receiver.hear(ALICE, Kind::Start, [0]).hear(BOB, Kind::Start, [0]);
    receiver.hear(BOB, Kind::Data, 0..7).hear(ALICE, Kind::Data, 0..3);
    receiver.hear(ALICE, Kind::End, [3]);
    assert_eq!(receiver.ledger.counts().foreign, 8);
    let row = receiver.only_row();
    assert_eq!((row.counts.unique, row.lost), (3, 0));
}

#[test]
fn what_is_not_ours_is_foreign_and_what_is_damaged_is_corrupt() {
    let mut receiver = Receiver::new();
    receiver.hear(ALICE, Kind::Start, [0]).hear(ALICE, Kind::Data, 0..3);
    receiver.hear_bytes(ALICE.0, b"hello");
    receiver.hear_bytes(ALICE.0, &[]);
    let mut payload = [0; 100];
    Encoder::new(ALICE.1, ALICE.2, true).encode(&mut payload, Kind::Data, 3, Nanos(1), Nanos(0));
    payload[80] ^= 1;
    receiver.hear_bytes(ALICE.0, &payload);
    receiver.hear(ALICE, Kind::End, [4]);
    assert_eq!(receiver.ledger.counts().foreign, 2);
    assert_eq!(receiver.interval.one_way_delay.count(), 3);
    let row = receiver.only_row();
    assert_eq!((row.counts.corrupt, row.lost), (1, 1), "a corrupt datagram is a lost one");
}

#[test]
fn spoofed_streams_are_bounded_and_counted() {
    let mut receiver = Receiver::new();
    for number in 0..MAX_STREAMS as u32 + 10 {
        receiver.hear(Sender(ALICE.0, number, 0), Kind::Data, [7]);
    }
    assert_eq!(receiver.ledger.streams(), MAX_STREAMS);
    assert_eq!(receiver.ledger.counts().foreign, 10);
    let over = Happening::TooManyStreams { limit: MAX_STREAMS as u64 };
    let happened = receiver.ledger.happened();
    assert_eq!(happened.iter().filter(|event| event.what == over).count(), 1);
}

/// Each second number is missing, in more streams than may all note it; then a gap is filled in such a way that it
/// falls into thousands.
#[test]
fn what_is_noted_of_losses_is_bounded() {
    let mut receiver = Receiver::new();
    for number in 0..140 {
        let sender = Sender(ALICE.0, number, 0);
        receiver.hear(sender, Kind::Start, [0]).hear(sender, Kind::Data, (0..8000).step_by(2));
    }
    assert_eq!(receiver.ledger.shared.noted, MAX_NOTED);
    receiver.hear(BOB, Kind::Start, [0]).hear(BOB, Kind::Data, [100_000]);
    receiver.hear(BOB, Kind::Data, (1..100_000).step_by(2));
    assert!(receiver.ledger.shared.noted <= MAX_NOTED);
    receiver.ledger.settle(Nanos(u64::MAX), &mut receiver.interval);
    assert_eq!(receiver.ledger.outstanding(), 0);
    let (rows, _) = receiver.close();
    let (hostile, bob): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row.source == ALICE.0);
    assert!(hostile.iter().all(|row| (row.lost, row.counts.unique) == (3999, 4000)));
    assert_eq!((bob[0].lost, bob[0].counts.unique), (50_000, 50_001));
    assert!(!bob[0].lost_ranges_complete);
}

/// A million datagrams of noise, a part of it with a true header over random numbers: nothing panics, and
/// every one of them is in the books.
#[test]
fn noise_is_counted_and_harms_nothing() {
    let mut receiver = Receiver::new();
    let mut state = 0x2545_f491_4f6c_dd1du64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for _ in 0..1_000_000 {
        let mut payload = [0u8; 48];
        payload.chunks_mut(8).for_each(|chunk| chunk.copy_from_slice(&random().to_ne_bytes()));
        let len = random() as usize % 49;
        if len >= 34 && random() % 4 == 0 {
            let kinds = [Kind::Data, Kind::Data, Kind::Start, Kind::Progress, Kind::End];
            let kind = kinds[random() as usize % kinds.len()];
            let encoder = Encoder::new(random() as u32 % 8, random() as u16 % 8, false);
            encoder.encode(&mut payload, kind, random() >> 19, Nanos(random()), Nanos(0));
        }
        receiver.hear_bytes(ALICE.0, &payload[..len]);
    }
    let counts = receiver.ledger.counts();
    assert_eq!(counts.received + counts.foreign + receiver.ledger.announcements(), 1_000_000);
    assert!(counts.received > 30_000 && counts.foreign > 500_000, "{counts:?}");
    receiver.close();
}

/// What a sender tells on itself comes with whatever stream, and counts only when it came whole.
#[test]
fn what_a_sender_tells_on_itself_is_kept_by_thread() {
    let mut receiver = Receiver::new();
    let told = Conduct { stalls: 3, offered: 90, intended: Some(100), ..Conduct::default() };
    let announcement = |stream, told: &Conduct| {
        let mut payload = [0; 120];
        let encoder = Encoder::new(ALICE.1, stream, false);
        encoder.announce(&mut payload, Kind::Progress, 5, Nanos(1), (&OWN_CLOCK, told));
        payload
    };
    receiver.hear_bytes(ALICE.0, &announcement(0, &told));
    receiver.hear_bytes(ALICE.0, &announcement(1, &Conduct { offered: 50, ..told }));
    let mut damaged = announcement(0, &Conduct { offered: 95, ..told });
    damaged[100] ^= 1;
    receiver.hear_bytes(ALICE.0, &damaged);
    // One of a version that says less, and one that was overtaken.
    receiver.hear_bytes(ALICE.0, &announcement(0, &told)[..46]);
    receiver.hear_bytes(ALICE.0, &announcement(0, &Conduct { offered: 70, ..told }));
    receiver.hear_bytes(BOB.0, &announcement(0, &Conduct { thread: 1, ..told }));
    receiver.ledger.finish(&mut receiver.interval);
    let group = Membership { source: None, group: "239.1.1.1".parse().unwrap(), port: 5000 };
    let report = receiver.ledger.close(&[group]).senders.report().unwrap();
    let rows = report.threads.iter().map(|row| (&*row.source, row.thread, row.conduct.offered));
    assert_eq!(rows.collect::<Vec<_>>(), [(ALICE.0, 0, 90), (BOB.0, 1, 90)]);
    assert_eq!((report.all.stalls, report.all.intended), (6, Some(200)));
}

/// What is told of streams adds up to what is counted of all, and a sender that starts again goes on with its own.
#[test]
fn streams_are_told_by_intervals() {
    let group = Membership { source: None, group: "239.1.1.1".parse().unwrap(), port: 5000 };
    let mut receiver = Receiver::new();
    let told = |receiver: &mut Receiver| {
        let mut told = ByStream::default();
        receiver.ledger.tell_streams(&[group], &mut told);
        let row = |stream: &StreamInterval| {
            assert_eq!((stream.name.group, stream.name.stream), (group, 0));
            (stream.name.source.to_string(), stream.counts.unique, stream.lost)
        };
        told.iter().map(row).collect::<Vec<_>>()
    };
    let row = |source: &str, unique, lost| (source.to_owned(), unique, lost);
    receiver.hear(ALICE, Kind::Data, [0, 1, 4]).hear(BOB, Kind::Data, [0]);
    assert_eq!(told(&mut receiver), [row("10.0.0.1", 3, 0), row("10.0.0.2", 1, 0)]);
    assert_eq!(told(&mut receiver), []);
    let again = Sender("10.0.0.1:2000", 0xa11cf, 0);
    receiver.hear(again, Kind::Data, [0, 1]).hear(ALICE, Kind::Data, [5]);
    receiver.ledger.finish(&mut receiver.interval);
    assert_eq!(told(&mut receiver), [row("10.0.0.1", 3, 2)]);
}
