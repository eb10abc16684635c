"""The real daemon under a tool that counts, and what its worker did from one mark to the next."""

import collections
import pathlib
import re

from banterd import Daemon
from case import listener, server
from client import Client
from modules import compile_object

HERE = pathlib.Path(__file__).resolve().parent

SYSTEM_CALL = re.compile(r"^(\w+)\(", re.MULTILINE)

# Where callgrind names a function the first time, it is `(7) name`, and `(7)` from then on.
FUNCTION = re.compile(r"c?fn=(\(\d+\))(?: (\S+))?")
ALLOCATION = re.compile(
    r"_*(libc_)?(malloc|calloc|realloc|aligned_alloc|(posix_)?memalign)('\d+)?"
)


def configuration():
    """One worker, and the limits as shipped."""
    return (server(workers=1, log_level="notice", drain_timeout="1ms") + listener("echo")
            + listener("line-echo", "DIR/line_echo.so") + listener("mark", "DIR/mark.so")
            + listener("telnet-echo", "DIR/line_echo.so", telnet="yes")
            + listener("knock-knock", telnet="yes"))


class Meter:
    """Counts for the worker alone: other threads wake up by the clock. It is told what belongs
    together by a client of mark.c."""

    launcher = ()

    def __init__(self):
        self.daemon = Daemon(configuration())
        self.directory = self.daemon.directory
        self.daemon.launcher = [part.replace("DIR", str(self.directory)) for part in self.launcher]
        self.measured = 0
        self.marker = None

    def __enter__(self):
        try:
            for module in ("line_echo", "mark"):
                compile_object(HERE / f"{module}.c", self.directory / f"{module}.so")
            self.daemon.start()
            self.marker = Client(self.daemon.endpoint("mark"))
            self.mark()
            self.mark()     # what a mark costs
        except BaseException as problem:
            self.__exit__(None, problem, None)
            raise
        return self

    def __exit__(self, _, problem, trace):
        if problem:
            problem.add_note(f"--- log of banterd\n{self.daemon.log()[-6000:]}")
        self.daemon.discard()

    def mark(self):
        self.marker.send(b"mark")
        self.marker.receive(4)

    def measure(self, workload):
        talk = workload.prepare(self.daemon)
        for _ in range(workload.warm_up):
            talk()
        self.mark()
        for _ in range(workload.rounds):
            talk()
        self.mark()
        self.measured += 1

    def results(self):
        """Ends the daemon. A Counter for each measure(), without what a mark costs."""
        self.daemon.stop()
        intervals = self.intervals()
        if len(intervals) != 2 * self.measured + 2:
            raise AssertionError(f"{2 * self.measured + 2} marks, and {len(intervals)} were seen")
        for counts in intervals[3::2]:
            counts.subtract(intervals[1])
        return intervals[3::2]

    def intervals(self):
        """A Counter for the time up to each mark, from the one before."""
        raise NotImplementedError


class SystemCalls(Meter):
    """Counts by name. With -D it is the daemon that is our child, and strace that is its."""

    launcher = ("strace", "-D", "-qq", "-ff", "-o", "DIR/calls")

    def intervals(self):
        for path in self.directory.glob("calls.*"):
            text = path.read_text(encoding="ascii")
            if '"mark"' in text:    # the worker's
                return [collections.Counter(SYSTEM_CALL.findall(part))
                        for part in text.split('"mark"')[:-1]]
        return []


class Instructions(Meter):
    """Counts instructions and allocations. callgrind writes a file for the thread that comes to
    a mark, and starts from zero."""

    launcher = ("valgrind", "--tool=callgrind", "-q", "--separate-threads=yes",
                "--dump-before=cost_mark", "--callgrind-out-file=DIR/cost")

    def intervals(self):
        files = {}
        for path in self.directory.glob("cost.*-*"):
            files[int(re.search(r"\.(\d+)-\d+$", path.name)[1])] = path
        intervals = [self.read(files[number]) for number in sorted(files)]
        if intervals and not intervals[0]["allocations"]:
            raise AssertionError("callgrind names no allocation, not even when the worker starts")
        return intervals

    @staticmethod
    def read(path):
        counts = collections.Counter()
        names = {}
        called = None
        for line in path.read_text(encoding="utf-8").splitlines():
            if match := FUNCTION.match(line):
                called = names.setdefault(match[1], match[2])
            elif line.startswith("calls=") and ALLOCATION.fullmatch(called):
                counts["allocations"] += int(line[6:].split()[0])
            elif line.startswith("totals: "):
                counts["instructions"] = int(line[8:])
        return counts
