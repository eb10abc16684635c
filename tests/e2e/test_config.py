"""What is read from a configuration, what is refused with which words, and what the manuals say.

tests/config/bad holds configurations, each with the messages expected (FILE stands for its path,
DIR for its directory); tests/config/good holds those that are taken, and dumped alike twice.
"""

import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import unittest

import banterd
from case import listener, section
from modules import compile_text

CONFIGS = banterd.ROOT / "tests/config"
SHIPPED = banterd.ROOT / "conf/banterd.ini"
MANUAL = banterd.ROOT / "src/man/banterd.ini.5"

ECHO = listener("echo")
NOBODY = 65534

# The only default that depends on where banterd is to be installed.
BUILD_DEPENDENT = "protocol-path"


class ConfigTest(unittest.TestCase):
    maxDiff = 4000

    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="banterd-")
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)
        self.path = self.directory / "banterd.ini"

    def write(self, content):
        self.path.write_bytes(content.encode() if isinstance(content, str) else content)

    def assert_refused(self, expected, path=None, run=banterd.run, status=78):
        """The messages are these, and no others."""
        path = path or self.path
        result = run("-c", path, "--check")
        messages = result.stderr.replace(str(path), "FILE").replace(str(path.parent), "DIR")
        self.assertEqual(messages, expected)
        self.assertEqual((result.returncode, result.stdout), (status, ""))

    def assert_taken(self, path=None):
        result = banterd.run("-c", path or self.path, "--check")
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))

    def dump(self, path=None):
        result = banterd.run("-c", path or self.path, "--dump-config")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return result.stdout

    def assert_dump_reads_back(self, path=None):
        dumped = self.dump(path)
        again = self.directory / "again.ini"
        again.write_text(dumped, encoding="utf-8")
        self.assertEqual(self.dump(again), dumped)
        return dumped


class Files(ConfigTest):
    def test_bad_configurations(self):
        paths = sorted((CONFIGS / "bad").glob("*.ini"))
        self.assertGreaterEqual(len(paths), 70)
        for path in paths:
            with self.subTest(path.stem):
                expected = path.with_suffix(".expected").read_text(encoding="utf-8")
                self.assertTrue(expected)
                self.assert_refused(expected, path)

    def test_good_configurations(self):
        paths = sorted((CONFIGS / "good").glob("*.ini"))
        self.assertGreaterEqual(len(paths), 10)
        for path in paths:
            with self.subTest(path.stem):
                self.assert_taken(path)
                self.assert_dump_reads_back(path)

    def test_a_bad_configuration_is_refused_alike_without_check(self):
        path = CONFIGS / "bad/several_errors_at_once.ini"
        checked = banterd.run("-c", path, "--check")
        started = banterd.run("-c", path)
        self.assertEqual((started.returncode, started.stderr), (78, checked.stderr))

    def test_a_missing_file(self):
        self.assert_refused("FILE: No such file or directory\n")

    def test_a_path_through_a_file(self):
        self.write(ECHO)
        self.assert_refused("FILE: Not a directory\n", self.path / "banterd.ini")

    def test_a_directory(self):
        self.path.mkdir()
        self.assert_refused("FILE: Is a directory\n")

    def test_a_fifo_does_not_block(self):
        os.mkfifo(self.path)
        self.assert_refused("FILE: Not a regular file\n")

    def test_a_device(self):
        self.assert_refused("FILE: Not a regular file\n", pathlib.Path("/dev/null"))

    def test_a_socket(self):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(str(self.path))
            self.assert_refused("FILE: No such device or address\n")

    def test_a_dangling_link(self):
        self.path.symlink_to("nowhere.ini")
        self.assert_refused("FILE: No such file or directory\n")

    def test_a_link(self):
        target = self.directory / "real.ini"
        target.write_text(ECHO, encoding="utf-8")
        self.path.symlink_to(target)
        self.assert_taken()

    def test_an_unreadable_file(self):
        self.write(ECHO)
        self.path.chmod(0)
        self.assert_refused("FILE: Permission denied\n", run=self.run_unprivileged)

    def run_unprivileged(self, *arguments):
        """As nobody where the tests run as root, to whom every file is readable."""
        if os.geteuid() != 0:
            return banterd.run(*arguments)
        self.directory.chmod(0o755)
        binary = shutil.copy(banterd.BINARY, self.directory)
        return subprocess.run(
            [binary, *map(str, arguments)], capture_output=True, text=True, check=False, cwd="/",
            timeout=banterd.PATIENCE, user=NOBODY, group=NOBODY, extra_groups=[])

    def test_a_file_that_is_longer_than_its_size_says(self):
        self.assert_refused("FILE: Changed while it was read\n", pathlib.Path("/proc/version"),
                            status=71)

    def test_a_file_that_cannot_be_read(self):
        self.assert_refused("FILE: Input/output error\n", pathlib.Path("/proc/self/mem"),
                            status=71)

    def test_the_largest_file_and_one_byte_more(self):
        line = "# " + 97 * "x" + "\n"
        content = ECHO + (1024 * 1024 - len(ECHO)) // len(line) * line
        content += "\n" * (1024 * 1024 - len(content))
        self.write(content)
        self.assert_taken()
        self.write(content + "\n")
        self.assert_refused("FILE: Larger than 1 MiB\n")


