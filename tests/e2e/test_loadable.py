"""Protocols from shared objects: the built-in ones built so, and objects that are refused."""

import os
import pathlib
import subprocess
import tempfile

import banterd
import modules
from case import DaemonTest, listener, server

PROTOCOLS = banterd.BINARY.parent / "protocols"


class BuiltInAsObject(DaemonTest):
    """Each built-in protocol holds the same conversation when it is loaded."""

    def connect_loaded(self, name, file_name, **options):
        daemon = self.start(server(protocol_path=PROTOCOLS)
                            + listener("loaded", file_name, **options),
                            files={"jokes.txt": "Tank: You're welcome!\n",
                                   "quotes.txt": "Less is more.\n"})
        self.assertEqual(daemon.wait("listening")["protocol"], name)
        return self.connect(daemon, "loaded")

    def test_echo(self):
        self.assert_echoes(self.connect_loaded("echo", "echo.so"), b"abc")

    def test_discard(self):
        client = self.connect_loaded("discard", "discard.so")
        client.send(b"abc\n")
        client.half_close()
        self.assert_ended(client)

    def test_chargen(self):
        client = self.connect_loaded("chargen", "chargen.so")
        first, second = client.receive_line(), client.receive_line()
        self.assertEqual((len(first), first[1:72]), (74, second[:71]))

    def test_qotd(self):
        client = self.connect_loaded("qotd", "qotd.so", quotes="quotes.txt")
        self.assertEqual(client.receive_all(), b"Less is more.\r\n")

    def test_daytime(self):
        client = self.connect_loaded("daytime", "daytime.so")
        self.assertTrue(client.receive_all().endswith(b"\r\n"))

    def test_knock_knock(self):
        client = self.connect_loaded("knock-knock", "knock_knock.so", jokes="jokes.txt")
        for heard, said in (("Knock! Knock!", "Who's there?"), ("Tank", "Tank who?"),
                            ("You're welcome! Want another? (y/n)", "n"), ("Bye.", "")):
            self.assertEqual(client.hear(), heard)
            client.say(said)
        self.assert_ended(client)

    def test_an_object_may_be_named_by_its_path(self):
        self.assert_echoes(self.connect_loaded("echo", PROTOCOLS / "echo.so"))

    def test_an_object_goes_on_over_reloads(self):
        config = server() + listener("loaded", PROTOCOLS / "echo.so")
        daemon = self.start(config)
        client = self.connect(daemon, "loaded")
        for _ in range(5):
            daemon.reload(config)
            self.assert_echoes(client)
        self.assert_echoes(self.connect(daemon, "loaded"))


GOOD = """
#include <banter/protocol.h>
static void open(struct banter_client *client, void *session)
{
    (void)session;
    banter_say(client, "hello");
}
%(before)s
BANTER_PROTOCOL(mine) = {
    .size = %(size)s, .abi_major = %(major)s, .abi_minor = %(minor)s,
    .name = %(name)s, .summary = "a protocol of the tests", .open = open,
    %(rest)s
};
"""


