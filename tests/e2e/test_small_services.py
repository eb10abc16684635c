"""Discard, chargen, quote of the day and daytime: RFC 863, 864, 865 and 867."""

import datetime
import re

from case import DaemonTest, listener

PRINTABLE = bytes(range(0x20, 0x7F))


class Discard(DaemonTest):
    def test_reads_and_never_answers(self):
        daemon = self.start(listener("discard"))
        client = self.connect(daemon, "discard")
        client.send(b"anything\n" * 100_000)
        client.half_close()
        self.assert_ended(client)
        event = self.assert_closed(daemon, client, "client-eof")
        self.assertEqual((event["received"], event["sent"]), ("900000", "0"))


class Chargen(DaemonTest):
    def setUp(self):
        super().setUp()
        self.daemon = self.start(listener("chargen"))

    def assert_pattern(self, lines):
        start = PRINTABLE.index(lines[0][:1])
        for number, line in enumerate(lines):
            shift = (start + number) % len(PRINTABLE)
            self.assertEqual(line, (PRINTABLE * 2)[shift:shift + 72] + b"\r\n")

    def test_lines_of_72_shift_by_one_through_the_printable_ring(self):
        client = self.connect(self.daemon, "chargen")
        self.assert_pattern([client.receive_line() for _ in range(5000)])

    def test_input_is_ignored(self):
        client = self.connect(self.daemon, "chargen")
        lines = []
        for _ in range(200):
            client.send(b"stop it\n\xff\xf4")
            lines.append(client.receive_line())
        self.assert_pattern(lines)

    def test_survives_a_rude_close(self):
        for _ in range(20):
            client = self.connect(self.daemon, "chargen")
            client.receive_line()
            client.reset()
            self.assert_closed(self.daemon, client, "client-reset")
        self.connect(self.daemon, "chargen").receive_line()

    def test_survives_a_close_with_output_unread(self):
        client = self.connect(self.daemon, "chargen")
        client.receive_line()
        client.close()
        self.assert_closed(self.daemon, client, "client-reset")


class QuoteOfTheDay(DaemonTest):
    def hear_quote(self, daemon):
        client = self.connect(daemon, "qotd")
        quote = client.receive_all()
        self.assert_closed(daemon, client, "protocol-done")
        return quote

    def test_one_short_message_then_the_end(self):
        daemon = self.start(listener("qotd"))
        for _ in range(30):
            quote = self.hear_quote(daemon)
            self.assertTrue(0 < len(quote) < 512, quote)
            self.assertTrue(quote.endswith(b"\r\n"), quote)

    def test_quotes_come_from_the_file(self):
        daemon = self.start(listener("qotd", quotes="quotes.txt"),
                            files={"quotes.txt": "A stitch in time saves nine.\n"})
        self.assertIn(b"A stitch in time saves nine.", self.hear_quote(daemon))

    def test_a_quote_that_is_too_long_is_a_configuration_error(self):
        status, log = self.start_fails(listener("qotd", quotes="quotes.txt"),
                                       files={"quotes.txt": "Short.\n%\n" + "x" * 512 + "\n"})
        self.assertEqual(status, 78)
        self.assertRegex(log, r"quotes\.txt:3: ")

    def test_what_the_client_says_does_not_matter(self):
        daemon = self.start(listener("qotd"))
        client = self.connect(daemon, "qotd")
        client.send(b"hello?\n")
        self.assertTrue(client.receive_all())


class Daytime(DaemonTest):
    def test_one_line_then_the_end(self):
        daemon = self.start(listener("daytime"), environment={"TZ": "Asia/Tokyo"})
        client = self.connect(daemon, "daytime")
        answer = client.receive_all().decode()
        self.assertRegex(answer, re.compile(
            r"\A[A-Z][a-z]+day, [A-Z][a-z]+ \d\d, \d{4} \d\d:\d\d:\d\d-UTC\r\n\Z", re.ASCII))
        told = datetime.datetime.strptime(answer, "%A, %B %d, %Y %H:%M:%S-UTC\r\n")
        self.assertEqual(f"{told:%A}", answer.partition(",")[0])
        now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
        self.assertLess(abs(now - told), datetime.timedelta(minutes=5))
        self.assert_closed(daemon, client, "protocol-done")
