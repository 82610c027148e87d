//! Whatever the schedule and the sizes: what is sent is what is due, and the ledger adds up.

use super::*;
use crate::lab::Action::Drop;
use crate::lab::{every, with_privileges};
use mcast_bench::stats::schedule::{Poisson, Schedule, Turn};
use mcast_bench::units::Nanos;
use mcast_bench::units::rate::DatagramRate;
#[cfg(feature = "replay")]
use serde_json::json;

#[test]
fn a_size_mix_is_exact_to_the_byte() {
    with_privileges(|| {
        let clean = exchange(Plan::clean(), "-r 5k -s 64:7,594:4,1316:1 -c 1200", PROMPT);
        assert_eq!(clean.received.totals(), Counts::of(1200, 1200));
        assert_eq!(clean.received.number("/totals/payload_bytes"), 100 * 4140);
        let lossy = Plan::clean().on(every(10), Drop);
        let Exchange { received, relay, .. } =
            exchange(lossy, "-r 5k -s 64:7,594:4,1316:1 -c 1200 --checksum", PROMPT);
        assert_eq!(received.totals(), Counts::of(relay.data_in, relay.forwarded));
        assert_eq!(relay.forwarded, 1080);
    });
}

/// Six groups and a mix of 12: each group gets all sizes all the same.
#[test]
fn each_group_gets_the_whole_mix() {
    with_privileges(|| {
        let groups = "-g 239.255.77.1+5";
        let send = format!("-r 5k -s 64:7,594:4,1316:1 -c 1440 {groups}");
        let only_one = format!("{PROMPT} -g 239.255.77.3");
        let mut trial = Trial::over(Plan::clean());
        let receiver = trial.recv(&only_one);
        let sent = Report::of(trial.send(&send));
        let received = Report::of(receiver);
        assert_eq!(sent.number("/sender/offered"), trial.settled().data_in);
        assert_eq!(received.totals(), Counts::of(240, 240));
        assert_eq!(received.number("/totals/payload_bytes"), 20 * 4140);
    });
}

/// Two independent senders: as many as their seed says, which is not as many as the rate says.
#[test]
fn a_poisson_stream_is_what_its_seed_says() {
    with_privileges(|| {
        let rate = DatagramRate { datagrams: 5000, seconds: 1 };
        let due: u64 = [0, 1]
            .map(|index| Poisson::new(rate, 7, Turn { index, of: 2 }))
            .map(|mut sender| sender.remaining_before(Nanos(400_000_000)))
            .iter()
            .sum();
        assert_ne!(due, 2000);
        let mut trial = Trial::over(Plan::clean().on(every(7), Drop));
        let receiver = trial.recv(PROMPT);
        let sent = Report::of(trial.send("-P 2 -r 5k -s 200 -t 0.4 --schedule poisson:7"));
        let received = Report::of(receiver);
        let relay = trial.settled();
        assert_eq!(sent.number("/sender/intended"), due);
        assert_eq!(sent.number("/sender/offered"), relay.data_in);
        assert_eq!(received.totals(), Counts::of(relay.data_in, relay.forwarded));
    });
}

#[test]
fn on_and_off_is_the_rate_while_on() {
    with_privileges(|| {
        let lossy = Plan::clean().on(every(9), Drop);
        let Exchange { sent, received, relay } =
            exchange(lossy, "-r 10k -s 200 -t 0.4 --schedule on-off:50ms/50ms", PROMPT);
        assert_eq!(relay.data_in, 2000);
        assert_eq!(received.totals(), Counts::of(relay.data_in, relay.forwarded));
        // Half of it in all, over as long as it took.
        let mean = sent.json["sender"]["intended_load_pps"].as_f64().unwrap();
        assert!((4900.0..=5000.0).contains(&mean), "{mean}");
    });
}

/// A capture of 600 UDP datagrams, 1 ms apart, of which each has another length, and of 60 TCP segments.
#[cfg(feature = "replay")]
fn capture(trial: &Trial) -> String {
    let mut file = [0xa1b2_3c4d_u32.to_le_bytes(), [2, 0, 4, 0]].concat();
    file.extend([0, 0, 65_535, 101].map(u32::to_le_bytes).concat());
    for number in 0..660_u32 {
        let is_udp = number % 11 > 0;
        let udp_len = (8 + number) as u16;
        let mut packet = vec![0; 28];
        packet[0] = 0x45;
        packet[9] = if is_udp { 17 } else { 6 };
        packet[24..26].copy_from_slice(&udp_len.to_be_bytes());
        // Only the headers were captured.
        let fields = [1_000, number * 1_000_000, 28, 28 + number].map(u32::to_le_bytes);
        file.extend(fields.concat());
        file.extend(packet);
    }
    let path = trial.directory.join("a.pcap");
    fs::write(&path, file).unwrap();
    path.display().to_string()
}

#[cfg(feature = "replay")]
#[test]
fn a_replay_has_the_lengths_and_the_number_of_its_capture() {
    with_privileges(|| {
        for (flags, rounds) in [("--replay-speed 2x", 1), ("--replay-speed 4 -c 1800 -P 2", 3)] {
            let mut trial = Trial::over(Plan::clean());
            let file = capture(&trial);
            let receiver = trial.recv(PROMPT);
            let sent = Report::of(trial.send(&format!("--replay {file} {flags}")));
            let received = Report::of(receiver);
            let count = rounds * 600;
            assert_eq!(sent.number("/sender/intended"), count);
            assert_eq!(sent.number("/sender/offered"), count);
            assert_eq!(trial.settled().data_in, count);
            assert_eq!(received.totals(), Counts::of(count, count));
            let bytes = (0..660).filter(|number| number % 11 > 0).map(|len| len.max(18));
            let bytes: u64 = bytes.sum();
            assert_eq!(received.number("/totals/payload_bytes"), rounds * bytes);
            let taken = sent.events("capture_taken");
            assert_eq!(taken.len(), 1);
            let counts =
                ["datagrams", "skipped", "lengthened", "shortened"].map(|name| &taken[0][name]);
            assert_eq!(counts, [&json!(600), &json!(60), &json!(16), &json!(0)]);
        }
    });
}
