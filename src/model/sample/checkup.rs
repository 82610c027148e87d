//! A host with one finding of each kind.

use crate::model::checkup::{Checkup, Finding, SCHEMA};

pub(crate) fn checkup() -> Checkup {
    Checkup {
        schema: SCHEMA.to_owned(),
        version: "0.1.0".to_owned(),
        command: "mcast-bench doctor -I eth1".to_owned(),
        interface: "eth1".to_owned(),
        groups: vec!["233.252.0.7:5000".to_owned()],
        fit: false,
        findings: vec![
            Finding::fine("link", "eth1 is up"),
            Finding::note(
                "engines",
                "af_xdp: not permitted",
                "this engine cannot be used",
                "run it as root",
            ),
            Finding::problem("memberships", "cannot join", "receivers hear nothing", ""),
        ],
    }
}
