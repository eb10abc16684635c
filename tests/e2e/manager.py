"""A service manager as the daemon sees it: a socket that takes its messages, sd_notify(3)."""

import socket

from banterd import PATIENCE


class Manager:
    """Listens at a path, or at `@` and an abstract name."""

    def __init__(self, address):
        self.address = str(address)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.settimeout(PATIENCE)
        self.socket.bind(self.address.replace("@", "\0", 1))
        self.environment = {"NOTIFY_SOCKET": self.address}

    def receive(self):
        """The next message that is no ping."""
        while (message := self.socket.recv(65536)) == b"WATCHDOG=1\n":
            pass
        return message.decode()

    def receive_until(self, wanted):
        """All messages up to the one that wanted() likes."""
        messages = [self.receive()]
        while not wanted(messages[-1]):
            messages.append(self.receive())
        return messages

    def await_ping(self):
        while self.socket.recv(65536) != b"WATCHDOG=1\n":
            pass

    def rest(self):
        """What has come and was not received; for when the daemon has ended."""
        self.socket.setblocking(False)
        messages = []
        try:
            while True:
                messages.append(self.socket.recv(65536).decode())
        except BlockingIOError:
            return [message for message in messages if message != "WATCHDOG=1\n"]

    def close(self):
        self.socket.close()
