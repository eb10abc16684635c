"""A service manager as the daemon sees it: a socket that takes its messages, sd_notify(3)."""

import socket

from banterd import PATIENCE

PING = "WATCHDOG=1\n"


class Manager:
    """Listens at a path, or at `@` and an abstract name."""

    def __init__(self, address):
        self.address = str(address)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.settimeout(PATIENCE)
        self.socket.bind(self.address.replace("@", "\0", 1))
        self.environment = {"NOTIFY_SOCKET": self.address}

    def _receive(self):
        return self.socket.recv(65536).decode()

    def receive(self):
        """The next message that is no ping."""
        while (message := self._receive()) == PING:
            pass
        return message

    def receive_until(self, wanted):
        """All messages up to the one that wanted() likes."""
        messages = [self.receive()]
        while not wanted(messages[-1]):
            messages.append(self.receive())
        return messages

    def await_ping(self):
        while self._receive() != PING:
            pass

    def rest(self, pings=False):
        """What has come and was not received."""
        messages = []
        self.socket.setblocking(False)
        try:
            while True:
                messages.append(self._receive())
        except BlockingIOError:
            return [message for message in messages if pings or message != PING]
        finally:
            self.socket.settimeout(PATIENCE)

    def close(self):
        self.socket.close()
