"""A connection that reads replies as they are, and whether two of them may both be right."""
import contextlib
import re
import socket

from families import CLOCKS, PAIRS, RANDOM, SCANS, UNORDERED
from generator import SORTS, name_of
from groups import without_moments


SCRIPTS = {"EVAL", "EVALSHA", "EVAL_RO", "EVALSHA_RO", "FCALL", "FCALL_RO"}
# Types of DUMP whose elements have no order.
HASH_TABLES = (2, 4)


class ServerLost(Exception):
    """One of the servers cannot be used any more."""


class Link:
    """One connection. A reply is a pair of its RESP type character and its content."""

    def __init__(self, host, port, timeout, resp):
        self.address, self.timeout, self.resp = (host, port), timeout, resp
        self.socket = self.file = None

    def open(self):
        self.close()
        try:
            self.socket = socket.create_connection(self.address, self.timeout)
        except OSError as error:
            raise ServerLost(f"port {self.address[1]}: {error}") from error
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")
        if self.resp == 3 and self.call(b"HELLO", b"3")[0] == "-":
            raise ServerLost(f"port {self.address[1]}: no RESP3")

    def close(self):
        if self.socket:
            self.socket.close()
            self.socket = None

    def send(self, *commands):
        parts = []
        for args in commands:
            parts.append(b"*%d\r\n" % len(args))
            parts += [b"$%d\r\n%s\r\n" % (len(arg), arg) for arg in args]
        with contextlib.suppress(OSError):  # reading the reply then says so
            self.socket.sendall(b"".join(parts))

    def receive(self):
        try:
            return self._reply()
        except (OSError, ValueError, EOFError) as error:
            return "!", f"no reply: {type(error).__name__} {error}"

    def call(self, *args):
        self.send(args)
        return self.receive()

    def _reply(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise EOFError("connection closed")
        kind, rest = chr(line[0]), line[1:-2]
        if kind in "+(":
            return kind, rest
        if kind == "-":
            return kind, rest.decode(errors="replace")
        if kind == ":":
            return kind, int(rest)
        if kind in "_#,":
            return kind, rest
        if kind in "$=":
            size = int(rest)
            return kind, None if size < 0 else self.file.read(size + 2)[:-2]
        if kind in "*~>%":
            size = int(rest) * (2 if kind == "%" else 1)
            return kind, None if size < 0 else [self._reply() for _ in range(size)]
        raise ValueError(f"unknown reply {line[:40]!r}")


class Events:
    """What a server publishes about its keys, but for `expired`: those come when they like."""

    MARK = b"fuzz:mark"

    def __init__(self, host, link, timeout):
        self.link, self.listener = link, Link(host, link.address[1], timeout, 2)

    def open(self):
        self.listener.open()
        for words in ((b"CONFIG", b"SET", b"notify-keyspace-events", b"KEA"),
                      (b"PSUBSCRIBE", b"__key*__:*", self.MARK)):
            reply = self.listener.call(*words)
            if reply[0] == "-":
                raise ServerLost(f"port {self.link.address[1]}: no notifications: {reply[1]}")
        self.listener.receive()

    def published(self):
        """Channel and message of each, as far as commands up to now have caused them."""
        self.link.call(b"PUBLISH", self.MARK, b"now")
        found = []
        while True:
            kind, message = self.listener.receive()
            if kind == "!":
                raise ServerLost(f"port {self.link.address[1]}: {message}")
            channel, text = message[2][1], message[3][1]
            if channel == self.MARK:
                return found
            if b"expired" not in (text, channel.rpartition(b":")[2]):
                found.append(("$", channel + b" " + text))


def error_words(reply):
    """The reply with errors cut to their first word."""
    kind, body = reply
    if kind == "-":
        return kind, body.split(" ", 1)[0]
    if isinstance(body, list):
        return kind, [error_words(item) for item in body]
    return reply


def plain(reply):
    """The reply with unordered RESP3 types put in order."""
    kind, body = reply
    if not isinstance(body, list):
        return reply
    items = [plain(item) for item in body]
    if kind == "%":
        items = [item for pair in grouped(items, 2) for item in pair]
    elif kind == "~":
        items.sort(key=repr)
    return kind, items


def grouped(items, size):
    """The items in groups of that size, the groups in order."""
    return sorted((items[i : i + size] for i in range(0, len(items), size)), key=repr)


def drawn(args, body):
    """What two draws of elements have in common: how many, how many different ones, and all if all were asked for."""
    count = args[2] if len(args) > 2 else b""
    if not re.fullmatch(rb"[1-9]\d*", count):
        return len(body)
    pairs = len(args) > 3 and body and isinstance(body[0][1], (bytes, type(None)))
    items = grouped(body, 2 if pairs else 1)
    return items if len(items) < int(count) else (len(items), len(set(map(repr, items))))


def without_addresses(reply):
    """Tables and functions as scripts show them, which is where they are. Replies of one line are text to bowline."""
    kind, body = reply
    if kind in "+(":
        body = body.decode(errors="replace").encode()
    if isinstance(body, list):
        return kind, [without_addresses(item) for item in body]
    if isinstance(body, bytes):
        return kind, re.sub(rb"\b(table|function|userdata|thread|builtin): (builtin: )?0x\w+", rb"\1", body)
    if isinstance(body, str):
        return kind, re.sub(r"\b(table|function|userdata|thread|builtin): (builtin: )?0x\w+", r"\1", body)
    return reply


def without_estimates(reply):
    """Sketches without the bytes in which redis-server keeps what PFCOUNT has found."""
    kind, body = reply
    if isinstance(body, list):
        return kind, [without_estimates(item) for item in body]
    return kind, body[:8] + body[16:] if isinstance(body, bytes) and body.startswith(b"HYLL") else body


def in_order(reply):
    """The reply with all that it lists in order."""
    kind, body = reply
    return (kind, sorted(map(in_order, body), key=repr)) if isinstance(body, list) else reply


def comparable(args, reply, loose):
    """The reply reduced to what two right servers must agree on."""
    name = name_of(args)
    kind, body = without_estimates(plain(without_moments(name, reply)))
    if name in SCRIPTS:
        return without_addresses((kind, body))
    if name == "FUNCTION":
        return in_order((kind, body)) if args[1:2] and args[1].upper() == b"LIST" else (kind, kind == "$" or body)
    if name in RANDOM and isinstance(body, list):
        return kind, drawn(args, body)
    if name == "XADD" and body == "ERR Elements are too large to be stored":
        # What it says of a millisecond that is full depends on which system call has last failed.
        body = "ERR The ID specified in XADD is equal or smaller than the target stream top item"
    if name == "LPOS" and b"-9223372036854775808" in args[3:]:
        return kind == "-"  # a rank whose opposite is no number of C
    if name == "MEMORY" and kind == ":":
        return kind, body > 0
    if name in RANDOM and kind == "$":
        return kind, body is not None
    if name == "DUMP" and kind == "$" and body and b"HYLL" in body[:12]:
        return kind, True
    if name == "DUMP" and kind == "$" and body and body[0] in HASH_TABLES:
        return kind, len(body)
    if isinstance(body, list) and kind == "*":
        if name in SORTS and loose:
            return kind, len(body) if b"LIMIT" in args else sorted(body, key=repr)
        if name in UNORDERED:
            return kind, sorted(body, key=repr)
        if name in PAIRS:
            return kind, grouped(body, 2)
        if name in SCANS and len(body) == 2 and isinstance(body[1][1], list):
            return kind, [body[0], grouped(body[1][1], SCANS[name])]
    return kind, body


def agree(args, ref, sut, queued=(), loose=False):
    """Whether two right servers may give these replies; `queued` are the commands of an EXEC. `loose`: as SORT leaves
    elements in the order that they had if it has nothing to compare, which of a set is any."""
    name = name_of(args)
    lists = name == "EXEC" and isinstance(ref[1], list) and isinstance(sut[1], list)
    if lists and len(ref[1]) == len(sut[1]) == len(queued):
        return all(agree(*each, loose=loose) for each in zip(queued, ref[1], sut[1]))
    ref, sut = comparable(args, ref, loose), comparable(args, sut, loose)
    if name in CLOCKS and ref[0] == sut[0] == ":" and min(ref[1], sut[1]) > 0:
        return abs(ref[1] - sut[1]) <= CLOCKS[name]
    if name == "OBJECT" and args[1:2] and args[1].upper() == b"IDLETIME" and ref[0] == sut[0] == ":":
        return abs(ref[1] - sut[1]) <= 5  # seconds; one of them may have been busy
    return ref == sut


def shown(reply, limit=90):
    kind, body = reply
    if isinstance(body, list):
        text = "[" + ", ".join(shown(item, limit) for item in body) + "]"
    else:
        text = "nil" if body is None else body if isinstance(body, str) else repr(body).removeprefix("b")
    text = kind + text
    return text if len(text) <= limit else text[:limit] + "…"


def written(args):
    return " ".join(repr(arg)[1:] if not re.fullmatch(rb"[!-~]+", arg) else arg.decode() for arg in args)