class Refusals(DaemonTest):
    """An object that is not in order is refused at start, with the reason."""

    NO_SIZE = "its banter_protocol has not the size of one; does it begin with BANTER_ABI?"
    NO_OPTION_NAME = "has no name, or one that is not of lower-case letters, digits and '-'"

    def setUp(self):
        super().setUp()
        directory = tempfile.TemporaryDirectory(prefix="banterd-")
        self.addCleanup(directory.cleanup)
        self.object = pathlib.Path(directory.name) / "mine.so"

    def compile(self, *, before="", size="sizeof(struct banter_protocol)",
                major="BANTER_ABI_MAJOR", minor="BANTER_ABI_MINOR", name='"mine"', rest=""):
        modules.compile_text(GOOD % {"before": before, "size": size, "major": major,
                                     "minor": minor, "name": name, "rest": rest}, self.object)

    def refusal(self, line=4):
        """What stands behind `FILE:LINE: ` in the only line that is written."""
        status, log = self.start_fails(listener("mine", self.object))
        self.assertEqual(status, 78)
        place = f"{self.prepared[-1].config}:{line}: "
        self.assertTrue(log.startswith(place), log)
        return log.removeprefix(place)

    def assert_refused(self, reason):
        self.assertEqual(self.refusal(), f"protocol = {self.object}: {reason}")

    def assert_unusable(self, reason):
        self.assert_refused(f"{self.object} cannot be used: {reason}")

    def assert_bad_option(self, index, name, problem):
        self.assert_unusable(f"its option {index} ({name}) {problem}")

    def assert_not_loaded(self, reason):
        """The reason is in the words of dlopen(3)."""
        refusal = self.refusal()
        self.assertTrue(refusal.startswith(f"protocol = {self.object}: "), refusal)
        self.assertNotIn("\n", refusal)
        self.assertRegex(refusal, reason)

    def test_the_pattern_of_these_tests_is_in_order(self):
        self.compile()
        daemon = self.start(listener("mine", self.object))
        self.assertEqual(self.connect(daemon, "mine").hear(), "hello")

    def test_a_missing_object(self):
        self.assert_not_loaded("No such file or directory")

    def test_a_forgotten_ending(self):
        self.compile()
        status, log = self.start_fails(
            server(protocol_path=self.object.parent) + listener("mine"))
        self.assertEqual(status, 78)
        self.assertTrue(log.endswith("protocol = mine: there is no built-in protocol mine; "
                                     "did you mean 'mine.so'?"), log)

    def test_a_fifo_is_not_waited_for(self):
        os.mkfifo(self.object)
        self.assert_refused(f"{self.object} cannot be opened: Not a regular file")

    def test_a_file_that_is_no_object(self):
        self.object.write_text("this is not an object\n" * 100)
        self.assert_not_loaded("ELF|not a shared object")

    def test_a_truncated_object(self):
        self.compile()
        self.object.write_bytes(self.object.read_bytes()[:200])
        self.assert_not_loaded("too short|invalid|truncated|cannot read")

    def test_an_object_without_a_protocol(self):
        modules.compile_text("int nothing;\n", self.object)
        self.assert_refused(
            f"{self.object} is not a protocol: it has no symbol banter_protocol")

    def test_an_object_that_needs_what_the_host_has_not(self):
        self.compile(before="void banter_teleport(void);\n"
                     "void use(void);\nvoid use(void) { banter_teleport(); }")
        self.assert_not_loaded("banter_teleport")

    def test_another_major_abi(self):
        self.compile(major="BANTER_ABI_MAJOR + 1")
        self.assert_unusable(
            "it was built for version 2.2 of the protocol interface, this is 1.2")

    def test_a_newer_minor_abi(self):
        self.compile(minor="BANTER_ABI_MINOR + 7")
        self.assert_unusable(
            "it was built for version 1.9 of the protocol interface, this is 1.2")

    def test_a_size_that_is_too_small(self):
        self.compile(size="8")
        self.assert_unusable(self.NO_SIZE)

    def test_a_size_larger_than_the_object_has(self):
        self.compile(size="1 << 20")
        self.assert_unusable(self.NO_SIZE)

    def test_a_symbol_that_is_no_struct(self):
        modules.compile_text('const char banter_protocol[4] = "abc";\n', self.object)
        self.assert_unusable(self.NO_SIZE)

    def test_bad_names(self):
        for name in ("0", '""', '"Mine"', '"my protocol"'):
            with self.subTest(name):
                self.compile(name=name)
                self.assert_unusable(
                    "its name is missing, or not of lower-case letters, digits and '-'")

    def test_a_summary_that_is_missing(self):
        self.compile(rest=".summary = 0,")
        self.assert_unusable("its summary is missing")

    def test_a_symbol_that_is_a_number(self):
        modules.compile_text('__asm__(".globl banter_protocol\\n.set banter_protocol, 4711");\n',
                             self.object)
        self.assert_unusable(self.NO_SIZE)

    def option(self, **members):
        self.options(members)

    def options(self, *all_members, settings_size=8):
        rows = ""
        for members in all_members:
            row = {"name": '"volume"', "type": "BANTER_NUMBER", "offset": "0",
                   "help": '"loudness"', **members}
            fields = ", ".join(f".{member} = {value}" for member, value in row.items())
            rows += f"    {{ {fields} }},\n"
        self.compile(before=f"static const struct banter_option options[] = {{\n{rows}}};\n",
                     rest=f".options = options, .option_count = {len(all_members)}, "
                          f".settings_size = {settings_size},")

    def test_a_good_option(self):
        self.option(fallback='"11"')
        self.start(listener("mine", self.object, volume=3))

    def test_options_without_a_name_or_with_a_bad_one(self):
        for name in ("", "Volume", "loud ness", "loud_ness"):
            with self.subTest(name):
                self.option(name=f'"{name}"')
                self.assert_bad_option(1, name, self.NO_OPTION_NAME)
        self.option(name="0")
        self.assert_bad_option(1, "", self.NO_OPTION_NAME)

    def test_an_option_of_no_known_type(self):
        self.option(type="(enum banter_type)99")
        self.assert_bad_option(1, "volume", "has a type that this banterd does not know")

    def test_an_option_outside_the_settings(self):
        self.option(offset="8")
        self.assert_bad_option(1, "volume", "lies outside the settings")

    def test_an_option_at_an_offset_that_its_type_cannot_have(self):
        for kind in ("NUMBER", "DURATION", "SIZE", "STRING", "FILE"):
            with self.subTest(kind):
                self.options({"type": f"BANTER_{kind}", "offset": "4"}, settings_size=64)
                self.assert_bad_option(1, "volume", "has an offset that its type cannot have")

    def test_options_over_the_same_bytes(self):
        volume = {"offset": "8"}
        for kind, offset in ("STRING", 8), ("FILE", 0), ("BOOLEAN", 15):
            with self.subTest(kind):
                pitch = {"name": '"pitch"', "type": f"BANTER_{kind}", "offset": offset}
                self.options(volume, pitch, settings_size=64)
                self.assert_bad_option(2, "pitch", "lies over another option")

    def test_an_option_that_is_there_twice(self):
        self.options({}, {"offset": "8"}, settings_size=16)
        self.assert_bad_option(2, "volume", "is there twice")

    def test_options_side_by_side(self):
        self.options({"name": '"mute"', "type": "BANTER_BOOLEAN", "offset": "16"},
                     {"offset": "8"}, {"name": '"pitch"', "type": "BANTER_STRING"},
                     settings_size=17)
        self.start(listener("mine", self.object))

    def test_an_option_whose_least_value_is_above_its_greatest(self):
        self.option(min="9", max="1")
        self.assert_bad_option(1, "volume", "has a least value that is above its greatest")

    def test_an_option_that_banterd_has_already(self):
        self.option(name='"listen"')
        self.assert_refused("its option 'listen' is one of every listener")

    def test_a_fallback_that_is_no_value(self):
        self.option(fallback='"very loud"')
        self.assertEqual(self.refusal(line=3), "volume = very loud: not a number; write digits")

    def test_a_choice_without_words(self):
        self.option(type="BANTER_CHOICE")
        self.assert_bad_option(1, "volume", "has no words to choose from")

    def test_options_that_are_counted_but_not_there(self):
        self.compile(rest=".option_count = 3, .settings_size = 8,")
        self.assert_unusable("it has too many options, or a count of options and none")

    def test_members_that_do_not_go_together(self):
        for rest, reason in {
                ".flags = 6,": "it has a flag that this banterd does not know",
                ".flags = BANTER_RAW, .line = hear,":
                    "a raw protocol has data(), any other has line()",
                ".data = hear,": "a raw protocol has data(), any other has line()",
                ".session_size = 1 << 30,": "its settings or its session are too large",
                ".settings_size = 1 << 30,": "its settings or its session are too large"}.items():
            with self.subTest(rest):
                self.compile(rest=rest, before="static void hear(struct banter_client *client,"
                             " void *session, const char *bytes, size_t length)\n"
                             "{ (void)client; (void)session; (void)bytes; (void)length; }")
                self.assert_unusable(reason)

    def test_a_bad_object_at_a_reload_changes_nothing(self):
        daemon = self.start(listener("echo"))
        self.compile(major="BANTER_ABI_MAJOR + 1")
        event = daemon.reload(daemon.config.read_text() + listener("mine", self.object))
        self.assertEqual(event.name, "reload-failed")
        self.assert_echoes(self.connect(daemon, "echo"))


