"""Figures of scripts/compare_peers.sh: gaps out of a packet capture, and the table, chart and paragraph of a run.

    compare_peers.py gaps PCAP RATE SIZE TOOL ROUND    prints lines for values.tsv
    compare_peers.py summary DIR                       reads DIR/values.tsv, writes DIR/README.md and DIR/chart.svg

Only python's standard library.
"""

import math
import os
import struct
import sys
from collections import defaultdict
from statistics import median

PEERS = ("iperf2", "sockperf", "mgen", "nuttcp", "udpbench")
NANO_MAGIC = 0xA1B23C4D
ETHERNET_IP_UDP = 14 + 20 + 8

# What is measured: title, unit, digits, and whether more is better.
QUANTITIES = {
    "rate": ("Highest rate without loss", "datagrams/s", 0, True),
    "cpu": ("CPU seconds per million datagrams, both ends", "s", 3, False),
    "pacing-p50": ("Pacing error, median", "µs", 3, False),
    "pacing-p99": ("Pacing error, 99th percentile", "µs", 3, False),
    "pacing-train": ("Longest train", "datagrams", 0, False),
    "rtt-p50": ("Half a round trip, median", "µs", 2, False),
    "rtt-p99": ("Half a round trip, 99th percentile", "µs", 2, False),
}

BIAS = """\
## BIAS

- **No network.** A veth pair has no card, no wire and no switch; the sender's core does the receiving kernel's work up
  to the socket. How tools compare on a network card need not be how they compare here.
- **CPU seconds** are user and system time of both processes, from getrusage(2). The kernel charges the time of soft
  interrupts to whoever runs on that core. A tool that spins while it waits pays for it at a low rate; each is given the
  flags with which it waits best (ours: `--pace sleep --catch-up`), and its highest rate stands beside it, where nobody waits.
- **Pinning.** All threads of a sender share one core, and all of a receiver another: that is hardest on tools with
  helper threads, iperf2 and ours.
- **Buffers** are 64 MiB for all (`net.core.rmem_max` is raised while it runs); mgen gets it for its sockets too. With less,
  what stands still for a millisecond decides at millions of datagrams a second.
- **Loss** is what the tool's two ends say, and the kernel's counters must agree that nothing was dropped. mgen has no
  count but a line of log for each datagram, so that it is judged by the kernel's alone. A rate has two chances.
- **The pacing observer** is tcpdump on the receiving interface, on the other core, with the kernel's nanosecond stamps.
  Nobody else receives there, but nuttcp's server. Its copying is part of each sender's work. The first and the last
  tenth of each second are left out, and a tool that sends at less than nine tenths of the rate has no figure.
- **`ours:gso`** sends trains, as `bare:gso` does: it is no plain stream, and is left out of pacing.
- **Bare loops** write nothing into their datagrams and look at none: no sequence numbers, no times.
- **Versions** are those of the distribution (`environment.txt`); newer ones may differ.
- **One machine.** Enough to see a factor, not a few per cent; the spread says how little.
"""


def main(args):
    match args:
        case ["gaps", pcap, rate, size, tool, number]:
            print_gaps(pcap, int(rate), int(size), tool, number)
        case ["summary", folder]:
            summarise(folder)
        case _:
            sys.exit(__doc__)


def stamps(path, size):
    """Receive times of the datagrams of that size, ns."""
    with open(path, "rb") as file:
        data = file.read()
    if struct.unpack_from("<I", data)[0] != NANO_MAGIC:
        sys.exit(f"{path}: no capture with nanoseconds")
    at, found = 24, []
    while at + 16 <= len(data):
        seconds, nanos, kept, length = struct.unpack_from("<IIII", data, at)
        if length == size + ETHERNET_IP_UDP:
            found.append(seconds * 1_000_000_000 + nanos)
        at += 16 + kept
    return found