class Bytes(ConfigTest):
    def test_control_bytes(self):
        for byte in (b"\0", b"\a", b"\v", b"\f", b"\r", b"\x1b", b"\x7f"):
            code = f"control byte 0x{byte[0]:02x}"
            with self.subTest(code):
                self.write(ECHO.encode() + b"telnet = n" + byte + b"o\n")
                self.assert_refused(f"FILE:4: {code} in column 11\n")
                self.write(ECHO.encode() + b"tel" + byte + b"net = no\n")
                self.assert_refused(f"FILE:4: {code} in column 4\n")
                self.write(b"# a" + byte + b"b\n" + ECHO.encode())
                self.assert_refused(f"FILE:1: {code} in column 4\n")
                self.write(b"[ser" + byte + b"ver]\n" + ECHO.encode())
                self.assert_refused(f"FILE:1: {code} in column 5\n")

    def test_utf_16(self):
        self.write(ECHO.encode("utf-16-le"))
        result = banterd.run("-c", self.path, "--check")
        self.assertEqual(result.returncode, 78)
        self.assertTrue(result.stderr.startswith(f"{self.path}:1: control byte 0x00 in column 2\n"))

    def test_crlf_is_a_line_ending(self):
        for content in ECHO + "; a comment\ntelnet = yes\n", ECHO + 'max-line = "4K"', "\n" + ECHO:
            with self.subTest(content):
                self.write(content)
                expected = self.dump()
                self.write(content.replace("\n", "\r\n"))
                self.assert_taken()
                self.assertEqual(self.dump(), expected)
        self.write(ECHO + "telnet = yes\r")
        self.assert_taken()
        self.write(ECHO + "telnet = yes\r\r\n")
        self.assert_refused("FILE:4: control byte 0x0d in column 13\n")

    def test_a_byte_order_mark_is_no_text(self):
        mark = "\ufeff"
        self.write(mark + ECHO)
        self.assert_taken()
        self.assertFalse(self.dump().startswith(mark))
        self.write("\n" + mark + ECHO)
        self.assertNotEqual(banterd.run("-c", self.path, "--check").returncode, 0)

    def test_the_longest_line_and_one_byte_more(self):
        for start, end in ("# ", ""), ("telnet = no ; ", ""), ("telnet = no", "\r"):
            filler = " " if end else "x"
            for newline in "", "\n":
                with self.subTest(start + repr(newline)):
                    line = start.ljust(1000, filler)
                    self.write(ECHO + line + end + newline)
                    self.assert_taken()
                    self.write(ECHO + line + filler + end + newline)
                    self.assert_refused("FILE:4: a line of 1001 bytes; it may have 1000\n")

    def test_bytes_beyond_ascii_are_dumped_as_they_came(self):
        for text in "/srv/früh", "/srv/ \U0001f6aa", "\"/srv/'früh; spät'\"":
            self.write(section("server", {"protocol-path": text}) + ECHO)
            self.assertIn(f"protocol-path = {text}\n", self.assert_dump_reads_back())


