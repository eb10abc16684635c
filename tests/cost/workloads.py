"""What clients say to the daemon, in lockstep: nothing is sent before the answer is there."""

import dataclasses
import os
import signal
import typing

from banterd import eventually
from client import Client

# One wake-up answers what has come of one client.
ANSWER = 3      # epoll_wait, recvfrom, sendto


@dataclasses.dataclass(frozen=True)
class Workload:
    """A round, which `prepare` makes of a daemon, is done so many times."""

    name: str
    rounds: int
    messages: int           # of one round
    calls: float            # of the system, as many as a round may take
    prepare: typing.Callable
    warm_up: int = 3        # rounds that are not counted


def exchange(client, data):
    client.send(data)
    if client.receive(len(data)) != data:
        raise AssertionError("that is no echo")


def echo(listener, depth, size, rounds):
    """One client, with `depth` lines of `size` bytes in flight."""
    data = (b"x" * (size - 2) + b"\r\n") * depth

    def prepare(daemon):
        client = Client(daemon.endpoint(listener))
        return lambda: exchange(client, data)
    return Workload(f"{listener}/{depth}x{size}", rounds, depth, ANSWER, prepare)


def burst(listener, count):
    """That many clients with a line each, all of which are there when the daemon looks."""
    line = b"x" * 30 + b"\r\n"

    def prepare(daemon):
        clients = [Client(daemon.endpoint(listener)) for _ in range(count)]

        def talk():
            daemon.signal(signal.SIGSTOP)
            eventually(lambda: os.waitid(os.P_PID, daemon.pid, os.WSTOPPED | os.WNOHANG),
                       "the daemon stops")
            for client in clients:
                client.send(line)
            daemon.signal(signal.SIGCONT)
            for client in clients:
                client.receive(len(line))
        return talk
    # Both signals may have ended a wait, and another one tells of all clients at once.
    return Workload(f"{listener}/{count}-clients", 30, count, 2 * count + 2, prepare)


def knock_knock():
    """A deck of jokes a round: they are not equally long, and their order is random."""
    jokes = 4

    def prepare(daemon):
        client = Client(daemon.endpoint("knock-knock"))
        client.hear()

        def talk():
            for _ in range(jokes):
                client.say("Who's there?")
                client.say(f"{client.hear()} who?")
                client.hear()
                client.say("y")
                client.hear()
        return talk
    return Workload("knock-knock", 200, 3 * jokes, 3 * jokes * ANSWER, prepare)


def connection(listener):
    """A client that comes, says a line, and goes when it has been answered."""
    def prepare(daemon):
        def talk():
            client = Client(daemon.endpoint(listener))
            exchange(client, b"x" * 30 + b"\r\n")
            client.half_close()
            client.receive_all()
        return talk
    # To come: epoll_wait, accept4 twice, epoll_ctl; to go: epoll_wait, recvfrom, epoll_ctl, close.
    return Workload(f"{listener}/connection", 200, 1, 4 + ANSWER + 4, prepare)


def come(daemon, listener, count):
    """So many clients, all of which are in: the last one has been answered."""
    clients = [Client(daemon.endpoint(listener)) for _ in range(count)]
    exchange(clients[-1], b"x")
    return clients


def idle(listener):
    """Clients that come and stay. No table of libevent's grows between the 256th and the 512th
    descriptor."""
    def prepare(daemon):
        clients = come(daemon, listener, 280)
        return lambda: clients.extend(come(daemon, listener, 200))
    return Workload(f"{listener}/idle-client", 1, 200, 0, prepare, warm_up=0)
