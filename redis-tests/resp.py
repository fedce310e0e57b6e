"""A RESP client for the tests that want to see every byte, and how tests report.

A test prints `ok WHAT` or `not ok WHAT` for each thing it checked; run.sh counts them.
"""
import os
import re
import socket
import sys

HOST = os.environ.get("BOWLINE_HOST", "127.0.0.1")
PORTS = [int(port) for port in os.environ.get("BOWLINE_PORTS", "6379").split()]
# The server is a redis-server, which has none of bowline's own commands.
FOREIGN = os.environ.get("BOWLINE_FOREIGN", "") != ""

failures = 0


def report(good, what):
    global failures
    failures += not good
    print(f"{'ok' if good else 'not ok'} {what}", flush=True)


def finish():
    sys.exit(1 if failures else 0)


class Closed(Exception):
    """The server closed the connection."""


class Error(str):
    """An error reply."""


class Simple(str):
    """A simple string."""


class NilArray:
    """RESP2's `*-1`."""


class Typed:
    """A RESP3 reply of a kind that RESP2 has not."""

    def __init__(self, kind, value):
        self.kind, self.value = kind, value


def encode(*words):
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        word = word.encode() if isinstance(word, str) else word
        parts.append(b"$%d\r\n%s\r\n" % (len(word), word))
    return b"".join(parts)


class Client:
    def __init__(self, port, timeout_s=20):
        self.socket = socket.create_connection((HOST, port), timeout=timeout_s)
        self.buffer = b""

    def send(self, *words):
        self.socket.sendall(encode(*words))

    def send_raw(self, data):
        self.socket.sendall(data)

    def ask(self, *words):
        self.send(*words)
        return self.read()

    def fill(self):
        data = self.socket.recv(1 << 20)
        if not data:
            raise Closed
        self.buffer += data

    def line(self):
        while b"\r\n" not in self.buffer:
            self.fill()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def exactly(self, size):
        while len(self.buffer) < size:
            self.fill()
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def read(self):
        line = self.line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return Simple(rest.decode())
        if kind == b"-":
            return Error(rest.decode("utf-8", "backslashreplace"))
        if kind == b":":
            return int(rest)
        if kind in b"$=":
            if rest == b"-1":
                return None
            data = self.exactly(int(rest) + 2)[:-2]
            return data if kind == b"$" else Typed("verbatim", data)
        if kind == b"*":
            return NilArray() if rest == b"-1" else [self.read() for _ in range(int(rest))]
        if kind == b"_":
            return Typed("null", None)
        if kind == b"#":
            return Typed("bool", rest == b"t")
        if kind == b",":
            return Typed("double", rest.decode())
        if kind == b"%":
            return Typed("map", [(self.read(), self.read()) for _ in range(int(rest))])
        if kind in b"~>":
            return Typed("set" if kind == b"~" else "push", [self.read() for _ in range(int(rest))])
        raise AssertionError(f"no RESP: {line!r}")

    def read_to_end(self):
        """Everything until the server closes the connection."""
        data, self.buffer = self.buffer, b""
        try:
            while part := self.socket.recv(1 << 16):
                data += part
        except ConnectionResetError:
            pass
        return data

    def close(self):
        self.socket.close()


def quote(data):
    shown = {34: '\\"', 92: "\\\\", 10: "\\n", 13: "\\r", 9: "\\t", 7: "\\a", 8: "\\b"}
    text = "".join(shown.get(b) or (chr(b) if 32 <= b < 127 else f"\\x{b:02x}") for b in data)
    return f'"{text}"'


def draw(reply):
    """As `redis-cli --no-raw` shows it, but telling nil from a nil array, and the RESP3 kinds apart."""
    if isinstance(reply, Error):
        return "(error) " + "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in reply)
    if isinstance(reply, Simple):
        return str(reply)
    if isinstance(reply, int):
        return f"(integer) {reply}"
    if isinstance(reply, bytes):
        return quote(reply)
    if reply is None:
        return "(nil)"
    if isinstance(reply, NilArray):
        return "(nil array)"
    if isinstance(reply, list):
        return items(reply, ")", "array")
    if reply.kind in ("set", "push"):
        return items(reply.value, "~" if reply.kind == "set" else ">", reply.kind)
    if reply.kind == "map":
        if not reply.value:
            return "(empty map)"
        return "\n".join(f"{n}# {draw(key)} => " + indented(draw(value), 4)
                         for n, (key, value) in enumerate(reply.value, 1))
    return f"({reply.kind})" if reply.value is None else f"({reply.kind}) {reply.value}"


def items(replies, sign, kind):
    if not replies:
        return f"(empty {kind})"
    width = len(str(len(replies)))
    return "\n".join(f"{n:>{width}}{sign} " + indented(draw(item), width + 2)
                     for n, item in enumerate(replies, 1))


def indented(text, columns):
    return text.replace("\n", "\n" + " " * columns)


WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|\'((?:[^\'\\]|\\.)*)\'|(\S+)')
ESCAPES = {"n": b"\n", "r": b"\r", "t": b"\t", "a": b"\a", "b": b"\b"}


def split(text):
    """Words, with redis-cli's quoting."""
    words = []
    for double, single, plain in WORD.findall(text):
        if double:
            words.append(re.sub(rb"\\(x[0-9a-fA-F]{2}|.)", unescape, double.encode()))
        else:
            words.append((plain or single).encode())
    return words


def unescape(found):
    what = found[1].decode()
    return bytes.fromhex(what[1:]) if len(what) == 3 else ESCAPES.get(what, what.encode())
