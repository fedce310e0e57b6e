#!/usr/bin/env python3
"""Whatever bytes arrive, the server answers with Redis's error or closes the connection,
lives on, and serves the others."""
import os
import random
import re
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp

SEED = int(os.environ.get("BOWLINE_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
PROTOCOL_ERROR = b"-ERR Protocol error: "

# What is sent, and everything that comes back until the server closes the connection.
ENDS_WITH_ERROR = [
    (b"*1\r\n:5\r\n", b"expected '$', got ':'"),
    (b"*1\r\nPING\r\n", b"expected '$', got 'P'"),
    (b"*1\r\n\r\n", b"expected '$', got ' '"),
    (b"*1\r\n" * 20_000, b"expected '$', got '*'"),
    (b"*2\r\n$3\r\nGET\r\n*1\r\n$1\r\nk\r\n", b"expected '$', got '*'"),
    (b"*x\r\n", b"invalid multibulk length"),
    (b"*\r\n", b"invalid multibulk length"),
    (b"*1x\r\n", b"invalid multibulk length"),
    (b"*+1\r\n", b"invalid multibulk length"),
    (b"*01\r\n", b"invalid multibulk length"),
    (b"*2147483648\r\n", b"invalid multibulk length"),
    (b"*99999999999999999999\r\n", b"invalid multibulk length"),
    (b"*1\r\n$-1\r\n", b"invalid bulk length"),
    (b"*1\r\n$-5\r\n", b"invalid bulk length"),
    (b"*1\r\n$x\r\n", b"invalid bulk length"),
    (b"*1\r\n$\r\n", b"invalid bulk length"),
    (b"*1\r\n$ 4\r\n", b"invalid bulk length"),
    (b"*1\r\n$1073741824\r\n", b"invalid bulk length"),
    (b"*1\r\n$99999999999999999999\r\n", b"invalid bulk length"),
    (b"*2\r\n$3\r\nGET\r\n$1073741824\r\n", b"invalid bulk length"),
    (b"a" * 70_000, b"too big inline request"),
    (b"*" + b"1" * 70_000, b"too big mbulk count string"),
    (b"*1\r\n$" + b"1" * 70_000, b"too big bulk count string"),
    (b'SET "k v\r\n', b"unbalanced quotes in request"),
    (b"SET 'k v\r\n", b"unbalanced quotes in request"),
    (b'SET "k"v\r\n', b"unbalanced quotes in request"),
]

# What is sent, and what comes back; the connection stays open.
ANSWERED = [
    (b"PING\r\n", b"+PONG\r\n"),
    (b"PING\n", b"+PONG\r\n"),
    (b"  PING  \r\n", b"+PONG\r\n"),
    (b"\r\n\r\nPING\r\n", b"+PONG\r\n"),
    (b"*0\r\nPING\r\n", b"+PONG\r\n"),
    (b"*-1\r\nPING\r\n", b"+PONG\r\n"),
    (b"*-1000\r\nPING\r\n", b"+PONG\r\n"),
    (b'ECHO "a\\x41\\n\\"\\\\"\r\n', b'$5\r\naA\n"\\\r\n'),
    (b"ECHO 'it\\'s \\n'\r\n", b"$7\r\nit's \\n\r\n"),
    (b'ECHO ""\r\n', b"$0\r\n\r\n"),
    (b"*2\r\n$4\r\nECHO\r\n$0\r\n\r\n", b"$0\r\n\r\n"),
    (b"*1\r\n$0\r\n\r\n", b"-ERR unknown command '', with args beginning with: \r\n"),
    (b"*1\r\n$3\r\nGET\r\n", b"-ERR wrong number of arguments for 'get' command\r\n"),
    (b"*1\r\n$4\r\nP\x00\r\n\r\n", None),
    (resp.encode("NOSUCH", b"\xff" * 10_000), None),
    (resp.encode(b"x" * 100_000), None),
    (resp.encode("GET", b"\x00\xff\r\n"), b"$-1\r\n"),
    (resp.encode("GET", b"k" * 1_000_000), b"$-1\r\n"),
    (resp.encode("DEL", *[b"k"] * 50_000), b":0\r\n"),
    (b"*1\r\n$4\r\nPING\r\n" * 20_000, b"+PONG\r\n" * 20_000),
]



def check_errors(port):
    for sent, error in ENDS_WITH_ERROR:
        for before, reply in ((b"", b""), (b"PING\r\n", b"+PONG\r\n")):
            client = resp.Client(port)
            try:
                client.send_raw(before + sent)
            except OSError:
                pass  # the server may close before it has read it all
            got = client.read_to_end()
            want = reply + PROTOCOL_ERROR + error + b"\r\n"
            if got != want:
                resp.report(False, f"port {port}: {shown(before + sent)}: want {want!r}, got {got[:200]!r}")
            client.close()
    alive(port, f"{len(ENDS_WITH_ERROR)} kinds of malformed requests")


def check_answers(port):
    for sent, want in ANSWERED:
        client = resp.Client(port)
        client.send_raw(sent)
        if want is None:
            reply = client.read()
            good, got = isinstance(reply, resp.Error), reply
        else:
            got = b""
            while len(got) < len(want) and (part := client.socket.recv(1 << 16)):
                got += part
            good = got == want
        good = good and client.ask("PING") == "PONG"
        if not good:
            resp.report(False, f"port {port}: {shown(sent)}: want {shown(want or b'an error')}, got {got[:200]!r}")
        client.close()
    alive(port, f"{len(ANSWERED)} odd but valid requests")


def check_drip(port):
    """A byte at a time, with a fresh packet for each."""
    client = resp.Client(port)
    client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in resp.encode("SET", "drip", "a\r\nb") + b"GET drip\r\n":
        client.send_raw(bytes([byte]))
    replies = [client.read(), client.read()]
    resp.report(replies == ["OK", b"a\r\nb"], f"port {port}: a request byte by byte: {replies}")
    client.close()


def check_unfinished(port):
    """Promises of large requests that never come must cost nothing, and be given up at the close."""
    clients = []
    for start in (b"*1000000\r\n", b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$134217728\r\n", b"*2\r\n$3\r\nGET\r\n$5\r\nab", b"PI", b"*",
                  b"*1", b"*1\r", b"*1\r\n$"):
        for _ in range(25):
            client = resp.Client(port)
            client.send_raw(start)
            clients.append(client)
    alive(port, f"{len(clients)} unfinished requests arrived")
    for n, client in enumerate(clients):
        if n % 2:  # a reset instead of an orderly close
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
    alive(port, "these ended")


def check_half_closed(port):
    """As from `printf ... | nc`: no more to say, but still listening."""
    client = resp.Client(port)
    client.send_raw(b"SET half closed\r\nGET half\r\n")
    client.socket.shutdown(socket.SHUT_WR)
    got = client.read_to_end()
    resp.report(got == b"+OK\r\n$6\r\nclosed\r\n", f"port {port}: half-closed connection: {got!r}")
    client.close()


def check_quit(port):
    client = resp.Client(port)
    client.send_raw(b"SET q 1\r\nQUIT\r\nSET q 2\r\n")
    got = client.read_to_end()
    value = resp.Client(port).ask("GET", "q")
    resp.report(got == b"+OK\r\n+OK\r\n" and value == b"1", f"port {port}: QUIT is the last: {got!r}, {value!r}")
    client.close()


def check_http(port):
    """A browser talked into sending commands: the connection ends before the second."""
    client = resp.Client(port)
    client.send_raw(b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\nSET http 1\r\n")
    client.read_to_end()
    resp.report(resp.Client(port).ask("GET", "http") is None, f"port {port}: an HTTP request runs no command")
    client.close()


def check_deaf(port):
    """A client that asks for 300 MB and reads nothing."""
    client = resp.Client(port)
    assert client.ask("SET", "large", b"x" * (1 << 20)) == "OK"
    deaf = resp.Client(port, timeout_s=2)
    try:
        deaf.send_raw(resp.encode("GET", "large") * 300)
    except OSError:
        pass  # the server closed it, or reads no further
    slowest_s = 0.0
    for _ in range(100):
        started = time.monotonic()
        assert client.ask("PING") == "PONG"
        slowest_s = max(slowest_s, time.monotonic() - started)
    resp.report(slowest_s < 5, f"port {port}: others are served while one does not read: {slowest_s:.3f} s at worst")
    deaf.close()
    client.ask("DEL", "large")
    client.close()
    alive(port, "a client that reads nothing")


def check_crowd(port, size=1_000):
    clients = [resp.Client(port) for _ in range(size)]
    for client in clients:
        client.send("PING")
    wrong = sum(client.read() != "PONG" for client in clients)
    resp.report(wrong == 0, f"port {port}: {size} connections at once, {wrong} without an answer")
    for client in clients:
        client.close()


def check_garbage(port, generator):
    """Random bytes, and valid requests with a few bytes changed."""
    valid = resp.encode("SET", "g", "value") + resp.encode("GET", "g") + resp.encode("MGET", "a", "b") + b"PING\r\n"
    for _ in range(300):
        data = bytearray(valid * generator.randrange(1, 4))
        if generator.random() < 0.3:
            data = bytearray(generator.randbytes(generator.randrange(1, 5_000)))
        for _ in range(generator.randrange(1, 6)):
            place = generator.randrange(len(data) + 1)  # nothing may be left of it
            data[place:place + generator.randrange(0, 3)] = generator.choice(
                [b"", b"\r\n", b"$", b"*", b"-", b"9", b"\x00", b"\xff", generator.randbytes(3)])
        client = resp.Client(port)
        try:
            client.send_raw(bytes(data))
        except OSError:
            pass
        client.close()
    alive(port, f"300 connections of garbage, BOWLINE_SEED={SEED}")


def check_peer_port(port, generator):
    """What is meant for a client, or for nobody, arrives where peers are awaited."""
    for data in (b"GET / HTTP/1.1\r\n\r\n", resp.encode("PING"), b"\xff" * 100, b"\x00" * 100, b"\x7f\xff\xff\xff" + b"x" * 1_000,
                 generator.randbytes(100_000), b""):
        try:
            peer = socket.create_connection((resp.HOST, port + 10_000), timeout=20)
        except OSError as error:
            resp.report(False, f"port {port}: nobody listens for peers: {error}")
            return
        with peer:
            try:
                peer.sendall(data)
            except OSError:
                pass
    alive(port, f"garbage on the port for peers, BOWLINE_SEED={SEED}")


def process(port):
    info = resp.Client(port).ask("INFO", "server")
    found = re.search(rb"process_id:(\d+)", info if isinstance(info, bytes) else b"")
    return found and found[1]


def alive(port, after):
    client = resp.Client(port)
    good = client.ask("SET", "alive", after) == "OK" and client.ask("GET", "alive") == after.encode()
    resp.report(good, f"port {port}: serves after {after}")
    client.close()


def shown(data):
    return repr(data if len(data) < 60 else data[:60]) + (f" ({len(data)} bytes)" if len(data) >= 60 else "")


def main():
    generator = random.Random(SEED)
    resp.Client(resp.PORTS[0]).ask("FLUSHALL")
    for port in resp.PORTS:
        before = process(port)
        for check in (check_errors, check_answers, check_drip, check_unfinished, check_half_closed, check_quit,
                      check_http, check_deaf, check_crowd):
            try:
                check(port)
            except (OSError, resp.Closed, AssertionError) as error:
                resp.report(False, f"port {port}: {check.__name__}: {error!r}")
        check_garbage(port, generator)
        # Only of a cluster that run.sh started are the ports for peers known.
        if os.environ.get("BOWLINE_CLUSTER_DIR"):
            check_peer_port(port, generator)
        resp.report(process(port) == before, f"port {port}: it still is the same process")


main()
resp.finish()
