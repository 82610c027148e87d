//! Who watches a trial while it runs: each an [`Observer`].

use crate::model::Observer;
use crate::model::event::Event;
use crate::model::report::RunReport;
use crate::model::snapshot::Snapshot;
use crate::model::spec::TrialSpec;
use crate::units::Nanos;

pub mod line;
pub mod prometheus;
pub mod roundtrip;
pub mod tui;

/// One observer that tells many, in order.
#[derive(Default)]
pub struct Fanout<'a>(pub Vec<&'a mut dyn Observer>);

impl Observer for Fanout<'_> {
    fn on_start(&mut self, spec: &TrialSpec, started_at: Nanos) {
        self.0.iter_mut().for_each(|observer| observer.on_start(spec, started_at));
    }

    fn on_heard(&mut self) {
        self.0.iter_mut().for_each(|observer| observer.on_heard());
    }

    fn on_interval(&mut self, snapshot: &Snapshot) {
        self.0.iter_mut().for_each(|observer| observer.on_interval(snapshot));
    }

    fn follows_streams(&self) -> bool {
        self.0.iter().any(|observer| observer.follows_streams())
    }

    fn on_event(&mut self, event: &Event) {
        self.0.iter_mut().for_each(|observer| observer.on_event(event));
    }

    fn on_finish(&mut self, report: &RunReport) {
        self.0.iter_mut().for_each(|observer| observer.on_finish(report));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample;
    use std::sync::mpsc::{Sender, channel};

    struct Telling(u8, Sender<(u8, &'static str)>);

    impl Observer for Telling {
        fn on_start(&mut self, _: &TrialSpec, started_at: Nanos) {
            assert_eq!(started_at, sample::STARTED_AT);
            self.1.send((self.0, "start")).unwrap();
        }

        fn on_heard(&mut self) {
            self.1.send((self.0, "heard")).unwrap();
        }

        fn on_interval(&mut self, _: &Snapshot) {
            self.1.send((self.0, "interval")).unwrap();
        }

        fn on_event(&mut self, _: &Event) {
            self.1.send((self.0, "event")).unwrap();
        }

        fn on_finish(&mut self, _: &RunReport) {
            self.1.send((self.0, "finish")).unwrap();
        }
    }

    #[test]
    fn tells_all_of_them_everything_in_order() {
        let (told, heard) = channel();
        let (mut first, mut second) = (Telling(0, told.clone()), Telling(1, told));
        let mut fanout = Fanout(vec![&mut first, &mut second]);
        let report = sample::run();
        fanout.on_start(&report.trial.spec, sample::STARTED_AT);
        fanout.on_heard();
        fanout.on_interval(&sample::intervals(report.trial.spec.role)[0]);
        fanout.on_event(&sample::events()[0]);
        fanout.on_finish(&report);
        drop((first, second));
        let words = ["start", "heard", "interval", "event", "finish"];
        let expected: Vec<_> = words.into_iter().flat_map(|word| [(0, word), (1, word)]).collect();
        assert_eq!(heard.iter().collect::<Vec<_>>(), expected);
    }
}
