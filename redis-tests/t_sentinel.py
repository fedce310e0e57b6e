#!/usr/bin/env python3
"""redis-py's own Sentinel support, with the nodes as the sentinels: it finds the leader and
the replicas, and the objects that an application holds follow when the leader is killed."""
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp
from nodes import Nodes, wait

try:
    import redis
    from redis.sentinel import MasterNotFoundError, Sentinel, SlaveNotFoundError
except ImportError:
    resp.report(False, "redis-py is not installed: scripts/test.sh installs it")
    resp.finish()

NAME = "mymaster"
ROUNDS = 2
NODES = Nodes()


def sentinel(**options):
    return Sentinel([(resp.HOST, port) for port in resp.PORTS], socket_timeout=5, **options)


def port_of(id):
    return resp.PORTS[id - 1]


def check_discovery():
    leader = port_of(NODES.leader())
    others = sorted(port for port in resp.PORTS if port != leader)
    found = sentinel().discover_master(NAME)
    resp.report(found == (resp.HOST, leader), f"the master is {found}, the leader {leader}")
    replicas = sorted(port for _, port in sentinel().discover_slaves(NAME))
    resp.report(replicas == others, f"the replicas are {replicas}, the other nodes {others}")
    strict = sentinel(min_other_sentinels=2).discover_master(NAME)
    resp.report(strict == found, "two other sentinels are known")
    try:
        sentinel().discover_master("nosuch")
        resp.report(False, "a master that there is not was found")
    except MasterNotFoundError:
        resp.report(True, "another name is not found")
    for port in resp.PORTS:
        client = redis.Redis(resp.HOST, port)
        state = client.sentinel_master(NAME)
        good = (state["port"], state["num-slaves"], state["num-other-sentinels"], state["quorum"]) == (leader, 2, 2, 2)
        resp.report(good and state["is_master"], f"port {port} says so too")
        role = client.role()[0]
        resp.report(role == (b"master" if port == leader else b"slave"), f"ROLE of port {port}: {role}")
        slaves = client.sentinel_slaves(NAME)
        resp.report(sorted(slave["port"] for slave in slaves) == others and not any(s["is_sdown"] for s in slaves),
                    f"port {port} names the replicas")
        resp.report(sorted(s["port"] for s in client.sentinel_sentinels(NAME)) == sorted(set(resp.PORTS) - {port}),
                    f"port {port} names the other sentinels")
        quorum = resp.Client(port).ask("SENTINEL", "CKQUORUM", NAME)
        resp.report(quorum.startswith("OK 3 usable Sentinels."), f"port {port}: {quorum}")


def patiently(what):
    """What an application does: on a lost connection it tries again with the same object."""
    deadline = time.monotonic() + 20
    while True:
        try:
            return what()
        except (redis.ConnectionError, redis.TimeoutError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def kill_leader(number, master, replica):
    victim = NODES.leader()
    last = patiently(lambda: master.incr(f"count:{number}"))
    NODES.kill(victim)
    started = time.monotonic()
    # Whether the one that failed was carried out is not known: it may count twice.
    reached = patiently(lambda: master.incr(f"count:{number}"))
    took_s = time.monotonic() - started
    resp.report(last < reached <= last + 2, f"round {number}: the master's client went on after {took_s:.2f} s")
    for value in range(100):
        master.set(f"key:{number}", value)
        if patiently(lambda: replica.get(f"key:{number}")) != str(value).encode():
            resp.report(False, f"round {number}: a replica's client has read an old value")
            return
    resp.report(True, f"round {number}: the replica's client reads what was written")
    wait("the sentinels agree", lambda: agree(victim))
    resp.report(True, f"round {number}: the sentinels that are left agree on another master and one replica")
    NODES.restart(victim)
    wait("the killed node is a replica", lambda: len(sentinel().discover_slaves(NAME)) == 2)


def agree(victim):
    found = sentinel(min_other_sentinels=2)
    try:
        _, port = found.discover_master(NAME)
        replicas = [port for _, port in found.discover_slaves(NAME)]
    except (MasterNotFoundError, SlaveNotFoundError):
        return False
    return port != port_of(victim) and len(replicas) == 1 and port_of(victim) not in replicas


if __name__ == "__main__":
    resp.Client(resp.PORTS[0]).ask("FLUSHALL")
    check_discovery()
    masters = sentinel()
    of_master, of_replica = masters.master_for(NAME, db=0), masters.slave_for(NAME, db=0)
    for number in range(1, ROUNDS + 1):
        try:
            kill_leader(number, of_master, of_replica)
        except (TimeoutError, RuntimeError, redis.RedisError) as error:
            resp.report(False, f"round {number}: {error!r}")
            break
    check_discovery()
    resp.finish()
