"""Clients that are too slow: idle, in the middle of a line, or not reading."""

import hashlib
import select
import tempfile
import time

import modules
from banterd import PATIENCE
from case import DaemonTest, listener


class TimeLimits(DaemonTest):
    def assert_cut_off(self, daemon, client, reason, told, at_least):
        """The client was told that, and closed for that reason, not before its time."""
        self.assertEqual(client.receive_all(), told)
        event = self.assert_closed(daemon, client, reason)
        self.assertGreaterEqual(float(event["duration"].removesuffix("s")), at_least)

    def test_a_silent_client_is_closed(self):
        daemon = self.start(listener("echo", idle_timeout="300ms"))
        client = self.connect(daemon, "echo")
        self.assert_cut_off(daemon, client, "idle-timeout", b"", 0.29)

    def test_a_silent_client_of_a_line_protocol_is_told_why(self):
        daemon = self.start(listener("knock-knock", idle_timeout="300ms"))
        client = self.connect(daemon, "knock-knock")
        self.assertEqual(client.hear(), "Knock! Knock!")
        self.assert_cut_off(daemon, client, "idle-timeout", b"idle timeout\r\n", 0.29)

    def test_an_answer_of_long_ago_is_no_activity(self):
        daemon = self.start(listener("echo", idle_timeout="2s"))
        client = self.connect(daemon, "echo")
        self.assert_echoes(client)
        self.assert_ended(client)
        event = self.assert_closed(daemon, client, "idle-timeout")
        self.assertLess(float(event["duration"].removesuffix("s")), 4)

    def test_many_silent_clients_are_all_closed(self):
        daemon = self.start(listener("echo", idle_timeout="300ms"))
        for _ in range(100):
            self.connect(daemon, "echo")
        daemon.wait_all(100, "client-closed", reason="idle-timeout")

    def test_a_client_that_talks_is_not_idle(self):
        daemon = self.start(listener("echo", idle_timeout="500ms"))
        # On a machine that stalls, the client may be idle indeed: then it proves nothing.
        for _ in range(10):
            client = self.connect(daemon, "echo")
            if self.talk(client, 1.2) < 0.4:
                break
        else:
            self.fail("this machine is too slow for this test")
        self.assertFalse(daemon.find("client-closed", remote=client.name))
        self.assert_ended(client)
        event = self.assert_closed(daemon, client, "idle-timeout")
        self.assertGreaterEqual(float(event["duration"].removesuffix("s")), 1.6)

    def talk(self, client, seconds):
        """Talks for some time, and returns the longest silence in it; 1 if it was cut off."""
        longest = 0
        started = last = time.monotonic()
        while last - started < seconds:
            try:
                self.assert_echoes(client, b"x")
            except (AssertionError, OSError):
                return 1
            now = time.monotonic()
            longest, last = max(longest, now - last), now
        return longest

    def test_an_unfinished_line_has_a_deadline_that_more_bytes_do_not_move(self):
        daemon = self.start(listener("knock-knock", line_timeout="500ms"))
        client = self.connect(daemon, "knock-knock")
        self.assertEqual(client.hear(), "Knock! Knock!")
        started = time.monotonic()
        while not select.select([client.socket], [], [], 0.05)[0]:
            client.send(b"x")
            self.assertLess(time.monotonic() - started, 20, "a line may trickle for ever")
        self.assertEqual(client.hear(), "line timeout")
        event = self.assert_closed(daemon, client, "line-timeout")
        self.assertGreaterEqual(float(event["duration"].removesuffix("s")), 0.49)
        self.assertEqual(event["lines"], "0")

    def test_nor_do_questions_whose_answers_have_to_wait(self):
        daemon = self.start(listener("knock-knock", line_timeout="500ms", telnet="yes",
                                     max_output="1K"))
        client = self.connect(daemon, "knock-knock")
        self.assertEqual(client.hear(), "Knock! Knock!")
        client.send(b"x")
        self.assertTrue(self.ask_more_than_is_read(client).endswith(b"\r\nline timeout\r\n"))
        event = self.assert_closed(daemon, client, "line-timeout")
        self.assertGreaterEqual(float(event["duration"].removesuffix("s")), 0.49)
        self.assertEqual(event["lines"], "0")

    def ask_more_than_is_read(self, client):
        """Asks "are you there?" (RFC 854) all the time, which makes an answer nine times as long,
        so that the daemon pauses again and again; the last that it hears."""
        heard, started = b"", time.monotonic()
        client.socket.setblocking(False)
        while time.monotonic() - started < 20:
            readable, writable, _ = select.select([client.socket], [client.socket], [], PATIENCE)
            if writable:
                client.socket.send(b"\xff\xf6" * 1000)
            if readable:
                data = client.socket.recv(65536)
                if not data:
                    return heard
                heard = (heard + data)[-100:]
        self.fail("a line may last for ever")

    def test_finished_lines_have_no_line_deadline(self):
        daemon = self.start(listener("knock-knock", line_timeout="200ms", idle_timeout="1s"))
        client = self.connect(daemon, "knock-knock")
        client.say("Come in!")
        self.assertEqual(client.hear(), "Knock! Knock!")
        client.hear()
        client.hear()
        self.assert_closed(daemon, client, "idle-timeout")

    def test_raw_protocols_have_no_line_deadline(self):
        daemon = self.start(listener("echo", line_timeout="200ms", idle_timeout="1s"))
        client = self.connect(daemon, "echo")
        self.assert_echoes(client, b"an unfinished line")
        self.assert_ended(client)
        self.assert_closed(daemon, client, "idle-timeout")

    def test_a_client_that_does_not_read_is_closed(self):
        daemon = self.start(listener("chargen", write_timeout="300ms"))
        client = self.connect(daemon, "chargen")
        event = daemon.closed(client)
        self.assertEqual(event["reason"], "write-timeout")
        self.assertGreaterEqual(float(event["duration"].removesuffix("s")), 0.29)

    def test_who_reads_too_late_does_not_take_a_part_for_the_whole(self):
        daemon = self.start(listener("chargen", write_timeout="300ms"))
        client = self.connect(daemon, "chargen")
        self.assert_closed(daemon, client, "write-timeout")
        with self.assertRaises(ConnectionResetError):
            client.receive_all()

    def test_a_client_that_reads_slowly_is_not_closed(self):
        daemon = self.start(listener("chargen", write_timeout="2s"))
        self.read_slowly(daemon, 4)
        self.assertFalse(daemon.find("client-closed"))

    def test_a_client_that_only_reads_is_not_idle(self):
        daemon = self.start(listener("chargen", idle_timeout="2s"))
        self.read_slowly(daemon, 4)
        self.assertFalse(daemon.find("client-closed"))

    def read_slowly(self, daemon, seconds):
        client = self.connect(daemon, "chargen", receive_buffer=65536)
        started = time.monotonic()
        while time.monotonic() - started < seconds:
            select.select([], [], [], 0.02)
            client.receive(200_000)

    def test_zero_is_never(self):
        daemon = self.start(
            listener("echo", idle_timeout="0", line_timeout="0", write_timeout="0")
            + listener("clock", "echo", idle_timeout="500ms"))
        client = self.connect(daemon, "echo")
        self.assert_ended(self.connect(daemon, "clock"))
        self.assert_echoes(client)


