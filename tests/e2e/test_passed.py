"""Sockets that a service manager passes: the listener that has their name takes them."""

import contextlib
import fcntl
import os
import pathlib
import select
import shutil
import signal
import socket
import tempfile
import threading
import unittest

from banterd import PATIENCE, WRAPPER, eventually, left_out_if, run
from case import DaemonTest, listener, server
from client import Client

ECHO = listener("echo") + listener("knock-knock")

NEEDS_DESCRIPTORS = left_out_if(WRAPPER, "the wrapper needs some of the descriptors itself")


class PassedTest(DaemonTest):
    def setUp(self):
        super().setUp()
        self.holder = tempfile.TemporaryDirectory(prefix="banterd-")
        self.addCleanup(self.holder.cleanup)

    def bound(self, family=socket.AF_INET, kind=socket.SOCK_STREAM, address=("127.0.0.1", 0),
              listens=True, dual=False):
        made = socket.socket(family, kind)
        self.addCleanup(made.close)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not dual)
        made.bind(address)
        if listens:
            made.listen(4096)
        return made

    def name_of(self, passed):
        return "%s:%d" % passed.getsockname()[:2]

    def pass_in(self, config, passed, names=None, **options):
        environment = {} if names is None else {"LISTEN_FDNAMES": names}
        environment.update(options.pop("environment", {}))
        return self.start(config, passed=passed, environment=environment, **options)

    def refuses(self, passed, names=None, config=None, **environment):
        """The start fails: with status 78, and these lines."""
        if names is not None:
            environment["LISTEN_FDNAMES"] = names
        status, log = self.start_fails(config or ECHO, passed=passed, environment=environment)
        self.assertEqual(status, 78)
        return log


class Taken(PassedTest):
    def test_it_is_used_in_place_of_listen(self):
        passed = self.bound()
        daemon = self.pass_in(ECHO, [passed], "echo")
        self.assertEqual(daemon.endpoints("echo"), [self.name_of(passed)])
        self.assert_echoes(self.connect(daemon, "echo"))
        self.assertEqual(self.connect(daemon, "knock-knock").hear(), "Knock! Knock!")

    def test_several_of_one_name_and_of_each_kind(self):
        path = os.path.join(self.holder.name, "echo.sock")
        kinds = [self.bound(), self.bound(socket.AF_INET6, address=("::1", 0)),
                 self.bound(socket.AF_INET6, address=("::", 0), dual=True),
                 self.bound(socket.AF_UNIX, address=path)]
        daemon = self.pass_in(server(workers=4) + listener("echo"), kinds, "echo:echo:echo:echo")
        self.assertEqual(daemon.endpoints("echo"), [
            self.name_of(kinds[0]), f"[::1]:{kinds[1].getsockname()[1]}",
            f"*:{kinds[2].getsockname()[1]}", f"unix:{path}"])
        for endpoint in daemon.endpoints("echo"):
            client = self.connect_to(endpoint)
            self.assert_echoes(client)
            client.close()
        daemon.stop()
        self.assertTrue(os.path.exists(path))

    def test_it_is_made_non_blocking(self):
        passed = self.bound()
        passed.setblocking(True)
        self.pass_in(ECHO, [passed], "echo")
        self.assertTrue(fcntl.fcntl(passed, fcntl.F_GETFL) & os.O_NONBLOCK)

    @NEEDS_DESCRIPTORS
    def test_none_is_handed_on(self):
        daemon = self.pass_in(ECHO, [self.bound(), self.bound()], "echo:echo",
                              environment={"NOTIFY_SOCKET": "@nobody"})
        client = self.connect(daemon, "echo")
        self.assert_echoes(client)
        self.assertEqual(daemon.inherited_fds(), [])

    @NEEDS_DESCRIPTORS
    def test_they_count_among_the_open_files(self):
        passed = [self.bound() for _ in range(8)]
        daemon = self.pass_in(server(workers=16, max_clients=200) + listener("echo"), passed,
                              ":".join(8 * ["echo"]), open_files=(256, 4096))
        clients = [self.connect(daemon, "echo") for _ in range(200)]
        for client in clients:
            self.assert_echoes(client)
        self.assertEqual(daemon.find("accept-paused"), [])

    def test_one_for_another_process_is_left_alone(self):
        daemon = self.start(ECHO, environment={
            "LISTEN_PID": "1", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "nobody"})
        self.assert_echoes(self.connect(daemon, "echo"))

    @unittest.skipUnless(shutil.which("systemd-socket-activate"), "there is no systemd")
    def test_systemd_socket_activate_passes_one(self):
        path = os.path.join(self.holder.name, "echo.sock")
        daemon = self.prepare(ECHO, launcher=["systemd-socket-activate", "-l", path, "--fdname=echo"])
        daemon.spawn()
        daemon.read_log()
        def connected():
            with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
                return self.connect_to(f"unix:{path}")
        client = eventually(connected, "somebody listens")
        self.assert_echoes(client)
        client.close()
        self.assertEqual(daemon.wait("listening", listener="echo")["address"], f"unix:{path}")
        daemon.stop()


