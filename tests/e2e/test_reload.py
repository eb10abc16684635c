"""HUP: the next configuration, without losing anybody."""

import signal
import socket
import threading

from banterd import PATIENCE, eventually
from case import DaemonTest, listener, server
from client import Client, free_port, free_ports


class Reload(DaemonTest):
    def config(self, *sections):
        return server() + "".join(sections)

    def test_generations_are_counted(self):
        daemon = self.start(listener("echo"))
        self.assertEqual(daemon.reload()["generation"], "2")
        self.assertEqual(daemon.reload()["generation"], "3")
        self.assertEqual(daemon.wait("reloaded").level, "notice")

    def test_a_listener_is_added(self):
        echo = listener("echo")
        daemon = self.start(echo)
        client = self.connect(daemon, "echo")
        daemon.reload(self.config(echo, listener("late", "echo")))
        self.assert_echoes(self.connect(daemon, "late"))
        self.assert_echoes(client)
        self.assertEqual(len(daemon.find("listening", listener="late")), 1)

    def test_a_listener_is_removed_and_its_clients_go_on(self):
        echo = listener("echo")
        daemon = self.start(echo + listener("early", "echo", idle_timeout="2s"))
        client = self.connect(daemon, "early")
        self.assert_echoes(client)
        endpoint = daemon.endpoint("early")
        daemon.reload(self.config(echo))
        self.assert_refused(endpoint)
        self.assert_echoes(client)
        self.assert_ended(client)
        event = self.assert_closed(daemon, client, "idle-timeout")
        self.assertEqual(event["listener"], "early")

    def assert_refused(self, endpoint):
        """Nobody listens there any more; workers may take a moment over it."""
        def refused():
            try:
                Client(endpoint).close()
            except (ConnectionRefusedError, FileNotFoundError):
                return True
            return False
        eventually(refused, f"{endpoint} refuses connections")

    def test_a_unix_socket_whose_file_was_removed_is_made_anew(self):
        config = listener("local", "echo", listen="unix:DIR/local.sock")
        daemon = self.start(config)
        before = self.connect(daemon, "local")
        (daemon.directory / "local.sock").unlink()
        self.assertEqual(daemon.reload().name, "reloaded")
        self.assert_echoes(self.connect(daemon, "local"))
        self.assert_echoes(before)
        self.assertEqual(daemon.reload().name, "reloaded")
        self.assertEqual(len(daemon.find("listening")), 2)
        self.assert_echoes(self.connect(daemon, "local"))

    def test_a_removed_unix_listener_takes_its_file_along(self):
        echo = listener("echo")
        daemon = self.start(echo + listener("local", "echo", listen="unix:DIR/local.sock"))
        daemon.reload(self.config(echo))
        eventually(lambda: not (daemon.directory / "local.sock").exists(), "the file is removed")

    def test_new_limits_hold_for_new_clients(self):
        port = free_port()
        daemon = self.start(listener("echo", listen=f"127.0.0.1:{port}"))
        old = self.connect(daemon, "echo")
        self.assert_echoes(old)
        daemon.reload(self.config(
            listener("echo", listen=f"127.0.0.1:{port}", idle_timeout="1s", max_clients=2)))
        new = self.connect(daemon, "echo")
        self.assert_echoes(new)
        self.assert_ended(self.connect(daemon, "echo"))
        self.assert_ended(new)
        self.assert_closed(daemon, new, "idle-timeout")
        self.assert_echoes(old)

    def test_port_zero_keeps_its_port(self):
        daemon = self.start(listener("echo", listen="127.0.0.1:0"))
        endpoint = daemon.endpoint("echo")
        daemon.reload(self.config(listener("echo", listen="127.0.0.1:0", idle_timeout="1m")))
        self.assert_echoes(self.connect_to(endpoint))

    def test_an_endpoint_that_moves_is_told_anew_and_one_that_stays_is_not(self):
        port = free_port()
        stays = listener("stays", "echo", listen="127.0.0.1:0, unix:DIR/stays.sock")
        address = f"127.0.0.1:{port}"
        names = [("one", "echo"), ("two", "echo"), ("two", "daytime"), ("one", "daytime")]
        configs = [self.config(stays, listener(name, protocol, listen=address))
                   for name, protocol in names]
        daemon = self.start(configs[0])
        for config in configs:
            self.assertEqual(daemon.reload(config).name, "reloaded")
        self.assertEqual(daemon.reload(configs[-1]).name, "reloaded")
        daemon.stop()
        told = [(e["listener"], e["protocol"]) for e in daemon.find("listening", address=address)]
        self.assertEqual(told, names)
        self.assertEqual(len(daemon.find("listening", listener="stays")), 2)

    def test_the_protocol_of_an_endpoint_may_change(self):
        port = free_port()
        daemon = self.start(listener("one", "echo", listen=f"127.0.0.1:{port}"))
        old = self.connect(daemon, "one")
        self.assert_echoes(old)
        daemon.reload(self.config(listener("two", "daytime", listen=f"127.0.0.1:{port}")))
        new = self.connect_to(f"127.0.0.1:{port}")
        self.assertTrue(new.receive_all().endswith(b"\r\n"))
        self.assertEqual(self.assert_closed(daemon, new, "protocol-done")["listener"], "two")
        self.assert_echoes(old)

    def test_an_endpoint_may_widen_to_all_addresses_and_narrow_again(self):
        port = free_port()
        narrow, wide = (listener("echo", listen=f"{host}:{port}") for host in ("127.0.0.1", "*"))
        daemon = self.start(narrow)
        clients = []
        for config in (wide, narrow, wide):
            clients.append(self.connect_to(f"127.0.0.1:{port}"))
            self.assert_echoes(clients[-1])
            self.assertEqual(daemon.reload(self.config(config)).name, "reloaded")
            for client in clients:
                self.assert_echoes(client)
        self.assert_echoes(self.connect_to(f"[::1]:{port}"))
        self.assert_echoes(self.connect_to(f"127.0.0.1:{port}"))

    def test_two_listeners_may_swap_their_endpoints(self):
        ports = free_ports(2)
        def both(first, second):
            return self.config(listener("echo", listen=f"127.0.0.1:{first}"),
                               listener("daytime", listen=f"127.0.0.1:{second}"))
        daemon = self.start(both(*ports))
        daemon.reload(both(*reversed(ports)))
        self.assert_echoes(self.connect_to(f"127.0.0.1:{ports[1]}"))
        self.assertTrue(self.connect_to(f"127.0.0.1:{ports[0]}").receive_all())

    def test_the_log_level_changes(self):
        echo = listener("echo")
        daemon = self.start(server(log_level="notice") + echo)
        self.connect(daemon, "echo").close()
        daemon.reload(server(log_level="info") + echo)
        client = self.connect(daemon, "echo")
        self.assert_echoes(client)
        client.close()
        daemon.closed(client)


    def test_the_number_of_workers_stays_and_it_is_said_so(self):
        echo = listener("echo")
        daemon = self.start(server(workers=2) + echo)
        self.assertEqual(daemon.reload(server(workers=3) + echo).name, "reloaded")
        event = daemon.wait("reload-ignored", option="workers", running=2)
        self.assertEqual(event.level, "warning")
        daemon.reload(server(workers=3) + echo)
        self.assertEqual(len(daemon.find("reload-ignored")), 2)
        daemon.reload(server(workers=2) + echo)
        self.assertEqual(len(daemon.find("reload-ignored")), 2)


