"""An honest client beside an attack: says a line each two milliseconds, and wants each one back.

    honest.py LIBRARY ENDPOINT VISITS

It speaks at its pace, whether earlier lines have been answered or not, and a wait counts from when
the line was due. If VISITS is 1, it also comes anew at every 25th line: connects, says a line, hears
it, and leaves. Ends when its standard input does, and prints what it found.
"""

import gc
import json
import math
import select
import sys
import time

sys.path.insert(0, sys.argv[1])

from banterd import PATIENCE
from client import Client

PACE = 0.002
LINES_A_VISIT = 25


def line_of(number):
    return b"%015d\n" % number


SIZE = len(line_of(0))


class Talk:
    """One connection, and what was said on it and is not answered yet."""

    def __init__(self, endpoint):
        self.client = Client(endpoint)
        self.began = time.monotonic()
        self.waits = []
        self.said = 0

    def due(self, number):
        return self.began + number * PACE

    def say_what_is_due(self):
        while self.due(self.said) <= time.monotonic():
            self.client.send(line_of(self.said))
            self.said += 1

    def hear(self):
        """Takes what has come; False: it was the end, or wrong."""
        self.client.pending += (data := self.client.socket.recv(65536))
        now = time.monotonic()
        while len(self.client.pending) >= SIZE:
            if self.client.receive(SIZE) != line_of(len(self.waits)):
                return False
            self.waits.append(now - self.due(len(self.waits)))
        return bool(data)

    def outstanding(self):
        return self.said - len(self.waits)


def visit(endpoint):
    """Comes anew; how long it took, or None."""
    began = time.monotonic()
    try:
        client = Client(endpoint)
        client.send(line_of(0))
        if client.receive(SIZE) != line_of(0):
            return None
        client.close()
    except (OSError, AssertionError):
        return None
    return time.monotonic() - began


def milliseconds(waits, share):
    return sorted(waits)[int(share * (len(waits) - 1))] * 1000 if waits else math.inf


def talk_until_told(talk, visit_endpoint, visits):
    """Whether it could talk to the end. Adds to `visits` how long each of them took."""
    told = False
    while not told:
        talk.say_what_is_due()
        pause = max(0, talk.due(talk.said) - time.monotonic())
        readable = select.select([talk.client.socket, sys.stdin], [], [], pause)[0]
        if talk.client.socket in readable and not talk.hear():
            return False
        told = sys.stdin in readable
        if visit_endpoint and talk.said >= (len(visits) + 1) * LINES_A_VISIT:
            visits.append(visit(visit_endpoint))
    while talk.outstanding():
        if not select.select([talk.client.socket], [], [], PATIENCE)[0] or not talk.hear():
            return False
    return True


def main():
    endpoint, with_visits = sys.argv[2], sys.argv[3] == "1"
    if visit(endpoint) is None:
        sys.exit("not let in")
    talk = Talk(endpoint)
    print("ready", flush=True)
    gc.disable()
    visits, whole = [], False
    try:
        whole = talk_until_told(talk, endpoint if with_visits else None, visits)
    except OSError:
        pass    # cut off
    good = [took for took in visits if took is not None]
    print(json.dumps({
        "lines": len(talk.waits), "lost": talk.outstanding() + (not whole) + len(visits) - len(good),
        "p99": milliseconds(talk.waits, 0.99),
        "longest": milliseconds(talk.waits, 1),
        "visit-p99": milliseconds(good, 0.99),
    }))


if __name__ == "__main__":
    main()
