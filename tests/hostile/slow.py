"""Clients that are slow on purpose, and those that take nothing of what they ask for."""

import collections
import select
import time

from case import listener, server
from client import Client
from scene import pass_time

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30

# The kernel should not take for the client what the daemon is to keep.
SMALL = 4 * KIB

# A limit is looked at by the clock, and closing takes its time too.
GRACE = 1


class Watch:
    """Many clients at once: tells of each when the daemon has closed it."""

    def __init__(self):
        self.poll = select.epoll()
        self.clients = {}

    def add(self, client, events):
        client.socket.setblocking(False)
        self.clients[client.socket.fileno()] = client
        self.poll.register(client.socket, events)

    def drop(self, client):
        del self.clients[client.socket.fileno()]
        client.close()

    def ready(self, timeout):
        for fd, events in self.poll.poll(timeout):
            yield self.clients[fd], events


def slow_writers(scene):
    """Five thousand that begin a line, and send a byte of it each second."""
    count, limit = 5000, 2 * scene.times
    daemon = scene.start(server(log_level="notice") + listener("echo")
                         + listener("knock-knock", line_timeout=f"{limit}s"))
    watch, told, begun, times = Watch(), collections.Counter(), {}, []
    with scene.honest():
        turn = collections.deque()
        for _ in range(count):
            client = Client(daemon.endpoint("knock-knock"))
            begun[client] = time.monotonic()
            client.send(b"x")
            watch.add(client, select.EPOLLIN)
            turn.append((begun[client] + 1, client))
        enough = time.monotonic() + limit + 10 * GRACE
        while watch.clients and time.monotonic() < enough:
            for client, _ in watch.ready(0.01):
                if data := client.socket.recv(4096):
                    client.pending += data
                    continue
                times.append(time.monotonic() - begun[client])
                told[bytes(client.pending)] += 1
                watch.drop(client)
            now = time.monotonic()
            while turn and turn[0][0] < now:
                _, client = turn.popleft()
                if client.socket.fileno() >= 0:
                    client.socket.send(b"x")
                    turn.append((now + 1, client))
    right = told[b"Knock! Knock!\r\nline timeout\r\n"]
    scene.figure("not-told-line-timeout", count - right, 0)
    scene.figure("closed-after", max(times, default=0), limit + GRACE, "s")
    scene.figure("closed-too-early", sum(took < limit - 0.1 for took in times), 0)


def send_without_reading(clients, size):
    """Sends each so much, without reading, as far as the daemon takes it. Returns when each of
    them was closed, in seconds after the daemon last took something of it."""
    watch, left, last, waits = Watch(), {}, {}, []
    data = b"x" * 256 * KIB
    for client in clients:
        watch.add(client, select.EPOLLOUT | select.EPOLLET)
        left[client], last[client] = size, time.monotonic()
    patience = time.monotonic() + 60
    while watch.clients and time.monotonic() < patience:
        for client, events in watch.ready(0.05):
            if events & (select.EPOLLERR | select.EPOLLHUP):
                waits.append(time.monotonic() - last[client])
                watch.drop(client)
                continue
            try:
                while left[client] > 0:
                    left[client] -= client.socket.send(data[:left[client]])
                    last[client] = time.monotonic()
            except BlockingIOError:
                pass
            except OSError:
                waits.append(time.monotonic() - last[client])
                watch.drop(client)
        yield waits, len(watch.clients)


def ask_and_never_read(scene, count, size, max_output):
    limit = 3
    daemon = scene.start(server(log_level="notice") + listener("echo")
                         + listener("hole", "echo", max_output=max_output,
                                    write_timeout=f"{limit}s"))
    allowed = count * max_output
    for _ in range(16):     # what the workers' own buffers take is not theirs
        client = scene.connect("hole")
        client.send(b"x" * 64 * KIB)
        client.receive(64 * KIB)
    with scene.honest():
        before = most = scene.private_memory()
        clients = [Client(daemon.endpoint("hole"), receive_buffer=SMALL) for _ in range(count)]
        waits = []
        for waits, _ in send_without_reading(clients, size):
            most = max(most, scene.private_memory())
    scene.figure("memory", (most - before) / MIB, 1.05 * allowed / MIB, "MiB")
    scene.figure("not-closed", count - len(waits), 0)
    scene.figure("closed-after", max(waits, default=0), limit + GRACE, "s")
    scene.figure("closed-too-early", sum(wait < limit / 2 for wait in waits), 0)
    if most - before < allowed / 2:
        raise AssertionError("they hold too little for their memory to be a measure")
    scene.end()


def many_that_never_read(scene):
    """A thousand that ask for 1 MiB of echo each."""
    for _ in range(scene.times):
        ask_and_never_read(scene, 1000, MIB, 256 * KIB)


def one_that_asks_for_a_gibibyte(scene):
    for _ in range(scene.times):
        ask_and_never_read(scene, 1, GIB, 4 * MIB)


def readers_that_stop(scene):
    """Clients of chargen that read for a while, and then no more."""
    count, seconds = 500, 3 * scene.times
    scene.start(server(log_level="notice") + listener("echo")
                + listener("chargen", write_timeout="0", max_output=64 * KIB))
    with scene.honest():
        clients = [scene.connect("chargen", receive_buffer=SMALL) for _ in range(count)]
        for client in clients:
            client.receive(64 * KIB)
        pass_time(1)
    pass_time(0.5)      # what is on its way has come to rest
    scene.figure("cpu", scene.measure_cpu(seconds), 1, "%")
    for client in clients:      # they are still there, and may go on
        client.receive(64 * KIB)


ATTACKS = [slow_writers, many_that_never_read, one_that_asks_for_a_gibibyte, readers_that_stop]
