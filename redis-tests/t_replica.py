#!/usr/bin/env python3
"""redis-servers follow nodes of the cluster under load, while the leader and the nodes that they follow
are killed; then they hold the same. And what redis-cli reads of a node: a file, and the stream."""
import contextlib
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp
from nodes import Nodes, wait

NODES = Nodes()
DATABASES = 4  # that random commands work in
POPULATED, COUNTERS = "7", "9"
WRITERS = 3
WRITES_BETWEEN = 1500
POPULATED_KEYS = 3000
SEED = int(os.environ.get("BOWLINE_SEED", random.randrange(1 << 32)))
NEEDED = ("redis-server", "redis-cli", "redis-check-rdb")


class Replica:
    """A redis-server of our own that follows a node, and keeps nothing on disk."""

    def __init__(self, directory, number):
        self.directory, self.process, self.master = directory, None, None
        self.log = os.path.join(directory, f"redis{number}.log")
        with socket.socket() as probe:
            probe.bind((resp.HOST, 0))
            self.port = probe.getsockname()[1]

    def start(self, *flags):
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", resp.HOST, "--dir", self.directory, "--save", "",
             *flags], stdout=open(self.log, "ab"), stderr=subprocess.STDOUT)
        wait("redis-server", self.answers)

    def answers(self):
        with contextlib.suppress(OSError, resp.Closed):
            return resp.Client(self.port).ask("PING") == "PONG"
        return False

    def follow(self, port):
        self.master = port
        resp.Client(self.port).ask("REPLICAOF", resp.HOST, str(port))

    def is_up(self):
        with contextlib.suppress(OSError, resp.Closed):
            return field(resp.Client(self.port), "master_link_status") == "up"
        return False

    def has_caught_up(self):
        with contextlib.suppress(OSError, resp.Closed):
            node, here = resp.Client(self.master), resp.Client(self.port)
            wanted = field(node, "attached_stream_offset")
            return self.is_up() and field(here, "slave_repl_offset") == wanted
        return False

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()


class Writer(threading.Thread):
    """Random commands on strings by any node, in several databases, alone and in transactions."""

    def __init__(self, seed):
        super().__init__(daemon=True)
        self.random, self.count, self.stopped = random.Random(seed), 0, threading.Event()
        self.session, self.seq = f"writer{seed}", 0

    def key(self):
        return f"k{self.random.randrange(200)}"

    def command(self):
        draw, key = self.random, self.key()
        value = draw.choice(["12", "text", "x" * 50, "long " * 200, str(draw.randrange(1 << 40)), ""])
        soon, late = str(draw.randrange(1, 900)), str(draw.randrange(7_200_000, 9_000_000))
        self.seq += 1
        return draw.choice([
            ("SET", key, value), ("SET", key, value, "PX", soon), ("SET", key, value, "PX", late, "GET"),
            ("SET", key, value, "KEEPTTL"), ("SET", key, value, "NX", "GET"), ("SET", key, value, "IFEQ", "12"),
            ("SETNX", key, value), ("GETSET", key, value), ("GETDEL", key), ("GETEX", key, "PX", late),
            ("GETEX", key, "EXAT", "1"), ("GETEX", key, "PERSIST"), ("PEXPIRE", key, soon), ("PERSIST", key),
            ("PEXPIRE", key, late, "GT"), ("EXPIRE", key, "-1"), ("DEL", key, self.key()), ("UNLINK", key),
            ("SET", f"n{key}", "5"), ("INCR", f"n{key}"), ("INCRBY", f"n{key}", "-7"),
            ("INCRBYFLOAT", f"n{key}", "0.3"), ("SET", f"n{key}", "1", "PX", soon), ("INCR", f"n{key}"),
            ("APPEND", key, "tail"), ("SETRANGE", key, str(draw.randrange(300)), "patch"),
            ("SETBIT", key, str(draw.randrange(3000)), "1"), ("BITOP", "XOR", key, self.key(), self.key()),
            ("BITFIELD", key, "INCRBY", "u8", "#3", "77"), ("RENAME", key, self.key()),
            ("COPY", key, self.key(), "REPLACE"), ("COPY", key, key, "DB", "2", "REPLACE"), ("MOVE", key, "1"),
            ("MSET", key, "1", self.key(), value), ("PUBLISH", "news", value), ("SETEX", key, "9000", value),
            ("CAS", key, "1", value, "PX", late), ("CAD", key, "2"), ("DELIFEQ", key, "12"),
            ("ONCE", self.session, str(self.seq), "APPEND", key, "o"), ("PFADD", f"p{key}", value, soon),
        ] + [("SWAPDB", "1", "2")] * draw.randrange(2) + [("FLUSHDB",)] * (draw.random() < 0.005))

    def run(self):
        client = None
        while not self.stopped.is_set():
            try:
                client = client or resp.Client(self.random.choice(resp.PORTS))
                batch = [("SELECT", str(self.random.randrange(DATABASES)))]
                batch += [self.command() for _ in range(10)]
                if self.random.random() < 0.5:
                    batch = [("MULTI",), *batch, ("EXEC",)]
                # Whoever sees one of them alone sees a part of a transaction.
                batch += [("SELECT", COUNTERS), ("MULTI",), ("INCR", "one"), ("INCR", "two"), ("EXEC",)]
                client.send_raw(b"".join(resp.encode(*words) for words in batch))
                for _ in batch:
                    client.read()
                self.count += len(batch)
            except (OSError, resp.Closed):
                client = None  # its node was killed


