"""One side has finished, the other has not."""

import re
import select
import tempfile
import threading

import banterd
import modules
from banterd import eventually
from case import DaemonTest, listener
from client import port_of

MEGABYTE = bytes(range(256)) * 4096


class HalfClose(DaemonTest):
    def test_a_megabyte_sent_then_shut_down_comes_back_whole(self):
        daemon = self.start(listener("echo"))
        client = self.connect(daemon, "echo")
        sender = threading.Thread(target=lambda: (client.send(MEGABYTE), client.half_close()))
        sender.start()
        heard = client.receive_all()
        sender.join(banterd.PATIENCE)
        self.assertTrue(heard == MEGABYTE, f"{len(heard)} bytes came back")
        event = self.assert_closed(daemon, client, "client-eof")
        self.assertEqual((event["received"], event["sent"]), ("1048576", "1048576"))

    def test_a_megabyte_comes_back_whole_to_a_client_that_reads_after_it_has_finished(self):
        daemon = self.start(listener("echo", max_output="2M"))
        client = self.connect(daemon, "echo")
        client.send(MEGABYTE)
        client.half_close()
        self.assertTrue(client.receive_all() == MEGABYTE)

    def test_a_client_that_has_finished_and_does_not_read_is_closed(self):
        daemon = self.start(listener("echo", max_output="64M", write_timeout="3s"))
        client = self.connect(daemon, "echo", receive_buffer=4096)
        client.send(MEGABYTE)
        client.half_close()
        self.assert_closed(daemon, client, "write-timeout")

    def test_what_such_a_client_leaves_in_the_kernel_goes_after_write_timeout(self):
        daemon = self.start(listener("echo", write_timeout="1s"))
        client = self.connect(daemon, "echo", receive_buffer=4096)
        client.send(MEGABYTE[:100_000])
        client.half_close()
        self.assert_closed(daemon, client, "client-eof")
        ports = port_of(daemon.endpoint("echo")), port_of(client.name)
        self.assertTrue(self.in_kernel(*ports))
        eventually(lambda: not self.in_kernel(*ports), "the kernel lets go of the connection")

    def in_kernel(self, local, remote):
        """Whether that connection is still there, although nobody has it open."""
        with open("/proc/net/tcp", encoding="ascii") as connections:
            return any(re.search(f":{local:04X} [0-9A-F]+:{remote:04X} ", line)
                       for line in connections)

    def test_what_a_slow_reader_has_to_take_comes_whole_after_the_end(self):
        daemon = self.start(listener("echo", write_timeout="500ms"))
        client = self.connect(daemon, "echo", receive_buffer=4096)
        client.send(MEGABYTE[:100_000])
        client.half_close()
        self.assert_closed(daemon, client, "client-eof")
        heard = bytearray()
        while data := client.socket.recv(4096):
            heard += data
            select.select([], [], [], 0.05)
        self.assertEqual(bytes(heard), MEGABYTE[:100_000])

    def test_pipelined_lines_are_answered_after_half_close(self):
        daemon = self.start(listener("knock-knock"))
        client = self.connect(daemon, "knock-knock")
        client.send(b"Come in!\n" * 20_000)
        client.half_close()
        self.assertEqual(client.receive_all().count(b"Knock! Knock!\r\n"), 20_001)

    def test_the_last_word_arrives_although_the_client_went_on_talking(self):
        daemon = self.start(listener("knock-knock", jokes="jokes.txt"),
                            files={"jokes.txt": "Tank: You're welcome!\n"})
        for size in (10, 1000, 200_000):
            client = self.connect(daemon, "knock-knock")
            client.send(b"Who's there?\nTank who?\nno\n" + b"more\n" * (size // 5))
            heard = client.receive_all()
            self.assertTrue(heard.endswith(b"\r\nBye.\r\n"), heard)
            self.assert_closed(daemon, client, "protocol-done")

    def test_a_client_that_breaks_off_after_the_last_word_has_heard_it(self):
        daemon = self.start(listener("daytime"))
        client = self.connect(daemon, "daytime")
        client.hear()
        self.assertEqual(client.socket.recv(1), b"")
        client.reset()
        self.assert_closed(daemon, client, "protocol-done")

    def test_a_client_that_never_closes_does_not_hold_its_descriptor(self):
        daemon = self.start(listener("daytime"))
        clients = [self.connect(daemon, "daytime") for _ in range(20)]
        for client in clients:
            client.hear()
            self.assertEqual(client.socket.recv(1), b"")
        daemon.wait_all(20, "client-closed", reason="protocol-done")
        self.assert_fds_return(daemon)


class Staying(DaemonTest):
    """A protocol that goes on when its client has finished."""

    def stay(self, **options):
        directory = tempfile.TemporaryDirectory(prefix="banterd-")
        self.addCleanup(directory.cleanup)
        module = modules.compile_module("stay", directory.name)
        daemon = self.start(listener("stay", module, **options))
        return daemon, self.connect(daemon, "stay")

    def test_it_is_told_once(self):
        daemon, client = self.stay(idle_timeout="1s")
        client.say("hello")
        client.half_close()
        self.assertEqual([client.hear() for _ in range(3)],
                         ["hello", "told 1 times", "idle timeout"])
        self.assert_closed(daemon, client, "idle-timeout")

    def test_the_line_that_the_end_of_input_finishes_has_no_deadline_any_more(self):
        daemon, client = self.stay(idle_timeout="1s", line_timeout="300ms")
        client.send(b"hello")
        client.half_close()
        self.assertEqual([client.hear() for _ in range(3)],
                         ["hello", "told 1 times", "idle timeout"])
        self.assert_closed(daemon, client, "idle-timeout")

    def test_a_client_that_does_not_close_its_side_is_let_go(self):
        daemon, client = self.stay(idle_timeout="1h")
        client.say("bye")
        self.assertEqual([client.hear(), client.hear()], ["bye", "told 0 times"])
        self.assert_closed(daemon, client, "protocol-done")
