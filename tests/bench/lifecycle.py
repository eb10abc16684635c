"""What is not a cost for each line: start, idle clients, reload, stop."""

import contextlib
import json
import signal
import socket
import statistics
import subprocess
import time

from banterd import Daemon, private_memory
from measure import LOAD, go_first, load
from servers import IDLE_CLIENTS, ON_LOAD_CORE, ON_SERVER_CORE, SERVERS, Banterd
from workloads import IDLE_SERVERS, PACED, PACED_ROUNDS

STARTS = 15
STALL_PROBE = "clients=1 rate=2000 seconds=2"
RELOADS = 3


def measure(names, say):
    steps = {"idle": idle, "start": start, "reload": reload, "stop": stop}
    figures = {}
    for name, step in steps.items():
        if name in names:
            say(f"bench: {name}")
            figures[name] = step()
    return figures


@contextlib.contextmanager
def idle_clients(port, pid):
    """Connected, and silent."""
    command = [*ON_LOAD_CORE, str(LOAD), "hold", str(port), str(pid), f"clients={IDLE_CLIENTS}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        if holder.stdout.readline() != b"holding\n":
            raise RuntimeError("the idle clients did not come in")
        yield
        holder.stdin.close()


@contextlib.contextmanager
def running(name):
    server = SERVERS[name][1]()
    try:
        yield server
    finally:
        server.stop()


def idle():
    """Private bytes for each of the idle clients, and what they do to the latency of others."""
    figures = {}
    for name in IDLE_SERVERS:
        with running(name) as server:
            load("echo", server.port(), server.pid, "clients=64")  # what is allocated once
            before = private_memory(server.pid)
            with idle_clients(server.port(), server.pid):
                load("echo", server.port(), server.pid, "clients=1")  # all have been accepted
                figures[name] = {"bytes": (private_memory(server.pid) - before) / IDLE_CLIENTS}
    for name in ("floor", "banterd"):
        figures[name].update(latency_beside_idle(name))
    return figures


def latency_beside_idle(name):
    """Two servers of a kind, one of them with idle clients, measured in turn."""
    with running(name) as alone, running(name) as crowded, \
            idle_clients(crowded.port(), crowded.pid):
        go_first(alone.pid)
        go_first(crowded.pid)
        figures = {"p99 alone": [], "p99 crowded": []}
        for number in range(PACED_ROUNDS):
            turn = [("p99 alone", alone), ("p99 crowded", crowded)]
            for key, server in turn[::-1] if number % 2 else turn:
                figure = load("paced", server.port(), server.pid, *PACED.split())
                figures[key].append(figure["p99"])
    return figures


def start():
    """Milliseconds from before fork() to READY=1, and the resident bytes then."""
    times, resident = [], []
    for _ in range(STARTS):
        daemon = Daemon("[listener echo]\nprotocol = echo\nlisten = 127.0.0.1:0\n",
                        launcher=ON_SERVER_CORE)
        try:
            times.append(time_start(daemon))
            resident.append(daemon.memory())
            daemon.stop()
        finally:
            daemon.discard()
    return {"milliseconds": times, "resident": statistics.median(resident)}


def time_start(daemon):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(daemon.directory / "notify"))
        manager.settimeout(20)
        daemon.environment = {"NOTIFY_SOCKET": str(daemon.directory / "notify")}
        began = time.monotonic()
        daemon.spawn()
        while b"READY=1" not in manager.recv(4096):
            pass
        ended = time.monotonic()
    daemon.read_log()
    return (ended - began) * 1e3


def reload():
    """The longest latency that a client saw, in milliseconds, beside idle clients; with a reload
    in the middle, and with none."""
    figures = {"with": [], "without": []}
    with running("banterd") as server, idle_clients(server.port(), server.pid):
        go_first(server.pid)
        for _ in range(RELOADS):
            for key in figures:
                probe = subprocess.Popen(
                    [*ON_LOAD_CORE, str(LOAD), "paced", str(server.port()), str(server.pid),
                     *STALL_PROBE.split()], stdout=subprocess.PIPE)
                time.sleep(1)
                if key == "with":
                    server.daemon.reload()
                text, _ = probe.communicate(timeout=60)
                figures[key].append(json.loads(text)["max"] / 1e3)
    return figures


def stop():
    """Milliseconds from TERM to the end of the process: with nobody there, and with idle clients
    whom it lets stay for its drain-timeout of 100 ms."""
    figures = {}
    for key, clients in (("alone", False), ("crowded", True)):
        with contextlib.ExitStack() as stack:
            server = Banterd()
            stack.callback(server.daemon.discard)
            if clients:
                stack.enter_context(idle_clients(server.port(), server.pid))
            began = time.monotonic()
            server.daemon.signal(signal.SIGTERM)
            server.daemon.process.wait()
            figures[key] = (time.monotonic() - began) * 1e3
    return figures
