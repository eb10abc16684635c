"""How many clients may come, and what the others are told."""

import signal
import tempfile

import modules
from banterd import eventually, sanitized
from case import DaemonTest, listener, server


class Limits(DaemonTest):
    def refused(self, daemon, name):
        """Connects a client that must be refused; returns it and what it was told."""
        client = self.connect(daemon, name)
        return client, client.receive_all()

    def connect_echo(self, daemon, name="echo"):
        """A client that is known to be served."""
        client = self.connect(daemon, name)
        self.assert_echoes(client)
        return client

    def test_a_full_server_says_so(self):
        daemon = self.start(server(max_clients=2) + listener("echo") + listener("knock-knock"))
        self.connect_echo(daemon)
        self.connect_echo(daemon)
        client, told = self.refused(daemon, "knock-knock")
        self.assertEqual(told, b"server full\r\n")
        event = self.assert_closed(daemon, client, "server-full")
        self.assertEqual(event["lines"], "0")

    def test_a_full_server_is_silent_where_the_protocol_is_raw(self):
        daemon = self.start(server(max_clients=1) + listener("echo"))
        self.connect_echo(daemon)
        client, told = self.refused(daemon, "echo")
        self.assertEqual(told, b"")
        self.assert_closed(daemon, client, "server-full")

    def test_a_refused_client_that_speaks_first_is_told_why(self):
        daemon = self.start(server(max_clients=1) + listener("echo") + listener("knock-knock"))
        self.connect_echo(daemon)
        client = self.connect(daemon, "knock-knock")
        client.send(b"Who's there?\r\n" * 10)
        self.assertEqual(client.receive_all(), b"server full\r\n")

    def test_room_returns_when_a_client_leaves(self):
        daemon = self.start(server(max_clients=1) + listener("echo"))
        for _ in range(5):
            client = self.connect_echo(daemon)
            client.close()
            self.assert_closed(daemon, client, "client-eof")

    def test_refused_clients_take_no_room(self):
        daemon = self.start(server(max_clients=1) + listener("echo"))
        first = self.connect_echo(daemon)
        for _ in range(5):
            client, _ = self.refused(daemon, "echo")
            self.assert_closed(daemon, client, "server-full")
        first.close()
        self.assert_closed(daemon, first, "client-eof")
        self.connect_echo(daemon)

    def test_a_listener_has_a_limit_of_its_own(self):
        daemon = self.start(listener("echo", max_clients=1) + listener("other", "echo"))
        self.connect_echo(daemon)
        client, _ = self.refused(daemon, "echo")
        self.assert_closed(daemon, client, "server-full")
        self.connect_echo(daemon, "other")

    def test_the_limit_holds_over_all_workers(self):
        daemon = self.start(server(workers=4) + listener("echo", max_clients=10))
        clients = [self.connect(daemon, "echo") for _ in range(40)]
        daemon.wait_all(30, "client-closed", reason="server-full")
        for client in clients:
            client.close()
        daemon.wait_all(40, "client-closed")
        self.assertEqual(len(daemon.find("client-closed", reason="server-full")), 30)

    def test_an_address_has_a_limit(self):
        daemon = self.start(listener("knock-knock", listen="127.0.0.1:0, [::1]:0",
                                     max_clients_per_address=2))
        four, six = daemon.endpoints("knock-knock")
        for _ in range(2):
            self.assertEqual(self.connect_to(four).hear(), "Knock! Knock!")
        client = self.connect_to(four)
        self.assertEqual(client.receive_all(), b"too many clients from your address\r\n")
        self.assert_closed(daemon, client, "address-limit")
        self.assertEqual(self.connect_to(six).hear(), "Knock! Knock!")

    def test_an_address_may_come_back_when_a_client_of_it_leaves(self):
        daemon = self.start(listener("echo", max_clients_per_address=1))
        for _ in range(5):
            client = self.connect_echo(daemon)
            refused, told = self.refused(daemon, "echo")
            self.assertEqual(told, b"")
            self.assert_closed(daemon, refused, "address-limit")
            client.close()
            self.assert_closed(daemon, client, "client-eof")

    def test_an_address_that_connects_too_often_is_refused(self):
        daemon = self.start(listener("knock-knock", listen="127.0.0.1:0, [::1]:0",
                                     connect_rate="2/d"))
        four, six = daemon.endpoints("knock-knock")
        for _ in range(2):
            client = self.connect_to(four)
            self.assertEqual(client.hear(), "Knock! Knock!")
            client.close()
        client = self.connect_to(four)
        self.assertEqual(client.receive_all(), b"too many connections from your address\r\n")
        self.assert_closed(daemon, client, "connect-rate")
        self.assertEqual(self.connect_to(six).hear(), "Knock! Knock!")

    def test_the_rate_holds_over_all_workers_and_over_reloads(self):
        config = server(workers=4) + listener("echo", connect_rate="10/d")
        daemon = self.start(config)
        clients = [self.connect(daemon, "echo") for _ in range(8)]
        daemon.reload()
        clients += [self.connect(daemon, "echo") for _ in range(8)]
        daemon.wait_all(6, "client-closed", reason="connect-rate")
        for client in clients:
            client.close()
        daemon.wait_all(16, "client-closed")
        self.assertEqual(len(daemon.find("client-closed", reason="connect-rate")), 6)

    def test_a_rate_may_be_given_and_taken_by_a_reload(self):
        daemon = self.start(listener("echo"))
        self.connect_echo(daemon)
        daemon.reload(server() + listener("echo", listen=daemon.endpoint("echo"),
                                          connect_rate="1/d"))
        self.connect_echo(daemon)
        refused, _ = self.refused(daemon, "echo")
        self.assert_closed(daemon, refused, "connect-rate")
        daemon.reload(server() + listener("echo", listen=daemon.endpoint("echo")))
        self.connect_echo(daemon)

    def test_clients_of_unix_sockets_have_no_rate(self):
        daemon = self.start(listener("echo", listen="unix:DIR/echo", connect_rate="1/d"))
        for _ in range(3):
            self.connect_echo(daemon)

    def test_ipv4_through_a_socket_for_both_counts_as_one_address(self):
        daemon = self.start(listener("echo", listen="*:0, 127.0.0.1:0", max_clients_per_address=1))
        both, four = daemon.endpoints("echo")
        self.assert_echoes(self.connect_to(both))
        client = self.connect_to(four)
        self.assert_ended(client)
        self.assert_closed(daemon, client, "address-limit")


