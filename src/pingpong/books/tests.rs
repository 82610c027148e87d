use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

const OWN: SenderClock = SenderClock { host: 1, error: None };
const TIMEOUT: Nanos = Nanos(1_000);

fn account(first: u64, next: u64, unique: u64) -> Account {
    Account { first, next, unique, copies: 0 }
}

/// A reply of `responder` to `seq`, due at 10,000 and read so much later.
fn reply(responder: u32, seq: u64, rtt: u64, account: Account) -> Heard {
    let due_at = Nanos(10_000);
    Heard {
        seq,
        due_at,
        received_at: due_at + Nanos(rtt - 5),
        read_at: due_at + Nanos(rtt),
        source: ([192, 0, 2, 1], 5777).into(),
        answer: Answer {
            responder,
            clock: OWN,
            received_at: due_at + Nanos(40),
            sent_at: due_at + Nanos(60),
            account,
        },
    }
}

#[test]
fn times_of_one_round_trip() {
    let mut books = Books::new(OWN, TIMEOUT);
    let verdict = books.reply(&reply(7, 0, 100, account(0, 1, 1)), 1);
    assert_eq!(verdict, Verdict::Answered(Nanos(100)));
    let times = &books.rows()[0].times;
    let of = |latency: &crate::stats::latency::Latency| latency.max().0;
    let all =
        [&times.rtt, &times.kernel, &times.turnaround, &times.path, &times.forward, &times.back];
    assert_eq!(all.map(of), [100, 95, 20, 80, 40, 35]);
    assert_eq!(books.rows()[0].relation, ClockRelation::SameHost);
}

#[test]
fn clocks_that_do_not_compare_have_no_ways() {
    let mut books = Books::new(OWN, TIMEOUT);
    let mut heard = reply(7, 0, 100, account(0, 1, 1));
    heard.answer.clock.host = 2;
    books.reply(&heard, 1);
    let times = &books.rows()[0].times;
    assert_eq!((times.rtt.count(), times.forward.count(), times.back.count()), (1, 0, 0));
}

#[test]
fn late_duplicate_reordered_and_stray_are_told_apart() {
    let mut books = Books::new(OWN, TIMEOUT);
    let all = account(0, 5, 5);
    let mut enter = |seq, rtt| books.reply(&reply(7, seq, rtt, all), 5);
    assert_eq!(enter(1, 1_001), Verdict::Late);
    assert_eq!(enter(1, 50), Verdict::Duplicate);
    assert_eq!(enter(0, 1_000), Verdict::Answered(TIMEOUT));
    assert_eq!(enter(5, 50), Verdict::Stray);
    let counts = books.rows()[0].counts(5);
    let expected = PingCounts {
        sent: 5,
        received: 4,
        answered: 1,
        late: 1,
        lost: 3,
        lost_back: 3,
        duplicates: 1,
        reordered: 1,
        stray: 1,
        ..PingCounts::default()
    };
    assert_eq!(counts, expected);
}

#[test]
fn the_responders_account_tells_where_the_lost_ones_were_lost() {
    let mut books = Books::new(OWN, TIMEOUT);
    // It got 0, 2 and 3 of ten requests; of these replies the one to 2 came.
    books.reply(&reply(7, 2, 50, account(0, 3, 2)), 10);
    let where_lost = |books: &Books| {
        let counts = books.rows()[0].counts(10);
        (counts.lost, counts.lost_there, counts.lost_back, counts.lost_unknown)
    };
    assert_eq!(where_lost(&books), (9, 1, 1, 7), "of the last seven nobody has said anything");
    assert!(!books.is_settled(10));
    books.statement(&reply(7, 10, 50, account(0, 4, 3)), 10);
    assert!(books.is_settled(10));
    assert_eq!(where_lost(&books), (9, 7, 2, 0));
}

