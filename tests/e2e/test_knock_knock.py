"""The knock-knock conversation."""

from case import DaemonTest, listener

JOKES = {
    "Lettuce": "Lettuce in, it's cold out here!",
    "Tank": "You're welcome!",
    "Noël": "Noël-body here but me.",
    "Ωμέγα": "Ωμέγα-thing is possible.",
    "Жанна": "Жанна be let in.",
}
JOKES_TXT = "# jokes of the test\n\n" + "".join(f"{c}: {p}\n" for c, p in JOKES.items())
ANOTHER = " Want another? (y/n)"


def knock_knock(**options):
    return listener("knock-knock", jokes="jokes.txt", **options)


class KnockKnock(DaemonTest):
    def setUp(self):
        super().setUp()
        self.daemon = self.start(knock_knock(), files={"jokes.txt": JOKES_TXT})
        self.client = self.connect(self.daemon, "knock-knock")

    def hear_clue(self, asked="Who's there?"):
        """From the knock to the clue."""
        self.assertEqual(self.client.hear(), "Knock! Knock!")
        self.client.say(asked)
        return self.client.hear()

    def hear_joke(self):
        """A whole joke; returns its clue."""
        clue = self.hear_clue()
        self.client.say(f"{clue} who?")
        self.assertEqual(self.client.hear(), JOKES[clue] + ANOTHER)
        return clue

    def assert_bye(self):
        self.assertEqual(self.client.hear(), "Bye.")
        self.assert_ended(self.client)

    def new_client(self):
        """A new client: the joke of the old one is spoilt."""
        self.client.close()
        self.client = self.connect(self.daemon, "knock-knock")

    def assert_corrected(self, expected):
        line = self.client.hear()
        self.assertIn(expected, line)
        self.assertTrue(line.endswith("Knock! Knock!"), line)

    def test_a_whole_joke(self):
        self.assertIn(self.hear_joke(), JOKES)
        self.client.say("n")
        self.assert_bye()
        self.assert_closed(self.daemon, self.client, "protocol-done")

    def test_no_joke_twice_until_all_were_told(self):
        for _ in range(4):
            told = set()
            for _ in JOKES:
                told.add(self.hear_joke())
                self.client.say("y")
            self.assertEqual(told, set(JOKES))

    def test_the_question_in_many_spellings(self):
        for spelling in ("Who's there?", "who's there?", "WHO'S THERE?", "  Who's there?\t",
                         "whos there", "Who’s there?", "who's there!", "Who's there.",
                         "who's there ?", "Who's there?!", "who's there\r"):
            with self.subTest(spelling):
                clue = self.hear_clue(spelling)
                self.assertIn(clue, JOKES)
                self.client.say("and now something wrong")
                self.assert_corrected(f"{clue} who?")
                self.new_client()

    def test_the_clue_in_many_spellings(self):
        for spelling in ("{} who?", "{} WHO?", "  {} who", "{} who!", "{} who.\r", "{} who ?",
                         "{} who?  "):
            with self.subTest(spelling):
                clue = self.hear_clue()
                self.client.say(spelling.format(clue.upper()))
                self.assertEqual(self.client.hear(), JOKES[clue] + ANOTHER)
                self.client.say("yes")

    def test_a_wrong_question_is_corrected_and_the_joke_starts_over(self):
        self.assertEqual(self.client.hear(), "Knock! Knock!")
        for wrong in ("Come in!", "", "Who", "Who's there? Really?", "Who's there\0",
                      "Whо's there?"):      # with a Cyrillic o
            self.client.say(wrong)
            self.assert_corrected("Who's there?")
        self.client.say("Who's there?")
        self.assertIn(self.client.hear(), JOKES)

    def test_a_clue_with_a_closing_mark_may_be_asked_without_it(self):
        for clue, spellings in {"Boo!": ("Boo who?", "Boo! who?", "BOO WHO"),
                                "Dr.": ("dr who", "Dr. who?", "DR. WHO!"),
                                "Toc !": ("toc who?", "Toc ! who?", "Toc! who?"),
                                "'Boo'!": ("Boo who?", "'Boo'! who?", "'Boo' who?")}.items():
            daemon = self.start(knock_knock(), files={"jokes.txt": f"{clue}: Told.\n"})
            for spelling in spellings:
                with self.subTest(spelling):
                    client = self.connect(daemon, "knock-knock")
                    self.assertEqual(client.hear(), "Knock! Knock!")
                    client.say("Who's there?")
                    self.assertEqual(client.hear(), clue)
                    client.say(spelling)
                    self.assertEqual(client.hear(), "Told." + ANOTHER)

    def test_blanks_around_a_joke_are_not_told(self):
        daemon = self.start(knock_knock(),
                            files={"jokes.txt": " \tTank \t: \t You're\twelcome! \t\n"})
        client = self.connect(daemon, "knock-knock")
        client.send(b"Who's there?\nTank who?\nn\n")
        self.assertEqual(client.receive_all().split(b"\r\n")[1:-2],
                         [b"Tank", b"You're\twelcome!" + ANOTHER.encode()])

    def test_a_wrong_clue_is_corrected_and_the_same_joke_starts_over(self):
        clue = self.hear_clue()
        self.client.say("Banana who?")
        self.assert_corrected(f"{clue} who?")
        self.client.say("Who's there?")
        self.assertEqual(self.client.hear(), clue)
        self.client.say(f"{clue} who?")
        self.assertEqual(self.client.hear(), JOKES[clue] + ANOTHER)

    def test_bytes_that_are_no_text_are_a_wrong_answer_and_nothing_else(self):
        broken = (b"\xff", b"\x80", b"Who's there?\xc3", b"\xc3Who's there?", b"Wh\xc1\xafs there?",
                  b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xf0\x9f", b"\xe2\x80 who?")
        self.assertEqual(self.client.hear(), "Knock! Knock!")
        for data in broken:
            self.client.send(data + b"\n")
            self.assert_corrected("Who's there?")
        for data in broken:
            self.client.say("Who's there?")
            clue = self.client.hear()
            self.client.send(clue.encode() + data + b" who?\n")
            self.assert_corrected(f"{clue} who?")

    def test_yes_in_many_spellings(self):
        for spelling in ("y", "Y", "yes", "YES", " yes ", "Yes!", "y.", "yes\r"):
            with self.subTest(spelling):
                self.hear_joke()
                self.client.say(spelling)
        self.assertEqual(self.client.hear(), "Knock! Knock!")

    def test_anything_else_is_a_no(self):
        for spelling in ("n", "no", "", "yeah", "yess", "ye", "y y", "maybe", "Knock! Knock!"):
            with self.subTest(spelling):
                self.hear_joke()
                self.client.say(spelling)
                self.assert_bye()
                self.new_client()

    def test_pipelined_answers_are_all_answered(self):
        self.client.send(b"Who's there?\r\nnonsense\r\nWho's there?\r\n")
        self.assertEqual(self.client.hear(), "Knock! Knock!")
        clue = self.client.hear()
        self.assert_corrected(f"{clue} who?")
        self.assertEqual(self.client.hear(), clue)

    def test_the_unfinished_last_line_counts(self):
        self.assertEqual(self.client.hear(), "Knock! Knock!")
        self.client.send(b"Who's there?")
        self.client.half_close()
        self.assertIn(self.client.hear(), JOKES)
        self.assert_ended(self.client)
        event = self.assert_closed(self.daemon, self.client, "client-eof")
        self.assertEqual(event["lines"], "1")


class Jokes(DaemonTest):
    def tell(self, client, clue, punch_line):
        client.say("Who's there?")
        self.assertEqual(client.hear(), clue)
        client.say(f"{clue} who?")
        self.assertEqual(client.hear(), punch_line + ANOTHER)

    def test_built_in_jokes_serve_without_a_file(self):
        daemon = self.start(listener("knock-knock"))
        client = self.connect(daemon, "knock-knock")
        told = []
        for _ in range(2):
            self.assertEqual(client.hear(), "Knock! Knock!")
            client.say("Who's there?")
            told.append(client.hear())
            client.say(f"{told[-1]} who?")
            self.assertTrue(client.hear().endswith(ANOTHER))
            client.say("y")
        self.assertNotEqual(told[0], told[1])

    def test_a_reload_takes_new_jokes_and_running_conversations_keep_theirs(self):
        daemon = self.start(knock_knock(), files={"jokes.txt": "Old: Old joke.\n"})
        before = self.connect(daemon, "knock-knock")
        self.assertEqual(before.hear(), "Knock! Knock!")

        (daemon.directory / "jokes.txt").write_text("New: New joke.\n", encoding="utf-8")
        self.assertEqual(daemon.reload().name, "reloaded")
        after = self.connect(daemon, "knock-knock")
        self.assertEqual(after.hear(), "Knock! Knock!")

        self.tell(after, "New", "New joke.")
        self.tell(before, "Old", "Old joke.")
        before.say("y")
        self.assertEqual(before.hear(), "Knock! Knock!")
        self.tell(before, "Old", "Old joke.")

    def test_a_bad_joke_is_a_configuration_error_with_its_line(self):
        status, log = self.start_fails(
            knock_knock(), files={"jokes.txt": "# jokes\nFine: Fine.\nno colon here\n"})
        self.assertEqual(status, 78)
        self.assertRegex(log, r"jokes\.txt:3: ")

    def test_all_bad_jokes_are_reported_at_once(self):
        status, log = self.start_fails(
            knock_knock(), files={"jokes.txt": "one\nFine: Fine.\ntwo\n: three\nfour:\n"})
        self.assertEqual(status, 78)
        for line in (1, 3, 4, 5):
            self.assertRegex(log, rf"jokes\.txt:{line}: ")

    def test_a_missing_jokes_file_is_a_configuration_error(self):
        status, log = self.start_fails(knock_knock())
        self.assertEqual(status, 78)
        self.assertRegex(log, r"banterd\.ini:\d+: .*jokes\.txt.*No such file")

    def test_a_bad_joke_at_a_reload_changes_nothing(self):
        daemon = self.start(knock_knock(), files={"jokes.txt": "Old: Old joke.\n"})
        (daemon.directory / "jokes.txt").write_text("rubbish\n", encoding="utf-8")
        self.assertEqual(daemon.reload().name, "reload-failed")
        client = self.connect(daemon, "knock-knock")
        self.assertEqual(client.hear(), "Knock! Knock!")
        self.tell(client, "Old", "Old joke.")
