/*
 * Echo.java - a line echo in the shape of the classic tutorial: a ServerSocket, a thread for each
 * client, readLine, and a flush after each line. It is a peer because blocking threads are what
 * many servers still are, and because the JVM's own compiler makes it faster as it runs.
 */
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;

public final class Echo {
    private static final int BACKLOG = 4096;
    private static final int WRONG_USAGE = 64;

    private static void exit(int status, String message) {
        System.err.println(message);
        System.exit(status);
    }

    private static int port(String[] arguments) {
        try {
            int port = arguments.length == 1 ? Integer.parseInt(arguments[0]) : 0;
            return port <= 65535 ? port : 0;
        } catch (NumberFormatException notANumber) {
            return 0;
        }
    }

    /* Latin 1 has a character for each byte, so that every line goes back as it came. */
    private static void serve(Socket client) {
        try (client;
                BufferedReader reader =
                        new BufferedReader(
                                new InputStreamReader(
                                        client.getInputStream(), StandardCharsets.ISO_8859_1));
                BufferedWriter writer =
                        new BufferedWriter(
                                new OutputStreamWriter(
                                        client.getOutputStream(), StandardCharsets.ISO_8859_1))) {
            client.setTcpNoDelay(true);
            for (String line; (line = reader.readLine()) != null; ) {
                writer.write(line);
                writer.write("\r\n"); // println would write the platform's line end
                writer.flush();
            }
        } catch (IOException gone) {
            // The client has left without taking its answer: that is no failure of the server.
        }
    }

    public static void main(String[] arguments) {
        int port = port(arguments);
        if (port < 1) {
            exit(WRONG_USAGE, "usage: Echo PORT");
        }
        try (ServerSocket listener = new ServerSocket()) {
            listener.setReuseAddress(true);
            listener.bind(
                    new InetSocketAddress(InetAddress.getByName("127.0.0.1"), port), BACKLOG);
            while (true) {
                Socket client = listener.accept();
                new Thread(() -> serve(client)).start();
            }
        } catch (IOException | OutOfMemoryError error) { // the latter where no thread is to be had
            exit(1, "Echo: " + error.getMessage());
        }
    }
}
