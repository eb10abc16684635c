// echo.go - a line echo in Go: a goroutine for each client, bufio on both sides. It is a peer
// because it is how a Go programmer writes one, with the runtime's poller and scheduler underneath.
//
// Package net does by itself what the other peers ask for: SO_REUSEADDR, a backlog of
// net.core.somaxconn, TCP_NODELAY.
package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"
)

const lineLimit = 8 << 10

func fail(err error) {
	fmt.Fprintln(os.Stderr, "echo:", err)
	os.Exit(1)
}

// An error means no more than that the client is gone, and ends the loop as its EOF does.
func serve(client net.Conn) {
	defer client.Close()
	reader := bufio.NewReaderSize(client, lineLimit)
	writer := bufio.NewWriterSize(client, lineLimit)
	defer writer.Flush()
	for {
		// At EOF, line is what is left without an end, and is echoed as well.
		line, err := reader.ReadSlice('\n')
		if err == bufio.ErrBufferFull {
			return
		}
		if _, failed := writer.Write(line); failed != nil || err != nil {
			return
		}
		// One write answers all the lines of one read. A line of which only the beginning has
		// come is not waited for: its client may be waiting for the answers before it.
		next, err := reader.Peek(reader.Buffered())
		if err != nil {
			return
		}
		if bytes.IndexByte(next, '\n') < 0 {
			if err := writer.Flush(); err != nil {
				return
			}
		}
	}
}

func main() {
	var port uint64
	if len(os.Args) == 2 {
		if parsed, err := strconv.ParseUint(os.Args[1], 10, 16); err == nil {
			port = parsed
		}
	}
	if port == 0 {
		fmt.Fprintln(os.Stderr, "usage: echo PORT")
		os.Exit(64)
	}
	signal.Ignore(syscall.SIGPIPE)

	listener, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		fail(err)
	}
	for {
		client, err := listener.Accept()
		if err != nil {
			fail(err)
		}
		go serve(client)
	}
}
