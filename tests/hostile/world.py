"""What the world does to a daemon: its clock, its signals, its configuration, its standard error."""

import contextlib
import datetime
import itertools
import multiprocessing
import signal
import struct
import time

from banterd import ROOT, eventually
from case import listener, server
from client import Client
from crowds import PACE, talk_at_pace
from scene import pass_time

YEAR = 365 * 24 * 3600


def wall_clock(scene):
    """It jumps a year ahead and back: limits of time neither come early nor fail to come."""
    offset = scene.directory / "offset"
    offset.write_bytes(struct.pack("q", 0))
    daemon = scene.start(
        listener("echo", idle_timeout="1m") + listener("quick", "echo", idle_timeout="1s"),
        environment={"LD_PRELOAD": scene.preload("wall_clock"), "WALL_CLOCK": str(offset)})
    years, times = set(), []
    with scene.honest():
        for jump in [YEAR, -YEAR, 0] * scene.times:
            came, client = time.monotonic(), scene.connect("quick")
            with open(offset, "r+b") as file:
                file.write(struct.pack("q", jump))
            client.receive_all()
            times.append(time.monotonic() - came)
            event = daemon.wait("client-closed", remote=client.name, reason="idle-timeout")
            years.add(event.time[:4])
    this = datetime.datetime.now(datetime.timezone.utc)
    expected = {str((this + datetime.timedelta(seconds=jump)).year) for jump in (YEAR, -YEAR, 0)}
    scene.figure("clocks-not-seen", len(expected - years), 0)
    scene.figure("idle-for-a-second", max(times), 2, "s")
    scene.figure("closed-too-early", sum(took < 0.9 for took in times), 0)


def stopped(scene):
    """STOP for a while that is longer than the limits, then CONT: who spoke meanwhile is heard."""
    seconds, count = 15 * scene.times, 200
    daemon = scene.start(listener("echo", idle_timeout="10s")
                         + listener("quick", "echo", idle_timeout="1s")
                         + listener("knock-knock", idle_timeout="0", line_timeout="10s"))
    talkers = [scene.connect("echo") for _ in range(count)]
    writers = [scene.connect("knock-knock") for _ in range(count)]
    for client in writers:
        client.hear()
        client.send(b"half a ")
    with scene.honest(in_time=False):
        for client in talkers:
            client.send(b"x")
            client.receive(1)
        # Their time is up first, and is not to be the end of the others.
        silent = [scene.connect("quick") for _ in range(16)]
        daemon.signal(signal.SIGSTOP)
        eventually(daemon.stopped, "it has stopped")
        pass_time(2)
        for client in talkers:
            client.send(b"y")
        for client in writers:
            client.send(b"line\r\n")
        pass_time(seconds - 2)
        daemon.signal(signal.SIGCONT)
        lost = sum(not hears(client, b"y") for client in talkers)
        lost += sum(not hears(client, b"line timeout", wanted=False) for client in writers)
        spared = sum(client.receive_all() != b"" for client in silent)
    scene.figure("clients-lost", lost, 0)
    scene.figure("silent-clients-spared", spared, 0)


def hears(client, text, wanted=True):
    """Whether what comes next begins with that; an end is nothing."""
    with contextlib.suppress(AssertionError, OSError):
        return client.receive(len(text)).startswith(text) == wanted
    return False


def signals(scene):
    """HUP and CONT, a hundred thousand, as fast as they can be sent."""
    daemon = scene.start(server() + listener("echo"))
    with scene.honest(visits=True):
        for number in range(100_000 * scene.times):
            daemon.signal(signal.SIGCONT if number % 3 else signal.SIGHUP)
        eventually(lambda: not daemon.pending(signal.SIGHUP), "the last has been taken")
        daemon.reload()
    scene.figure("reloads-failed", len(daemon.find("reload-failed")), 0)


def broken_files(good):
    """Configurations that are wrong, each in a way of its own; without end."""
    texts = [path.read_text(encoding="utf-8", errors="surrogateescape")
             for path in sorted((ROOT / "tests/config/bad").glob("*.ini"))]
    lines = good.splitlines(keepends=True)
    for number in itertools.count():
        yield f"# {number}\n" + texts[number % len(texts)]
        at = number % len(lines)
        yield "".join([*lines[:at], f"broken {number}\n", *lines[at:]])
        yield good[:len(good) - 1 - number % 30] + f" = {number}\n[listener"


def reloads(scene):
    """HUP each tenth of a second, and a thousand broken files, while clients come and talk."""
    rounds, broken, others = 300 * scene.times, 1000 * scene.times, 16
    good = server() + listener("echo") + listener("knock-knock")
    daemon = scene.start(good)
    endpoint = daemon.endpoint("echo")
    files, done = broken_files(good), 0
    ours, theirs = multiprocessing.Pipe(duplex=False)
    with scene.honest(visits=True):
        talk = multiprocessing.Process(target=talk_at_pace,
                                       args=(endpoint, others, rounds / 10, theirs))
        talk.start()
        began = time.monotonic()
        for number in range(1, rounds + 1):
            while done < broken * number // rounds:
                write_and_reload(daemon, next(files))
                done += 1
            write_and_reload(daemon, good)
            pass_time(max(0, began + number / 10 - time.monotonic()))
        talk.join()
    lost = 1 - ours.recv() / (others / PACE) if ours.poll() else 1
    scene.figure("throughput-lost-by-others", 100 * lost, 10, "%")
    scene.figure("broken-taken", broken - len(daemon.find("reload-failed")), 0)
    scene.figure("good-refused", rounds - len(daemon.find("reloaded")), 0)
    scene.figure("endpoints-lost", int(daemon.endpoint("echo") != endpoint), 0)


def write_and_reload(daemon, text):
    daemon.config.write_bytes(text.encode("utf-8", "surrogateescape"))
    daemon.reload()


# --- standard error ---

def serve_without_log(scene, launcher=(), broken=False):
    """Clients come and go, each of whom leaves a line, and nobody takes it."""
    daemon = scene.prepare(listener("echo", listen="unix:DIR/echo"), launcher=launcher)
    endpoint = f"unix:{daemon.directory}/echo"
    daemon.spawn()
    if broken:
        daemon.stop_reading_log()
    eventually(lambda: visit(endpoint), "it serves")
    daemon.fds_when_ready = daemon.open_fds()
    with scene.honest(endpoint=endpoint, visits=True):
        refused = sum(not visit(endpoint) for _ in range(5000 * scene.times))
    scene.figure("visits-lost", refused, 0)


def visit(endpoint):
    with contextlib.suppress(OSError, AssertionError):
        client = Client(endpoint)
        client.send(b"x")
        good = client.receive(1) == b"x"
        client.close()
        return good
    return False


def log_stalled(scene):
    """Nobody reads the pipe."""
    serve_without_log(scene)


def log_broken(scene):
    """Whoever read the pipe has gone."""
    serve_without_log(scene, broken=True)


def log_closed(scene):
    """Standard error was closed when the daemon began."""
    serve_without_log(scene, launcher=["sh", "-c", 'exec "$@" 2>&-', "sh"])


def disk_full(scene):
    """There is no room behind standard error."""
    serve_without_log(scene, launcher=["sh", "-c", 'exec "$@" 2>/dev/full', "sh"])


ATTACKS = [wall_clock, stopped, signals, reloads, log_stalled, log_broken, log_closed, disk_full]
