#!/usr/bin/env python3
"""A node tells its replicas what a redis-server tells them: the same random commands to both, and then
the two streams side by side. (What ends by itself is left out: that is told when it ends.)"""
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp
from nodes import wait

SEED = int(os.environ.get("BOWLINE_SEED", random.randrange(1 << 32)))
COMMANDS = 3000
DATABASES = 3
END = b"the end of it"


class Stream:
    """What a replica hears that attaches to a server."""

    def __init__(self, port):
        self.client = resp.Client(port)
        self.client.send("SYNC")
        while self.peek() == b"\n":
            self.client.exactly(1)
        self.client.exactly(int(self.client.line()[1:]))

    def peek(self):
        while not self.client.buffer:
            self.client.fill()
        return self.client.buffer[:1]

    def until_the_end(self):
        told = []
        while not told or END not in told[-1]:
            words = self.client.read()
            if words != [b"PING"]:
                # A moment rests on the server's own clock.
                told.append(b" ".join(re.sub(rb"^1\d{12}$", b"<moment>", word) for word in words))
        return told


class Draw:
    def __init__(self, payload):
        self.random, self.payload = random.Random(SEED), payload

    def key(self):
        return f"k{self.random.randrange(30)}"

    def command(self):
        draw, key = self.random, self.key()
        value = draw.choice(["12", "text", "x" * 50, ""])
        soon, late = str(draw.randrange(500_000, 900_000)), str(draw.randrange(7_200_000, 9_000_000))
        replace = draw.choice([(), ("REPLACE",)])
        return draw.choice([
            ("SET", key, value), ("set", key, value, "px", soon), ("SET", key, value, "PX", late, "GET"),
            ("SET", key, value, "GET", "KEEPTTL"), ("SET", key, value, "NX", "GET"), ("SET", key, value, "XX", "EX", "999"),
            ("SETNX", key, value), ("GETSET", key, value), ("GETDEL", key), ("GETEX", key, "PX", late), ("GETEX", key),
            ("GETEX", key, "EXAT", "1"), ("GETEX", key, "PERSIST"), ("PEXPIRE", key, soon, "NX"), ("PERSIST", key),
            ("PEXPIRE", key, late, "GT"), ("EXPIREAT", key, "99999999999", "LT"), ("EXPIRE", key, "-1"),
            ("DEL", key, self.key()), ("UNLINK", key), ("SET", f"n{key}", "5"), ("INCR", f"n{key}"), ("INCR", key),
            ("INCRBYFLOAT", f"n{key}", "0.3"), ("APPEND", key, "t"), ("SETRANGE", key, "3", "p"),
            ("SETRANGE", key, "3", ""), ("SETBIT", key, "7", "1"), ("BITOP", "XOR", key, self.key(), self.key()),
            ("BITFIELD", key, "INCRBY", "u8", "#3", "77"), ("BITFIELD", key, "GET", "u8", "0"),
            ("RENAME", key, self.key()), ("RENAMENX", key, self.key()), ("COPY", key, self.key(), "REPLACE"),
            ("COPY", key, key, "DB", "2"), ("MOVE", key, "1"), ("MSET", key, "1", self.key(), value),
            ("MSETNX", key, "1", self.key(), value), ("SETEX", key, "9000", value), ("PSETEX", key, late, value),
            ("SWAPDB", "1", draw.choice("12")), ("FLUSHDB",), ("PFADD", f"p{key}", value), ("SORT", key, "STORE", self.key()),
            ("PFMERGE", f"p{key}", f"p{self.key()}"), ("RESTORE", f"r{key}", "0", self.payload, *replace),
            ("RESTORE", f"r{key}", soon, self.payload, *replace), ("RESTORE", f"r{key}", "17", "damaged"),
            *self.of_streams(draw, key, value), ("PUBLISH", "news", value), ("SPUBLISH", "news", value), ("TOUCH", key), ("GET", key),
        ])

    @staticmethod
    def of_streams(draw, key, value):
        stream, id = f"x{key}"[:3], str(draw.randrange(50))
        return [
            ("XADD", stream, f"{id}-*", "f", value), ("XADD", stream, "NOMKSTREAM", id, "f", value, "g", "1"),
            ("XADD", stream, "MAXLEN", "~", "2", "LIMIT", "9", f"{id}-*", "f", value), ("XDEL", stream, id, f"{id}-1"),
            ("XADD", stream, "MAXLEN", "3", f"{id}-*", "f", value), ("XADD", stream, "MINID", "~", id, f"5{id}", "f", value),
            ("XTRIM", stream, draw.choice(["MAXLEN", "MINID"]), draw.choice("~="), id), ("XSETID", stream, f"{id}-9"),
            ("XGROUP", "CREATE", stream, "g", "0", "MKSTREAM"), ("XGROUP", "SETID", stream, "g", id),
            ("XREADGROUP", "GROUP", "g", value, "COUNT", "3", "STREAMS", stream, ">"), ("XACK", stream, "g", id, f"{id}-1"),
            ("XREADGROUP", "GROUP", "g", "c", "NOACK", "COUNT", "1", "STREAMS", stream, ">"),
            ("XREADGROUP", "GROUP", "g", "c", "STREAMS", stream, "0"), ("XGROUP", "DELCONSUMER", stream, "g", value),
            ("XCLAIM", stream, "g", value, "0", id, f"{id}-1", "FORCE", "LASTID", id), ("XGROUP", "DESTROY", stream, "g"),
            ("XCLAIM", stream, "g", "c", "0", id, "RETRYCOUNT", "3", "TIME", "5", "JUSTID"), ("XGROUP", "CREATECONSUMER", stream, "g", "d"),
            ("XAUTOCLAIM", stream, "g", "d", "0", "0", "COUNT", "2"), ("XAUTOCLAIM", stream, "g", "c", "100000", id),
        ]

    def commands(self):
        commands = []
        while len(commands) < COMMANDS:
            kind = self.random.random()
            if kind < 0.05:
                commands.append(("SELECT", str(self.random.randrange(DATABASES))))
            elif kind < 0.12:
                queued = [self.command() for _ in range(self.random.randrange(5))]
                commands += [("MULTI",), *queued, ("EXEC",)]
            else:
                commands.append(self.command())
        return [*commands, ("SET", "last", END)]


