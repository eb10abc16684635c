"""Where the daemon listens: IPv4, IPv6, both, unix sockets; and why it cannot."""

import contextlib
import ctypes
import fcntl
import multiprocessing
import os
import pathlib
import re
import signal
import socket
import stat
import subprocess
import tempfile
import threading

import banterd
from banterd import eventually
from case import DaemonTest, listener, server
from client import free_port, port_of


class Addresses(DaemonTest):
    def test_ipv4(self):
        daemon = self.start(listener("echo", listen="127.0.0.1:0"))
        self.assertRegex(daemon.endpoint("echo"), r"\A127\.0\.0\.1:[1-9]\d*\Z")
        self.assert_echoes(self.connect(daemon, "echo"))

    def test_ipv6(self):
        daemon = self.start(listener("echo", listen="[::1]:0"))
        self.assertRegex(daemon.endpoint("echo"), r"\A\[::1\]:[1-9]\d*\Z")
        client = self.connect(daemon, "echo")
        self.assert_echoes(client)
        client.close()
        event = self.assert_closed(daemon, client, "client-eof")
        self.assertEqual(event["local"], daemon.endpoint("echo"))

    def test_a_star_is_both(self):
        daemon = self.start(listener("echo", listen="*:0"))
        port = port_of(daemon.endpoint("echo"))
        for endpoint in (f"127.0.0.1:{port}", f"[::1]:{port}"):
            client = self.connect_to(endpoint)
            self.assert_echoes(client)
            client.close()
            event = self.assert_closed(daemon, client, "client-eof")
            self.assertEqual(event["local"], endpoint)

    def test_ipv6_alone_leaves_ipv4_alone(self):
        port = free_port()
        daemon = self.start(listener("echo", listen=f"[::]:{port}"))
        self.assert_echoes(self.connect_to(f"[::1]:{port}"))
        with self.assertRaises(ConnectionRefusedError):
            self.connect_to(f"127.0.0.1:{port}")

    def test_both_families_may_be_given_one_by_one_on_one_port(self):
        port = free_port()
        daemon = self.start(listener("echo", listen=f"0.0.0.0:{port}, [::]:{port}"))
        self.assert_echoes(self.connect_to(f"127.0.0.1:{port}"))
        self.assert_echoes(self.connect_to(f"[::1]:{port}"))

    def test_a_listener_may_have_many_endpoints(self):
        daemon = self.start(
            listener("echo", listen="127.0.0.1:0, [::1]:0, unix:DIR/echo.sock, 127.0.0.2:0"))
        endpoints = daemon.endpoints("echo")
        self.assertEqual(len(endpoints), 4)
        for endpoint in endpoints:
            self.assert_echoes(self.connect_to(endpoint))
        self.assertEqual(daemon.wait("ready")["listeners"], "1")

    def test_every_worker_accepts(self):
        daemon = self.start(server(workers=4) + listener("echo"))
        listening = sockets("-ltnH", f"src {daemon.endpoint('echo')}")
        self.assertEqual(len(listening.splitlines()), 4, listening)
        for _ in range(200):
            self.assert_echoes(self.connect(daemon, "echo"))


