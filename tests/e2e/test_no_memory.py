"""Memory runs out: the client that it was for is closed, and the others are served."""

import pathlib
import resource
import signal
import tempfile

import modules
from banterd import left_out_if, sanitized
from case import DaemonTest, listener, server
from manager import ManagedTest

LIMIT = 256 << 20

NEEDS_MALLOC = left_out_if(sanitized(), "a sanitizer has malloc(3) to itself")


def limit_memory():
    resource.setrlimit(resource.RLIMIT_DATA, (LIMIT, LIMIT))


@NEEDS_MALLOC
class NoMemory(DaemonTest):
    def test_output_without_end_ends_its_client_only(self):
        directory = tempfile.TemporaryDirectory(prefix="banterd-")
        self.addCleanup(directory.cleanup)
        module = modules.compile_module("deluge", directory.name)
        daemon = self.start(server(workers=1) + listener("deluge", module) + listener("echo"),
                            before_exec=limit_memory)
        other = self.connect(daemon, "echo")
        self.assert_echoes(other)
        for _ in range(3):
            client = self.connect(daemon, "deluge")
            client.say("go")
            self.assert_closed(daemon, client, "error")
            self.assert_echoes(other)
        self.assert_echoes(self.connect(daemon, "echo"))


class ShortageTest(DaemonTest):
    """As long as `file` is there, the workers get none of what SWITCH stands for in shortage.c."""

    SWITCH = ""

    def setUp(self):
        super().setUp()
        directory = tempfile.TemporaryDirectory(prefix="banterd-")
        self.addCleanup(directory.cleanup)
        self.file = pathlib.Path(directory.name) / "short"
        preloaded = modules.compile_module("shortage", directory.name)
        self.environment = {"LD_PRELOAD": str(preloaded), self.SWITCH: str(self.file)}


@NEEDS_MALLOC
class Shortage(ShortageTest):
    """The workers get no memory for a while; the main thread does."""

    SWITCH = "SHORTAGE"

    def start_echo(self, **settings):
        self.daemon = self.start(listener("echo", **settings), environment=self.environment)

    def start_reload(self):
        """No worker can adopt the next generation."""
        self.file.touch()
        self.daemon.configure(server() + listener("other", "echo"))
        self.daemon.signal(signal.SIGHUP)
        for worker in 0, 1:
            event = self.daemon.wait("reload-delayed", worker=worker)
            self.assertEqual((event.level, event["error"]), ("error", "Cannot allocate memory"))

    def assert_reloaded(self, generation):
        self.daemon.wait("reloaded", generation=generation)
        self.assert_echoes(self.connect(self.daemon, "other"))
        self.assertEqual(len(self.daemon.find("reload-delayed")), 2)

    def test_a_reload_is_done_when_there_is_memory_again(self):
        self.start_echo()
        self.start_reload()
        self.assertEqual(self.daemon.find("reloaded"), [])
        self.file.unlink()
        self.assert_reloaded(2)

    def test_a_reload_that_waits_costs_no_processor_time(self):
        self.start_echo(idle_timeout="3s")
        client = self.connect(self.daemon, "echo")
        self.assert_echoes(client)
        self.start_reload()
        self.assertLess(self.daemon.busy_share(client), 0.3)
        self.assert_ended(client)

    def test_a_second_one_waits_for_the_first(self):
        self.start_echo()
        self.start_reload()
        self.daemon.signal(signal.SIGHUP)
        self.file.unlink()
        self.assert_reloaded(3)

    def test_a_stop_does_not_wait_for_a_reload(self):
        self.start_echo()
        self.start_reload()
        self.daemon.signal(signal.SIGTERM)
        self.assertEqual(self.daemon.wait_exit(), 0)
        self.assertEqual([event.name for event in self.daemon.events[-2:]],
                         ["draining", "stopped"])

    def test_a_start_waits_too(self):
        self.file.touch()
        self.daemon = self.prepare(listener("echo"), environment=self.environment)
        self.daemon.spawn()
        self.daemon.read_log()
        self.daemon.wait_all(2, "reload-delayed")
        self.assertEqual(self.daemon.find("ready"), [])
        self.file.unlink()
        self.daemon.wait("ready")
        self.assert_echoes(self.connect(self.daemon, "echo"))
        self.daemon.stop()


@NEEDS_MALLOC
class NoSending(ShortageTest):
    """The kernel has no memory for what is to be sent."""

    SWITCH = "NO_SENDING"

    def test_a_client_that_it_fails_is_not_said_to_have_broken_the_connection(self):
        daemon = self.start(listener("echo") + listener("chargen"), environment=self.environment)
        answered, waiting = self.connect(daemon, "echo"), self.connect(daemon, "chargen")
        waiting.receive_line()
        self.file.touch()
        answered.send(b"hello")     # whose answer is sent at once
        self.assert_closed(daemon, answered, "error")
        with self.assertRaises(ConnectionResetError):
            waiting.receive_all()   # and for whom more waits all the time
        self.assert_closed(daemon, waiting, "error")
        self.file.unlink()
        self.assert_echoes(self.connect(daemon, "echo"))


@NEEDS_MALLOC
class LoopFailure(ManagedTest):
    def test_a_worker_that_cannot_wait_for_events_ends_the_server(self):
        preloaded = modules.compile_module("shortage", self.directory)
        no_epoll = self.directory / "no-epoll"
        daemon = self.prepare_told(listener("echo"), environment={
            "LD_PRELOAD": str(preloaded), "NO_EPOLL": str(no_epoll)})
        daemon.start()
        no_epoll.touch()
        self.connect(daemon, "echo").send(b"hello")
        self.assertEqual(daemon.wait_exit(), 71)
        # Behind it may stand what the other worker had to say meanwhile.
        given_up = daemon.find("libevent", message="the event loop cannot go on")
        self.assertEqual({event.level for event in given_up}, {"error"})
        self.assertEqual(self.manager.rest()[-1],
                         "STATUS=the event loop cannot go on; the log says why\n")


@NEEDS_MALLOC
class NoAccept(ShortageTest):
    """The system has no memory for new connections."""

    SWITCH = "NO_ACCEPT"

    def test_a_listener_that_goes_waits_for_it_and_then_says_whom_it_cuts_off(self):
        stays = listener("stays", "echo")
        daemon = self.start(listener("goes", "echo") + listener("goes-too", "echo") + stays,
                            environment=self.environment)
        inside = self.connect(daemon, "stays")
        self.assert_echoes(inside)
        self.file.touch()
        waiting = [self.connect(daemon, "goes") for _ in range(20)]
        daemon.wait("accept-paused")
        self.assertEqual(daemon.reload(server() + stays).name, "reloaded")
        given_up = daemon.find("accept-given-up")
        self.assertEqual({event["listener"] for event in given_up}, {"goes"})
        self.assertEqual({event["error"] for event in given_up}, {"Cannot allocate memory"})
        for client in waiting:
            self.assertRaises(ConnectionResetError, client.receive_all)
        self.assert_echoes(inside)
        self.file.unlink()
        self.assert_echoes(self.connect(daemon, "stays"))