OPTIONS = r"""
#include <banter/protocol.h>

struct settings {
    const char *greeting, *note;
    bool loud;
    int64_t tries, rounds, pause, room, mood;
    struct banter_file words, extra;
    struct banter_rate pace, haste;
};

static const struct banter_option options[] = {
    {"greeting", BANTER_STRING, offsetof(struct settings, greeting), "hi; there", 0, 0, 0, "a"},
    {"note", BANTER_STRING, offsetof(struct settings, note), 0, 0, 0, 0, "a"},
    {"loud", BANTER_BOOLEAN, offsetof(struct settings, loud), "on", 0, 0, 0, "a"},
    {"tries", BANTER_NUMBER, offsetof(struct settings, tries), "any", 1, 9, "any", "a"},
    {"rounds", BANTER_NUMBER, offsetof(struct settings, rounds), 0, 2, 9, 0, "a"},
    {"pause", BANTER_DURATION, offsetof(struct settings, pause), "90s", 500, 120000, 0, "a"},
    {"room", BANTER_SIZE, offsetof(struct settings, room), "2048", 0, 0, 0, "a"},
    {"mood", BANTER_CHOICE, offsetof(struct settings, mood), "so-so", 0, 0, "bad so-so good", "a"},
    {"words", BANTER_FILE, offsetof(struct settings, words), "words.txt", 0, 0, 0, "a"},
    {"extra", BANTER_FILE, offsetof(struct settings, extra), 0, 0, 0, 0, "a"},
    {"pace", BANTER_RATE, offsetof(struct settings, pace), "7/m", 0, 99, 0, "a"},
    {"haste", BANTER_RATE, offsetof(struct settings, haste), 0, 0, 0, 0, "a"},
};

static void configure(struct banter_setup *setup, void *memory)
{
    const struct settings *settings = memory;
    struct banter_file_line line = {0};

    if (settings->tries > 0 && settings->rounds > settings->tries)
        banter_complain(setup, NULL, 0, "more rounds than %s", "tries");
    while (banter_next_line(&settings->words, &line))
        if (line.length != 3)
            banter_complain(setup, &settings->words, line.number, "'%s' is not three letters",
                            line.text);
    if (settings->words.length == 0)
        banter_complain(setup, &settings->words, 0, "no words");
}

BANTER_PROTOCOL(all) = {
    BANTER_ABI,
    .name = "all",
    .summary = "has options of all types",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .settings_size = sizeof(struct settings),
    .configure = configure,
};
"""