def redis_server(directory):
    with socket.socket() as probe:
        probe.bind((resp.HOST, 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(["redis-server", "--port", str(port), "--bind", resp.HOST, "--dir", directory, "--save", ""],
                               stdout=subprocess.DEVNULL)

    def answers():
        try:
            return resp.Client(port).ask("PING") == "PONG"
        except OSError:
            return False

    wait("redis-server", answers)
    return process, port


def told(port, commands):
    client = resp.Client(port)
    client.ask("FLUSHALL")
    stream = Stream(port)
    for start in range(0, len(commands), 100):
        part = commands[start:start + 100]
        client.send_raw(b"".join(resp.encode(*words) for words in part))
        for _ in part:
            client.read()
    return stream.until_the_end()


def main():
    if not shutil.which("redis-server"):
        resp.report(False, "redis-server is not installed (Debian: redis-server)")
        return
    print(f"# BOWLINE_SEED={SEED}")
    with tempfile.TemporaryDirectory() as scratch:
        process, reference = redis_server(scratch)
        try:
            client = resp.Client(reference)
            client.ask("SET", "payload", "abc")
            commands = Draw(client.ask("DUMP", "payload")).commands()
            expected = told(reference, commands)
        finally:
            process.kill()
            process.wait()
    for port in resp.PORTS:
        got = told(port, commands)
        at = next((i for i, pair in enumerate(zip(expected, got)) if pair[0] != pair[1]), min(len(expected), len(got)))
        same = got == expected
        shown = "" if same else f": at {at} {expected[at:at + 3]}, here {got[at:at + 3]}"
        resp.report(same, f"port {port}: the stream is that of a redis-server, {len(expected)} commands{shown}")


main()
resp.finish()