class BadReload(DaemonTest):
    def setUp(self):
        super().setUp()
        self.daemon = self.start(listener("echo"))
        self.client = self.connect(self.daemon, "echo")

    def assert_nothing_changed(self):
        self.assert_echoes(self.client)
        self.assert_echoes(self.connect(self.daemon, "echo"))

    def test_a_bad_file_changes_nothing(self):
        event = self.daemon.reload(self.daemon.config.read_text() + "idle-timout = 5m\n")
        self.assertEqual((event.name, event.level), ("reload-failed", "error"))
        self.assertIn("idle-timeout", self.daemon.log())
        self.assertRegex(self.daemon.log(), r"banterd\.ini:\d+: ")
        self.assert_nothing_changed()

    def test_a_missing_file_changes_nothing(self):
        self.daemon.config.unlink()
        self.assertEqual(self.daemon.reload().name, "reload-failed")
        self.assert_nothing_changed()

    def test_the_next_good_file_is_taken(self):
        good = self.daemon.config.read_text()
        self.assertEqual(self.daemon.reload("rubbish\n").name, "reload-failed")
        event = self.daemon.reload(good + listener("late", "echo"))
        self.assertEqual((event.name, event["generation"]), ("reloaded", "2"))
        self.assert_echoes(self.connect(self.daemon, "late"))
        self.assert_nothing_changed()

    def test_an_endpoint_that_cannot_be_had_changes_nothing(self):
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = other.getsockname()[1]
            event = self.daemon.reload(
                listener("late", "echo", listen=f"unix:DIR/late.sock, 127.0.0.1:{port}"))
        self.assertEqual(event.name, "reload-failed")
        self.assertRegex(self.daemon.log(), rf"127\.0\.0\.1:{port}.*Address already in use")
        self.assertFalse((self.daemon.directory / "late.sock").exists())
        self.assertFalse(self.daemon.find("listening", listener="late"))
        self.assert_nothing_changed()

    def test_no_descriptor_leaks_over_failed_reloads(self):
        self.assert_echoes(self.client)
        before = self.daemon.open_fds()
        for _ in range(10):
            self.assertEqual(self.daemon.reload("rubbish\n").name, "reload-failed")
        self.assertEqual(self.daemon.open_fds(), before)


