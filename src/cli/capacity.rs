//! Whether the interface can carry what is to be sent through it.

use crate::model::environment::Interface;
use crate::model::spec::{Flow, Timing, TrialSpec};
use crate::units::text::bits_per_second;
use std::io::{self, Write};

/// Bytes of a datagram on Ethernet beside its UDP payload: UDP 8, preamble 8, addresses and type 14, check sequence 4,
/// gap between frames 12.
const AROUND: u64 = 8 + 8 + 14 + 4 + 12;

/// Says so if the load is more than the interface has room for.
pub(super) fn warn(spec: &TrialSpec, interface: &Interface) {
    if let Some(text) = excess(spec, interface) {
        let _ = writeln!(io::stderr(), "warning: {text}");
    }
}

fn excess(spec: &TrialSpec, interface: &Interface) -> Option<String> {
    let speed = interface.speed_mbps.filter(|&mbps| mbps > 0)? as f64 * 1e6;
    let wanted: f64 = spec.offered().iter().filter_map(on_wire).sum();
    let Interface { name, .. } = interface;
    let [wanted_text, speed_text] = [wanted, speed].map(bits_per_second);
    (wanted > speed).then(|| {
        format!(
            "{name} is too slow for this load: it takes {wanted_text} on Ethernet, and {name} has {speed_text}; \
             what is too much will be refused or lost (fix: a lower --rate, or another --iface)"
        )
    })
}

/// Bits a second on Ethernet at the highest rate; unknown where that is as fast as possible, or in a capture.
fn on_wire(flow: &Flow) -> Option<f64> {
    let load = &flow.load;
    let pps = match load.schedule {
        Timing::Ramp { from, to, .. } => {
            let [from, to] = [from, to].map(|rate| rate.datagram_rate(&load.sizes));
            from?.per_second().max(to?.per_second())
        }
        _ => load.datagram_rate()?,
    };
    let payload = load.sizes.bytes() as f64 / load.sizes.datagrams() as f64;
    let ip = if flow.groups.iter().all(|group| group.group.is_ipv6()) { 40 } else { 20 };
    Some(pps * (payload + (AROUND + ip) as f64) * 8.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample;
    use crate::units::rate::Rate;

    fn of(rate: Rate, speed_mbps: Option<u64>) -> Option<String> {
        let mut spec = sample::run().trial.spec;
        let load = spec.load.as_mut().unwrap();
        load.rate = Some(rate);
        load.sizes = crate::units::size_mix::SizeMix::of_one(1184);
        excess(&spec, &Interface { name: "eth9".into(), speed_mbps, ..Interface::default() })
    }

    #[test]
    fn a_load_that_does_not_fit_is_told() {
        // 1184 bytes of payload are 1250 on Ethernet, so 100,000 a second are exactly 1 Gbit/s.
        let fits = Rate::MilliDatagrams(100_000_000);
        assert_eq!(of(fits, Some(1000)), None);
        let text = of(Rate::MilliDatagrams(100_000_001), Some(1000)).unwrap();
        assert!(text.starts_with("eth9 is too slow for this load: it takes 1.00 Gbit/s"), "{text}");
        assert_eq!(of(Rate::MilliDatagrams(u64::MAX / 2000), None), None);
        assert_eq!(of(Rate::Max, Some(10)), None);
    }
}
