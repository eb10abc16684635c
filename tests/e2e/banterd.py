"""Runs the real daemon for a test: its configuration, its log as events, its process figures."""

import contextlib
import dataclasses
import fcntl
import os
import pathlib
import re
import resource
import select
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = (ROOT / os.environ.get("BANTERD", "build/banterd")).resolve()
WRAPPER = shlex.split(os.environ.get("BANTERD_WRAPPER", ""))

# How long anything that must happen may take. Only a failing test ever waits this long.
PATIENCE = 20 * float(os.environ.get("TEST_PATIENCE", "1"))

LINE = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) (?P<level>[a-z]+) (?P<name>[a-z][a-z-]*)"
    r"(?P<fields>( [a-z][a-z_-]*=(\"([^\"\\]|\\.)*\"|[^\s\"]*))*)"
)
FIELD = re.compile(r" ([a-z][a-z_-]*)=(?:\"((?:[^\"\\]|\\.)*)\"|([^\s\"]*))")

# What a sanitizer says, and the stack below whatever valgrind says.
SANITIZER = re.compile(r"Sanitizer|runtime error:|^==\d+== +at 0x", re.MULTILINE)

# The tests that are not for this binary or its wrapper, with the reason.
LEFT_OUT = []


@dataclasses.dataclass(frozen=True)
class Event:
    """One line of the log."""

    time: str
    level: str
    name: str
    fields: dict

    @classmethod
    def parse(cls, line):
        match = LINE.fullmatch(line)
        if not match:
            return None
        fields = {key: quoted or plain for key, quoted, plain in FIELD.findall(match["fields"])}
        return cls(match["time"], match["level"], match["name"], fields)

    def __getitem__(self, key):
        return self.fields[key]

    def matches(self, name, wanted):
        return self.name == name and all(self.fields.get(k) == str(v) for k, v in wanted.items())


def sanitized():
    """Whether figures of memory are those of a sanitizer rather than of the daemon."""
    return bool(WRAPPER) or re.search(rb"__(asan|tsan)_init", BINARY.read_bytes()) is not None


def counted():
    """Whether the binary writes down what it has run."""
    return b"__gcov_" in BINARY.read_bytes()


def left_out_if(condition, why):
    """Drops a test, or a class of tests."""
    def decorate(test):
        if not condition:
            return test
        LEFT_OUT.append(f"{test.__module__}.{test.__qualname__}: {why}")
        return None
    return decorate


def wrapper(directory):
    """The command to run banterd under, which may write into the directory that DIR stands for."""
    return [word.replace("DIR", str(directory)) for word in WRAPPER]


def complaints(directory, log):
    """What a sanitizer says in the log, or the wrapper in its files."""
    files = pathlib.Path(directory).glob("wrapper.*")
    said = [log, *(file.read_text(encoding="utf-8") for file in files)]
    return "\n".join(text for text in said if SANITIZER.search(text))


def private_memory(pid):
    """Bytes that are the process's alone."""
    rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    return 1024 * sum(map(int, re.findall(r"^Private_\w+: +(\d+) kB", rollup, re.MULTILINE)))


def raise_file_limit(files):
    """A test may have some thousands of clients."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < files <= hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))


def eventually(condition, what):
    """Waits until condition() is true, and returns what it gave."""
    deadline = time.monotonic() + PATIENCE
    pause = threading.Event()
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"did not happen: {what}")
        pause.wait(0.005)


# Puts descriptors where a service manager passes them, names this process, and becomes banterd.
PASS = """
import os, sys
count = int(sys.argv[1])
for at, fd in enumerate(map(int, sys.argv[2:2 + count])):
    os.dup2(fd, 3 + at)
    os.close(fd)
