"""What the service manager is told, byte for byte: readiness, reloads, figures, the end."""

import concurrent.futures
import os
import pathlib
import re
import signal
import socket
import time
import uuid

from banterd import eventually
from case import listener, server
from manager import ManagedTest
from modules import compile_module

READY = "READY=1\nSTATUS=serving 0 clients on 2 listeners, generation 1\n"
DRAINING = "EXTEND_TIMEOUT_USEC=20000000\nSTATUS=draining, 1 client left\n"
TWO = listener("echo") + listener("knock-knock")

# The clock that libevent counts a second by is a few milliseconds coarse.
COARSE = 0.1


class NotifyTest(ManagedTest):
    def assert_reloading(self, since=0):
        message = self.manager.receive()
        match = re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=(\d+)\n"
                             r"STATUS=reading the configuration again\n", message)
        self.assertTrue(match, message)
        self.assertLessEqual(since, int(match[1]))
        self.assertLessEqual(int(match[1]), time.monotonic_ns() // 1000)

    def states(self, messages):
        """The changes of state in the messages; figures and more time are none."""
        return re.findall(r"^(READY|RELOADING|STOPPING)=1$", "".join(messages), re.MULTILINE)


class Life(NotifyTest):
    def test_ready_is_told_once_clients_are_served(self):
        self.start_told(TWO)
        self.assertEqual(self.manager.receive(), READY)

    def test_an_abstract_socket_is_told_too(self):
        # As long as such a name can be: 108 bytes.
        self.manager = self.listen(f"@banterd-{uuid.uuid4()}".ljust(108, "x"))
        self.start_told(TWO)
        self.assertEqual(self.manager.receive(), READY)

    def test_one_is_singular(self):
        self.start_told(listener("echo"))
        self.assertEqual(self.manager.receive(), READY.replace("2 listeners", "1 listener"))

    def test_the_figures_follow(self):
        daemon = self.start_told(TWO)
        self.assertEqual(self.manager.receive(), READY)
        client = self.connect(daemon, "echo")
        self.assert_echoes(client)
        self.assertEqual(self.manager.receive(),
                         "STATUS=serving 1 client on 2 listeners, generation 1\n")
        client.close()
        self.assertEqual(self.manager.receive(),
                         "STATUS=serving 0 clients on 2 listeners, generation 1\n")

    def test_the_figures_follow_once_a_second_at_most(self):
        started = time.monotonic()
        daemon = self.start_told(TWO)
        told = 0
        while told < 2:
            clients = [self.connect(daemon, "echo") for _ in range(20)]
            for client in clients:
                self.assert_echoes(client)
            told += len(self.manager.receive_until("serving 20 clients"))
            for client in clients:
                client.close()
            told += len(self.manager.receive_until("serving 0 clients"))
        # All but READY came with a second's end.
        self.assertGreater(time.monotonic() - started, told - 1 - COARSE)

    def test_a_reload(self):
        daemon = self.start_told(TWO)
        self.assertEqual(self.manager.receive(), READY)
        for generation in 2, 3:
            asked = time.monotonic_ns() // 1000
            daemon.reload(server() + TWO + listener("daytime"))
            self.assert_reloading(since=asked)
            self.assertEqual(
                self.manager.receive(),
                f"READY=1\nSTATUS=serving 0 clients on 3 listeners, generation {generation}\n")

    def test_a_failed_reload_and_the_next_good_one(self):
        daemon = self.start_told(listener("echo"))
        self.manager.receive()
        good = daemon.config.read_text()
        line = good.count("\n") + 1
        for added, more in ("x = 1\n", ""), ("x = 1\ny = 2\nz = 3\n", " (and 2 more)"):
            daemon.reload(good + added)
            self.assert_reloading()
            failed = (f"STATUS=serving 0 clients on 1 listener, generation 1; reload failed: "
                      f"{daemon.config}:{line}: unknown key 'x'{more}\n")
            self.assertEqual(self.manager.receive(), f"READY=1\n{failed}")
        client = self.connect(daemon, "echo")
        self.assert_echoes(client)
        self.assertEqual(self.manager.receive(), failed.replace("0 clients", "1 client"))
        daemon.reload(good)
        self.assert_reloading()
        self.assertEqual(self.manager.receive(),
                         "READY=1\nSTATUS=serving 1 client on 1 listener, generation 2\n")
        client.close()

    def test_a_stop(self):
        daemon = self.start_told(server(drain_timeout="1h") + TWO)
        client = self.connect(daemon, "echo")
        self.assert_echoes(client)
        asked = time.monotonic()
        daemon.signal(signal.SIGTERM)
        self.assertEqual(self.manager.receive_until("STOPPING")[-1], "STOPPING=1\n" + DRAINING)
        self.assertEqual([self.manager.receive(), self.manager.receive()], [DRAINING, DRAINING])
        # The first may come soon; a second lies between the two.
        self.assertGreater(time.monotonic() - asked, 1 - COARSE)
        client.close()
        self.assertEqual(daemon.wait_exit(), 0)
        self.assertEqual(self.states(self.manager.rest()), [])


class FailedStart(NotifyTest):
    def assert_told(self, config, status, at, why):
        """The first problem is told, which is in the line `at`."""
        daemon = self.spawn_told(config)
        self.assertEqual(daemon.wait_exit(), status)
        line = daemon.config.read_text().splitlines().index(at) + 1
        self.assertEqual(self.manager.rest(),
                         [f"STATUS=cannot start: {daemon.config}:{line}: {why}\n"])

    def test_a_bad_file(self):
        self.assert_told(TWO + "x = 1\n", 78, "x = 1", "unknown key 'x'")

    def test_a_file_that_is_bad_in_several_places(self):
        self.assert_told(TWO + "x = 1\ny = 2\n", 78, "x = 1", "unknown key 'x' (and 1 more)")

    def test_an_address_that_is_taken(self):
        with socket.create_server(("127.0.0.1", 0)) as other:
            address = f"127.0.0.1:{other.getsockname()[1]}"
            self.assert_told(listener("echo", listen=address), 71, "[listener echo]",
                             f"listener echo cannot listen on {address}: Address already in use")


class Values(NotifyTest):
    """A message has a line for each value, in UTF-8, and an end."""

    def told_of(self, *names, config="rubbish\n"):
        """What is told about a configuration of that path below the daemon's directory."""
        daemon = self.prepare_told(config)
        place = os.open(daemon.directory, os.O_PATH)
        for name in names[:-1]:     # one by one: together they may be too long for mkdir(2)
            os.mkdir(name, dir_fd=place)
            inner = os.open(name, os.O_PATH, dir_fd=place)
            os.close(place)
            place = inner
        os.rename(daemon.config, names[-1], dst_dir_fd=place)
        os.close(place)
        daemon.config = daemon.directory.joinpath(*names)
        daemon.spawn()
        daemon.read_log()
        self.assertEqual(daemon.wait_exit(), 78)
        (message,) = self.manager.rest()
        return message.replace(str(daemon.directory), "DIR")

    def test_what_would_break_a_message_is_taken_out(self):
        for name, told in ((b"new\nline", "new line"), (b"\t\x1b\x7f", "   "), (b"\xff", "?"),
                           ("\u00e4".encode(), "\u00e4"), (b"\xc3\xa4 \xc3", "\u00e4 ?"),
                           (b"\xc0\x80", "??"), (b"\xed\xa0\x80", "???"),
                           (b"\xf4\x90\x80\x80", "????"), ("\ufdd0".encode(), "???"),
                           ("\ufffd\ufffe".encode(), "\ufffd???"),
                           ("\U0001ffff".encode(), "????"), ("\U0001f600".encode(), "\U0001f600")):
            with self.subTest(name):
                self.assertEqual(self.told_of(os.fsdecode(name)), f"STATUS=cannot start: DIR/{told}"
                                 ":3: no '=' in the line; write NAME = VALUE\n")

    def test_a_long_message_is_cut_off(self):
        for letter in "x", "\u00e4":    # of the latter, halves are no UTF-8
            for first in "a", "aa":
                message = self.told_of(first, *[letter * 120] * 14, "banterd.ini")
                self.assertTrue(message.startswith(f"STATUS=cannot start: DIR/{first}/"), message)
                self.assertTrue(message.endswith("\n"), message)
                self.assertEqual(message.count("\n"), 1)
                self.assertLessEqual(len(message.encode()), 4000)

    def test_how_many_more_there_are_is_told_behind_a_long_message(self):
        message = self.told_of(*["x" * 120] * 20, "banterd.ini", config="rubbish\nrubbish\n")
        self.assertRegex(message, r"\ASTATUS=cannot start: DIR/[x/]+ \(and 1 more\)\n\Z")


class Trouble(NotifyTest):
    def assert_serves(self, daemon):
        client = self.connect(daemon, "echo")
        self.assert_echoes(client)
        client.close()

    def assert_serves_and_warns(self, address, why):
        daemon = self.start(listener("echo"), environment={"NOTIFY_SOCKET": address})
        self.assert_serves(daemon)
        event = daemon.wait("notify-failed")
        self.assertEqual((event.level, event["error"]), ("warning", why))
        self.assertEqual(daemon.reload().name, "reloaded")
        daemon.stop()
        self.assertEqual(len(daemon.find("notify-failed")), 1)

    def test_nobody_at_the_socket(self):
        self.assert_serves_and_warns(str(self.directory / "nobody"), "No such file or directory")

    def test_a_relative_path(self):
        self.assert_serves_and_warns("notify", "Address family not supported by protocol")

    def test_a_name_that_is_too_long(self):
        self.assert_serves_and_warns("/" + 107 * "x", "File name too long")
        self.assert_serves_and_warns("@" + 108 * "x", "File name too long")

    def test_where_nobody_is_named_nothing_is_missing(self):
        for environment in {}, {"NOTIFY_SOCKET": ""}, {"WATCHDOG_USEC": "1000"}:
            daemon = self.start(listener("echo"), environment=environment)
            self.assert_serves(daemon)
            daemon.reload()
            daemon.stop()
            self.assertEqual(daemon.find("notify-failed"), [])

    def test_a_manager_that_goes_and_comes_back(self):
        daemon = self.start_told(listener("echo"))
        self.assertEqual(self.states([self.manager.receive()]), ["READY"])
        for failures in 1, 2:
            self.manager.close()
            pathlib.Path(self.manager.address).unlink()
            for _ in range(3):
                self.assertEqual(daemon.reload().name, "reloaded")
            daemon.wait_all(failures, "notify-failed")
            self.manager = self.listen(self.manager.address)
            self.assertEqual(daemon.reload().name, "reloaded")
            self.assertEqual(self.states([self.manager.receive(), self.manager.receive()]),
                             ["RELOADING", "READY"])
        daemon.stop()
        self.assertEqual(len(daemon.find("notify-failed")), 2)

    def test_a_manager_that_does_not_read_is_not_waited_for(self):
        daemon = self.start_told(listener("echo"))
        filled = time.monotonic()
        self.manager.fill()
        for _ in range(5):
            self.assertEqual(daemon.reload().name, "reloaded")
        self.assert_serves(daemon)
        self.assert_told_when_it_lasts(daemon, 1, filled)
        self.assertEqual(daemon.reload().name, "reloaded")
        self.assert_serves(daemon)
        # The next time that it is busy is another one.
        self.manager.receive_until(f"generation {1 + len(daemon.find('reloaded'))}")
        filled = time.monotonic()
        self.manager.fill()
        self.assertEqual(daemon.reload().name, "reloaded")
        self.assert_told_when_it_lasts(daemon, 2, filled)
        daemon.stop()
        self.assertEqual(len(daemon.find("notify-failed")), 2)

    def assert_told_when_it_lasts(self, daemon, times, filled):
        """That the manager is busy is worth a line after five seconds."""
        event = daemon.wait_all(times, "notify-failed")[-1]
        self.assertGreaterEqual(time.monotonic() - filled, 5 - COARSE)
        self.assertEqual(event["error"], "Resource temporarily unavailable")

    def test_a_watchdog_time_that_is_none(self):
        for usec in "soon", "0", "-1", "1s", "99999999999999999999":
            daemon = self.start_told(listener("echo"), environment={"WATCHDOG_USEC": usec})
            event = daemon.wait("notify-failed")
            self.assertEqual((event.level, event["watchdog"]), ("warning", usec))
            daemon.stop()

    def test_a_watchdog_time_for_a_process_that_is_none(self):
        daemon = self.start_told(listener("echo"), environment={
            "WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "mine"})
        self.assertEqual(daemon.wait("notify-failed").level, "warning")
        self.assertEqual(len(daemon.find("notify-failed")), 1)


class Later(NotifyTest):
    """A manager that is busy: what it has to know, it is told when it reads again."""

    def test_that_the_daemon_is_ready(self):
        self.manager.fill()
        daemon = self.start_told(TWO)
        self.assertEqual(self.manager.receive(), READY)
        self.assertEqual(daemon.find("notify-failed"), [])

    def test_that_it_was_reloaded(self):
        daemon = self.start_told(TWO)
        self.assertEqual(self.manager.receive(), READY)
        self.manager.fill()
        asked = time.monotonic_ns() // 1000
        daemon.reload()
        daemon.reload(server() + TWO + listener("daytime"))
        # The one before the last is of no interest any more.
        self.assert_reloading(since=asked)
        self.assertEqual(self.manager.receive(),
                         "READY=1\nSTATUS=serving 0 clients on 3 listeners, generation 3\n")

    def test_that_a_reload_failed(self):
        daemon = self.start_told(TWO)
        self.assertEqual(self.manager.receive(), READY)
        self.manager.fill()
        self.assertEqual(daemon.reload("rubbish\n").name, "reload-failed")
        self.assert_reloading()
        self.assertRegex(self.manager.receive(), r"\AREADY=1\nSTATUS=.*; reload failed: ")

    def test_that_it_stops(self):
        daemon = self.start_told(server(drain_timeout="1h") + TWO)
        self.assertEqual(self.manager.receive(), READY)
        client = self.connect(daemon, "echo")
        self.assert_echoes(client)
        self.manager.fill()
        daemon.signal(signal.SIGTERM)
        daemon.wait("draining")
        told = self.manager.receive_until("STOPPING")
        self.assertEqual(told[-1], "STOPPING=1\n" + DRAINING)
        client.close()

    def test_the_figures(self):
        daemon = self.start_told(TWO)
        self.assertEqual(self.manager.receive(), READY)
        self.manager.fill()
        client = self.connect(daemon, "echo")
        self.assert_echoes(client)
        self.assertEqual(self.manager.receive(),
                         "STATUS=serving 1 client on 2 listeners, generation 1\n")


class Signals(NotifyTest):
    """Signals that come at a bad time: the protocol raises them in its own configuration."""

    def wayward(self, number):
        return listener("bad", "DIR/wayward.so", **{"raise": int(number)})

    def prepare_wayward(self, number):
        daemon = self.prepare_told(TWO + self.wayward(number))
        compile_module("wayward", daemon.directory)
        return daemon

    def start_wayward(self, number):
        daemon = self.prepare_wayward(number)
        self.daemons.append(daemon)
        return daemon.start()

    def test_term_before_ready(self):
        for number in signal.SIGTERM, signal.SIGINT:
            daemon = self.prepare_wayward(number)
            daemon.spawn()
            daemon.read_log()
            self.assertEqual(daemon.wait_exit(), 0)
            self.assertEqual([event.name for event in daemon.events],
                             ["listening"] * 3 + ["draining", "stopped"])
            self.assertEqual(self.states(self.manager.rest()), ["STOPPING"])

    def test_hup_before_ready_is_a_reload_after_it(self):
        daemon = self.start_wayward(signal.SIGHUP)
        told = self.manager.receive_until("generation 2")
        self.assertEqual(self.states(told), ["READY", "RELOADING", "READY"])
        daemon.stop()
        self.assertEqual(len(daemon.find("reloaded")), 1)

    def test_hup_during_a_reload_is_one_more(self):
        daemon = self.start_wayward(0)
        daemon.reload(server() + TWO + self.wayward(signal.SIGHUP))
        told = self.manager.receive_until("generation 3")
        self.assertEqual(self.states(told), ["READY"] + ["RELOADING", "READY"] * 2)
        daemon.stop()
        self.assertEqual(len(daemon.find("reloaded")), 2)

    def test_hup_during_a_reload_that_fails_is_one_more(self):
        daemon = self.start_wayward(0)
        daemon.reload(server() + TWO + self.wayward(signal.SIGHUP) + "x = 1\n")
        daemon.wait_all(2, "reload-failed")
        daemon.stop()
        self.assertEqual(self.states(self.manager.rest()),
                         ["READY"] + ["RELOADING", "READY"] * 2 + ["STOPPING"])

    def test_term_during_a_reload(self):
        daemon = self.start_wayward(0)
        daemon.configure(server() + TWO + self.wayward(signal.SIGTERM))
        daemon.signal(signal.SIGHUP)
        self.assertEqual(daemon.wait_exit(), 0)
        self.assertEqual(daemon.events[-1].name, "stopped")
        self.assertEqual(self.states(self.manager.rest()), ["READY", "RELOADING", "STOPPING"])

    def test_several_reloads_at_once(self):
        daemon = self.start_told(TWO)
        self.assertEqual(self.manager.receive(), READY)
        with concurrent.futures.ThreadPoolExecutor() as reader:
            # Read all the while: the manager's queue holds ten messages.
            told = reader.submit(self.manager.receive_until, "3 listeners")
            for _ in range(100):
                daemon.signal(signal.SIGHUP)
            following = daemon.directory / "following.ini"
            following.write_text(server() + TWO + listener("last", "echo"), encoding="utf-8")
            following.rename(daemon.config)
            # It is read by the reload that is under way, or by the one that follows it.
            daemon.signal(signal.SIGHUP)
        messages = told.result()
        daemon.wait("reloaded")
        self.assertEqual(self.states(messages), ["RELOADING", "READY"] * (len(messages) // 2))
        for number, message in enumerate(messages[1::2], 2):
            self.assertIn(f", generation {number}\n", message)

    def start_storm(self):
        """A daemon that hangs in a reload of a bad file, and has caught many more HUPs."""
        daemon = self.start_wayward(0)
        self.fifo = daemon.directory / "fifo"
        os.mkfifo(self.fifo)
        daemon.configure(server() + TWO + "x = 1\n" + listener(
            "bad", "DIR/wayward.so", where="configure", until=self.fifo))
        daemon.signal(signal.SIGHUP)
        eventually((daemon.directory / "fifo.reached").exists, "it hangs in configure()")
        # Each of these is caught, not merged with the one before.
        for _ in range(50):
            daemon.signal(signal.SIGHUP)
            eventually(lambda: not daemon.pending(signal.SIGHUP), "it is caught")
        return daemon

    def release_until(self, condition):
        """Lets it go on in configure(), whenever it is there."""
        def met():
            try:
                os.close(os.open(self.fifo, os.O_WRONLY | os.O_NONBLOCK))
            except OSError:     # it is not
                pass
            return condition()
        eventually(met, "it goes on")

    def test_a_storm_over_a_bad_file_is_one_reload_more(self):
        daemon = self.start_storm()
        self.release_until(lambda: len(daemon.find("reload-failed")) >= 2)
        daemon.signal(signal.SIGTERM)
        self.release_until(lambda: daemon.process.poll() is not None)
        self.assertEqual(daemon.wait_exit(), 0)
        self.assertEqual(len(daemon.find("reload-failed")), 2)

    def test_a_storm_does_not_hold_up_the_end(self):
        daemon = self.start_storm()
        daemon.signal(signal.SIGTERM)
        self.release_until(lambda: daemon.process.poll() is not None)
        self.assertEqual(daemon.wait_exit(), 0)
        self.assertEqual(len(daemon.find("reload-failed")), 1)

    def test_hup_during_a_drain_is_ignored(self):
        daemon = self.start_told(server(drain_timeout="1h") + TWO)
        client = self.connect(daemon, "echo")
        self.assert_echoes(client)
        daemon.signal(signal.SIGTERM)
        self.manager.receive_until("STOPPING")
        daemon.signal(signal.SIGHUP)
        self.assertEqual(daemon.wait("reload-ignored")["why"], "draining")
        client.close()
        self.assertEqual(daemon.wait_exit(), 0)
        self.assertEqual(self.states(self.manager.rest()), [])


class Environment(NotifyTest):
    def test_what_is_for_the_daemon_alone_is_taken_out(self):
        # The protocol complains of what it finds.
        daemon = self.prepare_told(listener("bad", "DIR/wayward.so"), environment={
            "WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1",
            "LISTEN_PID": "1", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "x"})
        compile_module("wayward", daemon.directory)
        self.daemons.append(daemon)
        daemon.start()


class InTheJournal(NotifyTest):
    """Each line begins with its priority, and none is there twice."""

    PRIORITIES = {"error": 3, "warning": 4, "notice": 5, "info": 6, "debug": 7}

    def assert_journal(self, lines):
        for line in lines:
            match = re.match(r"<(\d)>([a-z]+) ", line)
            self.assertTrue(match, line)
            self.assertEqual(int(match[1]), self.PRIORITIES[match[2]], line)
        self.assertEqual(len(lines), len(set(lines)), lines)

    def test_a_whole_life(self):
        daemon = self.prepare_told(server(log_level="debug") + TWO)
        daemon.spawn(journal=True)
        daemon.read_log()
        self.manager.receive_until("READY=1")
        address = re.search(r"address=(\S+)", daemon.wait_line("listener=echo "))[1]
        client = self.connect_to(address)
        self.assert_echoes(client)
        client.close()
        daemon.wait_line("client-closed")
        good = daemon.config.read_text()
        for config in (good + "x = 1\n", good):
            daemon.configure(config)
            daemon.signal(signal.SIGHUP)
            self.manager.receive_until("READY=1")
        daemon.signal(signal.SIGTERM)
        self.assertEqual(daemon.wait_exit(), 0)
        self.assert_journal(daemon.lines)
        events = [line.split()[1] for line in daemon.lines]
        self.assertEqual(events, ["listening", "listening", "ready", "client-opened",
                                  "client-closed", "config-error", "reload-failed", "reloaded",
                                  "draining", "stopped"])

    def test_a_start_that_fails(self):
        daemon = self.prepare_told("rubbish\n" + TWO + "x = 1\n")
        daemon.spawn(journal=True)
        daemon.read_log()
        self.assertEqual(daemon.wait_exit(), 78)
        path, last = re.escape(str(daemon.config)), daemon.config.read_text().count("\n")
        self.assertEqual(len(daemon.lines), 2, daemon.lines)
        self.assertRegex(daemon.lines[0], rf"^<3>{path}:\d+: ")
        self.assertEqual(daemon.lines[1], f"<3>{daemon.config}:{last}: unknown key 'x'")
