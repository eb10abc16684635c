"""What every daemon test starts from."""

import unittest

from banterd import Daemon, eventually
from client import Client


def section(title, options):
    lines = [f"{key.replace('_', '-')} = {value}" for key, value in options.items()]
    return "\n".join([f"[{title}]", *lines, ""])


def server(**options):
    """A [server] section; max_clients stands for max-clients."""
    return section("server", {"workers": 2, **options})


def listener(name, protocol=None, listen="127.0.0.1:0", **options):
    """A [listener NAME] section, of the protocol of that name by default."""
    return section(f"listener {name}",
                   {"protocol": protocol or name, "listen": listen, **options})


class DaemonTest(unittest.TestCase):
    """Ends its clients and daemons, and holds each daemon to an orderly end."""

    maxDiff = 2000

    def setUp(self):
        self.daemons = []   # to be held to an orderly end
        self.clients = []
        self.prepared = []
        self.addCleanup(self._discard)
        self.addCleanup(self._end)

    def prepare(self, config, **options):
        """A daemon that has not been started."""
        if "[server]" not in config:
            config = server() + config
        daemon = Daemon(config, **options)
        self.prepared.append(daemon)
        return daemon

    def start(self, config, **options):
        """A daemon that is ready, and will be stopped in good order."""
        daemon = self.prepare(config, **options)
        self.daemons.append(daemon)
        return daemon.start()

    def start_fails(self, config, **options):
        """A daemon that must not start: its exit status and what it wrote."""
        daemon = self.prepare(config, **options)
        daemon.spawn()
        daemon.read_log()
        status = daemon.wait_exit()
        daemon.assert_no_complaints()
        self.assertFalse(daemon.find("ready"))
        return status, daemon.log()

    def connect(self, daemon, listener_name, **options):
        return self.connect_to(daemon.endpoint(listener_name), **options)

    def connect_to(self, endpoint, **options):
        client = Client(endpoint, **options)
        self.clients.append(client)
        return client

    def assert_echoes(self, client, data=b"still there?\n"):
        client.send(data)
        self.assertEqual(client.receive(len(data)), data)

    def assert_ended(self, client):
        self.assertEqual(client.receive_all(), b"")

    def assert_closed(self, daemon, client, reason):
        event = daemon.closed(client)
        self.assertEqual(event["reason"], reason)
        return event

    def assert_fds_return(self, daemon):
        """All that clients had opened in the daemon is closed again."""
        limit = daemon.fds_when_ready
        if limit is None or daemon.process.poll() is not None:
            return
        eventually(lambda: daemon.open_fds() <= limit, f"back to {limit} open files")

    def logs(self):
        """For the report of a failure."""
        return "\n".join(f"--- log of banterd {d.pid}\n{d.log()[-6000:]}"
                         for d in self.prepared if d.process)

    def _end(self):
        for client in self.clients:
            client.close()
        for daemon in self.daemons:
            # A reload may have opened and closed endpoints, and a drain closes them.
            if not daemon.find("reloaded") and not daemon.find("draining"):
                self.assert_fds_return(daemon)
            daemon.stop()

    def _discard(self):
        for daemon in self.prepared:
            daemon.discard()
