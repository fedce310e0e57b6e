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

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import copies
import resp
from copies import POPULATED, Reader, contents, ends_soon, field, halt, more, report_same, report_torn
from nodes import Nodes, wait

NODES = Nodes()
WRITERS = 3
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


class NodeWriter(copies.Writer):
    """By any node, with what only bowline has."""

    def __init__(self, seed):
        super().__init__(lambda: resp.Client(self.random.choice(resp.PORTS)), seed, may_fail=True)
        self.session, self.seq = f"writer{seed}", 0

    def own_commands(self, key, value, soon, late):
        self.seq += 1
        return [
            ("SET", key, value, "PX", late, "GET"), ("SET", key, value, "NX", "GET"),
            ("SET", key, value, "IFEQ", "12"), ("GETEX", key, "EXAT", "1"), ("PEXPIRE", key, late, "GT"),
            ("INCRBYFLOAT", f"n{key}", "0.3"), ("CAS", key, "1", value, "PX", late), ("CAD", key, "2"),
            ("DELIFEQ", key, "12"), ("ONCE", self.session, str(self.seq), "APPEND", key, "o"),
            ("PFADD", f"p{key}", value, soon),
        ]


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


def compare(replicas):
    client = resp.Client(replicas[0].master)
    wait("what ends soon", lambda: not ends_soon(client))
    expected = contents(client)
    for number, replica in enumerate(replicas):
        wait("a replica that has caught up", replica.has_caught_up)
        report_same(expected, resp.Client(replica.port), f"redis-server {number}", POPULATED_KEYS)
        with open(replica.log, encoding="utf-8", errors="replace") as log:
            odd = [line for line in log if "== CRITICAL ==" in line or "Protocol error" in line]
        resp.report(not odd, f"redis-server {number} has nothing to complain of {odd[:2]}")


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
        writers = [NodeWriter(SEED + n) for n in range(WRITERS)]
        readers = [Reader(lambda port=replica.port: resp.Client(port)) for replica in replicas]
        try:
            replicas[0].start()
            replicas[1].start("--repl-diskless-load", "swapdb")
            for thread in [*writers, *readers]:
                thread.start()
            more(writers)
            torment(replicas, writers)
            halt([*writers, *readers])
            compare(replicas)
            report_torn([*writers, *readers])
        finally:
            for replica in replicas:
                replica.stop()
        files(scratch)
    stream()


main()
resp.finish()
