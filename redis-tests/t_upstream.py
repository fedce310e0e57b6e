#!/usr/bin/env python3
"""The cluster follows a redis-server under load, while its leader is killed, the connection is cut and
the redis-server starts anew without its data; then both hold the same, and the cluster is let go."""
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
from nodes import Nodes, another, wait

NODES = Nodes()
WRITERS = 3
# Collections that are long enough to come in pieces, and how to read them.
LONG = {
    "hash": ["HGETALL", "long:hash"], "set": ["SMEMBERS", "long:set"], "list": ["LRANGE", "long:list", "0", "-1"],
    "zset": ["ZRANGE", "long:zset", "0", "-1", "WITHSCORES"],
}
MAKE_LONG = """
for i = 1, 20000 do
    local text = redis.sha1hex(i) .. redis.sha1hex(-i) .. i
    redis.call('HSET', 'long:hash', text, i)
    redis.call('SADD', 'long:set', text)
    redis.call('RPUSH', 'long:list', text)
    redis.call('ZADD', 'long:zset', i % 100, text)
end
return 'OK'
"""
SEED = int(os.environ.get("BOWLINE_SEED", random.randrange(1 << 32)))
PASSWORD = "a secret"


class Upstream:
    """A redis-server of our own, which keeps nothing on disk."""

    def __init__(self, directory):
        self.directory, self.process = directory, None
        with socket.socket() as probe:
            probe.bind((resp.HOST, 0))
            self.port = probe.getsockname()[1]

    def start(self):
        log = open(os.path.join(self.directory, "redis.log"), "ab")
        flags = ["--port", str(self.port), "--bind", resp.HOST, "--dir", self.directory, "--save", "", "--enable-debug-command", "yes",
                 "--repl-diskless-sync-delay", "0", "--repl-backlog-size", "256mb", "--requirepass", PASSWORD]
        self.process = subprocess.Popen(["redis-server", *flags], stdout=log, stderr=log)
        wait("redis-server", self.answers)

    def answers(self):
        with contextlib.suppress(OSError, resp.Closed):
            return self.client().ask("PING") == "PONG"
        return False

    def client(self):
        client = resp.Client(self.port)
        client.ask("AUTH", PASSWORD)
        return client

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()


class UpstreamWriter(copies.Writer):
    def own_commands(self, key, value, soon, late):
        return [("INCRBYFLOAT", f"n{key}", "1")]


def on_node(port, *words):
    client = resp.Client(port)
    reply = client.ask(*words)
    client.close()
    return reply


def is_up(port):
    with contextlib.suppress(OSError, resp.Closed):
        client = resp.Client(port)
        return field(client, "upstream_link_status") == "up"
    return False


def has_caught_up(port, upstream):
    with contextlib.suppress(OSError, resp.Closed):
        here, there = resp.Client(port), upstream.client()
        same = field(here, "upstream_replid") == field(there, "master_replid")
        return same and field(here, "upstream_repl_offset") == field(there, "master_repl_offset")
    return False


def compare(upstream, what):
    """Both at rest, and nothing about to end."""
    there = upstream.client()
    wait("what ends soon", lambda: not ends_soon(there))
    for port in resp.PORTS:
        wait(f"{what}: port {port} has caught up", lambda: has_caught_up(port, upstream))
        report_same(contents(there), resp.Client(port), f"{what}: port {port}")


def compare_long(upstream):
    for kind, words in LONG.items():
        found = []
        for client in [upstream.client(), *map(resp.Client, resp.PORTS)]:
            client.ask("SELECT", POPULATED)
            found.append(sorted(client.ask(*words)))
        same = all(elements == found[0] for elements in found)
        resp.report(same and len(found[0]) >= 20000, f"a long {kind} is the same everywhere: {len(found[0])} items")


def follow(upstream, writers):
    follower = next(port for port in resp.PORTS if port != resp.PORTS[NODES.leader() - 1])
    on_node(follower, "SET", "own", "1")
    refused = on_node(follower, "REPLICAOF", resp.HOST, str(upstream.port))
    resp.report(refused == "OK", f"REPLICAOF is answered {refused}")
    reason = "-NOAUTH"
    wait("the reason", lambda: reason in (field(resp.Client(follower), "upstream_sync_error") or ""))
    resp.report(on_node(follower, "GET", "own") == b"1", "without a copy, the keys are as before")
    on_node(follower, "CONFIG", "SET", "masterauth", PASSWORD)
    wait("the first copy", lambda: is_up(follower))
    resp.report(True, "with the password, the cluster follows")
    for port in resp.PORTS:
        reply = on_node(port, "SET", "own", "2")
        resp.report(str(reply).startswith("READONLY "), f"port {port}: a write is answered {reply}")
    waited = upstream.client()
    waited.ask("SET", "waited", "1")
    resp.report(waited.ask("WAIT", "1", "20000") == 1, "WAIT of the upstream counts the cluster")
    more(writers)


def torment(upstream, writers):
    for round in (1, 2):
        leader = NODES.leader()
        NODES.kill(leader)
        more(writers)
        NODES.restart(leader)
        resp.report(True, f"round {round}: the leader, node {leader}, was killed and is back")
        for _ in range(3):
            client = upstream.client()
            wait("the link", lambda: b"state=online" in client.ask("INFO", "replication"))
            before = went_on(client)
            killed = client.ask("CLIENT", "KILL", "TYPE", "replica")
            wait("the next link", lambda: went_on(client) > before)
            resp.report(killed == 1, f"round {round}: {killed} link was cut, and the next one went on there")
            more(writers)
        full = of_stats(client, "sync_full")
        resp.report(full == 1, f"round {round}: {full} copy was sent")


