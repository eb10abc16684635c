"""The watchdog: pings while every thread turns, and a name for the one that hangs."""

import os
import signal

from banterd import eventually
from case import listener, server
from manager import PING
from modules import compile_module
from test_notify import NotifyTest

# Short enough to see a hang soon; a thread that is only late has half of it.
USEC = 1000000


class WatchdogTest(NotifyTest):
    def watched(self, where, **options):
        """A daemon with a listener `bad` that hangs there, until released."""
        daemon = self.prepare(
            server(drain_timeout="1s") + listener("echo")
            + listener("bad", "DIR/wayward.so", where=where, until="DIR/fifo", **options),
            environment={**self.manager.environment, "WATCHDOG_USEC": str(USEC)})
        compile_module("wayward", daemon.directory)
        self.fifo = daemon.directory / "fifo"
        os.mkfifo(self.fifo)
        return daemon

    def start_watched(self, where, **options):
        daemon = self.watched(where, **options)
        self.daemons.append(daemon)
        daemon.start()
        self.manager.await_ping()
        return daemon

    def everything(self):
        """All that the daemon has said, when it has ended."""
        return self.manager.rest(pings=True)

    def release(self):
        """Lets the hanging callback go on: it waits for the fifo's other end."""
        os.close(os.open(self.fifo, os.O_WRONLY))

    def assert_hangs_and_resumes(self, daemon, thread, **fields):
        event = daemon.wait("thread-hung", listener="bad", protocol="wayward", **fields)
        self.assertEqual(event.level, "error")
        self.assertRegex(event["thread"], thread)
        self.release()
        daemon.wait("thread-resumed", thread=event["thread"])
        self.manager.rest()
        self.manager.await_ping()


class Turning(WatchdogTest):
    def test_pings_go_on_and_nothing_is_logged(self):
        daemon = self.start_watched("nowhere")
        for _ in range(4):
            self.manager.await_ping()
        self.assert_echoes(self.connect(daemon, "echo"))

    def test_pings_go_on_while_it_drains(self):
        daemon = self.start_watched("nowhere")
        daemon.configure(daemon.config.read_text().replace("timeout = 1s", "timeout = 1h"))
        daemon.signal(signal.SIGHUP)
        daemon.wait("reloaded")
        client = self.connect(daemon, "echo")
        self.assert_echoes(client)
        daemon.signal(signal.SIGTERM)
        daemon.wait("draining")
        for _ in range(6):
            self.manager.await_ping()
        client.close()

    def test_a_time_for_another_process_is_not_ours(self):
        daemon = self.start(listener("echo"), environment={
            **self.manager.environment, "WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"})
        daemon.signal(signal.SIGTERM)
        self.assertEqual(daemon.wait_exit(), 0)
        told = self.everything()
        self.assertIn("READY=1", told[0])
        self.assertNotIn(PING, told)


class Hanging(WatchdogTest):
    def test_in_open(self):
        daemon = self.start_watched("open")
        client = self.connect(daemon, "bad")
        self.assert_hangs_and_resumes(daemon, r"^worker-\d+$")
        self.assert_echoes(client, b"there?\r\n")

    def test_in_line(self):
        daemon = self.start_watched("line")
        client = self.connect(daemon, "bad")
        client.say("hello")
        self.assert_hangs_and_resumes(daemon, r"^worker-\d+$")
        self.assertEqual(client.hear(), "hello")

    def test_in_close(self):
        daemon = self.start_watched("close")
        self.connect(daemon, "bad").close()
        self.assert_hangs_and_resumes(daemon, r"^worker-\d+$")

    def test_in_configure_at_the_start(self):
        daemon = self.watched("configure")
        self.daemons.append(daemon)
        daemon.spawn()
        daemon.read_log()
        self.assert_hangs_and_resumes(daemon, "^main$")
        daemon.wait("ready")

    def test_in_configure_at_a_reload(self):
        daemon = self.start_watched("nowhere")
        daemon.configure(daemon.config.read_text().replace("nowhere", "configure"))
        daemon.signal(signal.SIGHUP)
        self.assert_hangs_and_resumes(daemon, "^main$")
        daemon.wait("reloaded")

    def test_a_hang_to_the_end_gets_neither_pings_nor_more_time(self):
        daemon = self.watched("line")
        daemon.start()
        self.connect(daemon, "bad").say("hello")
        daemon.wait("thread-hung")
        daemon.signal(signal.SIGTERM)
        self.assertEqual(daemon.wait_exit(), 1)
        stuck = daemon.wait("worker-stuck", listener="bad", protocol="wayward")
        self.assertEqual(stuck.level, "error")
        told = self.everything()
        stopping = [message.startswith("STOPPING=1") for message in told].index(True)
        self.assertEqual(told[stopping + 1:], [])

    def test_a_suspended_daemon_goes_on(self):
        daemon = self.start_watched("nowhere")
        daemon.signal(signal.SIGSTOP)
        eventually(daemon.stopped, "it is suspended")
        daemon.signal(signal.SIGCONT)
        self.manager.rest()
        self.manager.await_ping()
