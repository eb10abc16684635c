"""Clients that come in masses: to take the descriptors, the memory, or the time."""

import contextlib
import itertools
import multiprocessing
import select
import signal
import statistics
import time

from banterd import PATIENCE, eventually
from case import listener, server
from client import Client
from scene import pass_time, prefer

MIB = 1 << 20


# --- no descriptors ---

def out_of_descriptors(scene):
    """More clients than there are descriptors for: they wait, and nobody else does."""
    limit, waiting, seconds = 128, 200, 10 * scene.times
    daemon = scene.start(listener("echo"), open_files=(limit, limit))
    with scene.honest():
        clients = [scene.connect("echo") for _ in range(limit + waiting)]
        for client in clients:
            client.send(b"x")
        daemon.wait("accept-paused")
        pass_time(0.5)
        scene.figure("cpu", scene.measure_cpu(seconds), 5, "%")
        said = [event for event in daemon.events if event.name != "client-closed"]
        scene.figure("log-lines", len(said) - said.index(daemon.find("ready")[0]) - 1, 2)

        inside, outside = divide(clients)
        times = []
        for _ in range(3):
            times.append(make_room(inside[:20], outside))
            inside, outside = inside[20:] + divide(outside)[0], divide(outside)[1]
        scene.figure("accepts-again-after", 1000 * min(times), 200, "ms")
        for client in inside:
            client.close()
        come_in(outside)
    resumed = daemon.wait("accept-resumed")
    if float(resumed["after"].rstrip("s")) < seconds:
        raise AssertionError(f"it says that it took {resumed['after']}")


def divide(clients):
    """Those who have been answered, and those who wait."""
    inside = [client for client in clients if answered(client)]
    return inside, [client for client in clients if client not in inside]


def make_room(leaving, outside):
    """How long it takes until the first one comes in; others do, until all room is taken."""
    for client in leaving:
        client.close()
    began = time.monotonic()
    select.select([client.socket for client in outside], [], [], 10)
    took = time.monotonic() - began
    eventually(lambda: sum(map(answered, outside)) == len(leaving), "the room is taken")
    return took


def come_in(clients):
    """Each is let in at last, and makes room for the next one."""
    waiting = {client.socket: client for client in clients}
    while waiting:
        ready = select.select(waiting, [], [], PATIENCE)[0]
        if not ready:
            raise AssertionError(f"{len(waiting)} clients are not let in")
        for connection in ready:
            client = waiting.pop(connection)
            client.receive(1)
            client.close()


def answered(client):
    return bool(select.select([client.socket], [], [], 0)[0])


# --- who comes and goes ---

STAGES = 6


def leave_at(stage, client, reset):
    """Goes at one of the points at which a client may."""
    if stage == 3:
        client.send(b"a line\r\n")
        client.receive(8)
    with contextlib.suppress(OSError, AssertionError):    # it may be refused, or told to go
        if stage == 1:
            client.send(b"half a line")
        elif stage == 2:
            client.send(b"a line\r\n")
        elif stage == 4:
            client.send(b"a line\r\n")
            client.half_close()
        elif stage == 5:
            client.send(b"lines\r\n" * 2000)
    if reset:
        client.reset()
    else:
        client.close()


