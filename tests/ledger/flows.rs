//! Several flows of one sender: each as its scenario says, and every datagram of each accounted for.

use super::*;
use crate::lab::Action::Drop;
use crate::lab::{every, with_privileges};

/// Both sides read it. The second flow has two threads, so two streams in each of its groups.
const SCENARIO: &str = r#"
time = "400ms"
rate = 1000
fail-if = ["offered<99%", "loss>50%"]
loss-threshold = "200ms"

[[flow]]
group = "239.255.77.1"
size = 188
burst = 4

[[flow]]
group = ["239.255.77.2+1"]
rate = "4k"
size = 500
threads = 2
"#;

#[test]
fn each_flow_is_what_its_scenario_says() {
    with_privileges(|| {
        let mut trial = Trial::over(Plan::clean().on(every(9), Drop));
        let file = trial.directory.join("trial.toml");
        fs::write(&file, SCENARIO).unwrap();
        let scenario = format!("--scenario {}", file.display());
        let receiver = trial.recv(&scenario);
        let sent = Report::of(trial.send(&scenario));
        let received = Report::of(receiver);
        let relay = trial.settled();
        // 0.4 s of the first flow, and of the second.
        assert_eq!(sent.number("/sender/intended"), 400 + 1600);
        assert_eq!(sent.number("/sender/offered"), relay.data_in);
        assert_eq!(received.totals(), Counts::of(relay.data_in, relay.forwarded));
        assert_eq!(sent.json["sender"]["intended_load_pps"], 5000.0);
        let streams = received.json["streams"].as_array().unwrap();
        let said = |stream: &Value| {
            let text = |key: &str| stream[key].as_str().unwrap().to_owned();
            (stream["stream"].as_u64().unwrap(), text("group"), stream["sent"].as_u64().unwrap())
        };
        let expected = [
            (0, "239.255.77.1".to_owned(), 400),
            (1, "239.255.77.2".to_owned(), 400),
            (2, "239.255.77.3".to_owned(), 400),
            (3, "239.255.77.2".to_owned(), 400),
            (4, "239.255.77.3".to_owned(), 400),
        ];
        assert_eq!(streams.iter().map(said).collect::<Vec<_>>(), expected);
        // Each side holds to the limit that it measures.
        let limits = |report: &Report| report.json["limits"][0]["limit"].clone();
        assert_eq!([limits(&sent), limits(&received)], ["offered<99%", "loss>50%"]);
    });
}
