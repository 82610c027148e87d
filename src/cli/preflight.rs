//! What `doctor` has to say around a trial: before it, what would make it fail or mislead; and in one that hears
//! nothing, why that may be.

use super::color::Colours;
use super::paper;
use crate::doctor::{Asked, Listening, explain_silence, grave};
use crate::error::Error;
use crate::model::Observer;
use crate::model::checkup::Finding;
use crate::model::spec::{Role, TrialSpec};
use crate::report::checkup;
use crate::report::paper::NARROWEST;
use crate::units::Nanos;
use crate::units::duration::format_duration;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// So long nobody wonders.
const PATIENCE: Nanos = Nanos(3 * Nanos::SECOND.0);
/// Long enough to see a sender of one datagram a second.
const LISTEN: Nanos = Nanos(2 * Nanos::SECOND.0);
/// What comes in while the cause is looked for is told so long after it at most.
const GRACE: Nanos = Nanos(300 * Nanos::MILLISECOND.0);

/// Says in a line each what would make the trial fail or mislead.
pub(super) fn warn(spec: &TrialSpec) {
    let Some(asked) = Asked::of_trial(spec, None) else { return };
    for finding in grave(spec.role, &asked) {
        let spoils = finding.spoils.map(|spoils| format!(": {spoils}")).unwrap_or_default();
        let fix = finding.fix.map(|fix| format!(" (fix: {fix})")).unwrap_or_default();
        let _ = writeln!(io::stderr(), "warning: {}{spoils}{fix}", finding.what);
    }
}

/// Watches whether a receiver hears anything. If it does not for a while, says so once, and what may be the cause.
pub(super) struct Silence {
    say: Option<Say>,
    has_colours: bool,
    /// Most characters a line.
    width: usize,
    is_heard: Arc<AtomicBool>,
    has_ended: Arc<AtomicBool>,
    /// Gone when there is no reason to wait any more.
    reason: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Takes lines for the user.
pub(super) type Say = Box<dyn Fn(&str) + Send>;

impl Observer for Silence {
    fn on_start(&mut self, spec: &TrialSpec, _started_at: Nanos) {
        if spec.role != Role::Recv {
            return;
        }
        let (reason, still_waits) = bounded(0);
        let (is_heard, has_ended) = (self.is_heard.clone(), self.has_ended.clone());
        let spec = spec.clone();
        let Some(say) = self.say.take() else { return };
        let (has_colours, width) = (self.has_colours, self.width);
        let watch = move || {
            let cause = look_for_the_cause(&spec, &still_waits, &is_heard, has_ended, &say);
            if cause.is_empty() {
                return;
            }
            let mut text = Vec::new();
            // Memory takes everything.
            let _ = checkup::write_findings(&cause, has_colours, width, &mut text);
            // In one piece, between the lines of the trial.
            say(&String::from_utf8_lossy(&text));
        };
        match Builder::new().name("silence".to_owned()).spawn(watch) {
            Ok(thread) => (self.reason, self.thread) = (Some(reason), Some(thread)),
            Err(error) => {
                let error = Error::os("cannot start a thread that watches for silence", error);
                let _ = writeln!(io::stderr(), "warning: {error}");
            }
        }
    }

    fn on_heard(&mut self) {
        self.is_heard.store(true, Ordering::Relaxed);
        self.end();
    }
}

impl Silence {
    /// Will tell standard error what it finds.
    pub(super) fn on_stderr(colours: Colours) -> Self {
        let say = |text: &str| drop(io::stderr().write_all(text.as_bytes()));
        // What goes elsewhere is not broken: whoever searches it for words finds them on one line.
        let width = paper::columns_of(&io::stderr()).unwrap_or(usize::MAX);
        Self::new(Box::new(say), colours.suit(&io::stderr()), width)
    }

    /// Will tell `say` what it finds, in lines of `width` characters if that is wide enough for words.
    pub(super) fn new(say: Say, has_colours: bool, width: usize) -> Self {
        Self {
            say: Some(say),
            has_colours,
            width: width.max(NARROWEST),
            is_heard: Arc::default(),
            has_ended: Arc::default(),
            reason: None,
            thread: None,
        }
    }

    fn end(&mut self) {
        self.has_ended.store(true, Ordering::Relaxed);
        self.reason = None;
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        self.end();
        // What it had to say it has said by then.
        drop(self.thread.take().map(JoinHandle::join));
    }
}

/// What may be the cause; nothing if there is none to look for, or something is heard after all.
fn look_for_the_cause(
    spec: &TrialSpec,
    still_waits: &Receiver<()>,
    is_heard: &AtomicBool,
    has_ended: Arc<AtomicBool>,
    say: &Say,
) -> Vec<Finding> {
    let patience = Duration::from(PATIENCE);
    if still_waits.recv_timeout(patience) != Err(RecvTimeoutError::Timeout) {
        return vec![];
    }
    let Some(asked) = Asked::of_trial(spec, Some(Listening::new(LISTEN, has_ended, true))) else {
        return vec![];
    };
    say(&format!("nothing heard for {}; looking for the cause\n", format_duration(PATIENCE)));
    let findings = explain_silence(&asked);
    // A sender that began meanwhile came in, but is told as heard only now.
    let _ = still_waits.recv_timeout(Duration::from(GRACE));
    if is_heard.load(Ordering::Relaxed) { vec![] } else { findings }
}
