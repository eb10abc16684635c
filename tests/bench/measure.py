"""The rounds: one server after the other, again and again and each time in another order, so that
the machine's noise, and what a server leaves behind, are unfair to all of them alike."""

import contextlib
import json
import os
import subprocess
import time

from servers import BUILT, ON_LOAD_CORE, Running
from workloads import COSTS, FLOOR_OF_JOKES, PACED, PACED_ROUNDS, PACED_SERVERS

LOAD = BUILT / "load"

# For a server to get over the end of its clients, before the next one has the core.
PAUSE = 0.03


def turned(servers, number):
    """The order of a round."""
    at = number % len(servers)
    return servers[at:] + servers[:at]


def load(kind, port, pid, *arguments):
    """Runs one load to its end, and returns its figures."""
    command = [*ON_LOAD_CORE, str(LOAD), kind, str(port), str(pid), *arguments]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                          timeout=120, check=True)
    time.sleep(PAUSE)
    return json.loads(done.stdout)


def go_first(pid):
    """For latencies: what else the machine has to do does not keep the server waiting. Without root
    it may, and then the figures are those of the machine too."""
    if os.geteuid() == 0:
        for task in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(ProcessLookupError):   # it has ended
                os.sched_setscheduler(int(task), os.SCHED_FIFO, os.sched_param(1))


class Bench:
    def __init__(self, rounds, say):
        self.rounds = rounds
        self.say = say
        self.running = Running()

    def stop(self):
        self.running.stop()

    def costs(self, names):
        """{workload: {server: [a figure a round]}}"""
        workloads = [workload for workload in COSTS if workload.name in names]
        figures = {workload.name: {} for workload in workloads}
        for number in range(self.rounds if workloads else 0):
            self.say(f"bench: costs, round {number + 1} of {self.rounds}")
            for workload in workloads:
                for server in turned(("floor", *workload.servers), number):
                    figure = self.cost(workload, server)
                    figures[workload.name].setdefault(server, []).append(figure)
        return figures

    def cost(self, workload, name):
        server, port = self.running.get(name)
        kind, arguments = workload.kind, workload.load
        if kind == "jokes" and name == "floor":
            kind, arguments = FLOOR_OF_JOKES
        if name == "xinetd":    # it looks up the name of each address: this one is in /etc/hosts
            arguments += " addresses=1"
        figure = load(kind, port, server.pid, *arguments.split())
        return {"cpu": figure["cpu"] / figure["units"] * 1e6,        # microseconds
                "rate": figure["units"] / figure["seconds"]}

    def latencies(self, names):
        """{server: [a figure a round]}, in microseconds."""
        figures = {}
        if "latency" not in names:
            return figures
        self.say("bench: latency")
        for number in range(PACED_ROUNDS):
            for name in turned(PACED_SERVERS, number):
                server, port = self.running.get(name)
                go_first(server.pid)
                figures.setdefault(name, []).append(
                    load("paced", port, server.pid, *PACED.split()))
        return figures
