"""Bytes that no honest client sends: too many, too odd, and commands without end."""

import random
import re
import socket

from case import listener, server
from client import Client
from crowds import answered

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30


# --- length ---

def longest_lines(scene):
    """Lines as long as max-line are lines; a byte more, and the client is told and closed."""
    longest, count = 8 * KIB, 200 * scene.times
    scene.start(listener("echo") + listener("knock-knock", max_line=longest))
    wrong = 0
    with scene.honest():
        for number in range(count):
            client = scene.connect("knock-knock")
            client.hear()
            client.send(b"x" * longest + b"\r\n")
            wrong += client.hear() == "line too long"
            client.send(b"x" * (longest + 1) + (b"\r\n" if number % 2 else b""))
            wrong += client.receive_all() != b"line too long\r\n"
    told = scene.daemon.wait_all(count, "client-closed", reason="line-too-long")
    scene.figure("wrong-answers", wrong + abs(len(told) - count), 0)


def send_all(client, size, piece=b"x" * MIB):
    """Sends so much, or as much as the daemon takes before it answers."""
    for _ in range(size // len(piece)):
        client.send(piece)
        if answered(client):
            return


def cpu_of(scene, listener_name, size):
    """Nanoseconds a byte, from the first to the end of the client."""
    used = scene.cpu_seconds()
    client = scene.connect(listener_name)
    if listener_name == "knock-knock":
        client.hear()
    send_all(client, size)
    client.half_close()
    client.receive_all()
    return 1e9 * (scene.cpu_seconds() - used) / size


def growth_of_cpu(scene, listener_name, short, long):
    """How much more a byte costs where there are more of them."""
    cpu_of(scene, listener_name, long)      # the first touch of memory costs most
    rounds = [[cpu_of(scene, listener_name, size) for size in (short, long)] for _ in range(5)]
    least_short, least_long = map(min, zip(*rounds))
    return least_long / least_short


def a_gibibyte_without_a_newline(scene):
    """Costs as much for each byte as a sixty-fourth of it; and a line protocol cuts it off."""
    scene.start(server(log_level="notice") + listener("echo") + listener("discard")
                + listener("knock-knock", max_line=16 * MIB))
    with scene.honest():
        scene.figure("cpu-a-byte", growth_of_cpu(scene, "discard", GIB // 64, GIB * scene.times),
                     2, "times")
        scene.figure("cpu-a-byte-of-a-line", growth_of_cpu(scene, "knock-knock", MIB, 15 * MIB),
                     2, "times")
        client = scene.connect("knock-knock")
        client.hear()
        send_all(client, GIB)
        scene.figure("not-cut-off", int(b"line too long" not in client.receive_all()), 0)


# --- what could forge or upset a log ---

PRINTABLE = re.compile(r"[ -~]*")
FORGED = "2026-01-01T00:00:00.000Z error client-closed id=1 reason=error"
NASTY = [
    b"\0", b"\0\0\0\r\n", b"\x1b[2J\x1b[31mred\x1b]0;title\a\r\n", b"\x9b2J\x90\x9c\r\n",
    b"\r\r\n\n\r", bytes(range(256)), b"\xff\xfe\xff\xf4\xff\xfb\xff", b"\xc3\x28\xed\xa0\x80\r\n",
    b"%s%n%x\r\n", b"\r\n" + FORGED.encode() + b"\r\n", b'" id=2 reason="x\r\n', b"\x7f\b\b\b\r\n",
]


def nasty_bytes(scene):
    """NUL, 8-bit, ESC, CR and LF, whole log lines: each client leaves one record, and only that."""
    count, generator = 1000 * scene.times, random.Random(4711)
    daemon = scene.start(
        server() + listener("echo") + listener("knock-knock") + listener("discard")
        + listener("telnet", "knock-knock", telnet="yes") + listener("chargen")
        + listener("qotd") + listener("daytime"))
    before = len(daemon.lines)
    names = ["echo", "knock-knock", "discard", "telnet", "chargen", "qotd", "daytime"]
    with scene.honest():
        for number in range(count):
            client = Client(daemon.endpoint(names[number % len(names)]))
            try:
                for _ in range(3):
                    client.send(generator.choice(NASTY) + generator.randbytes(20))
            except (ConnectionResetError, BrokenPipeError):
                pass    # it was answered, and the daemon has closed
            client.close()
    # The honest client's two connections leave a record as well.
    closed = daemon.wait_all(count + 2, "client-closed")
    lines = daemon.lines[before:]
    scene.figure("records-too-few", count + 2 - len({e["id"] for e in closed}), 0)
    scene.figure("other-lines", len(lines) - count - 2, 0)
    scene.figure("lines-not-printable", sum(not PRINTABLE.fullmatch(line) for line in lines), 0)
    scene.figure("forged", sum(FORGED in line for line in lines), 0)


# --- telnet ---

IAC, SE, SB, IP, AYT = 255, 240, 250, 244, 246
WILL, WONT, DO, DONT = 251, 252, 253, 254


class Model:
    """What a server answers that refuses all options, each once, and echoes the rest: RFC 854."""

    def __init__(self):
        self.state = "data"
        self.refused = set()
        self.out = bytearray()

    def hear(self, data):
        for byte in data:
            getattr(self, self.state)(byte)

    def data(self, byte):
        if byte == IAC:
            self.state = "command"
        else:
            self.out.append(byte)

    def command(self, byte):
        self.state = {SB: "subnegotiation", WILL: "will", DO: "do", WONT: "denial",
                      DONT: "denial"}.get(byte, "data")
        if byte == IAC:
            self.out += bytes([IAC, IAC])
        elif byte == AYT:
            self.out += b"banterd is here\r\n"
        elif byte == IP:
            self.state = "closed"

    def refuse(self, answer, option):
        self.state = "data"
        if (answer, option) not in self.refused:
            self.refused.add((answer, option))
            self.out += bytes([IAC, answer, option])

    def will(self, option):
        self.refuse(DONT, option)

    def do(self, option):
        self.refuse(WONT, option)

    def denial(self, _):
        self.state = "data"

    def subnegotiation(self, byte):
        if byte == IAC:
            self.state = "subnegotiation_command"

    def subnegotiation_command(self, byte):
        self.state = "data" if byte == SE else "subnegotiation"

    def closed(self, _):
        pass


def pairs_of(command):
    """Each byte behind IAC and the command, and the same again, as one who does not take a no."""
    end = bytes([IAC, SE]) if command == SB else b""
    return [b"".join(bytes([IAC, command, option]) + end + b"." for _ in range(2))
            for option in range(256)]


def answer_to(endpoint, data):
    client = Client(endpoint)
    try:
        client.send(data)
        client.socket.shutdown(socket.SHUT_WR)
    except OSError:
        pass    # it has been closed, which the answer tells too
    return client.receive_all()


def telnet_options(scene):
    """All pairs of bytes behind IAC, in pieces of each size: what is answered is what must be."""
    wrong, drip = 0, scene.preload("drip")
    for size in (1, 2, 3, 65536):
        daemon = scene.start(server(log_level="notice") + listener("echo")
                             + listener("telnet", "echo", telnet="yes", max_output="1M"),
                             environment={"LD_PRELOAD": drip, "DRIP": str(size)})
        with scene.honest():
            for command in range(256):
                talks = pairs_of(command)
                for data in talks if command == IP else [b"".join(talks)]:
                    model = Model()
                    model.hear(data)
                    wrong += answer_to(daemon.endpoint("telnet"), data) != bytes(model.out)
        scene.end()
    scene.figure("wrong-answers", wrong, 0)


ATTACKS = [longest_lines, a_gibibyte_without_a_newline, nasty_bytes, telnet_options]
