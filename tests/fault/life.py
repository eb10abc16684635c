"""The whole life of a daemon in a fraction of a second, and what is held against it."""

import re
import signal
import subprocess
import time

from banterd import BINARY, PATIENCE, Daemon, Event
from case import listener, server
from client import Client
from plan import Outcome

# What the daemon says that is no event: what is wrong with a file, or why it cannot start.
MESSAGE = re.compile(r"(banterd|/\S+)(:\d+)?: \S.*")

QUOTE = "Whoever counts the calls has heard each of them.\n"
JOKE = "Fault: Fault you would never ask!\n"
FILES = {"quotes.txt": QUOTE, "jokes.txt": JOKE}

KNOCK = b"Knock! Knock!\r\n"
ASK_AGAIN = b"Here one says \"Who's there?\". Once more: Knock! Knock!\r\n"
ARE_YOU_THERE = b"\xff\xf6"
CHARGEN = b"".join(bytes(32 + (line + column) % 95 for column in range(72)) + b"\r\n"
                   for line in range(95))

# More answers than a unix socket, max-output and the daemon's buffers hold together.
MANY = 6000


def configuration(last):
    """The listeners of each life, the last one apart."""
    return (server(workers=1, drain_timeout="1ms")
            + listener("echo", listen="127.0.0.1:0, [::1]:0", max_clients_per_address=50)
            + listener("discard") + listener("daytime")
            + listener("qotd", quotes="quotes.txt")
            + listener("chargen", listen="unix:DIR/chargen", max_output="4K")
            + listener("knock-knock", jokes="jokes.txt", telnet="yes", max_clients_per_address=1)
            + listener("slow", "knock-knock", "unix:DIR/slow", jokes="jokes.txt", max_output="4K")
            + listener("loaded", BINARY.parent / "protocols/echo.so", "unix:DIR/loaded")
            + last)


# A reload takes the one, and brings the other.
GONE = configuration(listener("gone", "echo", "unix:DIR/gone"))
NEW = configuration(listener("new", "echo"))


class Ended(Exception):
    """The connection ended before the answer was whole; what came of it was right."""


class Wrong(Exception):
    """What must not happen."""


class Guest(Client):
    """A client that knows what it has to hear."""

    def say_all(self, data):
        try:
            self.send(data)
        except ConnectionError:
            pass    # what is heard next tells more

    def finish(self):
        try:
            self.half_close()
        except OSError:
            pass

    def _receive(self, most=4096):
        """At most so many bytes; none at the end, None when the connection is broken."""
        try:
            return self.socket.recv(most)
        except ConnectionError:
            return None
        except TimeoutError:
            raise Wrong("a connection hangs") from None

    def hear_all(self, expected, ends=False):
        """Exactly that, and with `ends` the end behind it."""
        heard = 0
        while heard < len(expected):
            data = self._receive(len(expected) - heard)
            if not data:
                raise Ended
            if data != expected[heard:heard + len(data)]:
                raise Wrong(f"heard {data[:80]!r}, not {expected[heard:heard + 80]!r}")
            heard += len(data)
        if ends:
            data = self._receive()
            if data:
                raise Wrong(f"heard {data[:80]!r}, not the end")
            if data is None:
                raise Ended
            self.close()


