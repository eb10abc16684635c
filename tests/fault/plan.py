"""What is made to fail, and what may come of it."""

import collections
import dataclasses
import errno
import os
import pathlib

# Nothing at all may come of these.
HARMLESS = "harmless"

# One client, one reload or the start may suffer: one of them, once.
HARM = "harm"

_SHORT = {"short": HARMLESS, "all-short": HARMLESS}
_AGAIN = {"EINTR": HARMLESS, "EAGAIN": HARMLESS}


def _harm(*errors):
    return dict.fromkeys(errors, HARM)


_FILES = _harm("EMFILE", "ENFILE")
_MEMORY = _harm("ENOMEM")

# By kind: how it fails. accept(2), epoll_ctl(2) and so on name the errors.
KINDS = {
    "malloc": {"once": HARM, "for-good": HARM},
    "accept4": dict.fromkeys(
        ["EINTR", "EAGAIN", "ECONNABORTED", "EPERM", "EPROTO", "ENETDOWN", "EHOSTUNREACH",
         "EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"], HARMLESS),
    "bind": _harm("EADDRINUSE", "EACCES", "EADDRNOTAVAIL", "ENOMEM"),
    "epoll_create": {**_FILES, **_MEMORY},
    "epoll_ctl": _harm("ENOMEM", "ENOSPC"),
    "eventfd": {**_FILES, **_MEMORY, **_harm("ENODEV")},
    "fork": _harm("EAGAIN", "ENOMEM"),
    "fstat": _harm("EIO", "ENOMEM"),
    "getrandom": _harm("ENOSYS"),
    "getsockname": _harm("ENOBUFS"),
    "listen": _harm("EADDRINUSE"),
    "lstat": _harm("EACCES", "EIO", "ENOMEM"),
    "memfd_create": {**_FILES, **_MEMORY},
    "open": {**_FILES, **_MEMORY, **_harm("EACCES", "ENOENT", "EIO")},
    "pipe": {**_FILES},
    "pthread_create": _harm("EAGAIN"),
    "read": {"EINTR": HARMLESS, **_SHORT, **_harm("EIO")},
    "read_event": {"EAGAIN": HARMLESS},
    "read_stream": {**_SHORT, **_harm("EIO", "ENOMEM")},
    "recv": {**_AGAIN, **_SHORT,
             **_harm("ECONNRESET", "ETIMEDOUT", "EHOSTUNREACH", "ENOMEM", "ENOBUFS")},
    "send": {**_AGAIN, **_SHORT,
             **_harm("ECONNRESET", "EPIPE", "ETIMEDOUT", "EHOSTUNREACH", "ENOMEM", "ENOBUFS")},
    "setsockopt": _harm("ENOBUFS", "ENOMEM"),
    "socket": {**_FILES, **_MEMORY, **_harm("ENOBUFS", "EACCES")},
    "timerfd_create": {**_FILES, **_MEMORY},
    "write": {"EINTR": HARMLESS, **_SHORT, **_harm("ENOSPC", "EIO")},
    "write_log": {**_AGAIN, **_SHORT},
    "writev": {**_AGAIN, **_SHORT,
               **_harm("ECONNRESET", "EPIPE", "ETIMEDOUT", "EHOSTUNREACH", "ENOMEM", "ENOBUFS")},
}

# Errors that say that what is configured is not there; all others are failures of the system.
CONFIGURATION = {("open", "EACCES"), ("open", "ENOENT")}
EX_OSERR, EX_CONFIG = 71, 78

# Of accept(2), those for which accepting pauses.
SHORTAGES = {"EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"}
PAUSE = {("accept-paused", "warning"), ("accept-resumed", "notice")}