class ProtocolOptions(ConfigTest):
    """The options of a loadable protocol are read by the same rules."""

    def setUp(self):
        super().setUp()
        (self.directory / "words.txt").write_text("one\ntwo\r\nsix", encoding="utf-8")

    def compile(self, text=OPTIONS):
        compile_text(text, self.directory / "all.so")

    def write_options(self, text=""):
        self.write(listener("all", "./all.so") + text)

    def test_defaults_are_set_and_dumped(self):
        self.compile()
        self.write_options()
        dumped = self.assert_dump_reads_back()
        self.assertIn(f"\nprotocol = {self.directory}/all.so\n", dumped)
        self.assertEqual(dumped[dumped.index("telnet = no\n"):], f"""telnet = no
greeting = "hi; there"
loud = yes
tries = any
pause = 90s
room = 2K
mood = so-so
words = {self.directory}/words.txt
pace = 7/m
haste = 0
""")

    def test_values_are_set_and_dumped(self):
        self.compile()
        (self.directory / "more.txt").write_text("", encoding="utf-8")
        self.write_options("greeting = '\"hi\"'\nnote = \"\"\nloud = no\ntries = 9\nrounds = 2\n"
                           "pause = 2m\nroom = 1000\nmood = good\nextra = more.txt\n"
                           "pace = 0\nhaste = 12/d\n")
        dumped = self.assert_dump_reads_back()
        self.assertEqual(dumped[dumped.index("telnet = no\n"):], f"""telnet = no
greeting = '"hi"'
note = ""
loud = no
tries = 9
rounds = 2
pause = 2m
room = 1000
mood = good
words = {self.directory}/words.txt
extra = {self.directory}/more.txt
pace = 0
haste = 12/d
""")

    def test_what_an_option_takes_is_listed_with_its_default(self):
        self.compile(OPTIONS.replace('0, 0, 0, 0, "a"', '0, 0, 0, 0, 0'))
        self.write_options()
        result = banterd.run("-c", self.path, "--list-protocols")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertTrue(result.stdout.endswith("""all: has options of all types
    greeting = TEXT (hi; there): a
    note = TEXT
    loud = yes|no (on): a
    tries = NUMBER (any): a
    rounds = NUMBER: a
    pause = DURATION (90s): a
    room = SIZE (2048): a
    mood = bad so-so good (so-so): a
    words = FILE (words.txt): a
    extra = FILE
    pace = RATE (7/m): a
    haste = RATE
"""), result.stdout)

    def test_a_dump_is_read_the_same_from_elsewhere(self):
        self.compile()
        self.write_options()
        dumped = self.dump()
        with tempfile.TemporaryDirectory() as elsewhere:
            path = pathlib.Path(elsewhere) / "copy.ini"
            path.write_text(dumped, encoding="utf-8")
            self.assertEqual(self.dump(path), dumped)

    def test_bad_values(self):
        self.compile()
        self.write_options("tries = 10\nrounds = any\npause = 499ms\nroom = 99999999999999999999\n"
                           "mood = goo\nmoon = good\nextra = nothing.txt\nloud =\n"
                           "pace = 100/s\nhaste = 5/w\n")
        self.assert_refused("""FILE:4: tries = 10: out of range, from 1 to 9
FILE:5: rounds = any: not a number; write digits
FILE:6: pause = 499ms: out of range, from 500ms to 2m
FILE:7: room = 99999999999999999999: too large
FILE:8: mood = goo: not one of bad, so-so, good
FILE:9: unknown key 'moon'; did you mean 'mood'?
FILE:10: extra = nothing.txt: DIR/nothing.txt: No such file or directory
FILE:11: no value behind '='; write "" for an empty one
FILE:12: pace = 100/s: out of range, from 0 to 99
FILE:13: haste = 5/w: not a rate; write 100/s, 20/m, 5/h, or 0 for no limit
""")

    def test_its_own_complaints(self):
        self.compile()
        (self.directory / "words.txt").write_text("\ufeffone\n\nthree\r\n\r\n", encoding="utf-8")
        self.write_options("tries = 2\nrounds = 3\n")
        self.assert_refused("""FILE:1: more rounds than tries
DIR/words.txt:2: '' is not three letters
DIR/words.txt:3: 'three' is not three letters
DIR/words.txt:4: '' is not three letters
""")
        (self.directory / "words.txt").write_text("", encoding="utf-8")
        self.assert_refused("FILE:1: more rounds than tries\nDIR/words.txt: no words\n")

    def test_it_is_not_asked_about_options_that_were_refused(self):
        self.compile()
        for line, message in {
                "words =": "no value behind '='; write \"\" for an empty one",
                "words = none.txt": "words = none.txt: DIR/none.txt: No such file or directory",
                "tries = 10": "tries = 10: out of range, from 1 to 9"}.items():
            self.write_options(f"{line}\nrounds = 9\n")
            (self.directory / "words.txt").write_text("three", encoding="utf-8")
            self.assert_refused(f"FILE:4: {message}\n")

    def test_a_default_file_that_is_missing(self):
        self.compile()
        (self.directory / "words.txt").unlink()
        self.write_options()
        self.assert_refused(
            "FILE:1: words = words.txt: DIR/words.txt: No such file or directory\n")

    def test_files_that_are_none(self):
        self.compile()
        (self.directory / "folder").mkdir()
        os.mkfifo(self.directory / "pipe")
        (self.directory / "large").write_bytes(bytes(1024 * 1024 + 1))
        for name, reason in {"folder": "Is a directory", "pipe": "Not a regular file",
                             "large": "Larger than 1 MiB"}.items():
            with self.subTest(name):
                self.write_options(f"extra = {name}\n")
                self.assert_refused(f"FILE:4: extra = {name}: DIR/{name}: {reason}\n")

    def test_a_file_that_is_no_text(self):
        self.compile()
        self.write_options("extra = words\n")
        for content, line, reason in [(b"one\ntwo\xff\n", 2, "bytes that are not UTF-8"),
                                      (b"a\n\nb\x1b[1m", 3, "a control character"),
                                      (b"one\rtwo\n", 1, "a control character")]:
            (self.directory / "words").write_bytes(content)
            self.assert_refused(f"DIR/words:{line}: {reason}\n")

    def test_a_path_that_could_not_be_dumped(self):
        for name, why in {
                "it's \"here\"": "would need quotes, and has both kinds in it",
                "a;b\\c": "would need quotes, between which a '\\' cannot stand",
                "new\nline": "has a control byte in it"}.items():
            with self.subTest(why):
                directory = self.directory / name
                directory.mkdir()
                path = directory / "banterd.ini"
                path.write_text(listener("k", "knock-knock", jokes="jokes.txt"), encoding="utf-8")
                self.assert_refused(f"FILE:4: jokes = jokes.txt: DIR/jokes.txt: {why}\n", path)
                path.write_text(section("server", {"protocol-path": "objects"})
                                + listener("echo"), encoding="utf-8")
                self.assert_refused(f"FILE:2: protocol-path = objects: {why}\n", path)

    def test_an_option_that_every_listener_has(self):
        self.compile(OPTIONS.replace('"loud"', '"telnet"'))
        self.write_options()
        self.assert_refused(
            "FILE:2: protocol = ./all.so: its option 'telnet' is one of every listener\n")

    def test_an_object_that_is_missing(self):
        for name, path in ("./all.so", "DIR/all.so"), ("all.so", "DIR/objects/all.so"):
            self.write(section("server", {"protocol-path": "objects"}) + listener("all", name))
            result = banterd.run("-c", self.path, "--check")
            self.assertEqual(result.returncode, 78)
            start = f"{self.path}:4: protocol = {name}: " + path.replace("DIR", str(self.directory))
            self.assertTrue(result.stderr.startswith(start), result.stderr)


