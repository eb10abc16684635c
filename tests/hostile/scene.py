"""What every attack has: a daemon of its own, an honest client beside it, and figures."""

import contextlib
import dataclasses
import json
import os
import pathlib
import select
import subprocess
import sys
import tempfile
import time

from banterd import PATIENCE, Daemon, eventually, private_memory
from case import server
from client import Client
from modules import compile_object

HERE = pathlib.Path(__file__).resolve().parent

# Milliseconds for 99 of 100 lines; and for each, as a stall may be short of one line in a hundred.
HONEST_P99 = 10
HONEST_LONGEST = 500


def prefer(priority):
    """Puts this process before the attackers, as root may: they come from elsewhere, and what they
    take of this machine's time is not the daemon's loss."""
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))


def pass_time(seconds):
    """For what takes its time by its nature, such as a limit of time."""
    select.select([], [], [], seconds)


@dataclasses.dataclass(frozen=True)
class Figure:
    """What was measured; it may be the limit, and no more."""

    name: str
    value: float
    limit: float
    unit: str = ""


class Scene:
    """Where an attack takes place. Its figures are what the attack's success would show in."""

    def __init__(self, name, times):
        self.name = name
        self.times = times      # how much longer than usual it lasts
        self.figures = {}
        self.holder = tempfile.TemporaryDirectory(prefix="banterd-")
        self.directory = pathlib.Path(self.holder.name)
        self.daemon = None
        self.clients = []

    def figure(self, name, value, limit, unit=""):
        """Of one that is measured more than once, the worst counts."""
        worst = max(value, self.figures[name].value) if name in self.figures else value
        self.figures[name] = Figure(f"{self.name}/{name}", worst, limit, unit)

    def prepare(self, config, **options):
        """A daemon that has not been started."""
        if "[server]" not in config:
            config = server() + config
        self.daemon = Daemon(config, before_exec=lambda: prefer(1), **options)
        return self.daemon

    def start(self, config, **options):
        return self.prepare(config, **options).start()

    def preload(self, name):
        """NAME.c of this directory, made to be preloaded."""
        compile_object(HERE / f"{name}.c", self.directory / f"{name}.so")
        return str(self.directory / f"{name}.so")

    def connect(self, listener, **options):
        client = Client(self.daemon.endpoint(listener), **options)
        self.clients.append(client)
        return client

    @contextlib.contextmanager
    def honest(self, listener="echo", *, endpoint=None, visits=False, in_time=True):
        """While this lasts, an honest client talks to an echo; all that it says must come back."""
        process = subprocess.Popen(
            [sys.executable, "-IS", HERE / "honest.py", HERE.parent / "e2e",
             endpoint or self.daemon.endpoint(listener), str(int(visits))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            preexec_fn=lambda: prefer(2))
        try:
            if process.stdout.readline() != "ready\n":
                raise AssertionError("the honest client is not let in")
            yield
            found = json.loads(process.communicate(timeout=PATIENCE)[0])
        finally:
            process.kill()
            process.communicate()
        self.figure("honest/lines-lost", found["lost"], 0)
        if in_time:
            self.figure("honest/p99", found["p99"], HONEST_P99, "ms")
            self.figure("honest/longest", found["longest"], HONEST_LONGEST, "ms")
        if visits:
            self.figure("honest/visit-p99", found["visit-p99"], HONEST_P99, "ms")

    def private_memory(self):
        return private_memory(self.daemon.pid)

    def cpu_seconds(self):
        """Processor time of all threads, to the nanosecond."""
        return sum(int((task / "schedstat").read_text(encoding="ascii").split()[0])
                   for task in pathlib.Path(f"/proc/{self.daemon.pid}/task").iterdir()) / 1e9

    def measure_cpu(self, seconds):
        """Percent of a processor that the daemon takes meanwhile."""
        began, used = time.monotonic(), self.cpu_seconds()
        pass_time(seconds)
        return 100 * (self.cpu_seconds() - used) / (time.monotonic() - began)

    def end(self):
        """After an attack the daemon is in order: its descriptors are back, and TERM ends it."""
        for client in self.clients:
            client.close()
        self.wait_for_fds()
        self.daemon.stop()
        self.discard_daemon()

    def wait_for_fds(self):
        """All that clients had opened in the daemon is closed again."""
        before = self.daemon.fds_when_ready
        eventually(lambda: self.daemon.open_fds() <= before, f"back to {before} open files")

    def discard_daemon(self):
        if self.daemon:
            self.daemon.discard()
        self.daemon = None

    def discard(self):
        self.discard_daemon()
        self.holder.cleanup()
