//! Frames on a screen of letters.

use super::state::{Moment, News, State, Title};
use super::*;
use crate::model::by_stream::{StreamInterval, StreamName};
use crate::model::sample;
use crate::model::snapshot::RxCounts;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

/// A view of a minute of the sample, with three streams.
fn state(role: Role) -> State {
    let spec = sample::spec(role);
    let title = Title {
        what: format!("{role:?} {} by mmsg", state::groups(&spec.groups)).to_lowercase(),
        length: Some(Nanos(60 * Nanos::SECOND.0)),
        delay: "Delay",
    };
    let mut state = State::new(false);
    state.hear(News::Started(title));
    for second in 0..60 {
        let mut snapshot = sample::intervals(role)[second % 2].clone();
        snapshot.start = Nanos(second as u64 * Nanos::SECOND.0);
        snapshot.length = Nanos::SECOND;
        let streams = match role {
            Role::Send => vec![],
            _ => (0..3).map(stream).collect(),
        };
        state.hear(News::Moment(Box::new((Moment::of_trial(&snapshot), streams))));
    }
    for event in sample::events() {
        state.hear(News::Event(event.at_ns, event.what.to_string()));
    }
    state
}

fn stream(number: u16) -> StreamInterval {
    let group = sample::spec(Role::Recv).groups[0];
    let name = StreamName { source: [192, 0, 2, 7].into(), group, stream: number };
    let received = 1_000 * u64::from(number + 1);
    let counts = RxCounts { received, unique: received, ..RxCounts::default() };
    StreamInterval { name, counts, lost: i64::from(number % 2) }
}

fn frame(state: &State, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| panes::draw(state, frame)).unwrap();
    let buffer = terminal.backend().buffer();
    let line = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
    (0..height).map(|y| line(y).trim_end().to_owned() + "\n").collect()
}

#[test]
fn each_role_on_a_usual_screen() {
    for (name, role) in [("run", Role::Run), ("send", Role::Send), ("recv", Role::Recv)] {
        insta::with_settings!({ prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(format!("live_{name}"), frame(&state(role), 80, 40));
        });
    }
}

#[test]
fn a_wide_screen_and_a_narrow_one() {
    let state = state(Role::Recv);
    for (name, width, height) in
        [("very_wide", 200, 50), ("wide", 120, 36), ("narrow", 60, 30), ("small", 80, 24)]
    {
        insta::with_settings!({ prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(format!("live_{name}"), frame(&state, width, height));
        });
    }
}

#[test]
fn no_word_is_cut_off() {
    let mut state = state(Role::Run);
    let received = state.total.received.as_mut().unwrap();
    received.outstanding = 1_234_567;
    (received.counts.reordered, received.counts.foreign) = (7_654_321, 2_345_678);
    received.lost = 3_456_789;
    state.total.sent.as_mut().unwrap().refused = 4_567_890;
    let said = "refused by the kernel 4,567,890|dropped by a queue of the sender 300|on the way 270|\
                in this host 0|at our socket 30|reordered 7,654,321|doubled 0|corrupt 0|\
                foreign 2,345,678|outstanding 1,234,567|239.255.77.77:5777|192.0.2.7 #2|\
                 3,456,789 (36.6 %)";
    for width in [60, 61, 66, 75, 76, 80, 99, 100, 120, 200] {
        let frame = frame(&state, width, 60);
        for words in said.split('|') {
            assert!(frame.contains(words), "{words} at {width}:\n{frame}");
        }
    }
    state.title.what = "run [ff15:1234:5678::77]:5777 and 99 more by af_packet".into();
    let frame = frame(&state, 60, 30);
    let first = frame.lines().next().unwrap();
    assert!(first.contains("…") && first.ends_with("01:00 of 01:00"), "{frame}");
}

#[test]
fn any_size_and_nothing_to_show() {
    let (full, empty) = (state(Role::Run), State::new(true));
    for width in [0, 1, 2, 3, 5, 8, 13, 20, 39, 60, 99, 100, 300] {
        for height in [0, 1, 2, 3, 5, 8, 13, 20, 39, 100] {
            frame(&full, width, height);
            frame(&empty, width, height);
        }
    }
}

#[test]
fn rows_are_sorted_summed_and_scrolled() {
    let mut state = state(Role::Recv);
    let press = |state: &mut State, key| press(state, KeyEvent::new(key, KeyModifiers::NONE));
    let shown = |state: &State, words: &str| {
        let text = frame(state, 80, 40);
        assert!(text.contains(words), "{words}: {text}");
        text
    };
    shown(&state, " Streams by lost, from 1 of 3, and others ");
    press(&mut state, KeyCode::Char('s'));
    press(&mut state, KeyCode::End);
    let text = shown(&state, " Streams by received, from 3 of 3");
    assert!(text.contains("#0") && !text.contains("#1") && !text.contains("#2"), "{text}");
    press(&mut state, KeyCode::Char('g'));
    shown(&state, " Groups by received, from 1 of 1");
    shown(&state, "│239.255.77.77:5777        3   360,000    60       6.00k ");
    press(&mut state, KeyCode::Char('g'));
    shown(&state, " Senders by received, from 1 of 1");
    shown(&state, "│192.0.2.7         3    360,000     60        6.00k ");
}

#[test]
fn a_round_trip_that_is_missing_is_lost_until_it_comes() {
    let interval = |answered, missing| PingInterval {
        length: Nanos::SECOND,
        sent: 10,
        answered,
        missing,
        ..PingInterval::default()
    };
    let mut state = State::new(false);
    for (answered, missing, before) in [(8, 2, 0), (12, 0, 2)] {
        let moment = Moment::of_ping(&interval(answered, missing), before);
        state.hear(News::Moment(Box::new((moment, vec![]))));
    }
    let received = state.total.received.unwrap();
    assert_eq!((received.counts.received, received.lost), (20, 0));
    assert_eq!(state.moments[0].received.unwrap().lost, 2);
}

#[test]
fn memory_has_a_bound() {
    let mut state = state(Role::Run);
    for _ in 0..10_000 {
        state.hear(News::Event(Nanos(0), "again".into()));
        state.hear(News::Moment(Box::default()));
    }
    assert!(state.events.len() <= 200 && state.moments.len() <= 600);
}
