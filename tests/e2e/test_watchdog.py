"""The watchdog: pings while every thread turns, and a name for the one that hangs."""

import collections
import os
import signal
import socket
import time

from banterd import PATIENCE, WRAPPER, eventually, left_out_if
from case import listener, server
from manager import PING, ManagedTest
from modules import compile_module

# A second for a patient machine: a hang is seen after half of it, and no thread is so late.
USEC = int(PATIENCE * 50000)

# What a worker holds that hangs is never freed.
ENDS_WITH_MEMORY = left_out_if(WRAPPER, "the wrapper calls it a leak what a hanging worker holds")

WORKER = r"^worker-\d+$"
MAIN = "^main$"


class WatchdogTest(ManagedTest):
    def prepare_watched(self, where, module="wayward", *, drain_timeout="1h", usec=USEC):
        """A daemon with a listener `bad`, which hangs in that callback until it is released."""
        # A unix socket is shared, so that a worker that hangs has no part in `clock` and `other`.
        config = (
            server(drain_timeout=drain_timeout)
            + listener("clock", "echo", "unix:DIR/clock.sock", idle_timeout=f"{USEC // 1600}ms")
            + listener("bad", f"DIR/{module}.so", where=where, until="DIR/bad")
            + listener("other", f"DIR/{module}.so", "unix:DIR/other.sock", where="line",
                       until="DIR/other"))
        environment = {"WATCHDOG_USEC": str(usec)} if usec else {}
        daemon = self.prepare_told(config, environment=environment)
        compile_module(module, daemon.directory)
        for name in "bad", "other":
            os.mkfifo(daemon.directory / name)
        return daemon

    def start_watched(self, *arguments, **options):
        daemon = self.prepare_watched(*arguments, **options)
        self.daemons.append(daemon)
        daemon.start()
        self.manager.await_ping()
        return daemon

    def release(self, daemon, name="bad"):
        """Lets the callback go on that hangs for that listener: the fifo gets its other end."""
        os.close(os.open(daemon.directory / name, os.O_WRONLY | os.O_NONBLOCK))

    def await_hang(self, daemon, thread, name="bad", protocol="wayward"):
        """The thread that hangs, by the log."""
        event = daemon.wait("thread-hung", listener=name, protocol=protocol)
        self.assertEqual(event.level, "error")
        self.assertRegex(event["thread"], thread)
        self.assertRegex(event["for"], r"^\d+\.\d{3}s$")
        self.assertGreaterEqual(float(event["for"][:-1]), USEC / 2000000)
        return event["thread"]

    def assert_no_pings(self, daemon):
        """While two could have come, by the clock of a worker that turns."""
        self.manager.rest()
        self.assert_ended(self.connect(daemon, "clock"))
        self.assertNotIn(PING, self.manager.rest(pings=True))

    def assert_resumes(self, daemon, thread, name="bad"):
        # One that had no CPU for a while may have resumed before.
        resumed = len(daemon.find("thread-resumed", thread=thread))
        self.release(daemon, name)
        daemon.wait_all(resumed + 1, "thread-resumed", thread=thread)

    def count(self, daemon, name):
        """How often the log has that event, by thread."""
        return collections.Counter(event["thread"] for event in daemon.find(name))

    def assert_pings_go_on(self):
        self.manager.rest()
        for _ in range(3):
            self.manager.await_ping()

    def assert_hangs_and_resumes(self, daemon, thread, pings=True):
        hung = self.await_hang(daemon, thread)
        self.assert_no_pings(daemon)
        self.assert_resumes(daemon, hung)
        if pings:
            self.assert_pings_go_on()


class Turning(WatchdogTest):
    def test_pings_go_on(self):
        self.start_watched("nowhere")
        self.assert_pings_go_on()

    def test_pings_go_on_while_it_drains(self):
        daemon = self.start_watched("nowhere")
        client = self.connect(daemon, "bad")
        client.say("hello")
        self.assertEqual(client.hear(), "hello")
        daemon.signal(signal.SIGTERM)
        self.manager.receive_until("STOPPING=1")
        self.assert_pings_go_on()
        client.close()

    def test_a_time_for_this_process(self):
        with socket.create_server(("127.0.0.1", 0)) as passed:
            # Whoever passes sockets names the process.
            daemon = self.start_told(listener("echo"), passed=[passed], environment={
                "LISTEN_FDNAMES": "echo", "WATCHDOG_USEC": str(USEC)})
            self.assert_pings_go_on()
            daemon.stop()

    def test_a_time_for_another_process_is_not_ours(self):
        daemon = self.start_told(
            listener("echo") + listener("clock", "echo", idle_timeout="300ms"),
            environment={"WATCHDOG_USEC": "10000", "WATCHDOG_PID": "1"})
        self.assert_no_pings(daemon)

    def test_a_suspended_daemon_goes_on(self):
        daemon = self.start_watched("nowhere")
        daemon.signal(signal.SIGSTOP)
        eventually(daemon.stopped, "it is suspended")
        since = time.monotonic()
        eventually(lambda: time.monotonic() - since > USEC / 1000000, "its time is over")
        daemon.signal(signal.SIGCONT)
        self.assert_pings_go_on()
        self.assertEqual(daemon.find("thread-hung"), [])

    def test_little_time_makes_nobody_hang_who_is_late(self):
        daemon = self.start_watched("line", usec=2000)
        self.assert_pings_go_on()
        self.connect(daemon, "bad").say("hello")
        event = daemon.wait("thread-hung", listener="bad")
        self.assertGreaterEqual(float(event["for"][:-1]), 0.1)
        self.assert_resumes(daemon, event["thread"])