class Speech(DaemonTest):
    def test_a_long_line_made_by_a_format_is_said_in_full(self):
        holder = tempfile.TemporaryDirectory(prefix="banterd-")
        self.addCleanup(holder.cleanup)
        path = pathlib.Path(holder.name) / "wordy.so"
        modules.compile_text(r'''
#include <banter/protocol.h>
#include <stdlib.h>
static void line(struct banter_client *client, void *session, const char *line, size_t length)
{
    (void)session;
    (void)length;
    banter_sayf(client, "%*d|", atoi(line), 7);
}
BANTER_PROTOCOL(wordy) = {BANTER_ABI, .name = "wordy", .summary = "is wordy", .line = line};
''', path)
        client = self.connect(self.start(listener("wordy", path)), "wordy")
        for width in 1, 509, 510, 511, 512, 513, 100000:
            client.say(str(width))
            self.assertEqual(client.hear(), "7|".rjust(width + 1))


    def test_what_is_said_to_a_client_that_has_gone_is_dropped(self):
        holder = tempfile.TemporaryDirectory(prefix="banterd-")
        self.addCleanup(holder.cleanup)
        path = pathlib.Path(holder.name) / "polite.so"
        modules.compile_text(r'''
#include <banter/protocol.h>
static void end(struct banter_client *client, void *session, enum banter_reason reason)
{
    (void)session;
    (void)reason;
    banter_say(client, "goodbye");
}
BANTER_PROTOCOL(polite) = {BANTER_ABI, .name = "polite", .summary = "is polite", .close = end};
''', path)
        daemon = self.start(listener("polite", path))
        for leave, reason, sent in (("half_close", "client-eof", "9"), ("reset", "client-reset", "0")):
            client = self.connect(daemon, "polite")
            getattr(client, leave)()
            self.assertEqual(self.assert_closed(daemon, client, reason)["sent"], sent)


