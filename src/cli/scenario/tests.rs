use super::*;
use crate::cli::args::{Cli, Verb};
use crate::cli::presets::PRESETS;
use crate::cli::spec::{self, Meant};
use crate::model::spec::TrialSpec;
use clap::Parser;
use proptest::prelude::*;
use std::fs;
use std::hash::{BuildHasher, RandomState};

/// A scenario in a file of its own.
struct Written(PathBuf);

impl Written {
    fn new(text: &str) -> Self {
        let number = RandomState::new().hash_one(text);
        let file = std::env::temp_dir().join(format!("mcast-bench-scenario-{number:x}.toml"));
        fs::write(&file, text).unwrap();
        Self(file)
    }

    fn words(&self, line: &str) -> Result<Vec<OsString>> {
        let line = format!("mcast-bench {line} --scenario {}", self.0.display());
        expand(line.split_whitespace().map(OsString::from).collect())
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// What `line` becomes with this scenario, without the words of `line` itself.
fn flags(line: &str, text: &str) -> String {
    let words = Written::new(text).words(line).unwrap();
    let all: Vec<_> = words.iter().map(|word| word.to_str().unwrap()).collect();
    all[2..all.len() - line.split_whitespace().count() - 1].join(" ")
}

/// Where it is wrong, why, and what to do.
fn wrong(text: &str) -> String {
    let file = Written::new(text);
    let error = file.words("run").unwrap_err().to_string();
    error.replace(&*file.0.display().to_string(), "F")
}

fn meant(words: &[OsString]) -> Meant {
    understood(words).unwrap()
}

fn understood(words: &[OsString]) -> Result<Meant> {
    match Cli::try_parse_from(words).unwrap().verb {
        Verb::Run(args) => spec::of_run(&args),
        Verb::Send(args) => spec::of_send(&args),
        Verb::Recv(args) => spec::of_recv(&args),
        _ => unreachable!("no other verb has scenarios"),
    }
}

#[test]
fn keys_become_flags() {
    let text = "group = ['239.1.1.1', '239.1.1.2:5000']\nrate = '100k'\nttl = 3\nvariation = true\nspin = false\n";
    let expected = "--group=239.1.1.1 --group=239.1.1.2:5000 --rate=100k --ttl=3 --variation";
    assert_eq!(flags("run", text), expected);
}

#[test]
fn what_is_typed_goes_before_what_is_written() {
    let text = "group = ['239.1.1.1', '239.1.1.2']\nrate = 5\nsize = 100\n";
    assert_eq!(flags("run -g 239.2.2.2 --rate=7", text), "--size=100");
    // Also where it says the same by another flag.
    assert_eq!(flags("run --replay a.pcap", text), "--group=239.1.1.1 --group=239.1.1.2");
    assert_eq!(flags("run --rate 7", "replay = 'a.pcap'\n"), "");
    assert_eq!(flags("run --replay-speed 2x", "replay = 'a.pcap'\n"), "--replay=a.pcap");
}

#[test]
fn flags_of_the_program_stand_before_the_verb() {
    let file = Written::new("ttl = 3\n");
    for before in ["--color=never", "--color always"] {
        let line = format!("mcast-bench {before} run --scenario {}", file.0.display());
        let words = expand(line.split(' ').map(OsString::from).collect()).unwrap();
        let words: Vec<_> = words.iter().map(|word| word.to_str().unwrap()).collect();
        assert!(words.join(" ").contains(&format!("{before} run --ttl=3 --scenario")), "{words:?}");
    }
}

#[test]
fn what_is_switched_on_is_switched_off() {
    let file = Written::new("variation = true\nchecksum = true\n");
    let switches = |line| {
        let words = file.words(line).unwrap();
        let matches = crate::cli::command().try_get_matches_from(words).unwrap();
        let (_, verb) = matches.subcommand().unwrap();
        ["variation", "checksum"].map(|id| verb.get_flag(id))
    };
    assert_eq!(switches("run"), [true, true]);
    assert_eq!(switches("run --no-variation"), [false, true]);
    assert_eq!(switches("run --no-variation --no-checksum"), [false, false]);
    // The last word counts.
    assert_eq!(switches("run --no-variation --variation"), [true, true]);
    assert_eq!(
        wrong("no-variation = true"),
        "F:1:1: there is no key `no-variation` here\nhint: keys are long flags, as --help has them"
    );
}

#[test]
fn one_file_serves_both_sides() {
    let text = "rate = 5\ntime = '2s'\nrcvbuf = '1MiB'\nfail-if = ['p99>1ms', 'refused>0']\n[recv]\ntime = '9s'\n";
    let expected = "--rate=5 --time=2s --rcvbuf=1MiB --fail-if=p99>1ms --fail-if=refused>0";
    assert_eq!(flags("run", text), expected);
    assert_eq!(flags("send", text), "--rate=5 --time=2s --fail-if=refused>0");
    assert_eq!(flags("recv", text), "--rcvbuf=1MiB --fail-if=p99>1ms --time=9s");
}

#[test]
fn flows_take_what_is_typed_too() {
    let text =
        "size = 100\n[[flow]]\ngroup = '239.1.1.1'\nrate = 5\n[[flow]]\nrate = 6\nthreads = 2\n";
    let both = "--size=100 --flow='--group=239.1.1.1' '--rate=5' --flow='--rate=6' '--threads=2'";
    assert_eq!(flags("run", text), both);
    assert_eq!(
        flags("run -r 9", text),
        "--size=100 --flow='--group=239.1.1.1' --flow='--threads=2'"
    );
    assert_eq!(flags("run --flow=-r9", text), "--size=100");
}

#[test]
fn what_is_wrong_and_where() {
    for (text, expected) in [
        ("rate = 5\nraet = 6\n", "F:2:1: there is no key `raet` here\nhint: `rate` is similar"),
        (
            "\n  zzz = 1",
            "F:2:3: there is no key `zzz` here\nhint: keys are long flags, as --help has them",
        ),
        (
            "preset = 'x'",
            "F:1:1: there is no key `preset` here\nhint: --preset is for the command line alone",
        ),
        ("rate = true", "F:1:8: `rate` takes text or a number"),
        ("rate = ['1k']", "F:1:8: `rate` takes text or a number"),
        ("spin = 'yes'", "F:1:8: `spin` takes true or false"),
        ("fail-if = true", "F:1:11: `fail-if` takes text, a number, or a list of such"),
        ("group = [[1]]", "F:1:10: `group` takes text or numbers"),
        (
            "[send]\nrate = 1",
            "F:1:2: there is no table `send` here\nhint: tables are `[recv]` and `[[flow]]`",
        ),
        ("[[flwo]]\nrate = 1", "F:1:3: there is no table `flwo` here"),
        ("time = 2026-01-01", "F:1:8: `time` takes text, a number, true or false, or a list"),
        ("flow = 3", "F:1:1: flows are tables\nhint: each begins with a line `[[flow]]`"),
        (
            "[[flow]]\nttl = 3",
            "F:2:1: there is no key `ttl` here\nhint: keys are long flags, as --help has them",
        ),
        ("[[flow]]\nrate = '1 k'", "F:2:8: invalid value '1 k' for '--rate <RATE>': "),
        ("[[flow]]\nrate = \"\\u0000\"", "F:2:8: `rate` takes text without NUL"),
        (
            "fail-if = [\n  'loss>0', # ä\n  'los>0']",
            "F:3:3: invalid value 'los>0' for '--fail-if <EXPR>': ",
        ),
        ("group = ['ä', 'ö', 1, true]", "F:1:23: `group` takes text or numbers"),
        ("[recv]\nrate = 1", "F:2:1: there is no key `rate` here"),
        ("size = 1\nrate = 'fish'", "F:2:8: invalid value 'fish' for '--rate <RATE>': "),
        ("[[flow]]\nrate = 'fish'", "F:2:8: invalid value 'fish' for '--rate <RATE>': "),
        ("rate = \n", "F:1:8: "),
        ("rate = 1\nrate = 2", "F:2:1: duplicate key"),
        ("ttl = 300", "F:1:7: invalid value '300' for '--ttl <N>'"),
    ] {
        let error = wrong(text);
        assert!(error.starts_with(expected), "{text}\n{error}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let words = ["mcast-bench", "run", "--scenario", "/no/such.toml"].map(OsString::from);
    let error = expand(words.to_vec()).unwrap_err().to_string();
    assert!(error.starts_with("cannot read the scenario /no/such.toml: No such file"), "{error}");
}

#[test]
fn verbs_without_scenarios_and_wrong_lines_are_left_alone() {
    for line in [
        "mcast-bench",
        "mcast-bench dump --scenario x",
        "mcast-bench run --fish",
        "mcast-bench run --preset x",
    ] {
        let words: Vec<_> = line.split(' ').map(OsString::from).collect();
        assert_eq!(expand(words.clone()).unwrap(), words);
    }
}

/// Words of a flow keep their blanks.
#[test]
fn groups_of_a_flow_from_a_file_with_blanks_in_its_name() {
    let list = std::env::temp_dir().join(format!("mcast bench '{}'", std::process::id()));
    fs::write(&list, "239.1.1.1:7\n239.1.1.2:7\n").unwrap();
    let text = format!("[[flow]]\ngroup = \"@{}\"\nrate = 5\n", list.display());
    let words = Written::new(&text).words("run").unwrap();
    let (spec, interface) = meant(&words);
    assert_eq!(spec.groups.len(), 2);
    let printed = print::text(&super::super::command().get_matches_from(&words), &spec, &interface);
    assert_eq!(meant(&Written::new(&printed).words("run").unwrap()).0, spec);
    fs::remove_file(list).unwrap();
}

#[test]
fn what_is_too_long_or_no_text_is_refused() {
    let of = |bytes: &[u8]| {
        let file = Written::new("");
        fs::write(&file.0, bytes).unwrap();
        let error = file.words("run").unwrap_err().to_string();
        error.replace(&*file.0.display().to_string(), "F")
    };
    assert_eq!(of(b"rate = 5\n# \xff"), "F:2:3: this is no UTF-8");
    let long = of(&vec![b'#'; (1 << 20) + 1]);
    assert!(long.starts_with("F is longer than any scenario, which is 1 MiB\nhint: "), "{long}");
}

/// What is printed, given back, means the same, and prints the same.
fn check_round_trip(line: &str) {
    let words: Vec<_> = line.split_whitespace().map(OsString::from).collect();
    let words = expand(words).unwrap();
    let (first, interface) = meant(&words);
    let text = print::text(&super::super::command().get_matches_from(&words), &first, &interface);
    let verb = words[1].to_str().unwrap();
    let words = Written::new(&text).words(verb).unwrap();
    let (again, interface) = meant(&words);
    let printed =
        print::text(&super::super::command().get_matches_from(&words), &again, &interface);
    assert_eq!(printed, text, "{line}");
    // Why an engine was chosen is told once.
    assert_eq!(again, TrialSpec { engine_reason: None, ..first }, "{line}\n{text}");
}

/// Some of these lines, each key with one of its values.
fn lines(keys: &'static [(&str, &[&str])]) -> impl Strategy<Value = String> {
    let line = |&(key, values): &(&'static str, &'static [&'static str])| {
        let value = proptest::option::of(proptest::sample::select(values));
        value.prop_map(move |value| value.map(|value| format!("{key} = {value}\n")))
    };
    let lines: Vec<_> = keys.iter().map(line).collect();
    lines.prop_map(|lines| lines.into_iter().flatten().collect())
}

const GROUPS: &[&str] = &["'239.1.1.1+2'", "['239.2.2.2:5000', '[ff15::1]:7', '239.2.2.2:5000']"];
const SIZES: &[&str] = &["100", "'9k'", "'64:7,594:4,1518'"];
const OF_FLOWS: &[(&str, &[&str])] = &[
    ("group", GROUPS),
    ("rate", &["5", "'1.5Gbps'", "'0.001'"]),
    ("size", SIZES),
    ("schedule", &["'poisson'", "'poisson:7'", "'on-off:100ms/1s'"]),
    ("threads", &["1", "2"]),
];
const OF_TRIALS: &[(&str, &[&str])] = &[
    ("group", GROUPS),
    ("port", &["7000"]),
    ("rate", &["'100k'", "'30Mbps'"]),
    ("size", SIZES),
    ("schedule", &["'poisson'", "'constant'"]),
    ("time", &["'1m30s'", "0", "'250us'"]),
    ("count", &["5", "'1M'"]),
    ("ttl", &["0", "255"]),
    ("dscp", &["46"]),
    ("engine", &["'auto'", "'mmsg'", "'memory'"]),
    ("batch", &["3"]),
    ("variation", &["true", "false"]),
    ("media-rate", &["'3.75Mbps'"]),
    ("loss-threshold", &["'0s'", "'1.5s'"]),
    ("fail-if", &["'loss>0.01%'", "['p99.9>1ms', 'offered<99%', 'loss>0']"]),
    ("report", &["['json:a b.json', 'human']"]),
    ("quiet", &["true"]),
];

proptest! {
    // Each asks the whole command line for its flags, several times.
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_scenario_is_printed_and_read_again(
        trial in lines(OF_TRIALS),
        flows in proptest::collection::vec(lines(OF_FLOWS), 0..4),
        verb in proptest::sample::select(&["run", "send", "recv"][..]),
    ) {
        let flows: String = flows.iter().map(|flow| format!("[[flow]]\n{flow}")).collect();
        let file = Written::new(&format!("{trial}{flows}"));
        let line = format!("mcast-bench {verb} --scenario {}", file.0.display());
        let words = expand(line.split_whitespace().map(OsString::from).collect()).unwrap();
        // Some go together nowhere, such as memory with `send`.
        prop_assume!(understood(&words).is_ok());
        check_round_trip(&line);
    }
}

#[test]
fn what_is_printed_means_the_same() {
    for line in [
        "mcast-bench run",
        "mcast-bench send -c 5 -r 1.5Gbps --loop off --dscp 46 --checksum",
        "mcast-bench run -t 0 --schedule poisson -s 64:7,594:4 --fail-if loss>0.01% -e auto -g [ff15::1]:5000",
        "mcast-bench run --schedule ramp:1k..2k -P 2 --batch 7",
        "mcast-bench send --flow=-r5k --flow=--schedule=poisson --flow=--schedule=ramp:1..5",
        "mcast-bench run --flow=--schedule=poisson",
        "mcast-bench run -g 239.1.1.1 -r 7 --flow=-s100 --flow=-g239.1.1.2",
        "mcast-bench recv -g 239.1.1.1+3 -P 2 -t 3s --spin",
        "mcast-bench recv --flow=-g239.1.1.1+1 --flow=-g239.1.1.2+1",
        "mcast-bench run -e memory",
    ] {
        check_round_trip(line);
    }
}

#[test]
fn presets_are_sound() {
    for preset in PRESETS {
        for verb in ["run", "send", "recv"] {
            check_round_trip(&format!("mcast-bench {verb} --preset {}", preset.name));
        }
        let words = ["mcast-bench", "run", "--preset", preset.name].map(OsString::from);
        let Verb::Run(args) = Cli::try_parse_from(expand(words.to_vec()).unwrap()).unwrap().verb
        else {
            panic!("it is run");
        };
        assert_eq!(args.output.limits.is_empty(), preset.purpose.is_none(), "{}", preset.name);
        let about = preset.text.lines().next().unwrap();
        assert!(about.starts_with("# ") && about.len() <= 66, "{about}");
    }
}

/// The receivers of the last of several flows join what its senders send to.
#[test]
fn both_sides_of_flows_have_the_same_groups() {
    let of = |verb: &str| {
        let words = ["mcast-bench", verb, "--preset", "dds-telemetry"].map(OsString::from);
        meant(&expand(words.to_vec()).unwrap()).0
    };
    let (send, recv) = (of("send"), of("recv"));
    assert_eq!(send.groups.len(), 40);
    assert_eq!(recv.groups, send.groups);
    assert_eq!(send.offered().len(), 2);
    assert_eq!(send.sender_threads, 2);
}
