"""The page of figures: tables in Markdown, figures.json, and the chart by gnuplot."""

import json
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import textwrap

from servers import SERVERS
from workloads import AGAINST, COSTS, IDLE_SERVERS, PACED_SERVERS, PACED_TITLE

FORKING = ("xinetd", "socat", "ncat")
# Rounds from which a spread can be told.
ENOUGH = 5

CHARTED = ("banterd", "banterd-lines", "libuv-lines", "bufferevent", "go", "java")
WORKLOADS = {workload.name: workload for workload in COSTS}


def machine():
    cpu = re.search(r"^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text("utf-8"),
                    re.MULTILINE)
    return {"cpu": cpu[1] if cpu else platform.machine(), "kernel": platform.release(),
            "compiler": first_line("cc", "--version"), "go": first_line("go", "version"),
            "java": first_line("java", "--version"),
            "libuv": first_line("pkg-config", "--modversion", "libuv"),
            "libevent": first_line("pkg-config", "--modversion", "libevent_core")}


def first_line(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, text=True,
                          check=True).stdout.partition("\n")[0]


def label(server):
    return SERVERS[server][0]


# --- figures -----------------------------------------------------------------------------------

def ratios(cost, server, base="floor", figure="cpu"):
    """One a round: how often the server's cost goes into the other's."""
    return [one[figure] / other[figure] for one, other in zip(cost[base], cost[server])]


def median(cost, server, figure="cpu"):
    return statistics.median(entry[figure] for entry in cost[server])


def spread(values):
    """Half of the range in which the middle half of the values lies."""
    low, _, high = statistics.quantiles(values, n=4)
    return (high - low) / 2


def measured_servers(costs):
    """In the order of the tables."""
    there = {server.replace("banterd-jokes", "banterd")
             for name, cost in costs.items() if name != "2-workers" for server in cost}
    return [server for server in SERVERS if server in there and server != "floor"]


def ratio_of_banterd(name, cost):
    if name == "knock-knock":
        return ratios(cost, "banterd-jokes")
    if name == "2-workers":
        return ratios(cost, "banterd-2", base="banterd")
    return ratios(cost, "banterd")


def targets(figures):
    """(what, target, measured, unit, whether more is better), for each that was measured."""
    costs = figures["costs"]
    for name, cost in costs.items():
        workload = WORKLOADS[name]
        if workload.target:
            other = "one worker" if name == "2-workers" else "the floor"
            yield (f"{workload.title}: {other}'s cost / banterd's", workload.target,
                   statistics.median(ratio_of_banterd(name, cost)), "", True)
    for against in AGAINST:
        if against.workload in costs:
            ratio = statistics.median(ratios(costs[against.workload], against.ours,
                                             base=against.peer))
            yield (f"{WORKLOADS[against.workload].title}: {label(against.peer)} / "
                   f"{label(against.ours)}", against.target, ratio, "", True)
    yield from growth_targets(costs)
    yield from lifecycle_targets(figures["lifecycle"])


def growth_targets(costs):
    for more in ("1000", "10000"):
        if "64" in costs and more in costs:
            growth = {server: median(costs[more], server) / median(costs["64"], server)
                      for server in ("floor", "banterd")}
            yield (f"cost of a line with {int(more):,} clients over that with 64; "
                   "at most the floor's own", growth["floor"], growth["banterd"], "", False)


def lifecycle_targets(lifecycle):
    if "idle" in lifecycle:
        idle = lifecycle["idle"]["banterd"]
        yield "private memory of an idle client", 1536, idle["bytes"], "B", False
        yield ("p99 beside 15,000 idle clients over p99 without", 1.1,
               idle_factor(idle), "", False)
    if "start" in lifecycle:
        start = lifecycle["start"]
        yield "start to READY", 20, statistics.median(start["milliseconds"]), "ms", False
        yield "resident memory without clients", 6, start["resident"] / 2**20, "MiB", False
    if "reload" in lifecycle:
        yield ("reload with 15,000 clients: the longest wait of one of them", 20,
               max(lifecycle["reload"]["with"]), "ms", False)