class Life:
    """One daemon, from its start to its end. `trouble` is what went wrong in a way that it may,
    since something failed; `problems` is what must not be."""

    def __init__(self, fault, verbose=False):
        self.fault = fault
        self.trouble = []
        self.problems = []
        self.verbose = verbose
        self.guests = {}
        self.clients = []
        self.daemon = Daemon(GONE, files=FILES)
        self.report = self.daemon.directory / "report"
        self.daemon.environment = {**fault.environment(), "LD_PRELOAD": str(fault.library),
                                   "FAULT_REPORT": str(self.report)}
        if verbose:
            self.daemon.environment["FAULT_STACKS"] = "1"

    # Talking.

    def connect(self, endpoint):
        try:
            client = Guest(endpoint)
        except ConnectionResetError:    # who is spoken to first may be cut off before he is in
            raise Ended from None
        self.clients.append(client)
        return client

    def talk(self, what, conversation, *arguments):
        """Whether it was whole."""
        try:
            conversation(*arguments)
            return True
        except Ended:
            self.trouble.append(f"{what} was cut short")
        except (Wrong, OSError) as problem:
            self.problems.append(f"{what}: {problem}")
        return False

    def echo(self, endpoint):
        client = self.connect(endpoint)
        client.say_all(b"one\ntwo")
        client.hear_all(b"one\ntwo")
        client.finish()
        client.hear_all(b"", ends=True)

    def discard(self, endpoint):
        client = self.connect(endpoint)
        client.say_all(b"nobody listens\n")
        client.finish()
        client.hear_all(b"", ends=True)

    def qotd(self, endpoint):
        self.connect(endpoint).hear_all(QUOTE.replace("\n", "\r\n").encode(), ends=True)

    def daytime(self, endpoint):
        before = time.time()
        client = self.connect(endpoint)
        client.socket.settimeout(PATIENCE)
        heard = b""
        while data := client._receive():
            heard += data
        right = [time.strftime("%A, %B %d, %Y %H:%M:%S-UTC\r\n", time.gmtime(second)).encode()
                 for second in range(int(before) - 1, int(time.time()) + 1)]
        if data is None or heard not in right:
            if any(answer.startswith(heard) for answer in right):
                raise Ended
            raise Wrong(f"the time is {heard!r}")
        client.close()

    def chargen(self, endpoint):
        """The client reads only when everything that can has filled up, if it is quick."""
        client = self.connect(endpoint)
        self.talk("echo", self.echo, self.daemon.endpoints("echo")[0])
        client.hear_all(3 * CHARGEN)
        client.close()

    def knock_knock(self, endpoint):
        """One joke, with telnet in the middle of a line; nobody else comes in meanwhile."""
        client = self.connect(endpoint)
        client.hear_all(KNOCK)
        client.say_all(b"Who's " + ARE_YOU_THERE)
        client.hear_all(b"banterd is here\r\n")
        self.talk("a second client", self.refused, endpoint)
        client.say_all(b"there?\r\n")
        client.hear_all(b"Fault\r\n")
        client.say_all(b"Fault who?\r\0")
        client.hear_all(b"Fault you would never ask! Want another? (y/n)\r\n")
        client.say_all(b"n\r\n")
        client.hear_all(b"Bye.\r\n", ends=True)

    def refused(self, endpoint):
        """Who is refused is told so in one send, and not waited for."""
        try:
            self.connect(endpoint).hear_all(b"too many clients from your address\r\n", ends=True)
        except Ended:
            if self.fault.kind != "send":
                raise

    def slow(self, endpoint):
        """Everything is said before anything is heard."""
        client = self.connect(endpoint)
        client.say_all(MANY * b"?\n")
        client.hear_all(KNOCK + MANY * ASK_AGAIN)
        client.finish()
        client.hear_all(b"", ends=True)

    def converse(self, name):
        for endpoint in self.daemon.endpoints(name):
            talk = getattr(self, name.replace("-", "_"), self.echo)
            self.talk(name, talk, endpoint)

    # Guests stay for the daemon's whole life.

    def welcome(self, name, greeting):
        self.guests[name] = guest = self.connect(self.daemon.endpoint(name))
        if not self.talk(f"guest of {name}", guest.hear_all, greeting):
            del self.guests[name]

    def greet(self, name, question, answer):
        if name in self.guests:
            self.guests[name].say_all(question)
            if not self.talk(f"guest of {name}", self.guests[name].hear_all, answer):
                del self.guests[name]

    def greet_all(self):
        self.greet("loaded", b"still there?", b"still there?")
        self.greet("slow", b"?\n", ASK_AGAIN)

    # The daemon.

    def events(self, *names):
        return [event for event in self.daemon.events if event.name in names]

    def await_event(self, *names, after=0):
        """The first of these behind the first `after` ones; None when the log ends before."""
        try:
            return self.daemon._wait_for(lambda: self.events(*names)[after:], " or ".join(names))[0]
        except AssertionError as problem:
            if "the log ended" not in str(problem):
                raise
            return None

    def start(self):
        """Whether it serves."""
        self.daemon.spawn()
        self.daemon.read_log()
        # Who has no memory for ever never takes up anything new, but has to end in good order.
        event = self.await_event("ready", *self.fault.stuck())
        return event is not None and event.name == "ready"

    def reload(self, config):
        """Whether it took the new configuration."""
        answers = ("reloaded", "reload-failed", *self.fault.stuck())
        before = len(self.events(*answers))
        self.daemon.configure(config)
        self.daemon.signal(signal.SIGHUP)
        event = self.await_event(*answers, after=before)
        if event is None:
            raise Wrong("it died of a reload")
        return event.name == "reloaded"

    def change(self):
        """A reload for another listener; the name of the one that is there now, if that is sure."""
        gone = self.daemon.endpoint("gone")
        if not self.reload(NEW):
            self.trouble.append("a reload failed")
            return "loaded" if self.waits_for_memory() else "gone"
        try:
            self.connect(gone)
            self.problems.append("the listener that went still listens")
        except (FileNotFoundError, ConnectionRefusedError):
            pass
        return "new"

    def waits_for_memory(self):
        return bool(self.fault.stuck() and self.events(*self.fault.stuck()))

    def serve(self):
        self.welcome("loaded", b"")
        self.welcome("slow", KNOCK)
        for name in ("echo", "discard", "qotd", "daytime", "chargen", "knock-knock", "slow",
                     "loaded", "gone"):
            self.converse(name)
        self.greet_all()
        latest = self.change()
        self.greet_all()
        for name in ("echo", latest, "qotd"):
            self.converse(name)
        # One that waits for memory has to be over before the next one is begun.
        if not self.waits_for_memory() and self.reload("[server\n"):
            self.problems.append("a bad configuration was taken")
        self.greet_all()
        for name in (latest, "loaded", "echo"):
            self.converse(name)

    def part(self):
        """TERM, with guests still there."""
        self.daemon.signal(signal.SIGTERM)
        for name, farewell in (("loaded", b""), ("slow", b"server is stopping\r\n")):
            if name in self.guests:
                self.talk(f"guest of {name}, at the end", self.guests[name].hear_all, farewell,
                          True)
        return self.daemon.wait_exit()

    def live(self):
        """Lives, and returns its Outcome."""
        serves = False
        status = None
        try:
            serves = self.start()
            if serves:
                self.serve()
            # One that has failed to start has ended; one that waits for memory stops as any.
            if self.daemon.log_pipe is not None:
                status = self.part()
            else:
                status = self.daemon.wait_exit()
        except (AssertionError, Wrong, OSError, IndexError) as problem:
            self.problems.append(f"{type(problem).__name__}: {problem}")
        finally:
            for client in self.clients:
                client.close()
            if status is None:
                status = self.end_of_the_dead()
            stdout = self.daemon.process.stdout.read()
            self.daemon.process.stdout.close()
            outcome = self.judge(serves, status, stdout)
            self.daemon.discard()
        return outcome

    def end_of_the_dead(self):
        """The status of a daemon that something was wrong with; None if it would not end."""
        try:
            return self.daemon.process.wait(0.2)
        except subprocess.TimeoutExpired:
            self.daemon.process.kill()
            self.daemon.process.wait()
            return None

    # The judgement.

    def judge(self, serves, status, stdout):
        text = self.report.read_text(encoding="utf-8") if self.report.exists() else ""
        outcome = Outcome(self.fault.name, self.problems, self.trouble)
        outcome.read(text)
        log = [line for line in self.daemon.lines if not Event.parse(line)]
        strange = [line for line in log if not MESSAGE.fullmatch(line)]
        if strange:
            self.problems.append(f"it wrote {strange[0]!r}")
        if stdout:
            self.problems.append(f"it printed {stdout[:80]!r}")
        if status is None:
            self.problems.append("it does not end")
        elif status < 0:
            self.problems.append(f"killed by {signal.Signals(-status).name}")
        elif serves and status != 0:
            self.problems.append(f"exit status {status}")
        elif status != 0:
            self.trouble.append(f"no start, exit status {status}")
            self.fault.judge_failed_start(status, self.daemon.log(), self.problems)
        if status is not None and status >= 0 and not text.endswith("end\n"):
            self.problems.append("it left no report")
        self.fault.judge(self, outcome)
        if self.verbose:
            print(self.daemon.log(), text, sep="\n")
        return outcome