class UnixSockets(DaemonTest):
    ECHO = listener("echo", listen="unix:DIR/echo.sock")

    def path(self, daemon):
        return daemon.directory / "echo.sock"

    def leave_stale_socket(self, path):
        with socket.socket(socket.AF_UNIX) as old:
            old.bind(str(path))
            old.listen()

    def test_a_lock_on_its_directory_keeps_nobody_from_serving(self):
        daemon = self.prepare(self.ECHO)
        directory = os.open(daemon.directory, os.O_RDONLY)
        self.addCleanup(os.close, directory)
        fcntl.flock(directory, fcntl.LOCK_EX)
        self.daemons.append(daemon)
        daemon.start()
        self.assert_echoes(self.connect(daemon, "echo"))

    def test_a_unix_socket_serves_and_is_removed_at_exit(self):
        daemon = self.start(self.ECHO)
        self.assertEqual(daemon.endpoint("echo"), f"unix:{self.path(daemon)}")
        self.assert_echoes(self.connect(daemon, "echo"))
        for client in self.clients:
            client.close()
        daemon.stop()
        self.assertFalse(self.path(daemon).exists())

    def test_a_stale_socket_is_replaced(self):
        daemon = self.prepare(self.ECHO)
        self.leave_stale_socket(self.path(daemon))
        self.daemons.append(daemon)
        daemon.start()
        self.assert_echoes(self.connect(daemon, "echo"))

    def test_a_socket_left_by_a_killed_daemon_is_replaced(self):
        killed = self.prepare(self.ECHO).start()
        killed.signal(signal.SIGKILL)
        killed.wait_exit()
        path = self.path(killed)
        self.assertTrue(stat.S_ISSOCK(path.stat().st_mode))
        daemon = self.start(listener("echo", listen=f"unix:{path}"))
        self.assert_echoes(self.connect(daemon, "echo"))

    def test_a_living_socket_is_an_error_and_stays(self):
        first = self.start(self.ECHO)
        path = self.path(first)
        before = path.stat()
        status, log = self.start_fails(listener("echo", listen=f"unix:{path}"))
        self.assertEqual(status, 71)
        self.assertRegex(log, rf"unix:{re.escape(str(path))}: .*living")
        self.assertEqual(path.stat().st_ino, before.st_ino)
        self.assert_echoes(self.connect(first, "echo"))

    def test_a_living_socket_is_known_by_any_spelling_of_its_path(self):
        first = self.start(self.ECHO)
        status, log = self.start_fails(
            listener("echo", listen=f"unix:{first.directory}/./echo.sock"))
        self.assertEqual(status, 71)
        self.assertRegex(log, r"echo\.sock: .*living")
        self.assert_echoes(self.connect(first, "echo"))

    def test_two_listeners_cannot_share_a_path_by_two_spellings(self):
        status, log = self.start_fails(
            self.ECHO + listener("daytime", listen="unix:DIR/./echo.sock"))
        self.assertEqual(status, 71)
        self.assertRegex(log, r"echo\.sock: .*living")

    def test_of_two_that_start_at_once_one_has_the_path(self):
        holder = tempfile.TemporaryDirectory(prefix="banterd-")
        self.addCleanup(holder.cleanup)
        path = pathlib.Path(holder.name) / "echo.sock"
        # The other endpoints take time between the first look at the path and the end of the start.
        config = server(workers=8) + listener(
            "echo", listen=", ".join([f"unix:{path}"] + ["127.0.0.1:0"] * 60))
        for turn in range(10):
            if turn % 2:
                self.leave_stale_socket(path)
            self.start_two(config, path)

    def start_two(self, config, path):
        gate = multiprocessing.Barrier(2)
        both = [self.prepare(config, before_exec=gate.wait) for _ in range(2)]
        spawning = [threading.Thread(target=daemon.spawn) for daemon in both]
        for thread in spawning:
            thread.start()
        for thread in spawning:
            thread.join(banterd.PATIENCE)
        for daemon in both:
            daemon.read_log()
        eventually(lambda: all(d.find("ready") or d.process.poll() is not None for d in both),
                   "both are ready or have given up")
        self.assertEqual(sorted(len(d.find("ready")) for d in both), [0, 1])
        loser, winner = sorted(both, key=lambda d: len(d.find("ready")))
        self.assertEqual(loser.wait_exit(), 71)
        self.assertRegex(loser.log(), rf"unix:{re.escape(str(path))}: .*living")
        client = self.connect_to(f"unix:{path}")
        self.assert_echoes(client)
        client.close()
        winner.stop()
        self.assertFalse(path.exists())

    def test_an_old_daemon_leaves_the_socket_of_a_new_one(self):
        old = self.start(server(drain_timeout="1h") + self.ECHO + listener("holds", "echo"))
        path = self.path(old)
        # A client over TCP: one of the unix socket would keep its inode from being used again.
        client = self.connect(old, "holds")
        self.assert_echoes(client)
        old.signal(signal.SIGTERM)
        old.wait("draining")
        eventually(lambda: not self.answers(path), "the old one accepts nobody")

        new = self.start(listener("echo", listen=f"unix:{path}"))
        self.assert_echoes(client)
        client.close()
        self.assertEqual(old.wait_exit(), 0)
        guest = self.connect_to(f"unix:{path}")
        self.assert_echoes(guest)
        guest.close()
        new.stop()
        self.assertFalse(path.exists())

    def answers(self, path):
        try:
            self.connect_to(f"unix:{path}").close()
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        return True

    def test_another_file_in_the_way_is_an_error_and_stays(self):
        status, log = self.start_fails(self.ECHO, files={"echo.sock": "precious"})
        self.assertEqual(status, 71)
        self.assertRegex(log, r"unix:\S*/echo\.sock")

    def test_the_other_file_is_not_removed(self):
        daemon = self.prepare(self.ECHO, files={"echo.sock": "precious"})
        daemon.spawn()
        daemon.read_log()
        daemon.wait_exit()
        self.assertEqual(self.path(daemon).read_text(encoding="ascii"), "precious")

    def test_a_missing_directory_is_an_error(self):
        status, log = self.start_fails(listener("echo", listen="unix:DIR/none/echo.sock"))
        self.assertEqual(status, 71)
        self.assertRegex(log, r"unix:\S*/none/echo\.sock.*No such file")

    def test_a_socket_that_is_no_longer_ours_is_not_removed(self):
        daemon = self.start(self.ECHO)
        self.path(daemon).unlink()
        self.leave_stale_socket(self.path(daemon))
        daemon.stop()
        self.assertTrue(self.path(daemon).exists())

    def test_a_unix_client_has_limits_and_a_log_line_too(self):
        daemon = self.start(listener("echo", listen="unix:DIR/echo.sock", idle_timeout="300ms"))
        self.assert_ended(self.connect(daemon, "echo"))
        event = daemon.wait("client-closed", reason="idle-timeout")
        self.assertEqual(event["local"], daemon.endpoint("echo"))