def idle_factor(idle):
    return statistics.median(crowded / alone for alone, crowded
                             in zip(idle["p99 alone"], idle["p99 crowded"]))


# --- the page ----------------------------------------------------------------------------------

def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def number(value):
    """Three digits that matter."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def cost_table(costs, servers):
    def cell(name, cost, server):
        if server == "banterd":
            values = ratio_of_banterd(name, cost)
        elif server in cost:
            values = ratios(cost, server)
        else:
            return "–"
        middle = statistics.median(values)
        text = f"{middle:.2f}" if middle >= 0.1 else f"{middle:.3f}"
        if len(values) >= ENOUGH and middle >= 0.1:
            text += f" ±{spread(values):.2f}"
        return f"**{text}**" if server == "banterd" else text

    rows = [[WORKLOADS[name].title,
             f"{number(median(cost, 'floor'))} µs", *(cell(name, cost, s) for s in servers)]
            for name, cost in costs.items() if name != "2-workers"]
    return table(["floor's CPU time ÷ server's", "floor itself", *map(label, servers)], rows)


def rate_table(costs):
    servers = ["floor", *measured_servers(costs)]

    def cell(name, cost, server):
        server = "banterd-jokes" if name == "knock-knock" and server == "banterd" else server
        if server not in cost:
            return "–"
        text = f"{median(cost, server, 'rate'):,.0f}"
        share = median(cost, server, "rate") / median(cost, "floor", "rate")
        return text if server == "floor" else f"{text} ({share:.2f})"

    rows = [[f"{WORKLOADS[name].title}: {WORKLOADS[name].unit}s/s",
             *(cell(name, cost, server) for server in servers)]
            for name, cost in costs.items() if name != "2-workers"]
    return table(["throughput", *map(label, servers)], rows)


def latency_table(latency):
    def middle(server, part):
        return statistics.median(entry[part] for entry in latency[server])

    def cell(server, part):
        text = number(middle(server, part))
        share = middle(server, part) / middle("floor", part)
        return text if server == "floor" else f"{text} ({share:.2f})"

    rows = [[label(server), *(cell(server, part) for part in ("p50", "p99", "p99.9"))]
            for server in PACED_SERVERS]
    return table(["µs (÷ floor's: less is better)", "p50", "p99", "p99.9"], rows)


def lifecycle_rows(lifecycle):
    if "idle" in lifecycle:
        for server in IDLE_SERVERS:
            yield (f"private memory of an idle client, {label(server)}",
                   f"{lifecycle['idle'][server]['bytes']:,.0f} B")
        for server in ("floor", "banterd"):
            idle = lifecycle["idle"][server]
            yield (f"p99 of 64 clients without and with 15,000 idle ones, {label(server)}",
                   f"{number(statistics.median(idle['p99 alone']))} and "
                   f"{number(statistics.median(idle['p99 crowded']))} µs")
    if "start" in lifecycle:
        milliseconds = statistics.median(lifecycle["start"]["milliseconds"])
        yield "start to READY", f"{number(milliseconds)} ms"
        yield "resident memory without clients", f"{lifecycle['start']['resident'] / 2**20:.1f} MiB"
    if "reload" in lifecycle:
        reload = lifecycle["reload"]
        yield ("longest wait of a client beside 15,000 idle ones: 2 s with a reload, 2 s without",
               f"{number(max(reload['with']))} and {number(max(reload['without']))} ms")
    if "stop" in lifecycle:
        stop = lifecycle["stop"]
        yield "TERM to the end, nobody there", f"{number(stop['alone'])} ms"
        yield ("TERM to the end, with 15,000 clients that never close (drain-timeout = 100ms, and "
               "a second for goodbyes)", f"{number(stop['crowded'])} ms")


def target_rows(figures):
    for what, target, measured, unit, more in targets(figures):
        reached = measured >= target if more else measured <= target
        bound = "at least" if more else "at most"
        yield [what, f"{bound} {target:.4g} {unit}".strip(), f"{measured:.4g} {unit}".strip(),
               "yes" if reached else "**no**"]


def introduction(figures):
    machine = figures["machine"]
    said = ", ".join([f"{machine['cpu']}, two cores", f"Linux {machine['kernel'].split('-')[0]}",
                      f"libevent {machine['libevent']}", f"libuv {machine['libuv']}",
                      *(machine[name] for name in ("go", "java"))])
    return (f"{said}. Medians of {figures['rounds']} rounds; ± is half the range of the middle "
            "half of them. – was not measured.")


def page(figures):
    costs = figures["costs"]
    parts = [introduction(figures)]
    if measured_servers(costs):
        parts += [cost_table(costs, measured_servers(costs)), rate_table(costs)]
    if figures["latency"]:
        parts += [f"Latency, {PACED_TITLE}:", latency_table(figures["latency"])]
    if figures["lifecycle"]:
        parts.append(table(["life", "measured"], lifecycle_rows(figures["lifecycle"])))
    rows = list(target_rows(figures))
    if rows:
        parts.append(table(["target", "", "measured", "reached"], rows))
    return "\n\n".join(parts)


def readme(figures):
    """What README.md has of a page: those who fork are asked for connections only."""
    costs = figures["costs"]
    servers = measured_servers(costs)
    forking = [server for server in servers if server in FORKING]
    return "\n\n".join([
        introduction(figures),
        cost_table(costs, [server for server in servers if server not in FORKING]),
        cost_table({"connect": costs["connect"]}, forking),
        table(["life", "measured"], lifecycle_rows(figures["lifecycle"])),
    ])


# --- files -------------------------------------------------------------------------------------

CHART = """
set terminal svg size 900,440 font "sans-serif,12" background "white"
set output "{output}"
set style data histogram
set style histogram clustered gap 1
set style fill solid 0.9 noborder
set boxwidth 0.9
set yrange [0:*]
set ytics 0.2
set grid ytics lc rgb "#dddddd"
set border 3
set tics nomirror
set xtics scale 0
set xrange [-0.6:{last}.6]
set bmargin 4
set key outside top center horizontal
set ylabel "floor's CPU time / server's"
set arrow from graph 0, first 1 to graph 1, first 1 nohead lc rgb "#888888" dt 2
plot {plots}
"""
COLOURS = ("#1b6ca8", "#69a7d0", "#c9a227", "#9c6b98", "#5b9a68", "#b5534c")


def chart(costs, output):
    """One cluster of bars a workload."""
    shown = [name for name in costs if name not in ("2-workers", "knock-knock")]
    servers = [s for s in CHARTED if any(s in costs[name] for name in shown)]
    lines = ["\t".join(["workload", *map(label, servers)])]
    for name in shown:
        title = "\\n".join(textwrap.wrap(WORKLOADS[name].title, 12))
        values = [f"{statistics.median(ratios(costs[name], s)):.3f}" if s in costs[name] else "?"
                  for s in servers]
        lines.append("\t".join([f'"{title}"', *values]))
    data = "$data << END\n" + "\n".join(lines) + "\nEND\nset datafile separator tab\n" \
           'set datafile missing "?"\n'
    plots = ", ".join(f"$data using {at + 2}:xtic(1) title columnheader({at + 2}) "
                      f'lc rgb "{COLOURS[at]}"' for at in range(len(servers)))
    subprocess.run(["gnuplot"], input=data + CHART.format(output=output, plots=plots,
                                                         last=len(shown) - 1), text=True,
                   check=True)


def write(figures, directory):
    text = json.dumps(figures, indent=1)
    # A round a line, so that the file can be read.
    text = re.sub(r"\{\s+([^{}\[\]]*?)\s+\}", lambda m: "{" + re.sub(r"\s+", " ", m[1]) + "}", text)
    (directory / "figures.json").write_text(text + "\n", encoding="utf-8")
    if any(name not in ("2-workers", "knock-knock") for name in figures["costs"]):
        chart(figures["costs"], directory / "figures.svg")


def read(path):
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as problem:
        sys.exit(f"bench: {path}: {problem}")