@dataclasses.dataclass
class Outcome:
    """What came of a life."""

    name: str
    problems: list
    trouble: list
    calls: dict = dataclasses.field(default_factory=dict)
    blows: int = None       # None: it did not live to tell
    lives: int = 0          # lived for this one, with those in which the call did not come
    memory: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    files: list = dataclasses.field(default_factory=list)
    events: frozenset = frozenset()

    def read(self, report):
        for line in report.splitlines():
            word, _, rest = line.partition(" ")
            if word == "calls":
                kind, count = rest.split()
                self.calls[kind] = int(count)
            elif word == "blows":
                self.blows = int(rest)
            elif word == "memory":
                size, caller = rest.split(" ", 1)
                self.memory[caller] += 1
            elif word == "file":
                self.files.append(rest)


@dataclasses.dataclass(frozen=True)
class Fault:
    """A call that fails. `at` counts from 1; 0 is every call."""

    library: pathlib.Path
    kind: str = ""
    at: int = 0
    how: str = ""
    calm: Outcome = None    # what came of a life in which nothing failed

    @classmethod
    def parse(cls, name, library, calm):
        kind, at, how = name.split(":")
        return cls(library, kind, int(at), how, calm)

    @property
    def name(self):
        return f"{self.kind}:{self.at}:{self.how}" if self.kind else "nothing"

    @property
    def error(self):
        """The name of the errno; None where a call only does less."""
        if self.kind == "malloc":
            return "ENOMEM"
        return self.how if self.how in errno.errorcode.values() else None

    def environment(self):
        if not self.kind:
            return {}
        number = getattr(errno, self.error) if self.error else 0
        how = f"{number}{'+' * (self.how == 'for-good')}" if number else "short"
        return {"FAULT": f"{self.kind} {self.at} {how}"}

    def stuck(self):
        """Events behind which nothing can come."""
        return ("reload-delayed",) if self.how == "for-good" else ()

    # What may come of it.

    def judge_failed_start(self, status, log, problems):
        if not self.kind:
            return
        # iniparser's file is the daemon's own.
        missing = (self.kind, self.error) in CONFIGURATION and "iniparser" not in log
        expected = EX_CONFIG if missing else EX_OSERR
        if status != expected:
            problems.append(f"exit status {status}, not {expected}")
        if not self.error or not any(word in log for word in self.words()):
            problems.append(f"it does not say why it cannot start, but: {log[-300:]}")

    def words(self):
        """What a message has in it that tells of the error."""
        words = [os.strerror(getattr(errno, self.error))]
        if self.kind == "malloc":   # pthread_create(3) says that it is to be tried again
            words += ["memory", os.strerror(errno.EAGAIN)]
        return words

    def judge(self, life, outcome):
        problems = outcome.problems
        outcome.events = frozenset((event.name, event.level) for event in life.daemon.events)
        harmless = not self.kind or KINDS[self.kind][self.how] == HARMLESS
        if len(outcome.trouble) > (0 if harmless else 1) and self.how != "for-good":
            problems.append("; ".join(outcome.trouble))
        if self.calm:
            left = outcome.memory - self.calm.memory
            problems += [f"{count} x memory left: {caller}" for caller, count in left.items()]
            self.judge_events(outcome, harmless)
        problems += [f"file left: {file}" for file in outcome.files]

    def judge_events(self, outcome, harmless):
        wanted = self.calm.events
        # A socket that is about to be closed has no time to pause.
        if self.kind == "accept4" and self.how in SHORTAGES and outcome.events & PAUSE:
            wanted |= PAUSE
        if harmless and outcome.blows and outcome.events != wanted:
            outcome.problems.append(
                "the log differs: " + ", ".join(name for name, _ in outcome.events ^ wanted))


def never_paused(kind, how, outcomes):
    """Whether accepting went on through shortages. At about every second call somebody waits, and
    it has to pause; at the others it finds that nobody does."""
    paused = sum(outcome.events >= PAUSE for outcome in outcomes)
    return (kind == "accept4" and how in SHORTAGES
            and not len(outcomes) / 4 < paused < 3 * len(outcomes) / 4)
