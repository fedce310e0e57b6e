#!/usr/bin/env python3
"""MIGRATE between bowline and a redis-server that this test starts: both ways, with a target that
refuses, hangs or is gone, and under writes, none of which may be lost. Every node is asked."""
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp
from nodes import wait

KEYS = 300
COUNTERS = 40
FAILED = "ERR Target instance replied with error: "


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Redis:
    """The other server."""

    def __enter__(self):
        self.directory = tempfile.mkdtemp()
        self.port = free_port()
        words = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
                 "--dir", self.directory, "--enable-debug-command", "yes"]
        self.process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
        wait("the redis-server", self.answers)
        return self

    def answers(self):
        try:
            return resp.Client(self.port).ask("PING") == "PONG"
        except OSError:
            return False

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.directory)


def same(what, got, wanted):
    resp.report(got == wanted, what if got == wanted else f"{what}: {got!r}, not {wanted!r}")


def values():
    """Every way in which a string is kept."""
    special = [b"", b"0", b"-1", b"127", b"32768", b"2147483648", b"9223372036854775807", b"007",
               b"a" * 21, b"ab" * 5000, bytes(range(256)) * 300]
    return {b"{m}%d" % n: special[n % len(special)] for n in range(KEYS)}


def moves(source, target, source_port, target_port, what):
    source.ask("FLUSHALL"), target.ask("FLUSHALL")
    moved = values()
    source.ask("MSET", *(word for pair in moved.items() for word in pair))
    source.ask("PEXPIRE", "{m}5", "1000000")
    same(f"{what}: all", source.ask("MIGRATE", "127.0.0.1", str(target_port), "", "0", "10000",
                                    "KEYS", *moved, "none"), "OK")
    same(f"{what}: nothing is left", source.ask("DBSIZE"), 0)
    same(f"{what}: everything came", target.ask("MGET", *moved), list(moved.values()))
    same(f"{what}: with its deadline", 900_000 < target.ask("PTTL", "{m}5") <= 1_000_000, True)
    same(f"{what}: and none else", target.ask("PTTL", "{m}6"), -1)
    same(f"{what}: nothing to move",
         source.ask("MIGRATE", "127.0.0.1", str(target_port), "none", "0", "10000"), "NOKEY")


def refusals(bowline, redis, port, what):
    def migrate(*words, key="k", timeout_ms="5000"):
        return bowline.ask("MIGRATE", "127.0.0.1", str(port), key, "0", timeout_ms, *words)

    redis.ask("FLUSHALL"), bowline.ask("FLUSHALL")
    bowline.ask("SET", "k", "here"), redis.ask("SET", "k", "there")
    same(f"{what}: taken", migrate(), FAILED + "BUSYKEY Target key name already exists.")
    redis.ask("DEL", "k")
    redis.ask("ACL", "SETUSER", "mover", "on", ">secret", "+restore", "+select", "~other")
    denied = "NOPERM this user has no permissions to access one of the keys used as arguments"
    same(f"{what}: ACL", migrate("AUTH2", "mover", "secret"), FAILED + denied)
    wrong = "WRONGPASS invalid username-password pair or user is disabled."
    same(f"{what}: password", migrate("AUTH2", "mover", "no"), FAILED + wrong)
    redis.ask("CONFIG", "SET", "maxmemory", "1")
    same(f"{what}: memory", migrate(),
         FAILED + "OOM command not allowed when used memory > 'maxmemory'.")
    redis.ask("CONFIG", "SET", "maxmemory", "0")
    redis.send("DEBUG", "SLEEP", "1")
    time.sleep(0.1)  # it has begun
    same(f"{what}: too slow", migrate(timeout_ms="100"),
         "IOERR error or timeout reading to target instance")
    redis.read()
    same(f"{what}: still here", bowline.ask("GET", "k"), b"here")
    same(f"{what}: replaced", migrate("COPY", "REPLACE"), "OK")
    same(f"{what}: copied", (bowline.ask("GET", "k"), redis.ask("GET", "k")), (b"here", b"here"))
    same(f"{what}: nobody there",
         bowline.ask("MIGRATE", "127.0.0.1", str(free_port()), "k", "0", "1000"),
         "IOERR error or timeout writing to target instance")


def under_writes(ports, redis, redis_port, what):
    """Each acknowledged INCR is counted once: at the target, or in a key that was made here after."""
    bowline = resp.Client(ports[0])
    bowline.ask("FLUSHALL"), redis.ask("FLUSHALL")
    keys = [f"counter:{n}" for n in range(COUNTERS)]
    acknowledged = [dict.fromkeys(keys, 0) for _ in ports]
    stop = threading.Event()

    def write(which):
        client = resp.Client(ports[which])
        while not stop.is_set():
            for key in keys:
                client.send("INCR", key)
            for key in keys:
                acknowledged[which][key] += isinstance(client.read(), int)

    writers = [threading.Thread(target=write, args=(which,)) for which in range(len(ports))]
    for writer in writers:
        writer.start()
    wait("first writes", lambda: bowline.ask("EXISTS", *keys) == len(keys))
    answers = [bowline.ask("MIGRATE", "127.0.0.1", str(redis_port), key, "0", "5000") for key in keys]
    stop.set()
    for writer in writers:
        writer.join()
    here, there = bowline.ask("MGET", *keys), redis.ask("MGET", *keys)
    wrong = []
    for key, answer, *found in zip(keys, answers, here, there):
        here, there = (int(value or b"0") for value in found)
        if answer != "OK":
            there = 0  # it never rested, and has stayed
        if here + there != sum(of[key] for of in acknowledged):
            wrong.append((key, answer, here, there))
    same(f"{what}: no write is lost", wrong, [])
    resp.report("OK" in answers, f"{what}: {answers.count('OK')} of {COUNTERS} busy keys moved")


def main():
    if resp.FOREIGN or not shutil.which("redis-server"):
        print("# needs bowline, and a redis-server to move keys to", file=sys.stderr)
        resp.finish()
    with Redis() as other:
        redis = resp.Client(other.port)
        for port in resp.PORTS:
            bowline = resp.Client(port)
            moves(bowline, redis, port, other.port, f"port {port}: to redis")
            moves(redis, bowline, other.port, port, f"port {port}: from redis")
            refusals(bowline, redis, other.port, f"port {port}")
        under_writes(resp.PORTS, redis, other.port, f"port {resp.PORTS[0]}")
    resp.finish()


main()
