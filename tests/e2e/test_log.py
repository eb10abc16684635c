"""The log: its lines, its levels, a reader that does not read, and no log at all."""

import os
import pathlib
import re
import resource
import signal
import tempfile

from banterd import Event, WRAPPER, counted, eventually, left_out_if
from case import DaemonTest, listener, server
from client import Client


class Lines(DaemonTest):
    def test_every_line_is_an_event_with_time_and_level(self):
        daemon = self.start(server(log_level="debug") + listener("echo") + listener("knock-knock"))
        client = self.connect(daemon, "knock-knock")
        client.hear()
        client.close()
        daemon.closed(client)
        daemon.reload()
        daemon.reload("rubbish\n")
        daemon.stop()
        for line in daemon.lines:
            self.assertIsNotNone(Event.parse(line), line)
            self.assertIn(Event.parse(line).level, ("error", "warning", "notice", "info", "debug"))

    def test_the_start_is_told_in_fixed_words(self):
        daemon = self.start(server(workers=3)
                            + listener("one", "echo", listen="127.0.0.1:0, [::1]:0")
                            + listener("two", "daytime"))
        events = [e for e in daemon.events if e.name == "listening"]
        self.assertEqual([(e["listener"], e["protocol"], e.level) for e in events],
                         [("one", "echo", "notice"), ("one", "echo", "notice"),
                          ("two", "daytime", "notice")])
        self.assertEqual(daemon.wait("ready").fields, {"listeners": "2", "workers": "3"})

        self.assertEqual(daemon.wait("ready").level, "notice")

    def test_there_are_as_many_automatic_workers_as_processors_to_run_on(self):
        processors = os.sched_getaffinity(0)
        one = {min(processors)}
        for allowed in processors, one:
            daemon = self.start(server(workers="auto") + listener("echo"),
                                before_exec=lambda: os.sched_setaffinity(0, allowed))
            self.assertEqual(daemon.wait("ready")["workers"], str(len(allowed)))

    def test_values_that_are_not_plain_are_quoted_and_escaped(self):
        for name, logged in {"plain.sock": "unix:DIR/plain.sock",
                             "a b.sock": '"unix:DIR/a b.sock"',
                             "a'b.sock": "unix:DIR/a'b.sock",
                             "a=b.sock": '"unix:DIR/a=b.sock"',
                             'a"b.sock': r'"unix:DIR/a\"b.sock"',
                             "\u00e4.sock": r'"unix:DIR/\xc3\xa4.sock"'}.items():
            with self.subTest(name):
                quote = "'" if '"' in name else ""
                daemon = self.start(listener("echo", listen=f"{quote}unix:DIR/{name}{quote}"))
                logged = logged.replace("DIR", str(daemon.directory))
                self.assertTrue(daemon.lines[0].endswith(
                    f"Z notice listening listener=echo address={logged} protocol=echo"),
                    daemon.lines[0])
                self.assert_echoes(self.connect_to(f"unix:{daemon.directory}/{name}"))

    def test_an_opened_client_is_told_at_level_debug(self):
        daemon = self.start(server(log_level="debug") + listener("echo"))
        client = self.connect(daemon, "echo")
        opened = daemon.wait("client-opened", remote=client.name)
        self.assertEqual(opened.level, "debug")
        self.assertEqual(list(opened.fields), ["id", "listener", "remote"])
        self.assertEqual(opened["listener"], "echo")
        client.close()
        self.assertEqual(daemon.closed(client)["id"], opened["id"])

    def test_a_closed_client_has_all_its_fields_in_order(self):
        daemon = self.start(listener("echo"))
        client = self.connect(daemon, "echo")
        self.assert_echoes(client)
        client.close()
        event = daemon.closed(client)
        self.assertFalse(daemon.find("client-opened"))
        self.assertEqual(list(event.fields), ["id", "listener", "local", "remote", "reason",
                                              "received", "sent", "lines", "duration"])

    def test_a_level_leaves_out_what_is_below_it(self):
        daemon = self.start(server(log_level="notice") + listener("echo"))
        client = self.connect(daemon, "echo")
        self.assert_echoes(client)
        client.half_close()
        self.assert_ended(client)
        daemon.stop()
        self.assertFalse(daemon.find("client-closed"))
        self.assertTrue(daemon.find("stopped"))

    def test_the_command_line_has_the_last_word_on_the_level(self):
        daemon = self.prepare(server(log_level="error") + listener("echo"),
                              arguments=["--log-level", "info"])
        self.daemons.append(daemon)
        daemon.start()
        client = self.connect(daemon, "echo")
        client.close()
        daemon.closed(client)

    def test_under_the_journal_the_priority_replaces_the_time(self):
        daemon = self.prepare(listener("echo"))
        daemon.spawn(journal=True)
        daemon.read_log()
        address = re.search(r"address=(\S+)", daemon.wait_line(r"^<5>(notice )?listening "))[1]
        daemon.wait_line(r"^<5>(notice )?ready ")
        self.connect_to(address).close()
        daemon.wait_line(r"^<6>(info )?client-closed id=")
        daemon.stop()
        for line in daemon.lines:
            self.assertRegex(line, r"^<[3-7]>[a-z]")

    def test_another_stream_is_not_the_journal(self):
        daemon = self.start(listener("echo"), environment={"JOURNAL_STREAM": "1:1"})
        self.assertTrue(daemon.find("ready"))