def come_and_go(endpoints, count, sources):
    """Every third one breaks the connection."""
    addresses = itertools.cycle(sources)
    for number in range(count):
        client = Client(endpoints[number % len(endpoints)], source=next(addresses))
        leave_at(number // 6 % STAGES, client, number % 3 == 0)


def at_once(jobs):
    """Runs the functions in a process each, and waits for all."""
    processes = [multiprocessing.Process(target=function, args=arguments)
                 for function, *arguments in jobs]
    try:
        for process in processes:
            process.start()
        for process in processes:
            process.join()
            if process.exitcode != 0:
                raise AssertionError("an attacker has failed")
    finally:
        for process in processes:
            process.kill()


def connections(scene):
    """Three hundred thousand, a third of which are reset: at each stage of a conversation."""
    attackers, count = 2, 300_000 * scene.times
    daemon = scene.start(server(log_level="notice") + listener("echo")
                         + listener("knock-knock", telnet="yes"))
    endpoints = [daemon.endpoint("echo"), daemon.endpoint("knock-knock")]

    def storm(total):
        # An address has 28,000 ports, each of which rests for a while after use.
        at_once([(come_and_go, endpoints, total // attackers,
                  [f"127.0.{1 + attacker}.{1 + host}" for host in range(50)])
                 for attacker in range(attackers)])

    storm(20_000)       # the memory that so many at once take is there now
    scene.wait_for_fds()
    before = scene.private_memory()
    with scene.honest(visits=True):
        storm(count)
    scene.wait_for_fds()
    scene.figure("memory-growth", (scene.private_memory() - before) / MIB, 1, "MiB")


def listener_that_goes(scene):
    """Thousands are in its queue when a reload takes it: all get in, and who is in hardly waits."""
    crowd, rounds, missing, waits = 4000, 5 * scene.times, 0, []
    prefer(2)
    rest = server(workers=1, max_clients=10_000, log_level="notice") + listener("echo")
    daemon = scene.start(rest)
    guest = scene.connect("echo")
    for number in range(1, rounds + 1):
        daemon.reload(rest + listener("gone", "daytime"))
        daemon.signal(signal.SIGSTOP)
        eventually(daemon.stopped, "it has stopped")
        clients = [Client(daemon.endpoint("gone")) for _ in range(crowd)]
        daemon.configure(rest)
        daemon.signal(signal.SIGHUP)
        daemon.signal(signal.SIGCONT)
        waits.append(longest_wait(guest, lambda: len(daemon.find("reloaded")) == 2 * number))
        missing += sum(not client.receive_all() for client in clients)
    scene.figure("not-let-in", missing, 0)
    # The median, since this machine has other things to do.
    scene.figure("longest-wait-inside", 1000 * statistics.median(waits), 20, "ms")


def longest_wait(client, is_over):
    """Of a line that is said as soon as the last one has come back."""
    longest = 0
    while not is_over():
        began = time.monotonic()
        client.send(b"x")
        client.receive(1)
        longest = max(longest, time.monotonic() - began)
    return longest


# --- one address against the rest ---

def is_let_in(client):
    """Whether an echo talks to it."""
    try:
        client.send(b"x")
        return client.socket.recv(1) == b"x"
    except ConnectionError:
        return False


def flood(endpoint, seconds, source, results):
    """Connects as fast as it can. With `results`, asks each time, and sends how often it was let in,
    of how many times."""
    until = time.monotonic() + seconds
    tries = let_in = 0
    while time.monotonic() < until:
        client = Client(endpoint, source=source)
        tries += 1
        let_in += results is not None and is_let_in(client)
        client.reset()
    if results:
        results.send((let_in, tries))


PACE = 0.005


def talk_at_pace(endpoint, count, seconds, results):
    """Clients with a line each five milliseconds. Sends how many were answered in that time."""
    prefer(1)
    clients = [Client(endpoint) for _ in range(count)]
    line, answered_lines = b"a line of the others\n", 0
    due = time.monotonic()
    until = due + seconds
    while due < until:
        for client in clients:
            client.send(line)
        for client in clients:
            client.receive(len(line))
        now = time.monotonic()
        answered_lines += count * (now < until)
        due = max(due + PACE, now)      # what was missed is not made up for
        pass_time(due - now)
    results.send(answered_lines / seconds)


def flood_from_one_address(scene):
    """It connects as fast as it can; the others, who talk and who come, should not notice."""
    seconds, rate, others = 5 * scene.times, 100, 64
    daemon = scene.start(
        server(log_level="notice")
        + listener("echo", max_clients_per_address=100, connect_rate=f"{rate}/s"))
    endpoint = daemon.endpoint("echo")
    ours, theirs = multiprocessing.Pipe(duplex=False)
    counted, counts = multiprocessing.Pipe(duplex=False)
    talk = (talk_at_pace, endpoint, others, seconds, theirs)

    at_once([talk])
    calm = ours.recv()
    with scene.honest(visits=True):
        at_once([talk, (flood, endpoint, seconds, "127.0.0.2", counts),
                 (flood, endpoint, seconds, "127.0.0.3", None)])
    scene.figure("throughput-lost-by-others", 100 * (1 - ours.recv() / calm), 5, "%")
    let_in, tries = counted.recv()
    scene.figure("let-in", let_in, rate * (seconds + 2))
    if tries < 5 * rate * (seconds + 2):
        raise AssertionError(f"{tries} times in {seconds} s is no flood")


ATTACKS = [out_of_descriptors, connections, listener_that_goes, flood_from_one_address]
