"""How bytes become lines, seen through a protocol that says each line back in hexadecimal."""

import tempfile

import modules
from banterd import ROOT
from case import DaemonTest, listener

PIECES = b"one\r\ntwo\n\n\r\nthree\rthree\r\r\nf\0ur\r\n\xff\xfe\x80\nlast"
LINES = [b"one", b"two", b"", b"", b"three\rthree\r", b"f\0ur", b"\xff\xfe\x80", b"last"]


class Lines(DaemonTest):
    def setUp(self):
        super().setUp()
        directory = tempfile.TemporaryDirectory(prefix="banterd-")
        self.addCleanup(directory.cleanup)
        self.module = modules.compile_module("repeat", directory.name)

    def repeat(self, **options):
        daemon = self.start(listener("repeat", self.module, **options))
        return daemon, self.connect(daemon, "repeat")

    def hear(self, client):
        return bytes.fromhex(client.hear())

    def test_lf_and_crlf_end_lines_that_hold_any_byte(self):
        _, client = self.repeat()
        client.send(PIECES)
        client.half_close()
        self.assertEqual([bytes.fromhex(x) for x in client.receive_all().decode().split("\r\n")],
                         [*LINES, b""])

    def test_lines_split_anywhere_stay_the_same(self):
        daemon, _ = self.repeat()
        for cut in range(1, len(PIECES)):
            client = self.connect(daemon, "repeat")
            client.send(PIECES[:cut])
            heard = [self.hear(client) for _ in range(PIECES[:cut].count(b"\n"))]
            client.send(PIECES[cut:])
            client.half_close()
            heard += [bytes.fromhex(x) for x in client.receive_all().decode().split("\r\n")[:-1]]
            self.assertEqual(heard, LINES, f"cut at {cut}")

    def test_the_count_of_lines_is_logged(self):
        daemon, client = self.repeat()
        client.send(PIECES)
        client.half_close()
        sent = len(client.receive_all())
        event = self.assert_closed(daemon, client, "client-eof")
        self.assertEqual((event["received"], event["sent"], event["lines"]),
                         (str(len(PIECES)), str(sent), str(len(LINES))))

    def test_ten_thousand_lines_at_once_come_back_in_order(self):
        _, client = self.repeat()
        client.send(b"".join(b"%d\n" % n for n in range(10_000)))
        for number in range(10_000):
            self.assertEqual(self.hear(client), b"%d" % number)

    def test_a_line_of_max_line_bytes_is_fine(self):
        _, client = self.repeat(max_line=100)
        for ending in (b"\n", b"\r\n"):
            client.send(b"x" * 100 + ending)
            self.assertEqual(self.hear(client), b"x" * 100)

    def test_a_longer_line_is_told_so_and_the_end(self):
        daemon, client = self.repeat(max_line=100)
        client.send(b"fine\n" + b"x" * 101 + b"\nnever heard\n")
        self.assertEqual(self.hear(client), b"fine")
        self.assertEqual(client.hear(), "line too long")
        self.assert_ended(client)
        event = self.assert_closed(daemon, client, "line-too-long")
        self.assertEqual(event["lines"], "1")

    def test_an_endless_line_is_told_so_although_much_of_it_is_unread(self):
        daemon, client = self.repeat(max_line=100)
        client.send(b"x" * 300_000)
        self.assertEqual(client.hear(), "line too long")
        self.assert_ended(client)
        self.assert_closed(daemon, client, "line-too-long")

    def test_cr_nul_is_data_without_telnet(self):
        _, client = self.repeat()
        client.send(b"a\r\0b\n")
        self.assertEqual(self.hear(client), b"a\r\0b")

    def test_cr_nul_ends_a_line_with_telnet(self):
        _, client = self.repeat(telnet="yes")
        client.send(b"a\r\0b\r\nc\n")
        self.assertEqual([self.hear(client) for _ in range(3)], [b"a", b"b", b"c"])


class Answers(DaemonTest):
    """Lines said back as they are."""

    def setUp(self):
        super().setUp()
        directory = tempfile.TemporaryDirectory(prefix="banterd-")
        self.addCleanup(directory.cleanup)
        self.module = f"{directory.name}/line_echo.so"
        modules.compile_object(ROOT / "tests/cost/line_echo.c", self.module)

    def answers(self, **options):
        return self.connect(self.start(listener("lines", self.module, **options)), "lines")

    def test_a_line_may_hold_any_byte(self):
        line = bytes(set(range(256)) - set(b"\n"))
        self.assert_echoes(self.answers(), line + b"\r\n\r\n" + line + b"\r\n")

    def test_over_telnet_byte_255_is_doubled(self):
        line = b"\xff\xffa\xff\xff\xff\xffb"
        self.assert_echoes(self.answers(telnet="yes"), line + b"\r\n")

    def test_the_host_gathers_64_kib_wherever_a_line_crosses_that(self):
        client = self.answers(max_line="128K")
        for spare in range(5):      # ... between the first line's end and that of the buffer
            first = b"a" * (65536 - 2 - spare)
            self.assert_echoes(client, first + b"\r\n" + b"bcd\r\n" * 20)
        self.assert_echoes(client, b"e" * 100_000 + b"\r\n")

    def test_lines_that_have_to_wait_for_room_are_not_lost(self):
        for telnet in ("no", "yes"):
            client = self.answers(max_output="4K", telnet=telnet)
            client.send(b"a\n" * 2048)     # and the answers are longer than that
            self.assertEqual(client.receive(3 * 2048), b"a\r\n" * 2048)
