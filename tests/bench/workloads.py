"""What is measured, and what banterd is to reach.

A ratio is the floor's cost over a server's, both of the same round: 1.0 is as good as the floor,
0.5 costs twice as much.
"""

import dataclasses

# Those that are quick enough for everything, and all that echo whole conversations.
ENGINES = ("banterd", "banterd-lines", "libuv", "libuv-lines", "bufferevent", "go")
ECHOES = ("floor-2-threads", *ENGINES, "java")


@dataclasses.dataclass(frozen=True)
class Workload:
    """CPU time for a unit of work, of one server after the other."""

    name: str           # what ONLY= takes
    title: str
    kind: str           # the load's first argument
    load: str           # the rest of them
    servers: tuple
    target: float = 0   # ratio of banterd to the floor
    unit: str = "line"


COSTS = (
    Workload("1", "1 client, 1 line", "echo", "clients=1", ECHOES),
    Workload("64", "64 clients, 1 line", "echo", "clients=64", ECHOES, 1.0),
    Workload("1000", "1000 clients, 1 line", "echo", "clients=1000", ECHOES, 0.95),
    Workload("10000", "10,000 clients, 1 line", "echo", "clients=10000 seconds=0.5", ENGINES, 0.95),
    Workload("16-lines", "64 clients, 16 lines", "echo", "clients=64 depth=16", ECHOES, 0.95),
    Workload("100-lines", "64 clients, 100 lines of 64 B", "echo", "clients=64 depth=100 size=64",
             ECHOES, 0.90),
    Workload("4K", "64 clients, a 4 KiB line", "echo", "clients=64 size=4096",
             ECHOES, 0.90),
    Workload("knock-knock", "64 clients, whole jokes", "jokes", "clients=64", ("banterd-jokes",),
             0.90, "round trip"),
    # No more at once than ncat's backlog takes.
    Workload("connect", "connect, 1 line, close", "visits", "clients=8",
             ("banterd", "banterd-lines", "libuv", "libuv-lines", "bufferevent", "go", "java",
              "xinetd", "socat", "ncat"), 0.92, "client"),
    Workload("2-workers", "64 clients, 1 line, 2 workers", "echo", "clients=64",
             ("banterd", "banterd-2"), 0.95),
)

# The floor has no jokes: it echoes lines of about their length.
FLOOR_OF_JOKES = ("echo", "clients=64 size=24")

# Short: a machine that is busy with something else for a moment spoils one of many.
PACED = "clients=64 rate=20000 seconds=0.4"
PACED_TITLE = "64 clients and 20,000 lines a second"
PACED_ROUNDS = 15
PACED_SERVERS = ("floor", "banterd", "banterd-lines", "libuv", "bufferevent", "go", "java")
IDLE_SERVERS = ("floor", "banterd", "libuv", "bufferevent", "go")

OTHERS = ("latency", "idle", "start", "reload", "stop")
NAMES = tuple(workload.name for workload in COSTS) + OTHERS


@dataclasses.dataclass(frozen=True)
class Against:
    """How often banterd's cost goes into a peer's."""

    workload: str
    ours: str
    peer: str
    target: float


AGAINST = (
    Against("64", "banterd-lines", "libuv-lines", 1.0),
    Against("16-lines", "banterd-lines", "libuv-lines", 1.0),
    Against("100-lines", "banterd-lines", "libuv-lines", 1.0),
    Against("64", "banterd-lines", "go", 1.15),
    Against("100-lines", "banterd-lines", "go", 2.0),
    Against("64", "banterd-lines", "java", 2.5),
    Against("100-lines", "banterd-lines", "java", 2.5),
    Against("connect", "banterd", "xinetd", 15),
    Against("connect", "banterd", "socat", 15),
    Against("connect", "banterd", "ncat", 15),
)