def parse_dump(text):
    """The sections of a dump, each a list of (name, value)."""
    sections = {}
    for line in text.splitlines():
        if line.startswith("["):
            current = sections.setdefault(line.strip("[]"), [])
        elif line:
            name, _, value = line.partition(" = ")
            current.append((name, value))
    return sections


class Manuals(ConfigTest):
    """Every option stands, with its default, in the configuration shipped and in the manual."""

    def setUp(self):
        super().setUp()
        options = parse_dump(self.dump(CONFIGS / "good/minimal.ini"))
        self.server = dict(options["server"])
        self.listener = dict(options["listener e"])
        del self.listener["protocol"], self.listener["listen"]
        self.protocols = self.protocol_options()

    def protocol_options(self):
        """By protocol, the names of its options, each with its default or None."""
        protocols = {}
        for line in banterd.run("--list-protocols").stdout.splitlines():
            option = re.match(r" +([a-z0-9-]+) = [^(:]*(?:\(([^)]*)\))?", line)
            if option:
                protocols[name][option[1]] = option[2]
            else:
                name = line.split()[0]
                protocols[name] = {}
        return protocols

    def test_there_is_something_to_compare(self):
        self.assertIn("workers", self.server)
        self.assertIn("max-output", self.listener)
        self.assertIn("jokes", self.protocols["knock-knock"])

    def uncommented(self):
        """The configuration shipped, with all that is commented out put in."""
        return re.sub(r"(?m)^;", "", SHIPPED.read_text(encoding="utf-8"))

    def test_the_configuration_shipped_is_good(self):
        self.assert_taken(SHIPPED)
        sections = parse_dump(self.assert_dump_reads_back(SHIPPED))
        self.assertEqual(list(sections), ["server", "listener echo", "listener knock-knock"])
        self.assertEqual(dict(sections["listener echo"])["listen"], "127.0.0.1:7007, [::1]:7007")
        self.assertEqual(dict(sections["listener knock-knock"])["listen"],
                         "127.0.0.1:4444, [::1]:4444")

    def test_the_configuration_shipped_shows_every_option_at_its_default(self):
        shown = {}
        for line in self.uncommented().splitlines():
            heading = re.fullmatch(r"\[(.*)\]", line)
            option = re.fullmatch(r"([a-z-]+) = (.*)", line)
            if heading:
                current = shown.setdefault(heading[1], {})
            elif option:
                current[option[1]] = option[2]
        self.assertEqual(shown["server"].keys(), self.server.keys())
        for name, value in self.server.items():
            if name != BUILD_DEPENDENT:
                self.assertEqual(shown["server"][name], value, name)
        self.assertEqual({**self.listener, **shown["listener echo"]}, {
            **shown["listener echo"], **self.listener})
        self.assertEqual(shown["listener echo"].keys() - {"protocol", "listen"},
                         self.listener.keys())
        for protocol, options in self.protocols.items():
            self.assertEqual(shown[f"listener {protocol}"]["protocol"], protocol)
            self.assertLessEqual(options.keys(), shown[f"listener {protocol}"].keys())

    def test_the_configuration_shipped_is_good_with_all_that_is_commented_out(self):
        for name in "jokes.txt", "quotes.txt":
            shutil.copy(SHIPPED.parent / name, self.directory)
        self.write(self.uncommented())
        self.assert_taken()
        listeners = parse_dump(self.dump()).keys() - {"server"}
        self.assertEqual(listeners, {f"listener {name}" for name in self.protocols})

    def manual_items(self, heading):
        """The .It lines of a section of the manual, each with the two lines after it."""
        text = MANUAL.read_text(encoding="utf-8")
        start = text.index(f".Sh {heading}\n")
        lines = text[start:text.index("\n.Sh ", start)].splitlines()
        return {match[1]: " ".join(lines[i:i + 3]) for i, line in enumerate(lines)
                if (match := re.match(r"\.It Ic ([a-z0-9-]+)\b", line))}

    def assert_manual(self, heading, options, others=()):
        items = self.manual_items(heading)
        self.assertEqual(items.keys() - set(others), options.keys())
        for name, value in options.items():
            if value is not None and name != BUILD_DEPENDENT:
                self.assertRegex(items[name], rf"= {re.escape(value)}(\s|$)", name)

    def test_the_manual_has_every_option_with_its_default(self):
        self.assert_manual("SERVER OPTIONS", self.server)
        self.assert_manual("LISTENER OPTIONS", self.listener, ("protocol", "listen"))
        self.assert_manual("PROTOCOL OPTIONS", {
            name: value for options in self.protocols.values() for name, value in options.items()})


if __name__ == "__main__":
    unittest.main()
