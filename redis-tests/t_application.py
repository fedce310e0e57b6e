#!/usr/bin/env python3
"""redis-py plays application/scenario.md."""
import logging
import os
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import nodes
import resp

try:
    import redis
except ImportError:
    resp.report(False, "redis-py is not installed: scripts/test.sh installs it")
    resp.finish()

# RESP3 clients of redis-py log every push, to stderr.
logging.getLogger("push_response").disabled = True

COUNTED = 60  # by each worker, before the kill and after it


def connect(port, **settings):
    return redis.Redis(host=resp.HOST, port=port, socket_timeout=60, decode_responses=True, **settings)


def together(tasks):
    """Runs them in threads; an error of one is the caller's."""
    errors = []

    def guarded(task):
        try:
            task()
        except Exception as error:  # noqa: BLE001 - raised below, in the caller's thread
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(task,), daemon=True) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def step_protocol(r, port, protocol, following):
    maxclients = r.connection_pool.get_connection("CONFIG")
    maxclients.send_command("CONFIG", "GET", "maxclients")
    assert isinstance(maxclients.read_response(), dict if protocol == 3 else list)
    r.connection_pool.release(maxclients)


def step_pool(r, port, protocol, following):
    pool = redis.BlockingConnectionPool(host=resp.HOST, port=port, protocol=protocol, max_connections=5, timeout=60)
    shared = redis.Redis(connection_pool=pool)

    def task(number):
        for n in range(50):
            shared.set(f"pool:{number}", n)
            assert shared.get(f"pool:{number}") == b"%d" % n

    together([lambda number=number: task(number) for number in range(20)])
    pool.disconnect()


def step_pipeline(r, port, protocol, following):
    with r.pipeline(transaction=False) as p:
        for n in range(1000):
            p.set(f"p:{n}", n).get(f"p:{n}")
            if n == 499:
                p.execute_command("GETRANGE", "p:0")
        replies = p.execute(raise_on_error=False)
    assert isinstance(replies.pop(1000), redis.ResponseError)
    assert replies[0::2] == [True] * 1000 and replies[1::2] == [str(n) for n in range(1000)]


def step_transaction(r, port, protocol, following):
    with r.pipeline() as p:
        replies = p.set("t", "text").incr("t").incr("u").execute(raise_on_error=False)
    assert replies[0] is True and isinstance(replies[1], redis.ResponseError) and replies[2] == 1, replies


def step_watch(r, port, protocol, following):
    def add_one(p):
        old = int(p.get("counted") or 0)
        p.multi()
        p.set("counted", old + 1)

    together([lambda: [r.transaction(add_one, "counted") for _ in range(25)] for _ in range(4)])
    assert r.get("counted") == "100"


def step_scan(r, port, protocol, following):
    r.mset({f"scan:{n}": "v" for n in range(1000)})
    found = set()
    for n, key in enumerate(r.scan_iter(match="scan:*", count=50)):
        if n % 10 == 0:
            r.set(f"new:{n}", "v")
            r.delete(f"p:{n}")
        found.add(key)
    assert found == {f"scan:{n}" for n in range(1000)}


def step_pubsub(r, port, protocol, following):
    listener, publisher = r.pubsub(ignore_subscribe_messages=False), connect(following, protocol=protocol)
    listener.subscribe("news.it")
    listener.psubscribe("news.*")
    confirmed, heard = 0, {"message": [], "pmessage": []}
    while confirmed < 2:
        confirmed += listener.get_message(timeout=60)["type"].endswith("subscribe")
    for n in range(90):
        publisher.publish("news.it", n)
    with publisher.pipeline() as p:
        for n in range(90, 100):
            p.publish("news.it", n)
        p.execute()
    while sum(map(len, heard.values())) < 200:
        message = listener.get_message(timeout=60)
        heard[message["type"]].append(message["data"])
    expected = [str(n) for n in range(100)]
    assert heard == {"message": expected, "pmessage": expected}
    listener.close()
    publisher.close()


STEPS = {name.removeprefix("step_"): step for name, step in globals().items() if name.startswith("step_")}


class Worker(threading.Thread):
    """Counts until `stop` is set, on whichever node answers."""

    def __init__(self, number, stop):
        super().__init__(daemon=True)
        self.number, self.stop, self.acknowledged = number, stop, 0

    def run(self):
        at, client = self.number % len(resp.PORTS), None
        while not self.stop.is_set():
            try:
                client = client or connect(resp.PORTS[at], single_connection_client=True)
                client.execute_command("ONCE", f"redis-py:{self.number}", self.acknowledged + 1, "INCR", "kept")
                self.acknowledged += 1
            except redis.RedisError:
                client, at = None, (at + 1) % len(resp.PORTS)
                time.sleep(0.02)


def failover():
    cluster, stop = nodes.Nodes(), threading.Event()
    leader = cluster.leader()
    lasting = connect(resp.PORTS[leader - 1])
    lasting.ping()
    workers = [Worker(number, stop) for number in range(2 * len(resp.PORTS))]
    for worker in workers:
        worker.start()
    nodes.wait("the first counts", lambda: all(worker.acknowledged >= COUNTED for worker in workers))
    cluster.kill(leader)
    enough = max(worker.acknowledged for worker in workers) + COUNTED
    nodes.wait("counts after the kill", lambda: all(worker.acknowledged >= enough for worker in workers))
    stop.set()
    for worker in workers:
        worker.join()
    acknowledged = sum(worker.acknowledged for worker in workers)
    for port in [port for node, port in enumerate(resp.PORTS, 1) if node != leader]:
        kept = int(connect(port).get("kept"))
        resp.report(kept == acknowledged, f"redis-py, failover, port {port}: {kept} of {acknowledged} acknowledged")
    cluster.restart(leader)
    kept = int(lasting.get("kept"))
    resp.report(kept == acknowledged, f"redis-py, reconnect: the client of the killed node reads {kept}")


def main():
    for index, port in enumerate(resp.PORTS):
        following = resp.PORTS[(index + 1) % len(resp.PORTS)]
        for protocol in (2, 3):
            r = connect(port, protocol=protocol)
            r.flushall()
            for name, step in STEPS.items():
                what = f"redis-py, port {port}, RESP{protocol}: {name}"
                try:
                    step(r, port, protocol, following)
                    resp.report(True, what)
                except Exception as error:  # noqa: BLE001 - any failure is this step's result
                    resp.report(False, f"{what}: {error!r}"[:500])
            r.close()
    failover()


main()
resp.finish()