def copy_with_a_failover(upstream):
    """Whoever leads then begins the copy anew."""
    client = upstream.client()
    client.ask("SELECT", POPULATED)
    client.ask("DEBUG", "POPULATE", "60000", "populated", "200")
    client.ask("EVAL", MAKE_LONG, "0")
    leader = NODES.leader()
    client.ask("DEBUG", "CHANGE-REPL-ID")  # as if it were another server
    client.ask("CLIENT", "KILL", "TYPE", "replica")
    wait("a copy", lambda: is_loading(resp.PORTS[leader - 1]))
    NODES.kill(leader)
    NODES.restart(leader)
    wait("the copy", lambda: is_up(resp.PORTS[0]))
    resp.report(True, f"the leader, node {leader}, was killed while the copy came")


def is_loading(port):
    with contextlib.suppress(OSError, resp.Closed):
        client = resp.Client(port)
        return field(client, "upstream_sync_in_progress") == "1" and field(client, "upstream_sync_keys") != "0"
    return False


def of_stats(client, name):
    text = client.ask("INFO", "stats").decode()
    return next(int(line.split(":")[1]) for line in text.split("\r\n") if line.startswith(f"{name}:"))


def went_on(client):
    return of_stats(client, "sync_partial_ok")


def let_go(upstream):
    port = resp.PORTS[0]
    reply = on_node(port, "REPLICAOF", "NO", "ONE")
    resp.report(reply == "OK", f"REPLICAOF NO ONE is answered {reply}")
    for n, port in enumerate(resp.PORTS):
        counted = on_node(port, "INCR", "after")
        resp.report(counted == n + 1, f"port {port}: writes are taken again")
    resp.report(upstream.client().ask("EXISTS", "after") == 0, "the upstream has nothing of them")


def another_cluster():
    """One of our own is followed like a redis-server, but by nobody who is of it."""
    here = resp.Client(resp.PORTS[0])
    here.ask("CONFIG", "SET", "masterauth", "")
    here.ask("MSET", "a", "1", "b", "2")
    here.ask("SET", "ends", "x", "PX", "7200000")
    with another() as nodes:
        there = resp.Client(nodes.ports()[0])
        there.ask("REPLICAOF", resp.HOST, str(resp.PORTS[0]))
        wait("the copy", lambda: field(there, "upstream_link_status") == "up")
        here.send_raw(resp.encode("MULTI") + resp.encode("INCR", "a") + resp.encode("DEL", "b")
                      + resp.encode("GETEX", "ends", "PX", "9000000") + resp.encode("EXEC"))
        replies = [here.read() for _ in range(5)]
        wait("what followed", lambda: there.ask("GET", "a") == b"2")
        same = contents(there) == contents(here)
        resp.report(same and replies[-1] == [2, 1, b"x"], "another cluster of bowline's follows this one")
        there.ask("REPLICAOF", "NO", "ONE")
        resp.report(there.ask("INCR", "a") == 3 and here.ask("GET", "a") == b"2", "and is let go")
    here.ask("REPLICAOF", resp.HOST, str(resp.PORTS[1]))
    wait("the reason", lambda: field(here, "upstream_sync_error") == "the upstream is this cluster itself")
    resp.report(here.ask("GET", "a") == b"2", "a cluster does not follow itself")
    here.ask("REPLICAOF", "NO", "ONE")


def main():
    if not shutil.which("redis-server"):
        resp.report(False, "redis-server is not installed (Debian: redis-server)")
        return
    print(f"# BOWLINE_SEED={SEED}")
    on_node(resp.PORTS[0], "FLUSHALL")
    with tempfile.TemporaryDirectory() as scratch:
        upstream = Upstream(scratch)
        writers = [UpstreamWriter(upstream.client, SEED + n) for n in range(WRITERS)]
        readers = [Reader(lambda port=port: resp.Client(port)) for port in resp.PORTS]
        try:
            upstream.start()
            for thread in writers:
                thread.start()
            more(writers)
            follow(upstream, writers)
            for thread in readers:
                thread.start()
            torment(upstream, writers)
            halt(writers)
            compare(upstream, "under load")
            first, writers = writers, [UpstreamWriter(upstream.client, SEED + 100 + n) for n in range(WRITERS)]
            for thread in writers:
                thread.start()
            upstream.stop()
            upstream.start()
            copy_with_a_failover(upstream)
            more(writers)
            halt(writers)
            compare(upstream, "after its restart without data")
            compare_long(upstream)
            halt(readers)
            report_torn([*first, *writers, *readers])
            odd = {code for reader in readers for code in reader.refusals}
            resp.report(odd <= {"LOADING", "CLUSTERDOWN", "TRYAGAIN"}, f"reads were refused with {sorted(odd)}")
            let_go(upstream)
            another_cluster()
        finally:
            halt(writers + readers)
            upstream.stop()
            tidy_up()


def tidy_up():
    """Whichever node is there, for the tests that come after."""
    for port in resp.PORTS:
        with contextlib.suppress(OSError, resp.Closed):
            for words in [("REPLICAOF", "NO", "ONE"), ("CONFIG", "SET", "masterauth", ""), ("FLUSHALL",)]:
                on_node(port, *words)
            return


if __name__ == "__main__":
    try:
        main()
    except (TimeoutError, OSError, RuntimeError, resp.Closed) as error:
        resp.report(False, f"{error!r}")
    resp.finish()