class Failures(DaemonTest):
    def busy_port(self):
        """A port that is listened on by somebody else."""
        other = socket.socket()
        self.addCleanup(other.close)
        other.bind(("127.0.0.1", 0))
        other.listen()
        return other.getsockname()[1]

    def test_a_port_in_use_is_named_with_the_reason(self):
        port = self.busy_port()
        status, log = self.start_fails(listener("echo", listen=f"127.0.0.1:{port}"))
        self.assertEqual(status, 71)
        self.assertRegex(log, rf"127\.0\.0\.1:{port}.*Address already in use")

    def test_a_port_of_another_banterd_is_in_use(self):
        first = self.start(listener("echo"))
        endpoint = first.endpoint("echo")
        status, log = self.start_fails(listener("echo", listen=endpoint))
        self.assertEqual(status, 71)
        self.assertRegex(log, rf"{re.escape(endpoint)}.*Address already in use")

    def test_an_address_of_another_machine_is_named_with_the_reason(self):
        status, log = self.start_fails(listener("echo", listen="192.0.2.1:0"))
        self.assertEqual(status, 71)
        self.assertRegex(log, r"192\.0\.2\.1:0.*Cannot assign requested address")

    def test_no_listener_is_half_up(self):
        port = self.busy_port()
        with tempfile.TemporaryDirectory(prefix="banterd-") as directory:
            path = pathlib.Path(directory) / "first.sock"
            status, log = self.start_fails(
                listener("first", "echo", listen=f"unix:{path}, 127.0.0.1:{port}"))
            self.assertEqual(status, 71)
            self.assertNotIn(" listening ", log)
            self.assertFalse(path.exists())

    def test_every_endpoint_that_fails_is_named(self):
        ports = [self.busy_port(), self.busy_port()]
        status, log = self.start_fails(
            listener("one", "echo", listen=f"127.0.0.1:{ports[0]}")
            + listener("two", "echo", listen=f"127.0.0.1:{ports[1]}"))
        self.assertEqual(status, 71)
        for port in ports:
            self.assertIn(f"127.0.0.1:{port}", log)


class SocketOptions(DaemonTest):
    def test_keepalive_is_on(self):
        daemon = self.start(listener("echo"))
        client = self.connect(daemon, "echo")
        self.assert_echoes(client)
        port = port_of(daemon.endpoint("echo"))
        self.assertIn("timer:(keepalive",
                      sockets("-tnoH", "state", "established", f"sport = :{port}"))

    def test_pieces_are_not_held_back(self):
        """With Nagle's algorithm on, a second answer waits for the acknowledgement of the first,
        and the client's kernel delays that by 40 ms or more."""
        daemon = self.start(listener("echo"))
        client = self.connect(daemon, "echo")
        self.assert_echoes(client)
        try:
            self.assertEqual(nodelay_of_accepted(daemon, client), 1)
        except PermissionError:
            self.skipTest("this machine keeps processes from looking at each other's sockets")


def sockets(*arguments):
    """What ss(8) tells of the sockets of this machine."""
    return subprocess.run(["ss", *arguments], stdout=subprocess.PIPE, text=True,
                          timeout=banterd.PATIENCE, check=True).stdout


def nodelay_of_accepted(daemon, client):
    """TCP_NODELAY of the daemon's end of that connection."""
    libc = ctypes.CDLL(None, use_errno=True)
    process = os.pidfd_open(daemon.pid)
    try:
        for number in os.listdir(f"/proc/{daemon.pid}/fd"):
            fd = libc.syscall(438, process, int(number), 0)     # pidfd_getfd
            if fd < 0:
                raise OSError(ctypes.get_errno(), "pidfd_getfd")
            try:
                theirs = socket.socket(fileno=fd)
            except OSError:
                os.close(fd)
                continue
            with theirs, contextlib.suppress(OSError):
                if theirs.getpeername() == client.socket.getsockname():
                    return theirs.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    finally:
        os.close(process)
    raise AssertionError("no such connection")
