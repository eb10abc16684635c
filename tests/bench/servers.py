"""The servers that are measured: banterd, the floor, and its peers, all on one core."""

import contextlib
import os
import pathlib
import pwd
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import banterd
from banterd import ROOT

BUILT = ROOT / "build/bench"

# The first core serves, the second one puts it under load.
CORES = sorted(os.sched_getaffinity(0))
ON_SERVER_CORE = ("taskset", "-c", str(CORES[0]))
ON_LOAD_CORE = ("taskset", "-c", str(CORES[-1]))

IDLE_CLIENTS = 15000
FILES = IDLE_CLIENTS + 1000

USER = pwd.getpwuid(os.getuid()).pw_name

# Everything on, as it is without being asked for; but for room, and with the log at notice.
CONFIG = """
[server]
workers = {workers}
max-clients = 19000
log-level = notice
drain-timeout = 100ms

[listener echo]
protocol = echo
listen = 127.0.0.1:0

[listener lines]
protocol = {lines}
listen = 127.0.0.1:0

[listener jokes]
protocol = knock-knock
jokes = {jokes}
telnet = yes
listen = 127.0.0.1:0
"""


def make_room():
    """For the idle clients, at both ends of their connections."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < FILES:
        sys.exit(f"bench: the hard limit of open files is {hard}, and {FILES} are needed: raise it "
                 "with `ulimit -Hn`")
    banterd.raise_file_limit(FILES)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Banterd:
    """banterd with all its limits; what is measured is its byte echo, or its framed lines."""

    def __init__(self, workers=1):
        self.daemon = banterd.Daemon(
            CONFIG.format(workers=workers, lines=BUILT / "line_echo.so",
                          jokes=ROOT / "conf/jokes.txt"),
            launcher=ON_SERVER_CORE)
        self.daemon.start()
        self.pid = self.daemon.process.pid

    def port(self, listener="echo"):
        return int(self.daemon.endpoint(listener).rpartition(":")[2])

    def stop(self):
        self.daemon.stop()
        self.daemon.discard()


class Peer:
    """Any other server: a command, in which PORT stands for its port, and which runs until TERM."""

    def __init__(self, *command, files=None):
        self.directory = tempfile.TemporaryDirectory(prefix="bench-")
        self.number = free_port()
        for name, text in (files or {}).items():
            path = pathlib.Path(self.directory.name) / name
            path.write_text(text.replace("PORT", str(self.number)), encoding="utf-8")
        # A session of its own: the children of those that fork are ended with it.
        self.process = subprocess.Popen(
            [*ON_SERVER_CORE, *(part.replace("PORT", str(self.number)) for part in command)],
            cwd=self.directory.name, stdin=subprocess.DEVNULL, start_new_session=True)
        self.pid = self.process.pid
        self.await_listening(command[0])

    def await_listening(self, name):
        patience = time.monotonic() + 20
        while time.monotonic() < patience and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.number)).close()
                if self.process.poll() is None:     # or it is another's port
                    return
            except ConnectionRefusedError:
                time.sleep(0.02)
        self.stop()
        sys.exit(f"bench: {name} does not serve")

    def port(self):
        return self.number

    def signal(self, number):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def stop(self):
        self.signal(signal.SIGTERM)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            pass
        self.signal(signal.SIGKILL)
        self.process.wait()
        self.directory.cleanup()


XINETD = """
service echo
{
    type = INTERNAL UNLISTED
    id = echo-stream
    socket_type = stream
    protocol = tcp
    user = USER
    wait = no
    port = PORT
    bind = 127.0.0.1
    instances = UNLIMITED
    per_source = UNLIMITED
    cps = 0 0
    flags = NODELAY NOLIBWRAP
    log_on_success =
    log_on_failure =
}
"""


def java():
    return Peer("java", "-Xss256k", "-Djava.net.preferIPv4Stack=true", "-cp", str(BUILT), "Echo",
                "PORT")


# Each name that a table may have, what it is called there, and how it is started.
SERVERS = {
    "floor": ("floor", lambda: Peer(str(BUILT / "floor"), "PORT")),
    "floor-2-threads": ("floor + idle thread", lambda: Peer(str(BUILT / "floor"), "PORT", "2")),
    "banterd": ("banterd, bytes", Banterd),
    "banterd-lines": ("banterd, lines", None),  # the same process as banterd
    "banterd-2": ("banterd, 2 workers", lambda: Banterd(workers=2)),
    "libuv": ("libuv, bytes", lambda: Peer(str(BUILT / "libuv"), "PORT")),
    "libuv-lines": ("libuv, lines", lambda: Peer(str(BUILT / "libuv"), "PORT", "lines")),
    "bufferevent": ("bufferevent", lambda: Peer(str(BUILT / "bufferevent"), "PORT")),
    "go": ("Go", lambda: Peer(str(BUILT / "echo-go"), "PORT")),
    "java": ("Java", java),
    "xinetd": ("xinetd", lambda: Peer(shutil.which("xinetd", path="/usr/sbin:" + os.environ["PATH"])
                                      or "xinetd", "-dontfork", "-f", "echo.conf",
                                      files={"echo.conf": XINETD.replace("USER", USER)})),
    "socat": ("socat fork", lambda: Peer(
        "socat", "TCP4-LISTEN:PORT,bind=127.0.0.1,reuseaddr,nodelay,backlog=4096,fork", "PIPE")),
    # It does not wait for cat, whose time is therefore not counted.
    "ncat": ("ncat -k -e", lambda: Peer(
        "ncat", "-4", "-k", "-l", "127.0.0.1", "PORT", "--max-conns", "10000", "-e", "/bin/cat")),
}


class Running:
    """The servers that were needed so far; each is started once, and stays."""

    def __init__(self):
        self.started = {}
        self.ends = contextlib.ExitStack()

    def get(self, name):
        """Returns the server and the port of what is measured of it."""
        own = "banterd" if name in ("banterd-lines", "banterd-jokes") else name
        if own not in self.started:
            self.started[own] = SERVERS[own][1]()
            self.ends.callback(self.started[own].stop)
        server = self.started[own]
        if name == "banterd-lines":
            return server, server.port("lines")
        if name == "banterd-jokes":
            return server, server.port("jokes")
        return server, server.port()

    def stop(self):
        """All of them, even where one does not end as it should."""
        self.ends.close()
