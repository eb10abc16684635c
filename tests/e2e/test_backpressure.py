"""Clients that do not read: they cost no memory, no processor time, and nobody else anything."""

import hashlib
import threading

import banterd
from case import DaemonTest, listener

MEGABYTE = 1 << 20
BLOCK = bytes(range(256)) * 1024


class BackPressure(DaemonTest):
    # What a client that does not read may cost, its max-output included.
    ROOM = (64 if banterd.sanitized() else 4) * MEGABYTE

    def test_64_megabytes_of_echo_unread_cost_no_memory(self):
        daemon = self.start(listener("echo", write_timeout="1s", max_output="64K"))
        before = daemon.memory("VmHWM")
        client = self.connect(daemon, "echo")
        sent = client.send_until_blocked(BLOCK, 64 * MEGABYTE)
        self.assertLess(sent, 64 * MEGABYTE)
        event = self.assert_closed(daemon, client, "write-timeout")
        self.assertLess(daemon.memory("VmHWM") - before, self.ROOM)
        self.assertLess(int(event["received"]), 64 * MEGABYTE)

    def test_twenty_such_clients_cost_twenty_times_max_output(self):
        daemon = self.start(listener("echo", write_timeout="2s", max_output="256K"))
        before = daemon.memory("VmHWM")
        self.send_without_reading(daemon, 20)
        daemon.wait_all(20, "client-closed", reason="write-timeout")
        self.assertLess(daemon.memory("VmHWM") - before, self.ROOM + 20 * MEGABYTE // 2)

    def test_what_fifty_such_clients_hold_is_bounded_for_each(self):
        daemon = self.start(listener("echo", write_timeout="0", max_output="64K"))
        before = daemon.memory("VmHWM")
        self.send_without_reading(daemon, 50)
        self.assertFalse(daemon.find("client-closed"))
        each = (daemon.memory("VmHWM") - before) / 50
        self.assertLess(each, (1024 if banterd.sanitized() else 128) * 1024)

    def send_without_reading(self, daemon, count):
        senders = [threading.Thread(target=self.connect(daemon, "echo").send_until_blocked,
                                    args=(BLOCK, 64 * MEGABYTE)) for _ in range(count)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join(banterd.PATIENCE)

    def test_an_honest_reader_gets_every_byte_although_it_reads_late(self):
        daemon = self.start(listener("echo", max_output="64K"))
        client = self.connect(daemon, "echo")
        early = client.send_until_blocked(BLOCK, 64 * MEGABYTE)
        size = 64 * MEGABYTE
        sent, heard = hashlib.sha256(), hashlib.sha256()

        def send_the_rest():
            client.send((BLOCK * 256)[early:])
            client.half_close()

        sender = threading.Thread(target=send_the_rest)
        sender.start()
        sent.update(BLOCK * 256)
        count = 0
        while data := client.socket.recv(MEGABYTE):
            heard.update(data)
            count += len(data)
        sender.join(banterd.PATIENCE)
        self.assertEqual((count, heard.digest()), (size, sent.digest()))
        event = self.assert_closed(daemon, client, "client-eof")
        self.assertEqual((event["received"], event["sent"]), (str(size), str(size)))

    def test_others_are_served_while_one_does_not_read(self):
        daemon = self.start("[server]\nworkers = 1\n" + listener("echo"))
        stuck = self.connect(daemon, "echo")
        stuck.send_until_blocked(BLOCK, 64 * MEGABYTE)
        other = self.connect(daemon, "echo")
        for _ in range(100):
            self.assert_echoes(other)

    def test_chargen_unread_costs_no_memory_and_no_processor_time(self):
        daemon = self.start(listener("chargen")
                            + listener("clock", "echo", idle_timeout="1s"))
        before = daemon.memory("VmHWM")
        clients = [self.connect(daemon, "chargen") for _ in range(5)]
        for client in clients:
            client.receive_line()
        self.assert_ended(self.connect(daemon, "clock"))   # the kernel's buffers are full by now
        clock = self.connect(daemon, "clock")
        self.assertLess(daemon.busy_share(clock), 0.4)
        self.assert_ended(clock)
        self.assertLess(daemon.memory("VmHWM") - before, self.ROOM)
        clients[0].receive(20 * MEGABYTE)

    def test_a_busy_client_does_not_starve_the_others_of_its_worker(self):
        daemon = self.start("[server]\nworkers = 1\n" + listener("chargen") + listener("echo"))
        greedy = self.connect(daemon, "chargen")
        echo = self.connect(daemon, "echo")
        enough = threading.Event()

        def read():
            while not enough.is_set():
                greedy.socket.recv(MEGABYTE)

        reader = threading.Thread(target=read)
        reader.start()
        try:
            for _ in range(200):
                self.assert_echoes(echo)
        finally:
            enough.set()
            reader.join(banterd.PATIENCE)

    def test_a_line_protocol_that_is_not_read_stops_hearing(self):
        daemon = self.start(listener("knock-knock", write_timeout="1s", max_output="64K"))
        before = daemon.memory("VmHWM")
        client = self.connect(daemon, "knock-knock")
        client.send_until_blocked(b"Come in!\n" * 1000, 64 * MEGABYTE)
        self.assert_closed(daemon, client, "write-timeout")
        self.assertLess(daemon.memory("VmHWM") - before, self.ROOM)