class Reader(threading.Thread):
    """Looks at both counters of the transactions, on one replica."""

    def __init__(self, replica):
        super().__init__(daemon=True)
        self.replica, self.stopped, self.torn, self.looks = replica, threading.Event(), [], 0

    def run(self):
        client = None
        while not self.stopped.is_set():
            try:
                if client is None:
                    client = resp.Client(self.replica.port)
                    client.ask("SELECT", COUNTERS)
                seen = client.ask("MGET", "one", "two")
                if not isinstance(seen, resp.Error):  # it is loading
                    self.looks += 1
                    if seen[0] != seen[1]:
                        self.torn.append(seen)
            except (OSError, resp.Closed):
                client = None


def field(client, name):
    text = client.ask("INFO", "replication")
    if not isinstance(text, bytes):
        return None
    found = [line.split(":", 1)[1] for line in text.decode().split("\r\n") if line.startswith(f"{name}:")]
    return found[0] if found else None


def contents(client):
    """All keys of all databases: values, and when they end."""
    found = {}
    for db in [*range(DATABASES), POPULATED, COUNTERS]:
        client.ask("SELECT", str(db))
        keys = sorted(client.ask("KEYS", "*"))
        for start in range(0, len(keys), 500):
            part = keys[start:start + 500]
            client.send_raw(b"".join(resp.encode("GET", key) + resp.encode("PEXPIRETIME", key) for key in part))
            found.update({(db, key): (client.read(), client.read()) for key in part})
    return found


def ends_soon(client):
    for db in range(DATABASES):
        client.ask("SELECT", str(db))
        keys = client.ask("KEYS", "*")
        client.send_raw(b"".join(resp.encode("PTTL", key) for key in keys))
        if any(0 <= left < 3_600_000 for left in [client.read() for _ in keys]):
            return True
    return False


def more(writers):
    """So many more writes."""
    goal = sum(writer.count for writer in writers) + WRITES_BETWEEN
    wait("writes", lambda: sum(writer.count for writer in writers) >= goal)


def fill():
    client = resp.Client(resp.PORTS[0])
    client.ask("FLUSHALL")
    client.ask("SELECT", POPULATED)
    for start in range(0, POPULATED_KEYS, 500):
        words = [("SET", f"populated{n}", f"value{n}" * (n % 7), *(("EX", "9000") if n % 3 == 0 else ()))
                 for n in range(start, start + 500)]
        client.send_raw(b"".join(resp.encode(*each) for each in words))
        for _ in words:
            client.read()


