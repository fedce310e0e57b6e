#!/usr/bin/env python3
"""Clients of Redis Cluster: redis-py's RedisCluster, redis-cli -c and --cluster, and
redis-benchmark --cluster; against nodes that serve every key, and against nodes that send
clients to the leader. The leader is killed in both, under load."""
import os
import subprocess
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp
from nodes import Nodes, another, wait

try:
    import redis
    from redis.cluster import ClusterNode, RedisCluster
except ImportError:
    resp.report(False, "redis-py is not installed: scripts/test.sh installs it")
    resp.finish()

WRITES_AROUND_THE_KILL = 100


def connect(ports, **options):
    return RedisCluster(startup_nodes=[ClusterNode(resp.HOST, port) for port in ports], **options)


def check_map(what, nodes, ports):
    leader = ports[nodes.leader() - 1]
    for protocol in (2, 3):
        client = connect(ports, protocol=protocol)
        primaries = [node.port for node in client.get_primaries()]
        replicas = sorted(node.port for node in client.get_replicas())
        others = sorted(port for port in ports if port != leader)
        resp.report((primaries, replicas) == ([leader], others), f"{what}: RESP{protocol}: {primaries}, {replicas}")
        client.flushall()
        for number in range(50):
            client.set(f"key:{number}", number)
        values = [client.get(f"key:{number}") for number in range(50)]
        resp.report(values == [b"%d" % number for number in range(50)], f"{what}: RESP{protocol}: 50 keys")
        resp.report(client.dbsize() == 50, f"{what}: RESP{protocol}: DBSIZE counts each key once")
        slot = client.keyslot("key:7")
        held = (client.cluster_countkeysinslot(slot), client.cluster_get_keys_in_slot(slot, 10))
        resp.report(held == (1, ["key:7"]) or held == (1, [b"key:7"]), f"{what}: RESP{protocol}: a slot: {held}")
        info = client.cluster_info(target_nodes=RedisCluster.RANDOM)
        resp.report(info["cluster_state"] == "ok", f"{what}: RESP{protocol}: {info['cluster_state']}")
        shown = client.cluster_nodes()
        good = len(shown) == 3 and shown[f"{resp.HOST}:{leader}"]["slots"] == [["0", "16383"]]
        resp.report(good, f"{what}: RESP{protocol}: CLUSTER NODES is understood")
        client.close()
    reader = connect(ports, read_from_replicas=True)
    wait("the replicas have it", lambda: all(reader.get("key:9") == b"9" for _ in range(10)))
    resp.report(True, f"{what}: reads from replicas")


def names(ports):
    """What every node calls every node: the same, and of itself MYID."""
    tables = []
    for port in ports:
        client = resp.Client(port)
        lines = client.ask("CLUSTER", "NODES").decode().splitlines()
        tables.append({line.split()[1].split("@")[0]: line.split()[0] for line in lines})
        resp.report(tables[-1][f"{resp.HOST}:{port}"].encode() == client.ask("CLUSTER", "MYID"), f"MYID of port {port}")
        client.close()
    resp.report(all(table == tables[0] for table in tables) and len(set(tables[0].values())) == 3,
                "all nodes call each other by the same names")
    return tables[0]


class Writer(threading.Thread):
    """Increments counters in many slots, one after the other, until it is stopped."""

    def __init__(self, ports):
        super().__init__(daemon=True)
        self.client = connect(ports)
        self.acknowledged, self.errors, self.stop = 0, [], threading.Event()

    def run(self):
        while not self.stop.is_set() and not self.errors:
            try:
                self.client.incr(f"count:{self.acknowledged % 100}")
                self.acknowledged += 1
            except redis.RedisError as error:
                self.errors.append(repr(error))
            except Exception as error:  # such as an IndexError of a client that has lost its map
                self.errors.append(f"not even a RedisError: {error!r}")


def check_kill(what, nodes, ports):
    connect(ports).flushall()
    writer = Writer(ports)
    writer.start()
    wait("load", lambda: writer.acknowledged >= WRITES_AROUND_THE_KILL or writer.errors)
    victim = nodes.leader()
    nodes.kill(victim)
    least = writer.acknowledged + WRITES_AROUND_THE_KILL
    wait("load after the kill", lambda: writer.acknowledged >= least or writer.errors)
    writer.stop.set()
    writer.join()
    resp.report(not writer.errors, f"{what}: killed node {victim} under load: errors: {writer.errors}")
    client = connect([port for port in ports if port != ports[victim - 1]])
    total = sum(int(client.get(f"count:{n}") or 0) for n in range(100))
    # The one that was under way may have been carried out, and then again by the client.
    good = writer.acknowledged <= total <= writer.acknowledged + 1
    resp.report(good, f"{what}: {total} increments, {writer.acknowledged} acknowledged")
    before = names([port for port in ports if port != ports[victim - 1]])
    nodes.restart(victim)
    resp.report(names(ports) == before, f"{what}: the killed node comes back under its name")


def run(*words, text=None):
    done = subprocess.run(words, input=text, capture_output=True, text=True, timeout=60)
    return done.stdout + done.stderr


def check_benchmark(what, ports):
    """It wants two masters, of a real Redis Cluster as well; so far it has to come."""
    output = run("redis-benchmark", "-h", resp.HOST, "-p", str(ports[0]), "--cluster", "-t", "set", "-n", "10", "-q")
    resp.report(output.strip() == "Invalid cluster: 1 node(s).", f"{what}: redis-benchmark --cluster: {output.strip()}")


def check_redirecting(nodes, ports):
    leader = ports[nodes.leader() - 1]
    follower = next(port for port in ports if port != leader)
    cli = ["redis-cli", "-h", resp.HOST, "-p", str(follower)]
    got = run(*cli, "SET", "a", "1").strip()
    resp.report(got == f"MOVED 15495 {resp.HOST}:{leader}", f"a follower answers {got}")
    got = run(*cli, "-c", text="SET a 1\nGET a\nMSET b 2 c 3\nMGET a b c\n").split()
    resp.report([word for word in got if word in ("OK", "1", "2", "3")] == ["OK", "1", "OK", "1", "2", "3"],
                f"redis-cli -c goes where it is sent: {got}")
    got = run(*cli, "--cluster", "check", f"{resp.HOST}:{follower}")
    resp.report("[OK] All 16384 slots covered." in got and "[ERR]" not in got, "redis-cli --cluster check")
    got = run(*cli, text="READONLY\nGET a\nSET a 2\nREADWRITE\nGET a\n").split("\n")
    moved = f"MOVED 15495 {resp.HOST}:{leader}"
    resp.report([line for line in got if line] == ["OK", "1", moved, "OK", moved], f"READONLY: {got}")
    got = run(*cli, text="MULTI\nSET a 2\nEXEC\n").split("\n")
    resp.report(got[1] == moved and got[3 if got[2] == "" else 2].startswith("EXECABORT"), f"MULTI: {got}")


if __name__ == "__main__":
    try:
        check_map("every node serves", Nodes(), resp.PORTS)
        check_benchmark("every node serves", resp.PORTS)
        check_kill("every node serves", Nodes(), resp.PORTS)
        with another("--redirect", "moved") as nodes:
            ports = nodes.ports()
            check_map("moved", nodes, ports)
            check_redirecting(nodes, ports)
            check_benchmark("moved", ports)
            check_kill("moved", nodes, ports)
    except Exception as error:  # a client that is led astray raises anything
        resp.report(False, repr(error))
    resp.finish()