class UnreadLog(DaemonTest):
    """A daemon that is not known by its log."""

    def visit(self, endpoint, times):
        for _ in range(times):
            client = Client(endpoint)
            self.assert_echoes(client, b"x")
            client.close()

    def start_unread(self, more="", **options):
        daemon = self.prepare(server(drain_timeout="1s")
                              + listener("echo", listen="unix:DIR/echo.sock") + more, **options)
        daemon.spawn()
        endpoint = f"unix:{daemon.directory}/echo.sock"
        self.wait_for_socket(daemon)
        return daemon, endpoint

    def wait_for_socket(self, daemon):
        def answers():
            try:
                Client(f"unix:{daemon.directory}/echo.sock").close()
            except (ConnectionRefusedError, FileNotFoundError):
                return False
            return True
        eventually(answers, "the daemon answers")


class StalledReader(UnreadLog):
    """Nobody reads the log for a while."""

    VISITS = 4000

    def test_service_goes_on_and_what_was_dropped_is_counted(self):
        daemon, endpoint = self.start_unread()
        self.visit(endpoint, self.VISITS)
        daemon.read_log()
        dropped = daemon.wait("log-dropped")
        self.assertEqual(dropped.level, "warning")
        daemon.stop()
        count = sum(int(event["count"]) for event in daemon.find("log-dropped"))
        self.assertGreater(count, 0)
        self.assertEqual(len(daemon.find("client-closed")) + count, self.VISITS + 1)
        for line in daemon.lines:
            self.assertIsNotNone(Event.parse(line), line)

    @left_out_if(WRAPPER, "the wrapper calls it a leak that the writer still waits")
    def test_the_daemon_ends_although_nobody_reads(self):
        daemon, endpoint = self.start_unread()
        self.visit(endpoint, self.VISITS)
        daemon.stop()

    def test_service_goes_on_when_the_reader_has_gone(self):
        daemon, endpoint = self.start_unread()
        daemon.stop_reading_log()
        self.visit(endpoint, 100)
        daemon.stop()


    def test_nothing_is_lost_where_somebody_made_it_non_blocking(self):
        daemon, endpoint = self.start_unread(before_exec=lambda: os.set_blocking(2, False))
        self.visit(endpoint, 1000)      # more than the pipe takes, less than is kept
        daemon.read_log()
        daemon.wait_all(1001, "client-closed")
        daemon.stop()
        self.assertEqual(daemon.find("log-dropped"), [])
        for line in daemon.lines:
            self.assertIsNotNone(Event.parse(line), line)


@left_out_if(counted(), "there is no room for the counters either")
class FullDisk(UnreadLog):
    """The log is a file, which has no room for more of it, until it has again."""

    KEPT = 256 * 1024   # so much of the log waits for room

    def assert_all_is_told(self, room, visits, drops):
        """Of a log that stops at so many bytes, for so many visits."""
        with tempfile.NamedTemporaryFile() as file:
            def log_to_file():
                os.dup2(os.open(file.name, os.O_WRONLY | os.O_APPEND), 2)
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))

            log = pathlib.Path(file.name)
            daemon, endpoint = self.start_unread(before_exec=log_to_file)
            come = 1    # to see whether it answers
            while log.stat().st_size < room:
                self.assertLess(come, room, "a line has more than a byte")
                self.visit(endpoint, 10)
                come += 10
            self.visit(endpoint, visits)
            self.assertEqual(log.stat().st_size, room)
            resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
            self.visit(endpoint, 20)
            if drops:
                eventually(lambda: b"log-dropped" in log.read_bytes(), "the gap is closed")
            daemon.stop()
            lines = log.read_text(encoding="utf-8").splitlines()
        events = [Event.parse(line) for line in lines]
        self.assertEqual([line for line, event in zip(lines, events) if not event], [])
        closed = [int(event["id"]) for event in events if event.name == "client-closed"]
        dropped = sum(int(event["count"]) for event in events if event.name == "log-dropped")
        self.assertEqual(dropped > 0, drops)
        self.assertEqual(len(set(closed)) + dropped, come + visits + 20)
        self.assertEqual(len(set(closed)), len(closed))

    def test_nothing_is_lost_where_there_is_room_again_soon(self):
        for room in 1000, 5001, self.KEPT - 1, self.KEPT, self.KEPT + 1:
            with self.subTest(room):
                self.assert_all_is_told(room, 100, drops=False)

    def test_what_was_dropped_is_counted_where_there_is_no_room_for_long(self):
        for room in 1000, self.KEPT:
            with self.subTest(room):
                self.assert_all_is_told(room, 3000, drops=True)


class NoLog(UnreadLog):
    """There is nothing that the log could be written to."""

    def test_a_log_that_cannot_be_written_costs_neither_service_nor_processor_time(self):
        def fill_standard_error():
            os.dup2(os.open("/dev/full", os.O_WRONLY), 2)

        daemon, endpoint = self.start_unread(
            listener("clock", "echo", listen="unix:DIR/clock.sock", idle_timeout="3s"),
            before_exec=fill_standard_error)
        self.visit(endpoint, 100)
        clock = self.connect_to(f"unix:{daemon.directory}/clock.sock")
        self.assertLess(daemon.busy_share(clock), 0.15)
        self.assert_ended(clock)
        self.visit(endpoint, 100)
        daemon.stop()

    @left_out_if(WRAPPER, "the wrapper has their numbers for itself")
    def test_a_daemon_without_standard_files_serves_as_usual(self):
        daemon, endpoint = self.start_unread(before_exec=lambda: os.closerange(0, 3))
        self.visit(endpoint, 10)
        self.assertEqual([os.readlink(f"/proc/{daemon.pid}/fd/{fd}") for fd in range(3)],
                         ["/dev/null"] * 3)
        daemon.stop()