class Refused(PassedTest):
    CANNOT = "service manager: the passed socket 'echo' cannot be used: "

    def test_a_name_that_no_listener_has(self):
        known, odd, other = self.bound(), self.bound(), self.bound()
        lines = self.refuses([odd, known, other], "odd:echo:other").splitlines()
        self.assertEqual([line.partition(": ")[2] for line in lines], [
            f"no listener has the name '{name}' of the passed socket {self.name_of(passed)}; "
            "do not pass it, or name it by FileDescriptorName= or --fdname=: echo, knock-knock"
            for name, passed in (("odd", odd), ("other", other))])

    def test_one_without_a_name(self):
        self.assertIn("no listener has the name 'unknown'", self.refuses([self.bound()]))

    def test_what_is_no_listening_stream_socket(self):
        ours, theirs = os.pipe()
        self.addCleanup(os.close, ours)
        self.addCleanup(os.close, theirs)
        one, other = socket.socketpair()
        self.addCleanup(one.close)
        self.addCleanup(other.close)
        datagram = self.bound(kind=socket.SOCK_DGRAM, listens=False)
        for passed, why in ((ours, "it is not a socket"),
                            (datagram, "it is not a stream socket; write ListenStream="),
                            (one, "it does not listen; write Accept=no"),
                            (self.bound(listens=False), "it does not listen; write Accept=no")):
            with self.subTest(why):
                self.assertEqual(self.refuses([passed], "echo"), self.CANNOT + why)

    @NEEDS_DESCRIPTORS
    def test_without_descriptors_it_may_be_tried_again(self):
        passed = [self.bound() for _ in range(8)]
        status, log = self.start_fails(
            server(workers=4) + listener("echo"), passed=passed, open_files=(24, 24),
            environment={"LISTEN_FDNAMES": ":".join(8 * ["echo"])})
        self.assertEqual(status, 71)
        self.assertIn(self.CANNOT + "Too many open files", log.splitlines())

    @NEEDS_DESCRIPTORS
    def test_variables_that_make_no_sense(self):
        passed = [self.bound()]
        for environment, why in (
                ({"LISTEN_FDS": "many"}, "LISTEN_FDS=many is not a number"),
                ({"LISTEN_FDS": "2"}, "LISTEN_FDS=2, but descriptor 4 is not open"),
                ({"LISTEN_FDNAMES": "echo:echo"}, "LISTEN_FDNAMES has 2 names for 1 sockets")):
            with self.subTest(why):
                self.assertEqual(self.refuses(passed, **environment), f"service manager: {why}")
        status, log = self.start_fails(ECHO, environment={"LISTEN_PID": "me", "LISTEN_FDS": "1"})
        self.assertEqual((status, log), (78, "service manager: LISTEN_PID=me is not a number"))


