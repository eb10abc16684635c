"""TERM, INT and PIPE: an orderly end."""

import signal
import time

from banterd import PATIENCE, eventually
from case import DaemonTest, listener, server
from client import Client
from modules import compile_module


class Stop(DaemonTest):
    def assert_refuses(self, endpoint):
        def refused():
            try:
                Client(endpoint).close()
            except (ConnectionRefusedError, ConnectionResetError):
                return True
            return False
        eventually(refused, f"{endpoint} refuses connections")

    def test_without_clients_it_ends_at_once(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            daemon = self.start(server(drain_timeout="1h") + listener("echo"))
            daemon.signal(number)
            self.assertEqual(daemon.wait_exit(), 0)
            self.assertEqual(daemon.wait("draining")["clients"], "0")
            self.assertEqual(daemon.wait("draining").level, "notice")
            self.assertEqual(daemon.wait("stopped")["clients"], "0")
            self.assertEqual(daemon.wait("stopped").level, "notice")

    def test_clients_are_served_until_the_last_one_leaves(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            daemon = self.start(server(drain_timeout="1h") + listener("echo"))
            clients = [self.connect(daemon, "echo") for _ in range(5)]
            for client in clients:
                self.assert_echoes(client)
            daemon.signal(number)
            self.assertEqual(daemon.wait("draining")["clients"], "5")
            self.assert_refuses(daemon.endpoint("echo"))
            for client in clients:
                self.assert_echoes(client)
                client.close()
                self.assert_closed(daemon, client, "client-eof")
            self.assertEqual(daemon.wait_exit(), 0)
            self.assertEqual(daemon.wait("stopped")["clients"], "0")

    def test_at_drain_timeout_clients_are_told_and_closed(self):
        daemon = self.start(server(drain_timeout="300ms") + listener("echo")
                            + listener("knock-knock"))
        raw = self.connect(daemon, "echo")
        self.assert_echoes(raw)
        talking = self.connect(daemon, "knock-knock")
        self.assertEqual(talking.hear(), "Knock! Knock!")
        daemon.signal(signal.SIGTERM)
        self.assertEqual(talking.receive_all(), b"server is stopping\r\n")
        self.assert_ended(raw)
        self.assert_closed(daemon, talking, "drain")
        self.assert_closed(daemon, raw, "drain")
        self.assertEqual(daemon.wait_exit(), 0)
        self.assertEqual(daemon.wait("stopped")["clients"], "0")

    def test_a_client_that_does_not_read_cannot_hold_the_end(self):
        daemon = self.start(server(drain_timeout="300ms") + listener("chargen"))
        self.connect(daemon, "chargen").receive_line()
        daemon.signal(signal.SIGTERM)
        self.assertEqual(daemon.wait_exit(), 0)

    def test_a_client_that_never_closes_cannot_hold_the_end(self):
        daemon = self.start(server(drain_timeout="300ms") + listener("knock-knock"))
        client = self.connect(daemon, "knock-knock")
        self.assertEqual(client.hear(), "Knock! Knock!")
        daemon.signal(signal.SIGTERM)
        self.assertEqual(daemon.wait_exit(), 0)
        client.receive_all()

    def test_a_drain_timeout_of_zero_waits_for_ever(self):
        daemon = self.start(server(drain_timeout="0")
                            + listener("echo") + listener("clock", "echo", idle_timeout="1s"))
        client = self.connect(daemon, "echo")
        clock = self.connect(daemon, "clock")
        self.assert_echoes(client)
        self.assert_echoes(clock)
        daemon.signal(signal.SIGTERM)
        daemon.wait("draining")
        self.assert_ended(clock)
        self.assert_echoes(client)

    def test_a_second_signal_ends_it_at_once(self):
        for first, second in ((signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGINT),
                              (signal.SIGTERM, signal.SIGINT)):
            daemon = self.start(server(drain_timeout="1h") + listener("echo"))
            client = self.connect(daemon, "echo")
            self.assert_echoes(client)
            daemon.signal(first)
            daemon.wait("draining")
            daemon.signal(second)
            self.assertEqual(daemon.wait_exit(), 0)

    def test_signals_while_it_ends_change_nothing(self):
        for number in [signal.SIGTERM, signal.SIGINT, signal.SIGHUP] * 5:
            daemon = self.start(server(drain_timeout="1h") + listener("echo"))
            client = self.connect(daemon, "echo")
            self.assert_echoes(client)
            daemon.signal(signal.SIGTERM)
            daemon.wait("draining")
            client.close()
            while daemon.process.poll() is None:
                daemon.signal(number)
            self.assertEqual(daemon.wait_exit(), 0)

    def test_three_signals_end_many_clients_in_good_order(self):
        daemon = self.start(server(drain_timeout="1h") + listener("echo"))
        clients = [self.connect(daemon, "echo") for _ in range(1000)]
        for client in clients:
            self.assert_echoes(client)
        self.insist(daemon)
        self.assertEqual(daemon.wait_exit(), 0)
        self.assertEqual(len(daemon.find("client-closed", reason="drain")), 1000)

    def start_dawdling(self, count, drain_timeout="1h"):
        """A daemon that needs a tenth of a second to part with each of its clients."""
        daemon = self.prepare(server(workers=1, drain_timeout=drain_timeout)
                              + listener("dawdle", "DIR/dawdle.so"))
        compile_module("dawdle", daemon.directory)
        self.daemons.append(daemon)
        daemon.start()
        for _ in range(count):
            self.connect(daemon, "dawdle")
        eventually(lambda: daemon.open_fds() >= daemon.fds_when_ready + count, "all are in")
        return daemon

    def insist(self, daemon):
        """TERM, three times."""
        for _ in range(3):
            daemon.signal(signal.SIGTERM)
            eventually(lambda: not daemon.pending(signal.SIGTERM), "it is caught")

    def test_at_drain_timeout_each_is_closed_though_it_takes_its_time(self):
        daemon = self.start_dawdling(25, drain_timeout="300ms")
        daemon.signal(signal.SIGTERM)
        self.assertEqual(daemon.wait_exit(), 0)
        self.assertEqual(len(daemon.find("client-closed", reason="drain")), 25)

    def test_three_signals_do_not_cut_short_what_takes_its_time(self):
        daemon = self.start_dawdling(25)
        self.insist(daemon)
        self.assertEqual(daemon.wait_exit(), 0)
        self.assertEqual(len(daemon.find("client-closed", reason="drain")), 25)

    def suspend_while_it_ends(self):
        """The daemon; None if it has ended before."""
        daemon = self.start_dawdling(8)
        self.insist(daemon)
        daemon.signal(signal.SIGSTOP)
        eventually(lambda: daemon.process.poll() is not None or daemon.stopped(),
                   "the daemon is suspended, or has ended")
        return daemon if daemon.process.returncode is None else None

    def test_one_that_is_suspended_while_it_ends_is_not_given_up(self):
        daemon = eventually(self.suspend_while_it_ends, "one is suspended while it ends")
        since = time.monotonic()
        eventually(lambda: time.monotonic() - since > 1.2, "its time is over")
        daemon.signal(signal.SIGCONT)
        self.assertEqual(daemon.wait_exit(), 0)

    def test_a_hangup_while_draining_starts_nothing_new(self):
        daemon = self.start(server(drain_timeout="1h") + listener("echo"))
        client = self.connect(daemon, "echo")
        self.assert_echoes(client)
        daemon.signal(signal.SIGTERM)
        daemon.wait("draining")
        self.assert_refuses(daemon.endpoint("echo"))
        daemon.signal(signal.SIGHUP)
        self.assert_echoes(client)
        self.assert_refuses(daemon.endpoint("echo"))
        client.close()
        self.assertEqual(daemon.wait_exit(), 0)
        self.assertFalse(daemon.find("reloaded"))

    def test_a_broken_pipe_is_ignored(self):
        daemon = self.start(listener("echo"))
        client = self.connect(daemon, "echo")
        daemon.signal(signal.SIGPIPE)
        self.assert_echoes(client)
        self.assert_echoes(self.connect(daemon, "echo"))

    def test_signals_in_a_storm(self):
        daemon = self.start(listener("echo"))
        for _ in range(100):
            daemon.signal(signal.SIGHUP)
        client = self.connect(daemon, "echo")
        self.assert_echoes(client)
        client.close()
        daemon.signal(signal.SIGTERM)
        self.assertEqual(daemon.wait_exit(), 0)

    def test_thousands_of_clients_end_together(self):
        # The ring of the log has room for the lines of so many, should its writer have no CPU.
        daemon = self.start(server(drain_timeout="300ms") + listener("echo"))
        for _ in range(1500):
            self.connect(daemon, "echo")
        daemon.signal(signal.SIGTERM)
        daemon.wait_all(1500, "client-closed", reason="drain")
        self.assertEqual(daemon.process.wait(PATIENCE), 0)
