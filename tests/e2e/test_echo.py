"""The echo service, RFC 862."""

from case import DaemonTest, listener

ALL_BYTES = bytes(range(256))


class Echo(DaemonTest):
    def setUp(self):
        super().setUp()
        self.daemon = self.start(listener("echo"))

    def test_unfinished_line_comes_back_at_once(self):
        client = self.connect(self.daemon, "echo")
        self.assert_echoes(client, b"abc")
        self.assert_echoes(client, b"d")

    def test_every_byte_value_comes_back(self):
        self.assert_echoes(self.connect(self.daemon, "echo"), ALL_BYTES * 3)

    def test_line_endings_are_left_alone(self):
        self.assert_echoes(self.connect(self.daemon, "echo"), b"a\nb\r\nc\rd\r\0e\n\r\n\n")

    def test_tail_comes_back_after_half_close(self):
        client = self.connect(self.daemon, "echo")
        client.send(b"abc")
        client.half_close()
        self.assertEqual(client.receive_all(), b"abc")
        self.assert_closed(self.daemon, client, "client-eof")

    def test_silent_client_hears_nothing(self):
        client = self.connect(self.daemon, "echo")
        client.half_close()
        self.assert_ended(client)
        event = self.assert_closed(self.daemon, client, "client-eof")
        self.assertEqual((event["received"], event["sent"]), ("0", "0"))

    def test_clients_do_not_hear_each_other(self):
        clients = [self.connect(self.daemon, "echo") for _ in range(50)]
        for turn in range(3):
            for number, client in enumerate(clients):
                client.send(b"%d of %d\n" % (turn, number))
        for number, client in enumerate(clients):
            client.half_close()
            said = b"".join(b"%d of %d\n" % (turn, number) for turn in range(3))
            self.assertEqual(client.receive_all(), said)

    def test_long_input_without_a_newline_comes_back(self):
        client = self.connect(self.daemon, "echo")
        self.assert_echoes(client, b"x" * 100_000)