class LargeOutput(DaemonTest):
    """Output that takes its reader longer than the limit is no fault, if it moves."""

    LIMIT = 2       # seconds

    def setUp(self):
        super().setUp()
        directory = tempfile.TemporaryDirectory(prefix="banterd-")
        self.addCleanup(directory.cleanup)
        self.module = modules.compile_module("flood", directory.name)

    def test_a_steady_reader_is_not_idle(self):
        self.read_steadily(idle_timeout=f"{self.LIMIT}s", write_timeout="0")

    def test_a_steady_reader_does_not_run_into_write_timeout(self):
        self.read_steadily(idle_timeout="0", write_timeout=f"{self.LIMIT}s")

    def read_steadily(self, **limits):
        daemon = self.start(listener("flood", self.module, **limits))
        # On a machine that stalls, the reader may be too slow indeed: then it proves nothing.
        for _ in range(5):
            client = self.connect(daemon, "flood", receive_buffer=65536)
            client.say("go")
            longest, heard = self.read(client, 3 * self.LIMIT)
            if longest < self.LIMIT / 4:
                break
        else:
            self.fail("this machine is too slow for this test")
        self.assertEqual(heard, (len(modules.FLOOD), hashlib.sha256(modules.FLOOD).digest()))
        self.assertFalse(daemon.find("client-closed", remote=client.name))

    def read(self, client, seconds):
        """Reads the flood, spread over that time; returns the longest gap, and what was heard."""
        count, digest, longest = 0, hashlib.sha256(), 0
        started = last = time.monotonic()
        while count < len(modules.FLOOD):
            due = started + seconds * count / len(modules.FLOOD)
            select.select([], [], [], max(0, due - time.monotonic()))
            try:
                data = client.socket.recv(131072)
            except OSError:
                data = b""
            if not data:
                break
            count += len(data)
            digest.update(data)
            now = time.monotonic()
            longest, last = max(longest, now - last), now
        return longest, (count, digest.digest())
