"""Options, exit statuses, and what goes to standard output."""

import pathlib
import re
import shutil
import tempfile

import banterd
from case import DaemonTest, listener, server

PROTOCOLS = ("chargen", "daytime", "discard", "echo", "knock-knock", "qotd")


class CommandLine(DaemonTest):
    def setUp(self):
        super().setUp()
        directory = tempfile.TemporaryDirectory(prefix="banterd-")
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)
        self.config = self.directory / "banterd.ini"
        self.config.write_text(listener("echo", listen="127.0.0.1:0, unix:/nowhere/at/all"))

    def run_ok(self, *arguments):
        result = banterd.run(*arguments)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return result.stdout

    def assert_usage_error(self, *arguments):
        result = banterd.run(*arguments)
        self.assertEqual((result.returncode, result.stdout), (64, ""))
        return result.stderr

    def test_help_names_every_option(self):
        text = self.run_ok("--help")
        for option in ("-c", "--check", "--dump-config", "--list-protocols", "--log-level",
                       "--version", "--help"):
            self.assertIn(option, text)

    def test_version_is_one_line(self):
        self.assertRegex(self.run_ok("--version"), r"\Abanterd \d+\.\d+\.\d+\n\Z")

    def test_protocols_are_listed_with_summary_and_options(self):
        text = self.run_ok("--list-protocols")
        for name in PROTOCOLS:
            self.assertRegex(text, rf"(?m)^{name}\b.* \w+")
        self.assertIn("jokes", text)
        self.assertIn("quotes", text)

    def test_loaded_protocols_of_the_configuration_are_listed(self):
        built = banterd.BINARY.parent / "protocols/qotd.so"
        folder = self.directory / "protocols"
        folder.mkdir()
        shutil.copy(built, folder)
        (folder / "notes.txt").write_text("This is no object.\n")
        self.config.write_text(server(protocol_path=folder) + listener("mine", built))
        text = self.run_ok("-c", self.config, "--list-protocols")
        for name in "qotd.so", str(built):
            self.assertRegex(text, rf"(?m)^{re.escape(name)} +qotd: .+\n    quotes = FILE\b")
        self.assertNotIn("notes", text)

    def list_beside_the_built_in(self, protocol_path):
        """What is said of the objects there; the built-in protocols are listed whatever they are."""
        self.config.write_text(server(protocol_path=protocol_path) + listener("echo"))
        result = banterd.run("-c", self.config, "--list-protocols")
        self.assertEqual(result.returncode, 0)
        self.assertEqual(re.findall(r"(?m)^(\S+)", result.stdout)[:len(PROTOCOLS)],
                         list(PROTOCOLS))
        return result.stdout, result.stderr

    def test_an_object_that_cannot_be_listed_is_named_and_the_others_are_listed(self):
        folder = self.directory / "protocols"
        folder.mkdir()
        shutil.copy(banterd.BINARY.parent / "protocols/qotd.so", folder)
        (folder / "notes.so").write_text("This is no object, in spite of its name.\n")
        listed, problems = self.list_beside_the_built_in(folder)
        self.assertRegex(listed, r"(?m)^qotd\.so +qotd: ")
        self.assertRegex(problems, rf"\A{folder}/notes\.so\b.*\n\Z")

    def test_a_protocol_path_that_cannot_be_listed_is_named(self):
        _, problems = self.list_beside_the_built_in(self.config)
        self.assertEqual(problems, f"{self.config}: Not a directory\n")

    def test_nothing_is_listed_by_a_bad_configuration(self):
        self.config.write_text("rubbish\n")
        result = banterd.run("-c", self.config, "--list-protocols")
        self.assertEqual((result.returncode, result.stdout), (78, ""))
        self.assertIn(f"{self.config}:1: ", result.stderr)

    def test_check_accepts_a_good_configuration_and_binds_nothing(self):
        self.assertEqual(self.run_ok("-c", self.config, "--check"), "")

    def test_the_shipped_configuration_is_a_good_one(self):
        shipped = banterd.ROOT / "conf/banterd.ini"
        self.assertEqual(self.run_ok("-c", shipped, "--check"), "")
        dumped = self.run_ok("-c", shipped, "--dump-config")
        for line in ("[listener echo]", "listen = 127.0.0.1:7007, [::1]:7007",
                     "[listener knock-knock]", "listen = 127.0.0.1:4444, [::1]:4444"):
            self.assertIn(f"{line}\n", dumped)

    def test_check_reports_every_error_with_its_line(self):
        self.config.write_text("[server]\nworkers = many\n\n[listener echo]\nprotcol = echo\n"
                               "protocol = echo\nlisten = 127.0.0.1:0\n")
        result = banterd.run("-c", self.config, "--check")
        self.assertEqual((result.returncode, result.stdout), (78, ""))
        self.assertRegex(result.stderr, r"(?m)^\S*banterd\.ini:2: ")
        self.assertRegex(result.stderr, r"(?m)^\S*banterd\.ini:5: .*\bprotocol\b")

    def test_a_bad_configuration_does_not_start(self):
        self.config.write_text("[listener echo]\nprotocol = echo\nlisten = nowhere\n")
        result = banterd.run("-c", self.config)
        self.assertEqual((result.returncode, result.stdout), (78, ""))
        self.assertRegex(result.stderr, r"banterd\.ini:3: .*nowhere")

    def test_a_dumped_configuration_reads_back_the_same(self):
        for name, text in {"jokes.txt": "Tank: You're welcome!\n",
                           "quotes.txt": "Less is more.\n"}.items():
            (self.directory / name).write_text(text)
        self.config.write_text(
            "[server]\nworkers = 3\nmax-clients = 77\ndrain-timeout = 1500ms\n"
            + listener("echo", listen=f"127.0.0.1:0, [::1]:0,unix:{self.directory}/e.sock, *:4711",
                       idle_timeout="90s", max_line="2K", telnet="yes")
            + listener("knock-knock", jokes="jokes.txt", max_clients=5)
            + listener("qotd", quotes="quotes.txt"))
        dumped = self.run_ok("-c", self.config, "--dump-config")
        for line in ("workers = 3", "max-clients = 77", "drain-timeout = 1500ms",
                     "write-timeout = 30s", "max-output = 256K", "telnet = yes"):
            self.assertIn(line, dumped)
        again = self.directory / "again.ini"
        again.write_text(dumped)
        self.assertEqual(self.run_ok("-c", again, "--dump-config"), dumped)

    def test_the_long_and_the_short_form_of_config(self):
        dumped = self.run_ok("-c", self.config, "--dump-config")
        self.assertIn("/nowhere/at/all", dumped)
        self.assertEqual(self.run_ok("--config", self.config, "--dump-config"), dumped)
        self.assertEqual(self.run_ok(f"--config={self.config}", "--dump-config"), dumped)

    def test_short_options_do_what_the_long_ones_do(self):
        for short, long in {"-d": "--dump-config", "-p": "--list-protocols", "-V": "--version",
                            "-h": "--help"}.items():
            printed = self.run_ok("-c", self.config, short)
            self.assertTrue(printed, short)
            self.assertEqual(printed, self.run_ok("-c", self.config, long))
        self.assertEqual(self.run_ok("-c", self.config, "-t"), "")
        self.assertEqual(self.assert_usage_error("-l", "loud"),
                         self.assert_usage_error("--log-level", "loud"))

    def test_the_short_form_of_the_log_level(self):
        daemon = self.start(listener("echo"), arguments=["-l", "debug"])
        client = self.connect(daemon, "echo")
        daemon.wait("client-opened", remote=client.name)

    def test_a_missing_configuration_is_a_bad_one(self):
        result = banterd.run("-c", self.directory / "none.ini")
        self.assertEqual((result.returncode, result.stdout), (78, ""))
        self.assertRegex(result.stderr, r"none\.ini.*No such file")

    def test_a_directory_is_a_bad_configuration(self):
        self.assertEqual(banterd.run("-c", self.directory).returncode, 78)

    def test_usage_errors(self):
        for arguments in (["--nonsense"], ["-x"], ["extra"], ["-c"], ["--log-level"],
                          ["-c", self.config, "extra"]):
            with self.subTest(arguments):
                self.assertTrue(self.assert_usage_error(*arguments))

    def test_a_bad_log_level_is_a_usage_error(self):
        self.assertIn("loud", self.assert_usage_error("-c", self.config, "--log-level", "loud"))

    def test_a_serving_daemon_writes_nothing_to_standard_output(self):
        daemon = self.start(listener("echo"))
        self.assert_echoes(self.connect(daemon, "echo"))
        daemon.reload()
        self.clients[0].close()
        daemon.stop()
        self.assertEqual(daemon.process.stdout.read(), b"")

    def test_standard_output_that_is_full_is_an_error(self):
        with open("/dev/full", "w", encoding="ascii") as full:
            for option in ("--help", "--version", "--list-protocols"):
                result = banterd.run(option, stdout=full)
                self.assertEqual(result.returncode, 1, option)