os.environ["LISTEN_PID"] = os.environ["WATCHDOG_PID"] = str(os.getpid())
os.execvp(sys.argv[2 + count], sys.argv[2 + count:])
"""


def run(*arguments, stdout=subprocess.PIPE, environment=None):
    """Runs banterd to its end; for what answers at once."""
    with tempfile.TemporaryDirectory(prefix="banterd-") as directory:
        result = subprocess.run(
            [*wrapper(directory), str(BINARY), *map(str, arguments)],
            stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE, text=True,
            timeout=PATIENCE, cwd="/", check=False, env={**os.environ, **(environment or {})},
        )
        if bad := complaints(directory, result.stderr):
            raise AssertionError(f"a sanitizer complained\n{bad}")
        return result


class Daemon:
    """A banterd with a directory of its own, which holds its configuration and its files."""

    def __init__(self, config, *, files=None, arguments=(), environment=None, open_files=None,
                 before_exec=None, passed=(), launcher=()):
        self.holder = tempfile.TemporaryDirectory(prefix="banterd-")
        self.directory = pathlib.Path(self.holder.name)
        self.config = self.directory / "banterd.ini"
        for name, content in (files or {}).items():
            (self.directory / name).write_text(content, encoding="utf-8")
        self.configure(config)
        self.arguments = arguments
        self.environment = environment or {}
        self.open_files = open_files
        self.before_exec = before_exec      # called in the new process, before it is banterd
        self.passed = passed                # sockets, or descriptors, to begin with number 3
        self.launcher = launcher            # a command that becomes the one behind it
        self.lines = []
        self.events = []
        self.changed = threading.Condition()
        self.reader = None
        self.process = None
        self.log_pipe = None
        self.fds_when_ready = None

    # Its life.

    def configure(self, config):
        """Writes the configuration; DIR in it stands for the daemon's directory."""
        self.config.write_text(config.replace("DIR", str(self.directory)), encoding="utf-8")

    def spawn(self, journal=False):
        """Starts the process; its log is not read yet."""
        self.log_pipe, log = os.pipe()
        prepared = self.open_files or self.before_exec
        environment = {**os.environ, "JOURNAL_STREAM": "", **self.environment}
        # Freed memory that is kept back would look like a leak in the figures.
        environment["ASAN_OPTIONS"] = (environment.get("ASAN_OPTIONS", "")
                                       + ":quarantine_size_mb=1:thread_local_quarantine_size_kb=16")
        if journal:
            pipe = os.fstat(log)
            environment["JOURNAL_STREAM"] = f"{pipe.st_dev}:{pipe.st_ino}"
        command = [*self.launcher, *wrapper(self.directory), str(BINARY), "-c", str(self.config),
                   *self.arguments]
        # Above all numbers that they may be moved to.
        fds = [fcntl.fcntl(passed, fcntl.F_DUPFD, 64) for passed in self.passed]
        if fds:
            command = [sys.executable, "-IS", "-c", PASS, str(len(fds)), *map(str, fds), *command]
            environment.setdefault("LISTEN_FDS", str(len(fds)))
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, cwd="/",
            env=environment, pass_fds=fds,
            preexec_fn=self._prepare_process if prepared else None,
        )
        for fd in (log, *fds):
            os.close(fd)

    def _prepare_process(self):
        if self.open_files:
            resource.setrlimit(resource.RLIMIT_NOFILE, self.open_files)
        if self.before_exec:
            self.before_exec()

    def read_log(self):
        """From now on the log is read, to its end."""
        self.reader = threading.Thread(target=self._read_log, daemon=True)
        self.reader.start()

    def stop_reading_log(self):
        """Breaks the pipe that the log goes to; for a daemon whose log is not being read."""
        os.close(self.log_pipe)
        self.log_pipe = None

    def _read_log(self):
        with open(self.log_pipe, encoding="utf-8", errors="backslashreplace", newline="\n") as log:
            for line in log:
                event = Event.parse(line.rstrip("\n"))
                with self.changed:
                    self.lines.append(line.rstrip("\n"))
                    if event:
                        self.events.append(event)
                    self.changed.notify_all()
        with self.changed:
            self.log_pipe = None
            self.changed.notify_all()

    def start(self):
        self.spawn()
        self.read_log()
        self.wait("ready")
        self.fds_when_ready = self.open_fds()
        return self

    def signal(self, number):
        self.process.send_signal(number)

    def reload(self, config=None):
        """HUP, and the event that answers it."""
        if config is not None:
            self.configure(config)
        answers = ("reloaded", "reload-failed")
        before = len([e for e in self.events if e.name in answers])
        self.signal(signal.SIGHUP)
        return self._wait_for(
            lambda: [e for e in self.events if e.name in answers][before:before + 1], "a reload"
        )[0]

    def wait_exit(self):
        """Waits for the process to end, and returns its exit status."""
        try:
            status = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError("the daemon does not end") from None
        if self.reader:
            self.reader.join(PATIENCE)
        return status

    def stop(self):
        """The end of a daemon that is in order: TERM, exit status 0, nothing from a sanitizer."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        status = self.wait_exit()
        self.assert_no_complaints()
        if status != 0:
            raise AssertionError(f"exit status {status}")

    def assert_no_complaints(self):
        if bad := complaints(self.directory, self.log()):
            raise AssertionError(f"a sanitizer complained\n{bad}")

    def discard(self):
        """Leaves nothing behind, whatever happened."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.process:
            self.process.stdout.close()
        if self.reader:
            self.reader.join(PATIENCE)
        elif self.log_pipe is not None:
            os.close(self.log_pipe)
        self.holder.cleanup()

    # Its log.

    def log(self):
        with self.changed:
            return "\n".join(self.lines)

    def _wait_for(self, condition, what):
        deadline = time.monotonic() + PATIENCE
        with self.changed:
            while not (value := condition()):
                ended = self.reader and self.log_pipe is None
                if ended or not self.changed.wait(max(0, deadline - time.monotonic())):
                    reason = "the log ended" if ended else "no such event"
                    raise AssertionError(f"waiting for {what}: {reason}")
            return value

    def find(self, name, **wanted):
        """The events of that name and with those fields, so far."""
        with self.changed:
            return [e for e in self.events if e.matches(name, wanted)]

    def wait_all(self, count, name, **wanted):
        """Waits for `count` such events, and returns all there are."""
        def found():
            events = [e for e in self.events if e.matches(name, wanted)]
            return events if len(events) >= count else None
        return self._wait_for(found, f"{count} {name} {wanted or ''}")

    def wait(self, name, **wanted):
        """Waits for the first such event."""
        return self.wait_all(1, name, **wanted)[0]

    def wait_line(self, pattern):
        """Waits for a line, event or not, in which the pattern is found."""
        return self._wait_for(lambda: [x for x in self.lines if re.search(pattern, x)], pattern)[0]

    def closed(self, client):
        """Waits for the end of that client, as the log tells it."""
        return self.wait("client-closed", remote=client.name)

    # Where it listens.

    def endpoints(self, listener):
        """The addresses of a listener, in the order of the log, as `ADDR:PORT`."""
        return [e["address"] for e in self.find("listening", listener=listener)]

    def endpoint(self, listener):
        """The latest address of a listener."""
        return self.endpoints(listener)[-1]

    # Its process.

    @property
    def pid(self):
        return self.process.pid

    def _files(self):
        """What is behind each of its descriptors."""
        files = {}
        for fd in pathlib.Path(f"/proc/{self.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):    # it was closed meanwhile
                files[int(fd.name)] = os.readlink(fd)
        return files

    def open_fds(self):
        """How many it has, but for the copy of stderr by which it makes room for many."""
        files = self._files()
        return sum(fd <= 2 or file != files.get(2) for fd, file in files.items())

    def has_open(self, ours):
        """Whether it has that socket of ours too."""
        return os.readlink(f"/proc/self/fd/{ours.fileno()}") in self._files().values()

    def states(self):
        """What each of its threads is doing, by the letters of proc(5)."""
        states = []
        for task in pathlib.Path(f"/proc/{self.pid}/task").iterdir():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):    # it has ended
                states.append((task / "stat").read_text().rpartition(")")[2].split()[0])
        return states

    def busy_share(self, client):
        """In how much of the time until the client hears something one of its threads wants a
        CPU. A busy machine does not give it one: the time that it has used would tell less."""
        samples = []
        def hears():
            samples.append("R" in self.states())
            return select.select([client.socket], [], [], 0)[0]
        eventually(hears, "the client hears something")
        return sum(samples) / len(samples)

    def memory(self, figure="VmRSS"):
        """Bytes of memory; VmHWM is the most that VmRSS ever was."""
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8")
        return int(re.search(rf"^{figure}:\s+(\d+) kB", status, re.MULTILINE)[1]) * 1024

    def pending(self, number):
        """Whether the signal has been sent, and not been taken yet; one that ends takes none."""
        if self.process.poll() is not None:
            return False
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8")
        masks = re.findall(r"^(?:Sig|Shd)Pnd:\s+([0-9a-f]+)$", status, re.MULTILINE)
        return any(int(mask, 16) >> (number - 1) & 1 for mask in masks)

    def soft_limit(self):
        """How many files it may have open."""
        limits = pathlib.Path(f"/proc/{self.pid}/limits").read_text(encoding="ascii")
        return int(re.search(r"^Max open files\s+(\d+)", limits, re.MULTILINE)[1])

    def inherited_fds(self):
        """Those that a program which it starts would have too, standard ones apart."""
        infos = pathlib.Path(f"/proc/{self.pid}/fdinfo").iterdir()
        return [info.name for info in infos if int(info.name) > 2
                and not int(re.search(r"^flags:\s+(\d+)", info.read_text(), re.MULTILINE)[1], 8)
                & os.O_CLOEXEC]

    def stopped(self):
        """The kernel has suspended every thread, after STOP."""
        return set(self.states()) == {"T"}
