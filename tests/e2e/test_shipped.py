"""The configuration as it is shipped, on ports that are free."""

import re

import banterd
from case import DaemonTest

SHIPPED = banterd.ROOT / "conf"
CTRL_C = b"\xff\xf4\xff\xfd\x06"        # as telnet(1) sends it: IP, DO TIMING-MARK


class Shipped(DaemonTest):
    def setUp(self):
        super().setUp()
        config, count = re.subn(r"(?m)(?<=:)(7007|4444)(?=,|$)", "0",
                                (SHIPPED / "banterd.ini").read_text(encoding="utf-8"))
        self.assertGreaterEqual(count, 4)
        self.jokes = (SHIPPED / "jokes.txt").read_text(encoding="utf-8")
        self.daemon = self.start(config, files={"jokes.txt": self.jokes})

    def test_echo_is_served(self):
        self.assertEqual(len(self.daemon.endpoints("echo")), 2)
        for endpoint in self.daemon.endpoints("echo"):
            self.assert_echoes(self.connect_to(endpoint), bytes(range(256)))

    def test_jokes_of_the_file_are_told_until_ctrl_c(self):
        self.assertEqual(len(self.daemon.endpoints("knock-knock")), 2)
        for endpoint in self.daemon.endpoints("knock-knock"):
            client = self.connect_to(endpoint)
            self.assertEqual(client.hear(), "Knock! Knock!")
            client.say("Who's there?", b"\r\n")
            clue = client.hear()
            client.say(f"{clue} who?", b"\r\n")
            punch_line = client.hear().removesuffix(" Want another? (y/n)")
            self.assertIn(f"\n{clue}: {punch_line}\n", self.jokes)
            client.send(CTRL_C)
            self.assert_ended(client)
            self.assert_closed(self.daemon, client, "client-eof")
