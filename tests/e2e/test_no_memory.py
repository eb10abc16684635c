"""Memory runs out: the client that it was for is closed, and the others are served."""

import resource
import tempfile
import unittest

import banterd
import modules
from case import DaemonTest, listener, server

LIMIT = 256 << 20


def limit_memory():
    resource.setrlimit(resource.RLIMIT_DATA, (LIMIT, LIMIT))


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


def load_tests(_loader, tests, _pattern):
    """None where a sanitizer would end the process in the place of malloc(3)."""
    return unittest.TestSuite() if banterd.sanitized() else tests