class OutOfTreeExample(DaemonTest):
    """The example is built against an installed tree only, as a stranger would build it."""

    def make(self, directory, *arguments, **environment):
        result = subprocess.run(
            ["make", "-s", "-C", str(directory), *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
            timeout=10 * banterd.PATIENCE, env={**os.environ, **environment})
        self.assertEqual(result.returncode, 0, result.stdout)

    def test_the_example_builds_by_pkg_config_and_talks(self):
        holder = tempfile.TemporaryDirectory(prefix="banterd-")
        self.addCleanup(holder.cleanup)
        root = pathlib.Path(holder.name)
        # As it is built, whatever it was built with: -o keeps make from building it again.
        self.make(banterd.ROOT, "-o", "all", "install", f"DESTDIR={root}",
                  f"OUT={os.path.relpath(banterd.BINARY.parent, banterd.ROOT)}")
        example = root / "example"
        example.mkdir()
        for name in ("Makefile", "guess.c"):
            (example / name).write_bytes((banterd.ROOT / "tests/example" / name).read_bytes())
        pc_file = next(root.rglob("banter.pc"))
        self.make(example, PKG_CONFIG_PATH=str(pc_file.parent), PKG_CONFIG_SYSROOT_DIR=str(root))

        daemon = self.start(listener("guess", example / "guess.so"))
        client = self.connect(daemon, "guess")
        self.assertRegex(client.hear(), "a number from 1 to 100")
        for guess in range(1, 101):
            client.say(str(guess))
            answer = client.hear()
            if answer != "Higher.":
                break
        self.assertRegex(answer, "Yes")
        self.assert_ended(client)