class Kept(PassedTest):
    def test_a_reload_keeps_it_and_takes_new_limits(self):
        passed = self.bound()
        daemon = self.pass_in(ECHO, [passed], "echo")
        held = self.connect(daemon, "echo")
        self.assertEqual(daemon.reload(server() + ECHO.replace(
            "protocol = echo", "protocol = echo\nmax-clients = 2")).name, "reloaded")
        self.assert_echoes(held)
        self.assert_echoes(self.connect(daemon, "echo"))
        refused = self.connect(daemon, "echo")
        self.assert_closed(daemon, refused, "server-full")
        self.assertEqual(daemon.endpoints("echo"), [self.name_of(passed)])

    def test_a_reload_cannot_take_its_listener_away(self):
        daemon = self.pass_in(ECHO, [self.bound()], "echo")
        for config in (listener("knock-knock"), listener("renamed", "echo")):
            self.assertEqual(daemon.reload(server() + config).name, "reload-failed")
            self.assertIn("no listener has the name 'echo'", daemon.log())
            self.assert_echoes(self.connect(daemon, "echo"))

    def test_who_waits_when_it_stops_is_answered_by_the_next(self):
        passed = self.bound()
        daemon = self.pass_in(server(drain_timeout="1h") + ECHO, [passed], "echo")
        held = self.connect(daemon, "echo")
        self.assert_echoes(held)
        daemon.signal(signal.SIGTERM)
        daemon.wait("draining")
        # Two listeners of two workers less, and one client more.
        eventually(lambda: daemon.open_fds() <= daemon.fds_when_ready - 4 + 1,
                   "its sockets are closed")
        waiting = [self.connect_to(self.name_of(passed)) for _ in range(50)]
        for client in waiting:
            client.send(b"waiting")
        self.assert_echoes(held)
        held.close()
        self.assertEqual(daemon.wait_exit(), 0)
        self.pass_in(ECHO, [passed], "echo")
        for client in waiting:
            self.assertEqual(client.receive(7), b"waiting")

    @NEEDS_DESCRIPTORS
    def test_who_is_in_the_queue_when_it_stops_stays_there_for_the_next(self):
        passed = self.bound()
        # It has not as many descriptors as clients: some have to stay in the queue.
        daemon = self.pass_in(server(workers=1, drain_timeout="1h") + ECHO, [passed], "echo",
                              open_files=(256, 256))
        daemon.signal(signal.SIGSTOP)
        eventually(daemon.stopped, "the daemon is suspended")
        # And more than it accepts in one wake-up, before it hears of the end.
        waiting = [self.connect_to(self.name_of(passed)) for _ in range(500)]
        for client in waiting:
            client.send(b"waiting")
        daemon.signal(signal.SIGTERM)
        daemon.signal(signal.SIGCONT)
        daemon.wait("draining")
        eventually(lambda: not daemon.has_open(passed), "its sockets are closed")
        # From now on nobody gets in, and with the last one who is it ends.
        eventually(lambda: self.part(waiting) or daemon.process.poll() is not None, "it ends")
        self.assertEqual(daemon.wait_exit(), 0)
        self.assertGreater(len(waiting), 0)
        following = self.pass_in(ECHO, [passed], "echo")
        left = len(waiting)
        eventually(lambda: self.part(waiting) or not waiting, "the others are answered")
        self.assertEqual(following.events[0].name, "listening")
        following.wait_all(left, "client-closed")

    def part(self, waiting):
        """Who has been answered leaves."""
        answered = select.select([client.socket for client in waiting], [], [], 0)[0]
        for client in [client for client in waiting if client.socket in answered]:
            self.assertEqual(client.receive(7), b"waiting")
            client.close()
            waiting.remove(client)

    def test_no_connect_is_refused_over_restarts_and_kills(self):
        passed = self.bound()
        endpoint, enough, refused, answered = self.name_of(passed), threading.Event(), [], []
        def call():
            while not enough.is_set():
                try:
                    client = Client(endpoint)
                except OSError as error:
                    refused.append(repr(error))
                    continue
                try:
                    client.send(b"hello")
                    answered.append(client.receive(5))
                except (OSError, AssertionError):
                    pass    # was being served by the one that was killed
                client.close()
        callers = [threading.Thread(target=call) for _ in range(3)]
        for caller in callers:
            caller.start()
        try:
            for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
                daemon = self.prepare(ECHO, passed=[passed], environment={"LISTEN_FDNAMES": "echo"})
                daemon.start()
                seen = len(answered)
                eventually(lambda: len(answered) > seen + 20, "callers are answered")
                daemon.signal(number)
                daemon.wait_exit()
        finally:
            self.pass_in(ECHO, [passed], "echo")    # so that the callers can leave
            enough.set()
            for caller in callers:
                caller.join(PATIENCE)
        self.assertEqual(refused, [])
        self.assertEqual(set(answered), {b"hello"})


class Credentials(PassedTest):
    """Files below $CREDENTIALS_DIRECTORY, which a service manager makes."""

    JOKES = listener("knock-knock", jokes="%d/jokes")

    def test_a_path_may_begin_there(self):
        pathlib.Path(self.holder.name, "jokes").write_text("Moo: A cow of its own.\n")
        daemon = self.start(self.JOKES, environment={"CREDENTIALS_DIRECTORY": self.holder.name})
        client = self.connect(daemon, "knock-knock")
        client.say("Who's there?")
        self.assertEqual([client.hear(), client.hear()], ["Knock! Knock!", "Moo"])
        checked = run("--check", "-c", daemon.config,
                      environment={"CREDENTIALS_DIRECTORY": self.holder.name})
        self.assertEqual((checked.returncode, checked.stderr), (0, ""))

    def test_without_the_directory_it_is_an_error(self):
        status, log = self.start_fails(self.JOKES, environment={"CREDENTIALS_DIRECTORY": ""})
        self.assertEqual(status, 78)
        self.assertRegex(log, r"banterd\.ini:\d+: jokes = %d/jokes: CREDENTIALS_DIRECTORY is not "
                              r"set; it is in a service that was started with LoadCredential=$")