#[test]
fn who_comes_late_has_lost_nothing_before() {
    let mut books = Books::new(OWN, TIMEOUT);
    books.reply(&reply(7, 0, 50, account(0, 1, 1)), 1);
    books.reply(&reply(8, 6, 50, account(6, 7, 1)), 8);
    let counts = books.rows()[1].counts(8);
    assert_eq!((books.rows()[1].first(8), counts.sent, counts.lost), (6, 2, 1));
    assert_eq!(books.missing(8), 7 + 1);
}

#[test]
fn silence_is_told_once_and_ends_with_a_reply() {
    let mut books = Books::new(OWN, TIMEOUT);
    books.reply(&reply(7, 0, 50, account(0, 1, 1)), 1);
    let later = Nanos(20_000);
    assert_eq!(books.next_silent(later, Nanos(9_950)).map(|row| row.responder), None);
    assert_eq!(books.next_silent(later, Nanos(9_949)).map(|row| row.responder), Some(7));
    assert!(books.next_silent(later, Nanos(0)).is_none());
    assert_eq!(books.present(), 0);
    books.reply(&reply(7, 1, 50, account(0, 2, 2)), 2);
    assert_eq!(books.present(), 1);
}

#[test]
fn more_responders_than_there_is_room_for() {
    let mut books = Books::new(OWN, TIMEOUT);
    for responder in 0..MAX_RESPONDERS as u32 {
        assert!(books.statement(&reply(responder, 0, 50, account(0, 0, 0)), 0));
    }
    assert_eq!(books.reply(&reply(9_999, 0, 50, account(0, 1, 1)), 1), Verdict::TooMany);
    assert_eq!(books.rows().len(), MAX_RESPONDERS);
}

/// The fate of each request: lost on the way there, or on the way back, or answered.
fn fates() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(0u8..3, 1..300)
}

proptest! {
    #[test]
    fn counts_are_those_of_the_network(fates in fates(), is_stated: bool) {
        let mut books = Books::new(OWN, TIMEOUT);
        let sent = fates.len() as u64;
        let mut own = Account::default();
        for (seq, fate) in (0..).zip(&fates) {
            if *fate > 0 {
                own.next = seq + 1;
                own.unique += 1;
            }
            if *fate == 2 {
                books.reply(&reply(7, seq, 50, own), seq + 1);
            }
        }
        if is_stated {
            books.statement(&reply(7, sent, 50, own), sent);
        }
        let of = |fate: u8| fates.iter().filter(|&&is| is == fate).count() as u64;
        for row in books.rows() {
            let counts = row.counts(sent);
            prop_assert_eq!(counts.sent, counts.answered + counts.late + counts.lost);
            prop_assert_eq!(counts.lost, counts.lost_there + counts.lost_back + counts.lost_unknown);
            prop_assert_eq!((counts.answered, counts.lost), (of(2), of(0) + of(1)));
            if is_stated {
                prop_assert_eq!((counts.lost_there, counts.lost_back), (of(0), of(1)));
            } else {
                prop_assert!(counts.lost_there <= of(0) && counts.lost_back <= of(1));
            }
        }
    }

    /// Whatever answers say, the counts add up.
    #[test]
    fn lies_do_not_break_the_sums(
        lies in prop::collection::vec((0u64..40, 0u64..2_000, 0u64..50, 0u64..50, 0u64..50, any::<bool>()), 1..60),
    ) {
        let mut books = Books::new(OWN, TIMEOUT);
        let mut seqs = BTreeSet::new();
        for (seq, rtt, first, next, unique, is_statement) in lies {
            let heard = reply(7, seq, rtt + 5, account(first, next, unique));
            if is_statement {
                books.statement(&heard, 30);
            } else {
                books.reply(&heard, 30);
                seqs.insert(seq);
            }
        }
        let counts = books.rows()[0].counts(30);
        let unique = seqs.iter().filter(|seq| **seq < 30).count() as u64;
        prop_assert_eq!(counts.answered + counts.late, unique);
        prop_assert_eq!(counts.lost, counts.lost_there + counts.lost_back + counts.lost_unknown);
        prop_assert_eq!(counts.sent, counts.answered + counts.late + counts.lost);
    }
}