class FiguresOfAClient(DaemonTest):
    def test_bytes_lines_and_time_are_logged(self):
        daemon = self.start(listener("knock-knock", jokes="jokes.txt"),
                            files={"jokes.txt": "Tank: You're welcome!\n"})
        client = self.connect(daemon, "knock-knock")
        said = b"Who's there?\r\nTank who?\r\nn\r\n"
        client.send(said)
        heard = client.receive_all()
        event = self.assert_closed(daemon, client, "protocol-done")
        self.assertEqual(event["listener"], "knock-knock")
        self.assertEqual(event["local"], daemon.endpoint("knock-knock"))
        self.assertEqual((event["received"], event["sent"], event["lines"]),
                         (str(len(said)), str(len(heard)), "3"))
        self.assertRegex(event["duration"], r"\A\d+(\.\d+)?s\Z")
        self.assertEqual(event.level, "info")

    def test_each_client_has_a_number_of_its_own(self):
        daemon = self.start(server(workers=4) + listener("echo"))
        for _ in range(30):
            self.connect(daemon, "echo").close()
        events = daemon.wait_all(30, "client-closed")
        self.assertEqual(len({event["id"] for event in events}), 30)

    def test_a_client_that_breaks_the_connection_is_a_reset(self):
        daemon = self.start(listener("echo"))
        client = self.connect(daemon, "echo")
        self.assert_echoes(client, b"twelve bytes")
        client.reset()
        event = self.assert_closed(daemon, client, "client-reset")
        self.assertEqual((event["received"], event["sent"]), ("12", "12"))

    def test_only_what_the_system_took_counts_as_sent(self):
        directory = tempfile.TemporaryDirectory(prefix="banterd-")
        self.addCleanup(directory.cleanup)
        module = modules.compile_module("flood", directory.name)
        daemon = self.start(listener("flood", module))
        client = self.connect(daemon, "flood", receive_buffer=65536)
        client.say("go")
        client.receive(100_000)
        client.reset()
        event = self.assert_closed(daemon, client, "client-reset")
        self.assertGreaterEqual(int(event["sent"]), 100_000)
        self.assertLess(int(event["sent"]), len(modules.FLOOD))

    def test_answers_to_a_client_that_has_gone_were_not_sent(self):
        daemon = self.start(listener("knock-knock"))
        client = self.connect(daemon, "knock-knock")
        self.assertEqual(client.hear(), "Knock! Knock!")
        daemon.signal(signal.SIGSTOP)
        eventually(daemon.stopped, "the daemon is suspended")
        client.send(b"Come in!\n" * 100)
        client.reset()
        daemon.signal(signal.SIGCONT)
        event = daemon.closed(client)
        self.assertEqual(event["sent"], str(len("Knock! Knock!\r\n")))

    def test_a_client_that_left_before_it_was_greeted_was_sent_nothing(self):
        daemon = self.start(listener("knock-knock", listen="unix:DIR/knock.sock"))
        daemon.signal(signal.SIGSTOP)
        eventually(daemon.stopped, "the daemon is suspended")
        self.connect(daemon, "knock-knock").close()
        daemon.signal(signal.SIGCONT)
        self.assertEqual(daemon.wait("client-closed")["sent"], "0")

    def test_memory_does_not_grow_with_clients_that_come_and_go(self):
        daemon = self.start(listener("echo"))

        def visit(parties):
            """A hundred clients each; no more than that are in at any time."""
            for _ in range(parties):
                for _ in range(100):
                    client = self.connect(daemon, "echo")
                    client.send(b"hello\n")
                    client.close()
                self.assert_fds_return(daemon)

        visit(5)
        before = daemon.memory("VmHWM")
        visit(15)
        # One lost client a visit would be 2 MB. The sanitizers' allocators keep more for themselves,
        # and find what is lost when the daemon ends.
        room = (16 if sanitized() else 1) << 20
        self.assertLess(daemon.memory("VmHWM") - before, room)