class ReloadUnderLoad(DaemonTest):
    """Clients come, talk and go without a pause while the configuration changes."""

    RELOADS = 24

    def setUp(self):
        super().setUp()
        self.enough = threading.Event()
        self.lost = []
        self.visits = 0

    def visit(self, endpoint):
        """One caller: connects, talks, leaves, and comes again, until it is enough."""
        while not self.enough.is_set():
            try:
                client = Client(endpoint)
                try:
                    for word in (b"one", b"two", b"three"):
                        self.assert_echoes(client, word)
                    client.half_close()
                    self.assert_ended(client)
                finally:
                    client.close()
                self.visits += 1
            except (OSError, AssertionError) as error:
                self.lost.append(repr(error))

    def hold(self, endpoint):
        """A client that stays all the time."""
        client = Client(endpoint)
        try:
            while not self.enough.is_set():
                self.assert_echoes(client, b"holding on")
        except (OSError, AssertionError) as error:
            self.lost.append(repr(error))
        finally:
            client.close()

    def under_load(self, daemon, configs):
        endpoint = daemon.endpoint("echo")
        threads = [threading.Thread(target=work, args=(endpoint,))
                   for work in (self.visit, self.visit, self.visit, self.hold)]
        for thread in threads:
            thread.start()
        try:
            for number in range(self.RELOADS):
                seen = self.visits
                event = daemon.reload(configs[number % len(configs)])
                self.assertEqual(event.name, "reloaded")
                eventually(lambda: self.lost or self.visits > seen + 3, "visits go on")
        finally:
            self.enough.set()
            for thread in threads:
                thread.join(PATIENCE)
        self.assertEqual(self.lost, [])

    def test_adding_and_removing_another_listener_loses_nobody(self):
        echo = listener("echo")
        daemon = self.start(echo)
        before = daemon.open_fds()
        self.under_load(daemon, [server() + echo + listener("other", "echo"), server() + echo])
        eventually(lambda: daemon.open_fds() <= before, "no descriptor is left over")

    def test_changing_the_listener_itself_loses_nobody(self):
        port = free_port()
        daemon = self.start(listener("echo", listen=f"127.0.0.1:{port}"))
        before = daemon.open_fds()
        self.under_load(daemon, [
            server() + listener("echo", listen=f"127.0.0.1:{port}, 127.0.0.1:0", max_clients=100),
            server() + listener("echo", listen=f"127.0.0.1:{port}", max_line=100)])
        eventually(lambda: daemon.open_fds() <= before, "no descriptor is left over")

    def test_naming_the_port_that_was_given_loses_nobody(self):
        any_port = listener("echo")
        daemon = self.start(any_port)
        before = daemon.open_fds()
        named = listener("echo", listen=daemon.endpoint("echo"))
        self.under_load(daemon, [server() + named, server() + any_port])
        self.assertEqual(len(daemon.find("listening")), 1)
        eventually(lambda: daemon.open_fds() <= before, "no descriptor is left over")

    def test_clients_that_never_talk_go_on(self):
        echo = listener("echo")
        daemon = self.start(echo)
        silent = [self.connect(daemon, "echo") for _ in range(20)]
        self.under_load(daemon, [server() + echo])
        for client in silent:
            self.assert_echoes(client)