class Hanging(WatchdogTest):
    def test_in_open(self):
        daemon = self.start_watched("open")
        client = self.connect(daemon, "bad")
        client.say("hello")
        self.assert_hangs_and_resumes(daemon, WORKER)
        self.assertEqual(client.hear(), "hello")

    def test_in_line(self):
        daemon = self.start_watched("line")
        client = self.connect(daemon, "bad")
        client.say("hello")
        self.assert_hangs_and_resumes(daemon, WORKER)
        self.assertEqual(client.hear(), "hello")

    def test_in_data(self):
        daemon = self.start_watched("data", "wayward_raw")
        client = self.connect(daemon, "bad")
        client.send(b"hello")
        self.assert_hangs_and_resumes(daemon, WORKER)
        self.assertEqual(client.receive(5), b"hello")

    def test_in_writable(self):
        daemon = self.start_watched("writable")
        self.connect(daemon, "bad")
        self.assert_hangs_and_resumes(daemon, WORKER)

    def test_in_close(self):
        daemon = self.start_watched("close")
        self.connect(daemon, "bad").close()
        self.assert_hangs_and_resumes(daemon, WORKER)

    def assert_hangs_at_the_start(self, daemon, protocol):
        self.daemons.append(daemon)
        daemon.spawn()
        daemon.read_log()
        thread = self.await_hang(daemon, MAIN, protocol=protocol)
        self.assertEqual(self.manager.rest(), [])
        self.assert_resumes(daemon, thread)
        self.assertIn("READY=1", self.manager.receive())
        self.assert_pings_go_on()

    def test_in_configure_at_the_start(self):
        self.assert_hangs_at_the_start(self.prepare_watched("configure"), "wayward")

    def test_while_it_is_loaded(self):
        daemon = self.prepare_watched("nowhere")
        daemon.environment["WAYWARD_LOADED"] = str(daemon.directory / "bad")
        self.assert_hangs_at_the_start(daemon, "wayward.so")

    def test_in_configure_at_a_reload(self):
        daemon = self.start_watched("nowhere")
        daemon.configure(daemon.config.read_text().replace("nowhere", "configure"))
        daemon.signal(signal.SIGHUP)
        self.manager.receive_until("RELOADING=1")
        self.assert_hangs_and_resumes(daemon, MAIN)
        daemon.wait("reloaded")

    def test_no_ping_is_sent_from_the_beginning_of_a_hang(self):
        daemon = self.start_watched("line", usec=4 * USEC)
        self.connect(daemon, "bad").say("hello")
        eventually((daemon.directory / "bad.reached").exists, "it hangs")
        self.manager.rest()
        thread = self.await_hang(daemon, WORKER)
        # It may have answered since the last ping, and just before it hung.
        self.assertLessEqual(self.manager.rest(pings=True).count(PING), 1)
        self.assert_resumes(daemon, thread)

    def test_two_at_once(self):
        daemon = self.start_watched("line")
        self.connect(daemon, "bad").say("hello")
        first = self.await_hang(daemon, WORKER)
        self.assert_no_pings(daemon)
        self.connect(daemon, "other").say("hello")
        second = self.await_hang(daemon, WORKER, "other")
        self.assertNotEqual(first, second)
        self.assert_resumes(daemon, first)
        self.assert_ended(self.connect(daemon, "clock"))
        # All the while there has been one that hung.
        self.assertNotIn(PING, self.manager.rest(pings=True))
        self.assert_resumes(daemon, second, "other")
        self.assert_pings_go_on()

    def test_a_reload_is_not_done_before_it_has_the_new_generation_too(self):
        daemon = self.start_watched("line")
        self.connect(daemon, "bad").say("hello")
        thread = self.await_hang(daemon, WORKER)
        daemon.configure(daemon.config.read_text()
                         + listener("late", "echo", "unix:DIR/late.sock"))
        daemon.signal(signal.SIGHUP)
        self.manager.receive_until("RELOADING=1")
        eventually((daemon.directory / "late.sock").exists, "the new socket")
        # The other worker has it already.
        self.assert_echoes(self.connect_to(f"unix:{daemon.directory}/late.sock"))
        self.assertEqual(self.manager.rest(), [])
        self.assertEqual(daemon.find("reloaded"), [])
        self.assert_resumes(daemon, thread)
        self.assertIn("READY=1\nSTATUS=serving 2 clients on 4 listeners, generation 2\n",
                      self.manager.receive())
        daemon.wait("reloaded")

    def test_a_manager_that_is_busy_is_not_told_of_an_end_that_is_none(self):
        daemon = self.start_watched("line")
        self.manager.fill()
        daemon.reload()     # of which it is not told yet
        self.connect(daemon, "bad").say("hello")
        thread = self.await_hang(daemon, WORKER)
        daemon.signal(signal.SIGHUP)
        told = self.manager.receive_until("RELOADING=1")
        self.assert_ended(self.connect(daemon, "clock"))
        told += self.manager.rest()
        self.assertNotIn("READY=1", "".join(told))
        self.assert_resumes(daemon, thread)
        self.manager.receive_until("READY=1")
        daemon.wait("reloaded")

    def test_where_nobody_waits_for_pings_it_is_logged_too(self):
        daemon = self.prepare_watched("line", usec=None)
        self.daemons.append(daemon)
        daemon.start()
        client = self.connect(daemon, "bad")
        client.say("hello")
        self.assert_hangs_and_resumes(daemon, WORKER, pings=False)
        self.assertEqual(client.hear(), "hello")

    def assert_ends_badly(self, daemon):
        self.assertEqual(daemon.wait_exit(), 1)
        self.assertEqual(daemon.events[-1].name, "worker-stuck")
        stuck = daemon.wait("worker-stuck", listener="bad", protocol="wayward")
        self.assertEqual(stuck.level, "error")

    @ENDS_WITH_MEMORY
    def test_to_the_end_without_asking_for_more_time(self):
        daemon = self.prepare_watched("line", drain_timeout="1s")
        daemon.start()
        self.connect(daemon, "bad").say("hello")
        thread = self.await_hang(daemon, WORKER)
        self.manager.rest()
        daemon.signal(signal.SIGTERM)
        self.assertEqual(self.manager.receive_until("STOPPING")[-1],
                         "STOPPING=1\nSTATUS=draining, 1 client left\n")
        self.assert_ends_badly(daemon)
        told = self.manager.rest(pings=True)
        self.assertTrue(told)       # that it drains, every second
        self.assertEqual(set(told), {"STATUS=draining, 1 client left\n"})
        # The other worker has ended meanwhile, and does not turn any more.
        self.assertEqual(self.count(daemon, "thread-hung") - self.count(daemon, "thread-resumed"),
                         {thread: 1})

    def test_many_clients_that_take_their_time_to_go_are_no_hang(self):
        daemon = self.prepare_told(
            server(workers=1, drain_timeout="1h") + listener("dawdle", "DIR/dawdle.so"),
            environment={"WATCHDOG_USEC": str(USEC)})
        compile_module("dawdle", daemon.directory)
        self.daemons.append(daemon)
        daemon.start()
        for _ in range(15):
            self.connect(daemon, "dawdle")
        eventually(lambda: daemon.open_fds() >= daemon.fds_when_ready + 15, "all are in")
        daemon.signal(signal.SIGTERM)
        daemon.wait("draining")
        daemon.stop()
        self.assertEqual(daemon.find("thread-hung"), [])

    def test_one_that_comes_back_at_the_end(self):
        daemon = self.start_watched("line")
        self.connect(daemon, "bad").say("hello")
        thread = self.await_hang(daemon, WORKER)
        daemon.signal(signal.SIGTERM)
        daemon.wait("draining")
        daemon.signal(signal.SIGTERM)
        self.assert_resumes(daemon, thread)
        daemon.stop()
        self.assertEqual(self.count(daemon, "thread-resumed"), self.count(daemon, "thread-hung"))

    @ENDS_WITH_MEMORY
    def test_a_third_signal_ends_what_a_second_cannot(self):
        daemon = self.prepare_watched("line")
        daemon.start()
        self.connect(daemon, "bad").say("hello")
        self.await_hang(daemon, WORKER)
        daemon.signal(signal.SIGTERM)
        daemon.wait("draining")
        began = time.monotonic()
        eventually(lambda: daemon.signal(signal.SIGTERM) or daemon.process.poll(), "the end")
        # Nine seconds before it would end by itself.
        self.assertLess(time.monotonic() - began, 5)
        self.assert_ends_badly(daemon)
