"""What the service manager is told, byte for byte: readiness, reloads, figures, the end."""

import concurrent.futures
import pathlib
import re
import signal
import tempfile
import time
import uuid

from case import DaemonTest, listener, server
from manager import Manager
from modules import compile_module

READY = "READY=1\nSTATUS=serving 0 clients on 2 listeners, generation 1\n"
TWO = listener("echo") + listener("knock-knock")


class NotifyTest(DaemonTest):
    def setUp(self):
        super().setUp()
        holder = tempfile.TemporaryDirectory(prefix="banterd-")
        self.addCleanup(holder.cleanup)
        self.directory = pathlib.Path(holder.name)
        self.manager = self.listen(self.directory / "notify")

    def listen(self, address):
        manager = Manager(address)
        self.addCleanup(manager.close)
        return manager

    def start_told(self, config, **options):
        """A daemon that reports to the manager; its READY has been received."""
        daemon = self.start(config, environment=self.manager.environment, **options)
        self.ready = self.manager.receive()
        return daemon

    def spawn_told(self, config, **options):
        daemon = self.prepare(config, environment=self.manager.environment, **options)
        daemon.spawn()
        daemon.read_log()
        return daemon

    def assert_reloading(self):
        before = getattr(self, "asked", 0)
        message = self.manager.receive()
        match = re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=(\d+)\n"
                             r"STATUS=reading the configuration again\n", message)
        self.assertTrue(match, message)
        self.assertLessEqual(before, int(match[1]))
        self.assertLessEqual(int(match[1]), time.monotonic_ns() // 1000)


class Life(NotifyTest):
    def test_ready_is_told_once_clients_are_served(self):
        self.start_told(TWO)
        self.assertEqual(self.ready, READY)

    def test_an_abstract_socket_is_told_too(self):
        self.manager = self.listen(f"@banterd-{uuid.uuid4()}")
        self.start_told(TWO)
        self.assertEqual(self.ready, READY)

    def test_one_is_singular(self):
        self.start_told(listener("echo"))
        self.assertEqual(self.ready, READY.replace("2 listeners", "1 listener"))

    def test_the_figures_follow(self):
        daemon = self.start_told(TWO)
        client = self.connect(daemon, "echo")
        self.assert_echoes(client)
        self.assertEqual(self.manager.receive(),
                         "STATUS=serving 1 client on 2 listeners, generation 1\n")
        client.close()
        self.assertEqual(self.manager.receive(),
                         "STATUS=serving 0 clients on 2 listeners, generation 1\n")

    def test_a_reload(self):
        daemon = self.start_told(TWO)
        self.asked = time.monotonic_ns() // 1000
        daemon.reload(server() + TWO + listener("daytime"))
        self.assert_reloading()
        self.assertEqual(self.manager.receive(),
                         "READY=1\nSTATUS=serving 0 clients on 3 listeners, generation 2\n")

    def test_a_failed_reload_and_the_next_good_one(self):
        daemon = self.start_told(TWO)
        good = daemon.config.read_text()
        daemon.reload(good + "x = 1\ny = 2\nz = 3\n")
        self.assert_reloading()
        line = good.count("\n") + 1
        failed = (f"serving 0 clients on 2 listeners, generation 1; reload failed: "
                  f"{daemon.config}:{line}: unknown key 'x' (and 2 more)\n")
        self.assertEqual(self.manager.receive(), f"READY=1\nSTATUS={failed}")
        self.assert_echoes(client := self.connect(daemon, "echo"))
        self.assertEqual(self.manager.receive(),
                         f"STATUS={failed}".replace("0 clients", "1 client"))
        daemon.reload(good)
        self.assert_reloading()
        self.assertEqual(self.manager.receive(),
                         "READY=1\nSTATUS=serving 1 client on 2 listeners, generation 2\n")
        client.close()

    def test_a_stop(self):
        daemon = self.start_told(server(drain_timeout="1h") + TWO)
        client = self.connect(daemon, "echo")
        self.assert_echoes(client)
        daemon.signal(signal.SIGTERM)
        draining = "EXTEND_TIMEOUT_USEC=20000000\nSTATUS=draining, 1 client left\n"
        messages = self.manager.receive_until(lambda message: "STOPPING" in message)
        self.assertEqual(messages[-1], "STOPPING=1\n" + draining)
        self.assertEqual([self.manager.receive(), self.manager.receive()], [draining, draining])
        client.close()
        self.assertEqual(daemon.wait_exit(), 0)

    def test_a_start_that_fails(self):
        daemon = self.spawn_told("rubbish\n")
        self.assertEqual(daemon.wait_exit(), 78)
        first = daemon.log().splitlines()[0]
        self.assertRegex(first, r"^\S+:\d+: ")
        self.assertEqual(self.manager.rest(), [f"STATUS=cannot start: {first}\n"])

    def test_what_would_break_a_message_is_taken_out(self):
        daemon = self.prepare("rubbish\n", environment=self.manager.environment)
        odd = daemon.directory / "new\nline\udcff.ini"
        daemon.config.rename(odd)
        daemon.config = odd
        daemon.spawn()
        daemon.read_log()
        self.assertEqual(daemon.wait_exit(), 78)
        (message,) = self.manager.rest()
        self.assertRegex(message, r"\ASTATUS=cannot start: \S+/new line\?\.ini:\d+: [^\n]*\n\Z")


class Trouble(NotifyTest):
    def assert_serves_and_warns(self, address, why):
        daemon = self.start(listener("echo"), environment={"NOTIFY_SOCKET": address})
        self.assert_echoes(self.connect(daemon, "echo"))
        event = daemon.wait("notify-failed")
        self.assertEqual((event.level, event["error"]), ("warning", why))
        daemon.stop()
        self.assertEqual(len(daemon.find("notify-failed")), 1)

    def test_nobody_at_the_socket(self):
        self.assert_serves_and_warns(str(self.directory / "nobody"), "No such file or directory")

    def test_a_relative_path(self):
        self.assert_serves_and_warns("notify", "Address family not supported by protocol")

    def test_a_path_that_is_too_long(self):
        self.assert_serves_and_warns("/" + 107 * "x" + "x", "File name too long")

    def test_a_manager_that_does_not_read_holds_nothing_up_for_long(self):
        daemon = self.start(listener("echo"), environment=self.manager.environment)
        queue = pathlib.Path("/proc/sys/net/unix/max_dgram_qlen").read_text(encoding="ascii")
        for _ in range(int(queue) + 2):     # two messages each
            if daemon.find("notify-failed"):
                break
            daemon.reload()
        for _ in range(20):
            self.assertEqual(daemon.reload().name, "reloaded")
        self.assertEqual(len(daemon.find("notify-failed")), 1)
        self.assert_echoes(self.connect(daemon, "echo"))

    def test_a_watchdog_time_that_is_none(self):
        for usec in ("soon", "0", "-1"):
            daemon = self.start(listener("echo"), environment={
                **self.manager.environment, "WATCHDOG_USEC": usec})
            self.assertEqual(daemon.wait("notify-failed")["watchdog"], usec)


class Signals(NotifyTest):
    """Signals that come at a bad time: the protocol raises them in its own configuration."""

    def wayward(self, number):
        return listener("bad", "DIR/wayward.so", **{"raise": int(number)})

    def told_daemon(self, number):
        daemon = self.prepare(TWO + self.wayward(number), environment=self.manager.environment)
        compile_module("wayward", daemon.directory)
        return daemon

    def test_term_before_ready(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            daemon = self.told_daemon(number)
            daemon.spawn()
            daemon.read_log()
            self.assertEqual(daemon.wait_exit(), 0)
            self.assertFalse(daemon.find("ready"))
            self.assertEqual([event.name for event in daemon.events], ["draining", "stopped"])
            told = self.manager.rest()
            self.assertTrue(told[0].startswith("STOPPING=1\n"), told)
            self.assertFalse([message for message in told if "READY" in message])

    def test_hup_before_ready_is_a_reload_after_it(self):
        daemon = self.told_daemon(signal.SIGHUP)
        self.daemons.append(daemon)
        daemon.start()
        daemon.wait("reloaded", generation=2)
        told = self.manager.receive_until(lambda message: "generation 2" in message)
        self.assertEqual([message.split("=")[0] for message in told],
                         ["READY", "RELOADING", "READY"])

    def test_term_during_a_reload(self):
        daemon = self.told_daemon(0)
        daemon.start()
        daemon.configure(server() + TWO + self.wayward(signal.SIGTERM))
        daemon.signal(signal.SIGHUP)
        self.assertEqual(daemon.wait_exit(), 0)
        self.assertEqual(daemon.events[-1].name, "stopped")
        states = [message.split("=")[0] for message in self.manager.rest()]
        # The workers may have taken the new configuration before the signal is seen.
        self.assertEqual(states[:2], ["READY", "RELOADING"])
        self.assertIn("STOPPING", states[2:4])
        self.assertNotIn("READY", states[states.index("STOPPING"):])

    def test_several_reloads_at_once(self):
        daemon = self.start_told(TWO)
        with concurrent.futures.ThreadPoolExecutor() as reader:
            # Read all the while: the manager's queue holds ten messages.
            told = reader.submit(self.manager.receive_until,
                                 lambda message: "3 listeners" in message)
            for _ in range(100):
                daemon.signal(signal.SIGHUP)
            following = daemon.directory / "following.ini"
            following.write_text(server() + TWO + listener("last", "echo"), encoding="utf-8")
            following.rename(daemon.config)
            # It is read by the reload that is under way, or by the one that follows it.
            daemon.signal(signal.SIGHUP)
        states = [message.split("=")[0] for message in told.result()]
        self.assertEqual(states, ["RELOADING", "READY"] * (len(states) // 2))
        self.assertFalse(daemon.find("reload-failed"))

    def test_hup_during_a_drain_is_ignored(self):
        daemon = self.start_told(server(drain_timeout="1h") + TWO)
        client = self.connect(daemon, "echo")
        self.assert_echoes(client)
        daemon.signal(signal.SIGTERM)
        daemon.wait("draining")
        daemon.signal(signal.SIGHUP)
        self.assertEqual(daemon.wait("reload-ignored")["why"], "draining")
        client.close()
        self.assertEqual(daemon.wait_exit(), 0)
        self.assertFalse([message for message in self.manager.rest() if "RELOADING" in message])


class Environment(NotifyTest):
    def test_what_is_for_the_daemon_alone_is_taken_out(self):
        # The protocol complains of what it finds.
        daemon = self.prepare(listener("bad", "DIR/wayward.so"), environment={
            **self.manager.environment, "WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1",
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
        daemon = self.prepare(TWO, environment=self.manager.environment)
        daemon.spawn(journal=True)
        daemon.read_log()
        good = daemon.config.read_text()
        self.manager.receive_until(lambda message: "READY=1" in message)
        for config in (good + "x = 1\n", good):
            daemon.configure(config)
            daemon.signal(signal.SIGHUP)
            self.manager.receive_until(lambda message: "READY=1" in message)
        daemon.signal(signal.SIGTERM)
        self.assertEqual(daemon.wait_exit(), 0)
        events = [re.sub(r"^<\d>\w+ ([a-z-]+).*", r"\1", line) for line in daemon.lines]
        self.assertEqual(events, ["listening", "listening", "ready", "config-error",
                                  "reload-failed", "reloaded", "draining", "stopped"])
        self.assert_journal(daemon.lines)