class PendingConnects(DaemonTest):
    """Connects that the kernel has taken and the daemon has not accepted yet."""

    # More than a worker accepts before it hears of the reload.
    COUNT = 500

    def connect_while_stopped(self, daemon, endpoint):
        """The daemon is suspended meanwhile, so that all of them wait in the queue."""
        daemon.signal(signal.SIGSTOP)
        eventually(daemon.stopped, "the daemon is suspended")
        clients = [self.connect_to(endpoint) for _ in range(self.COUNT)]
        for client in clients:
            client.send(b"waiting")
        return clients

    def reload_with_pending(self, config, new_config):
        """In the new configuration, ENDPOINT stands for the address of the listener echo."""
        daemon = self.start(config)
        endpoint = daemon.endpoint("echo")
        clients = self.connect_while_stopped(daemon, endpoint)
        daemon.configure(new_config.replace("ENDPOINT", endpoint))
        daemon.signal(signal.SIGHUP)
        daemon.signal(signal.SIGCONT)
        daemon.wait("reloaded")
        for client in clients:
            self.assertEqual(client.receive(7), b"waiting")

    def test_they_survive_a_reload_that_changes_nothing(self):
        config = server(workers=1) + listener("echo")
        self.reload_with_pending(config, config)

    def test_they_survive_a_change_of_limits(self):
        self.reload_with_pending(
            server(workers=1) + listener("echo"),
            server(workers=1) + listener("echo", max_line=100, idle_timeout="1m"))

    def test_they_survive_when_the_port_that_was_given_is_named(self):
        self.reload_with_pending(server(workers=1) + listener("echo"),
                                 server(workers=1) + listener("echo", listen="ENDPOINT"))

    def test_they_survive_when_a_listener_is_added(self):
        config = server(workers=1) + listener("echo")
        self.reload_with_pending(config, config + listener("other", "echo"))

    def test_they_are_served_even_when_their_listener_goes(self):
        self.reload_with_pending(server(workers=1) + listener("echo") + listener("stays", "echo"),
                                 server(workers=1) + listener("stays", "echo"))

    def test_they_are_served_when_the_server_drains(self):
        daemon = self.start(server(workers=1, drain_timeout="1h") + listener("echo"))
        clients = self.connect_while_stopped(daemon, daemon.endpoint("echo"))
        daemon.signal(signal.SIGTERM)
        daemon.signal(signal.SIGCONT)
        daemon.wait("draining")
        for client in clients:
            self.assertEqual(client.receive(7), b"waiting")