def torment(replicas, writers):
    leader = NODES.leader()
    follower = leader % 3 + 1
    for replica, node in zip(replicas, (leader, follower)):
        replica.follow(resp.PORTS[node - 1])
    wait("the first copies", lambda: all(replica.is_up() for replica in replicas))
    resp.report(True, f"a redis-server follows the leader, node {leader}, another one node {follower}")
    more(writers)
    NODES.kill(leader)
    more(writers)
    resp.report(replicas[1].is_up(), f"the leader is killed: who follows node {follower} goes on")
    NODES.restart(leader)
    wait("a new copy", lambda: all(replica.is_up() for replica in replicas))
    resp.report(True, "the leader is back: who followed it follows it again")
    more(writers)
    NODES.kill(follower)
    NODES.restart(follower)
    more(writers)
    wait("a new copy", lambda: all(replica.is_up() for replica in replicas))
    replicas[0].follow(replicas[1].master)  # both one node
    wait("a new copy", lambda: replicas[0].is_up())
    more(writers)
    node = resp.Client(replicas[1].master)
    attached = field(node, "attached_replicas")
    resp.report(attached == "2", f"two replicas are attached to one node: {attached}")
    listed = node.ask("CLIENT", "LIST", "TYPE", "replica")
    count = listed.data.count(b" flags=S ") if hasattr(listed, "data") else bytes(listed).count(b" flags=S ")
    resp.report(count == 2, "CLIENT LIST shows them as replicas")


def compare(replicas, readers):
    client = resp.Client(replicas[0].master)
    wait("what ends soon", lambda: not ends_soon(client))
    expected = contents(client)
    for number, replica in enumerate(replicas):
        wait("a replica that has caught up", replica.has_caught_up)
        seen = contents(resp.Client(replica.port))
        differ = [key for key in {*expected, *seen} if expected.get(key) != seen.get(key)]
        shown = [(key, expected.get(key), seen.get(key)) for key in differ[:3]]
        resp.report(not differ and len(expected) > POPULATED_KEYS,
                    f"redis-server {number} holds the {len(expected)} keys"
                    f"{f', but {len(differ)}: {shown}' if differ else ''}")
        with open(replica.log, encoding="utf-8", errors="replace") as log:
            odd = [line for line in log if "== CRITICAL ==" in line or "Protocol error" in line]
        resp.report(not odd, f"redis-server {number} has nothing to complain of {odd[:2]}")
    torn = [seen for reader in readers for seen in reader.torn]
    resp.report(not torn, f"no part of a transaction was seen in {sum(r.looks for r in readers)} looks {torn[:3]}")


def files(scratch):
    """What redis-cli --rdb brings from each node."""
    for port in resp.PORTS:
        marker = f"marker{port}"
        resp.Client(resp.PORTS[0]).ask("SET", marker, "1")
        path = os.path.join(scratch, f"{port}.rdb")
        got = subprocess.run(["redis-cli", "-h", resp.HOST, "-p", str(port), "--rdb", path],
                             capture_output=True, text=True, timeout=60)
        checked = subprocess.run(["redis-check-rdb", path], capture_output=True, text=True, timeout=60)
        good = got.returncode == 0 and "RDB looks OK" in checked.stdout
        resp.report(good, f"port {port}: redis-cli --rdb brings a file that is in order"
                          f"{'' if good else f': {got.stderr} {checked.stdout}'}")
        with open(path, "rb") as file:
            resp.report(marker.encode() in file.read(), f"port {port}: what was written before is in it")


def stream():
    """What redis-cli --replica shows."""
    port = resp.PORTS[-1]
    shown = subprocess.Popen(["redis-cli", "-h", resp.HOST, "-p", str(port), "--replica"],
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        client = resp.Client(port)
        wait("the stream", lambda: ",state=online," in (field(client, "attached0") or ""))
        client.ask("SETEX", "shown", "100", "value")
        line = next(line for line in shown.stdout if '"shown"' in line)
        resp.report(line.startswith('"SET","shown","value","PXAT","'), f"redis-cli --replica shows {line.strip()}")
    finally:
        shown.kill()
        shown.wait()


def main():
    if missing := [tool for tool in NEEDED if not shutil.which(tool)]:
        resp.report(False, f"{missing} are not installed (Debian: redis-server, redis-tools)")
        return
    print(f"# BOWLINE_SEED={SEED}")
    fill()
    with tempfile.TemporaryDirectory() as scratch:
        replicas = [Replica(scratch, number) for number in range(2)]
        writers = [Writer(SEED + n) for n in range(WRITERS)]
        readers = [Reader(replica) for replica in replicas]
        try:
            replicas[0].start()
            replicas[1].start("--repl-diskless-load", "swapdb")
            for thread in [*writers, *readers]:
                thread.start()
            more(writers)
            torment(replicas, writers)
            for thread in [*writers, *readers]:
                thread.stopped.set()
            for thread in [*writers, *readers]:
                thread.join()
            compare(replicas, readers)
        finally:
            for replica in replicas:
                replica.stop()
        files(scratch)
    stream()


main()
resp.finish()