def print_gaps(path, rate, size, tool, number):
    times = stamps(path, size)
    if len(times) < 100:
        sys.exit(f"{path}: {len(times)} datagrams")
    tenth = (times[-1] - times[0]) // 10
    times = [t for t in times if times[0] + tenth <= t <= times[-1] - tenth]
    gaps = [b - a for a, b in zip(times, times[1:])]
    achieved = len(gaps) * 1e9 / (times[-1] - times[0])
    if achieved < 0.9 * rate:
        sys.exit(f"{path}: {achieved:.0f} datagrams/s")
    ideal = 1e9 / rate
    errors = sorted(abs(gap - ideal) for gap in gaps)
    train = longest = 1
    for gap in gaps:
        train = train + 1 if gap < ideal / 2 else 1
        longest = max(longest, train)
    figures = {
        "pacing-p50": errors[len(errors) // 2] / 1000,
        "pacing-p99": errors[len(errors) * 99 // 100] / 1000,
        "pacing-train": longest,
    }
    for what, figure in figures.items():
        print(what, rate, tool, number, figure, sep="\t")


def bare_of(tool, there):
    """The bare loop that a tool is held against: of its kind, or else the plain one."""
    if "bare" in there:
        return "bare"
    kind = tool.removeprefix("ours:").split(">")[0]
    same = f"bare:{kind}"
    return same if same in there else "bare:mmsg"


def summarise(folder):
    values = defaultdict(lambda: defaultdict(list))
    with open(os.path.join(folder, "values.tsv"), encoding="utf-8") as file:
        for line in file:
            what, setting, tool, _, value = line.rstrip("\n").split("\t")
            values[what, setting][tool].append(float(value))
    page = ["# Beside others, in one run", "", "`scripts/compare_peers.sh` on this machine:", "", "```text"]
    with open(os.path.join(folder, "environment.txt"), encoding="utf-8") as file:
        page += file.read().rstrip().split("\n")
    page += ["```", "", "Medians of the rounds (least to most). `raw/` has each command and what it printed,"]
    page += ["`values.tsv` each figure, `log.txt` what was skipped.", "", "![](chart.svg)", ""]
    order = list(QUANTITIES)
    keys = sorted(values, key=lambda key: (order.index(key[0]), len(key[1]), key[1]))
    for key in keys:
        page += table(key, values[key])
    page.append(BIAS)
    with open(os.path.join(folder, "README.md"), "w", encoding="utf-8") as file:
        file.write("\n".join(page))
    with open(os.path.join(folder, "chart.svg"), "w", encoding="utf-8") as file:
        file.write(chart([(key, values[key]) for key in keys if key[0] != "pacing-train"]))
    print(paragraph(folder, keys, values))


def table(key, tools):
    what, setting = key
    title, unit, digits, more_is_better = QUANTITIES[what]
    medians = {tool: median(found) for tool, found in tools.items()}
    best = best_peer(medians, more_is_better)
    lines = [f"## {title}, {setting_name(what, setting)}", ""]
    best_name = f"x {best}" if best else "x best peer"
    lines += [f"| Tool | {unit} | {best_name} | x bare loop |", "|---|---|---|---|"]
    for tool in sorted(tools, key=medians.get, reverse=more_is_better):
        found = tools[tool]
        spread = " to ".join(number(value, digits) for value in (min(found), max(found)))
        middle = medians[tool]
        bare = medians.get(bare_of(tool, medians))
        lines.append(
            f"| `{tool}` | {number(middle, digits)} ({spread}) "
            f"| {ratio(middle, medians.get(best))} | {ratio(middle, bare)} |"
        )
    return [*lines, ""]


def best_peer(medians, more_is_better):
    peers = [tool for tool in medians if tool in PEERS]
    return (max if more_is_better else min)(peers, key=medians.get, default=None)


def setting_name(what, setting):
    match what:
        case "rate":
            return f"{setting} bytes"
        case "cpu" if setting == "max":
            return "at the tool's highest rate"
        case "cpu" | "pacing-p50" | "pacing-p99" | "pacing-train":
            return f"{int(setting):,} datagrams/s"
        case _:
            return setting


def number(value, digits):
    return f"{value:,.{digits}f}"


def ratio(value, reference):
    return f"{value / reference:.2f}" if reference else ""


def chart(panels):
    """Bars of the medians, a panel each quantity; logarithmic, because tools differ by factors."""
    width, label, row, out, y = 900, 190, 18, [], 10
    for key, tools in panels:
        what, setting = key
        title, unit, digits, more_is_better = QUANTITIES[what]
        medians = {tool: median(found) for tool, found in tools.items()}
        ordered = sorted(medians.items(), key=lambda item: item[1], reverse=more_is_better)
        positive = [value for value in medians.values() if value > 0]
        if not positive:
            continue
        floor, top = min(positive) / 2, max(positive)
        y += row
        out.append(text(10, y, f"{title}, {setting_name(what, setting)} ({unit}, logarithmic)", "bold"))
        for tool, value in ordered:
            y += row
            share = math.log(max(value, floor) / floor) / math.log(top / floor)
            colour = {"ours": "#2166ac", "bare": "#999999"}.get(tool.split(":")[0], "#d6604d")
            length = share * (width - label - 130)
            out.append(text(10, y, tool.replace(">", "&gt;")))
            out.append(f'<rect x="{label}" y="{y - 11}" width="{length:.1f}" height="13" fill="{colour}"/>')
            out.append(text(label + length + 6, y, number(value, digits)))
        y += row
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{y}" font-family="sans-serif" font-size="12">'
    return "\n".join([head, '<rect width="100%" height="100%" fill="white"/>', *out, "</svg>", ""])


def text(x, y, what, weight="normal"):
    return f'<text x="{x:.0f}" y="{y}" font-weight="{weight}">{what}</text>'


def paragraph(folder, keys, values):
    """What the README says of a run: ours, the best peer, the bare loop."""
    lines = [f"Beside others, all in one run ([`{folder}`]({folder}/README.md), medians):", ""]
    lines += ["| What | Ours | Best peer | Bare loop |", "|---|---|---|---|"]
    for key in keys:
        what, setting = key
        title, unit, digits, more_is_better = QUANTITIES[what]
        medians = {tool: median(found) for tool, found in values[key].items()}
        best = (max if more_is_better else min)
        cells = []
        for kind in (lambda t: t.startswith("ours"), lambda t: t in PEERS, lambda t: t.startswith("bare")):
            tools = [tool for tool in medians if kind(tool)]
            tool = best(tools, key=medians.get, default=None)
            cells.append(f"{number(medians[tool], digits)} (`{tool}`)" if tool else "")
        lines.append(f"| {title}, {setting_name(what, setting)}, {unit} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", f"![]({folder}/chart.svg)"])


if __name__ == "__main__":
    main(sys.argv[1:])
