"""Too few file descriptors: a warning, a pause, and a recovery."""

import re
import resource
import select
import signal

from banterd import Event, WRAPPER, eventually, left_out_if
from case import DaemonTest, listener, server

HARD = resource.getrlimit(resource.RLIMIT_NOFILE)[1]


@left_out_if(WRAPPER, "the wrapper needs some of the descriptors itself")
class FileDescriptorLimit(DaemonTest):
    LIMIT = 64

    def fill(self, daemon):
        """Connects more clients than there are descriptors for."""
        clients = [self.connect(daemon, "echo")]
        self.assert_echoes(clients[0])
        clients += [self.connect(daemon, "echo") for _ in range(self.LIMIT + 40)]
        eventually(lambda: daemon.open_fds() >= self.LIMIT - 1, "the descriptors are used up")
        return clients

    def test_existing_clients_are_served_without_spinning_and_the_rest_later(self):
        daemon = self.start(
            server(workers=1) + listener("echo") + listener("clock", "echo", idle_timeout="3s"),
            open_files=(self.LIMIT, self.LIMIT))
        clock = self.connect(daemon, "clock")
        self.assert_echoes(clock)
        clients = self.fill(daemon)
        self.assert_echoes(clients[0])

        daemon.wait("accept-paused")
        self.assertLess(daemon.busy_share(clock), 0.5)
        self.assert_ended(clock)
        paused = [e for e in daemon.events if e.level == "warning" and "listener" in e.fields]
        self.assertIn(len(paused), (1, 2), "a shortage is logged, and not over and over")

        for client in clients[:self.LIMIT]:
            client.close()
        for client in clients[self.LIMIT:]:
            self.assert_echoes(client, b"at last")
        self.assert_echoes(self.connect(daemon, "echo"))

    def test_the_end_of_a_shortage_is_told_when_nobody_waits_any_more(self):
        daemon = self.start(server(workers=1) + listener("echo"),
                            open_files=(self.LIMIT, self.LIMIT))
        room = self.LIMIT - daemon.fds_when_ready
        clients = self.fill(daemon)
        for client in clients:
            client.send(b"x")
        self.wait_answered(clients, room)
        daemon.wait("accept-paused")

        for client in clients[:5]:
            client.close()
        self.wait_answered(clients[5:], room)
        # What was told of those five stands in the log before this one's end.
        clients[5].close()
        daemon.closed(clients[5])
        self.assertFalse(daemon.find("accept-resumed"))

        for client in clients[6:]:
            self.assertEqual(client.receive(1), b"x")
            client.close()
        daemon.wait("accept-resumed")
        daemon.wait_all(len(clients), "client-closed")
        self.assertEqual(len(daemon.find("accept-resumed")), 1)

    def wait_answered(self, clients, count):
        """Waits until that many have an answer to read, and so are in."""
        sockets = [client.socket for client in clients]
        eventually(lambda: len(select.select(sockets, [], [], 0)[0]) == count,
                   f"{count} clients are in")

    def test_every_worker_recovers(self):
        daemon = self.start(server(workers=4) + listener("echo"),
                            open_files=(self.LIMIT, self.LIMIT))
        for client in self.fill(daemon):
            client.close()
        self.assert_fds_return(daemon)
        for _ in range(20):
            self.assert_echoes(self.connect(daemon, "echo"))

    def test_a_limit_that_is_too_low_is_warned_of_at_start(self):
        daemon = self.start(server(max_clients=1000) + listener("echo"), open_files=(64, 64))
        self.assertEqual(len([e for e in daemon.events if e.level == "warning"]), 1)

    def test_with_hardly_any_descriptors_it_serves_or_says_why_not(self):
        for limit in range(5, 40):
            with self.subTest(limit):
                daemon = self.prepare(server(workers=4) + listener("echo"),
                                      open_files=(limit, limit))
                daemon.spawn()
                daemon.read_log()
                eventually(lambda: daemon.find("ready") or daemon.process.poll() is not None,
                           "it is ready or has given up")
                if daemon.find("ready"):
                    daemon.stop()
                else:
                    self.assertEqual(daemon.wait_exit(), 71)
                    self.assertRegex(daemon.lines[-1], "^[^ ]+: .*Too many open files$")
                message = rf"(banterd|{re.escape(str(daemon.config))}(:\d+)?): ."
                for line in daemon.lines:
                    self.assertTrue(Event.parse(line) or re.match(message, line), line)

    def test_there_is_no_warning_where_the_limit_will_do(self):
        daemon = self.start(server(max_clients=10) + listener("echo"), open_files=(64, 256))
        self.assertFalse([e for e in daemon.events if e.level == "warning"])

    def test_the_soft_limit_is_raised_to_what_max_clients_needs(self):
        daemon = self.start(server(max_clients=1000) + listener("echo"), open_files=(256, HARD))
        self.assertFalse([e for e in daemon.events if e.level == "warning"])
        self.assertGreaterEqual(daemon.soft_limit(), 1000)
        clients = [self.connect(daemon, "echo") for _ in range(500)]
        for client in clients:
            self.assert_echoes(client)

    def test_a_reload_raises_the_soft_limit_further(self):
        daemon = self.start(server(max_clients=100) + listener("echo"), open_files=(256, HARD))
        daemon.reload(server(max_clients=2000) + listener("echo"))
        self.assertGreaterEqual(daemon.soft_limit(), 2000)


