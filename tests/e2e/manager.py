"""A service manager as the daemon sees it: a socket that takes its messages, sd_notify(3)."""

import pathlib
import socket
import tempfile

from banterd import PATIENCE
from case import DaemonTest

PING = "WATCHDOG=1\n"
FILLING = "FILLING=1\n"     # of nobody's protocol


class Manager:
    """Listens at a path, or at `@` and an abstract name."""

    def __init__(self, address):
        self.address = str(address)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.settimeout(PATIENCE)
        bound = self.address
        self.socket.bind("\0" + bound[1:] if bound.startswith("@") else bound)
        self.environment = {"NOTIFY_SOCKET": self.address}

    def _receive(self):
        return self.socket.recv(65536).decode()

    def receive(self):
        """The next message, pings apart."""
        while (message := self._receive()) in (PING, FILLING):
            pass
        return message

    def receive_until(self, wanted):
        """All messages up to the first that `wanted` is in, itself included."""
        messages = [self.receive()]
        while wanted not in messages[-1]:
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

    def fill(self):
        """Makes the queue full, so that nothing more is taken until something is received."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            try:
                while True:
                    sender.sendto(FILLING.encode(), self.address)
            except BlockingIOError:
                pass

    def close(self):
        self.socket.close()


class ManagedTest(DaemonTest):
    """A test that has a service manager, and a directory."""

    def setUp(self):
        super().setUp()
        holder = tempfile.TemporaryDirectory(prefix="banterd-")
        self.addCleanup(holder.cleanup)
        self.directory = pathlib.Path(holder.name)
        self.manager = self.listen(self.directory / "notify")

    def listen(self, address):
        """A manager that goes with the test."""
        manager = Manager(address)
        self.addCleanup(manager.close)
        return manager

    def prepare_told(self, config, *, environment=None, **options):
        """A daemon that is going to tell the manager, and has not been started."""
        return self.prepare(config, environment={**self.manager.environment, **(environment or {})},
                            **options)

    def start_told(self, config, **options):
        """The same, ready, and to be stopped in good order; READY has not been received yet."""
        daemon = self.prepare_told(config, **options)
        self.daemons.append(daemon)
        return daemon.start()

    def spawn_told(self, config, **options):
        """The same, on its way: it may end before it is ready."""
        daemon = self.prepare_told(config, **options)
        daemon.spawn()
        daemon.read_log()
        return daemon
