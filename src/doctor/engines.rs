//! Which ways to move datagrams there are on this machine, for this user.

use super::Asked;
use crate::engine::{ENGINES, Engine, Support};
use crate::model::checkup::Finding;

/// Every engine, or the one that was asked for. Without the others there is always one that works.
pub(super) fn engines(check: &'static str, asked: &Asked) -> Vec<Finding> {
    let all = ENGINES.iter().copied();
    let wanted = |engine: &&dyn Engine| asked.engine.is_none_or(|one| one.name() == engine.name());
    all.filter(wanted).map(|engine| of(check, engine.name(), engine.probe(), asked)).collect()
}

fn of(check: &str, name: &str, support: Support, asked: &Asked) -> Finding {
    match support {
        Support::Ready => Finding::fine(check, format!("{name} is ready")),
        Support::Missing { why, hint } => {
            let what = format!("{name}: {why}");
            if asked.engine.is_some() {
                Finding::problem(check, what, "a trial with this engine does not start", hint)
            } else {
                Finding::note(check, what, "this engine cannot be used", hint)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::asked;
    use super::*;
    use crate::model::checkup::Verdict;

    #[test]
    fn one_that_is_missing_is_a_problem_only_when_asked_for() {
        let missing = || Support::Missing { why: "no".into(), hint: "get it".into() };
        let finding = of("engines", "af_xdp", missing(), &asked());
        assert_eq!((finding.verdict, finding.what.as_str()), (Verdict::Note, "af_xdp: no"));
        let engine = crate::engine::by_name("af_xdp");
        let finding = of("engines", "af_xdp", missing(), &Asked { engine, ..asked() });
        assert_eq!(finding.verdict, Verdict::Problem);
        assert_eq!(finding.fix.as_deref(), Some("get it"));
    }
}
