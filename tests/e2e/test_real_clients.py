"""The clients that people have: nc (both), telnet, ncat and socat hold both conversations."""

import os
import pty
import re
import select
import subprocess
import time

from banterd import PATIENCE
from case import DaemonTest, listener

JOKE = {"jokes.txt": "Tank: You're welcome!\n"}


class Program:
    """A client program that a test types into, through pipes or a terminal."""

    def __init__(self, command, terminal=False):
        if terminal:
            self.typed, theirs = pty.openpty()
            self.shown = self.typed
            self.process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs,
                                            start_new_session=True)
            os.close(theirs)
        else:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            self.typed = self.process.stdin.fileno()
            self.shown = self.process.stdout.fileno()
        self.terminal = terminal
        self.text = ""

    def type(self, text):
        os.write(self.typed, f"{text}\n".encode())

    def read(self, seconds):
        """Takes what is shown within some time; false at the end."""
        if not select.select([self.shown], [], [], max(0, seconds))[0]:
            raise AssertionError(f"nothing but {self.text!r}")
        try:
            data = os.read(self.shown, 65536)
        except OSError:         # how a terminal tells that the other side has gone
            data = b""
        self.text += data.decode(errors="replace")
        return bool(data)

    def expect(self, pattern):
        """Waits for the pattern, and forgets everything up to its end."""
        deadline = time.monotonic() + PATIENCE
        while not (match := re.search(pattern, self.text)):
            if not self.read(deadline - time.monotonic()):
                raise AssertionError(f"no {pattern!r} in {self.text!r}")
        self.text = self.text[match.end():]

    def finish(self):
        """No more is typed; the program ends by itself."""
        deadline = time.monotonic() + PATIENCE
        if not self.terminal:
            self.process.stdin.close()
        while self.read(deadline - time.monotonic()):
            pass
        self.process.wait(PATIENCE)

    def discard(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.terminal:
            os.close(self.typed)
        else:
            self.process.stdin.close()
            self.process.stdout.close()


class RealClients(DaemonTest):
    COMMANDS = {
        "nc.openbsd": ["nc.openbsd", "-N", "{host}", "{port}"],
        "nc.traditional": ["nc.traditional", "-q", "5", "{host}", "{port}"],
        "ncat": ["ncat", "{host}", "{port}"],
        "socat": ["socat", "-t5", "-", "TCP:{host}:{port}"],
        "telnet": ["telnet", "{host}", "{port}"],
    }

    def program(self, name, endpoint):
        host, _, port = endpoint.rpartition(":")
        command = [word.format(host=host, port=port) for word in self.COMMANDS[name]]
        program = Program(command, terminal=name == "telnet")
        self.addCleanup(program.discard)
        return program

    def hold_echo(self, name, **options):
        daemon = self.start(listener("echo", **options))
        program = self.program(name, daemon.endpoint("echo"))
        program.type("hello there")
        program.expect(r"hello there\r?\n")
        program.type("and again")
        program.expect(r"and again\r?\n")
        program.finish()
        event = daemon.wait("client-closed")
        self.assertEqual((event["reason"], event["received"]), ("client-eof", "22"))

    def hold_knock_knock(self, name, **options):
        daemon = self.start(listener("knock-knock", jokes="jokes.txt", **options), files=JOKE)
        program = self.program(name, daemon.endpoint("knock-knock"))
        for heard, said in (("Knock! Knock!", "Who's there?"), ("Tank", "Tank who?"),
                            (r"You're welcome! Want another\? \(y/n\)", "y"),
                            ("Knock! Knock!", "Come in!"), (".*Knock! Knock!", "Who's there?"),
                            ("Tank", "Tank who?"),
                            (r"You're welcome! Want another\? \(y/n\)", "n")):
            program.expect(heard + r"\r?\n")
            program.type(said)
        program.expect(r"Bye\.\r?\n")
        if name == "telnet":
            program.expect("Connection closed by foreign host")
        program.finish()
        event = daemon.wait("client-closed")
        self.assertEqual((event["reason"], event["lines"]), ("protocol-done", "7"))

    def test_nc_openbsd_echo(self):
        self.hold_echo("nc.openbsd")

    def test_nc_openbsd_knock_knock(self):
        self.hold_knock_knock("nc.openbsd")

    def test_nc_traditional_echo(self):
        self.hold_echo("nc.traditional")

    def test_nc_traditional_knock_knock(self):
        self.hold_knock_knock("nc.traditional")

    def test_ncat_echo(self):
        self.hold_echo("ncat")

    def test_ncat_knock_knock(self):
        self.hold_knock_knock("ncat")

    def test_socat_echo(self):
        self.hold_echo("socat")

    def test_socat_knock_knock(self):
        self.hold_knock_knock("socat")

    def test_telnet_knock_knock(self):
        self.hold_knock_knock("telnet")

    def test_telnet_knock_knock_with_the_filter(self):
        self.hold_knock_knock("telnet", telnet="yes")

    def test_telnet_echo(self):
        self.talk_by_telnet("no")

    def test_telnet_echo_with_the_filter(self):
        self.talk_by_telnet("yes")

    def talk_by_telnet(self, telnet):
        daemon = self.start(listener("echo", telnet=telnet))
        program = self.program("telnet", daemon.endpoint("echo"))
        program.expect("Escape character is")
        program.type("hello there")
        program.expect(r"hello there\r?\n(.*\n)?hello there\r?\n")
        os.write(program.typed, b"\x1d")       # the escape character, and its prompt
        program.expect("telnet> ")
        program.type("quit")
        program.finish()
        self.assertEqual(daemon.wait("client-closed")["received"], "13")
