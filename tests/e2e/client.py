"""A client of the daemon: a socket on which nothing waits for ever."""

import contextlib
import random
import socket
import struct

from banterd import PATIENCE

IP_BIND_ADDRESS_NO_PORT = 24    # ip(7); Python has no name for it


def parse(endpoint):
    """The family and address behind `ADDR:PORT`, `[ADDR]:PORT`, `*:PORT` or `unix:PATH`."""
    if endpoint.startswith("unix:"):
        return socket.AF_UNIX, endpoint.removeprefix("unix:")
    host, _, port = endpoint.rpartition(":")
    host = {"*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)
    if host.startswith("["):
        return socket.AF_INET6, (host.strip("[]"), int(port))
    return socket.AF_INET, (host, int(port))


def port_of(endpoint):
    return int(endpoint.rpartition(":")[2])


def free_port():
    """One that is free at every address, and below those that the kernel gives to clients."""
    while True:
        port = random.randrange(16384, 32768)
        with socket.socket(socket.AF_INET6) as probe:
            with contextlib.suppress(OSError):
                probe.bind(("::", port))
                return port


def free_ports(count):
    """So many that differ."""
    ports = set()
    while len(ports) < count:
        ports.add(free_port())
    return tuple(ports)


class Client:
    """One connection. `name` is what the daemon's log calls it in `remote=`."""

    def __init__(self, endpoint, receive_buffer=None, source=None):
        family, address = parse(endpoint)
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.settimeout(PATIENCE)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        try:
            if source:
                # Its port rests for a while afterwards, and others may have it meanwhile.
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                self.socket.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
                self.socket.bind((source, 0))
            self.socket.connect(address)
        except OSError:
            self.socket.close()
            raise
        if family != socket.AF_UNIX:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.name = self._name(family)
        self.pending = bytearray()

    def _name(self, family):
        if family == socket.AF_UNIX:
            return "unix:"
        host, port = self.socket.getsockname()[:2]
        return f"[{host}]:{port}" if family == socket.AF_INET6 else f"{host}:{port}"

    # Sending.

    def send(self, data):
        self.socket.sendall(data)

    def say(self, text, ending=b"\n"):
        self.send(text.encode() + ending)

    def send_until_blocked(self, data, limit, quiet=0.5):
        """Sends data again and again without reading, until `limit` bytes are sent, or the daemon
        has taken nothing for `quiet` seconds, or has had enough. Returns how many were sent."""
        sent = 0
        self.socket.settimeout(quiet)
        try:
            while sent < limit:
                sent += self.socket.send(data[sent % len(data):])
        except (TimeoutError, ConnectionResetError, BrokenPipeError):
            pass
        self.socket.settimeout(PATIENCE)
        return sent

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)

    # Receiving.

    def _more(self):
        data = self.socket.recv(262144)
        if not data:
            raise AssertionError(f"the end came after {bytes(self.pending)!r}")
        self.pending += data

    def _take(self, count):
        data = bytes(self.pending[:count])
        del self.pending[:count]
        return data

    def receive(self, count):
        """Exactly `count` bytes."""
        while len(self.pending) < count:
            self._more()
        return self._take(count)

    def receive_line(self):
        """One line, its CR LF included."""
        while b"\n" not in self.pending:
            self._more()
        return self._take(self.pending.index(b"\n") + 1)

    def hear(self):
        """One line as text; every line of the daemon ends in CR LF."""
        line = self.receive_line()
        if not line.endswith(b"\r\n"):
            raise AssertionError(f"a line that does not end in CR LF: {line!r}")
        return line[:-2].decode()

    def receive_all(self):
        """Everything up to an orderly end, and closes; a reset is an error."""
        pieces = [self._take(len(self.pending))]
        while data := self.socket.recv(262144):
            pieces.append(data)
        self.close()
        return b"".join(pieces)

    # Ending.

    def close(self):
        self.socket.close()

    def reset(self):
        """Breaks the connection with an RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()