@left_out_if(WRAPPER, "the wrapper needs some of the descriptors itself")
class Shortage(DaemonTest):
    """A daemon that has used up its descriptors, with clients that are in and others that wait."""

    LIMIT, WAITING = 64, 20

    def fill(self, **settings):
        self.daemon = self.start(server(workers=1, **settings) + listener("echo"),
                                 open_files=(self.LIMIT, self.LIMIT))
        self.inside = [self.connect(self.daemon, "echo")
                       for _ in range(self.LIMIT - self.daemon.fds_when_ready)]
        for client in self.inside:
            self.assert_echoes(client)

    def wait_outside(self):
        self.outside = [self.connect(self.daemon, "echo") for _ in range(self.WAITING)]
        self.daemon.wait("accept-paused")

    def test_nothing_is_said_of_descriptors_that_nobody_waits_for(self):
        self.fill()
        for client in self.inside:
            client.close()
        self.daemon.wait_all(len(self.inside), "client-closed")
        self.assertEqual([event.name for event in self.daemon.events if event.level == "warning"],
                         ["file-limit"])

    def test_who_waits_gets_in_while_others_go_at_the_end(self):
        self.fill(drain_timeout="1h")
        self.wait_outside()
        self.daemon.signal(signal.SIGSTOP)
        eventually(self.daemon.stopped, "the daemon is suspended")
        for client in self.inside:
            client.close()
        self.daemon.signal(signal.SIGTERM)
        self.daemon.signal(signal.SIGCONT)
        for client in self.outside:
            self.assert_echoes(client)
            client.close()
        self.assertEqual(self.daemon.wait_exit(), 0)
        self.assertEqual(len(self.daemon.find("client-closed")), len(self.inside + self.outside))
        self.daemon.wait("accept-resumed")

    def test_who_does_not_get_in_at_the_end_stands_in_the_log(self):
        self.fill(drain_timeout="1h")
        self.wait_outside()
        self.daemon.signal(signal.SIGTERM)
        event = self.daemon.wait("accept-given-up")
        self.assertEqual((event.level, event["listener"], event["error"]),
                         ("warning", "echo", "Too many open files"))
        for client in self.outside:
            self.assertRaises(ConnectionResetError, client.receive_all)
        for client in self.inside:
            self.assert_echoes(client)
            client.close()
        self.assertEqual(self.daemon.wait_exit(), 0)
        self.assertEqual(self.daemon.find("accept-resumed"), [])

    def test_a_stop_at_once_does_not_wait_for_those_outside(self):
        self.fill(drain_timeout="1h")
        self.wait_outside()
        self.daemon.signal(signal.SIGTERM)
        self.daemon.wait("draining")
        self.daemon.signal(signal.SIGTERM)
        self.assertEqual(self.daemon.wait_exit(), 0)
        self.assertEqual(self.daemon.find("accept-resumed"), [])
