"""Telnet commands, RFC 854, on listeners with telnet = yes."""

from case import DaemonTest, listener

IAC, DONT, DO, WONT, WILL = b"\xff", b"\xfe", b"\xfd", b"\xfc", b"\xfb"
SB, SE = b"\xfa", b"\xf0"
NOP, DM, BRK, IP, AYT, EC, EL, GA = (bytes([code]) for code in (
    241, 242, 243, 244, 246, 247, 248, 249))


class TelnetEcho(DaemonTest):
    """The echo service shows what the filter lets through, and what it answers."""

    def setUp(self):
        super().setUp()
        self.daemon = self.start(listener("echo", telnet="yes"))
        self.client = self.connect(self.daemon, "echo")

    def answer_to(self, data, mark=b"|mark|"):
        """What comes back for data, by sending a mark behind it."""
        self.client.send(data + mark)
        heard = b""
        while not heard.endswith(mark):
            heard += self.client.receive(1)
        return heard.removesuffix(mark)

    def test_do_is_refused_once(self):
        for option in (b"\x01", b"\x03", b"\xff"):
            self.assertEqual(self.answer_to(IAC + DO + option), IAC + WONT + option)
            self.assertEqual(self.answer_to((IAC + DO + option) * 3), b"")

    def test_will_is_refused_once(self):
        for option in (b"\x01", b"\x18", b"\x00"):
            self.assertEqual(self.answer_to(IAC + WILL + option), IAC + DONT + option)
            self.assertEqual(self.answer_to((IAC + WILL + option) * 3), b"")

    def test_wont_and_dont_are_never_answered(self):
        self.assertEqual(self.answer_to(IAC + WONT + b"\x01" + IAC + DONT + b"\x03"), b"")

    def test_doubled_iac_is_data_both_ways(self):
        self.assertEqual(self.answer_to(b"a" + IAC + IAC + b"b"), b"a" + IAC + IAC + b"b")

    def test_subnegotiation_is_skipped(self):
        self.assertEqual(
            self.answer_to(b"a" + IAC + SB + b"\x18\x00abc" + IAC + IAC + b"def" + IAC + SE + b"b"),
            b"ab")

    def test_commands_without_meaning_here_are_dropped(self):
        self.assertEqual(
            self.answer_to(b"a" + b"".join(IAC + command for command in (NOP, DM, BRK, GA)) + b"b"),
            b"ab")

    def test_are_you_there_is_answered_visibly(self):
        answer = self.answer_to(IAC + AYT)
        self.assertRegex(answer.decode(), r"\A(\r\n)?[ -~]+\r\n\Z")

    def test_interrupt_ends_the_conversation(self):
        self.client.send(b"bye" + IAC + IP)
        self.assertEqual(self.client.receive(3), b"bye")
        self.client.receive_all()
        self.daemon.closed(self.client)

    def test_state_survives_any_split(self):
        data = (b"a" + IAC + IAC + IAC + DO + b"\x01" + b"b" + IAC + SB + b"\x18x" + IAC + IAC
                + IAC + SE + b"c" + IAC + NOP + b"d")
        # The mark comes back from what was sent before the cut, so the rest is another read.
        for cut in range(1, len(data)):
            client = self.client = self.connect(self.daemon, "echo")
            client.send(b"-" + data[:cut])
            self.assertEqual(client.receive(1), b"-")
            self.assertEqual(self.answer_to(data[cut:]),
                             b"a" + IAC + IAC + IAC + WONT + b"\x01" + b"bcd", f"cut at {cut}")


class TelnetLines(DaemonTest):
    def setUp(self):
        super().setUp()
        self.daemon = self.start(listener("knock-knock", telnet="yes", jokes="jokes.txt"),
                                 files={"jokes.txt": "Tank: You're welcome!\n"})
        self.client = self.connect(self.daemon, "knock-knock")
        self.assertEqual(self.client.hear(), "Knock! Knock!")

    def test_erase_character_edits_the_line(self):
        self.client.send(b"Whx" + IAC + EC + b"o's there?\r\n")
        self.assertEqual(self.client.hear(), "Tank")

    def test_erase_line_drops_the_line(self):
        self.client.send(b"What a mess" + IAC + EL + b"Who's there?\r\n")
        self.assertEqual(self.client.hear(), "Tank")

    def test_an_erased_line_has_no_deadline_any_more(self):
        client = self.connect_with_clock(line_timeout="2s", clock="3s")
        client.send(b"What a mess" + IAC + EL)
        self.wait_for_clock()
        # The line begins with this read, as the answer to AYT shows, and ends with another.
        client.send(b"Who's " + IAC + AYT)
        client.hear()
        client.send(b"there?\r\n")
        self.assertEqual(client.hear(), "Tank")

    def test_a_line_begun_after_an_erased_one_has_all_its_time(self):
        client = self.connect_with_clock(line_timeout="5s", clock="3s")
        client.send(b"What a mess")
        self.wait_for_clock()
        client.send(IAC + EL + b"Who's ")
        self.wait_for_clock()       # past the deadline of the first one
        client.send(b"there?\r\n")
        self.assertEqual(client.hear(), "Tank")

    def connect_with_clock(self, line_timeout, clock):
        self.daemon = self.start(
            listener("knock-knock", telnet="yes", jokes="jokes.txt", line_timeout=line_timeout)
            + listener("clock", "echo", idle_timeout=clock),
            files={"jokes.txt": "Tank: You're welcome!\n"})
        client = self.connect(self.daemon, "knock-knock")
        self.assertEqual(client.hear(), "Knock! Knock!")
        return client

    def wait_for_clock(self):
        self.assert_ended(self.connect(self.daemon, "clock"))

    def test_erasing_an_empty_line_does_nothing(self):
        self.client.send(IAC + EC + IAC + EL + b"Who's there?\r\n")
        self.assertEqual(self.client.hear(), "Tank")

    def test_carriage_return_and_nul_end_a_line(self):
        self.client.send(b"Who's there?\r\0")
        self.assertEqual(self.client.hear(), "Tank")

    def test_interrupt_ends_the_conversation(self):
        self.client.send(b"Who's th" + IAC + IP)
        self.client.receive_all()
        self.daemon.closed(self.client)


class NoTelnet(DaemonTest):
    def test_commands_are_data_where_telnet_is_off(self):
        daemon = self.start(listener("echo"))
        self.assert_echoes(self.connect(daemon, "echo"), IAC + DO + b"\x01" + IAC + IAC + IAC + IP)
