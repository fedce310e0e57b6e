"""Many small keys: the memory of each, how long a start takes, and what a snapshot costs writers."""
import threading
import time

from load import end, finish, point
from matrix import MAIN
from processes import Failed, wait_for
from progress import Progress
from systems import Bowline, Redis, ask

KEYS = 10_000_000
# Of `SET` beside snapshots and without.
SECONDS = 20
VALUE_BYTES = 32
# A start from a long log takes minutes on a slow machine.
START_PATIENCE_S = 1800


def many(keys):
    made = point(value_bytes=VALUE_BYTES)
    return {**made, "keys": keys}


def must_hold(system, node, keys):
    found = ask(system.port(node), "DBSIZE", timeout_s=60)
    if found != keys:
        raise Failed(f"{system.label} has {found} keys, not {keys}")


def fill(generators, system, keys):
    """Seconds, and resident bytes a key, of the node that has the most."""
    before = system.resident_bytes()
    filled = generators.fill(system, many(keys))
    if filled["errors"]:
        raise Failed(f"{system.label}: {filled['first_error']}")
    return {"fill_seconds": filled["seconds"], "memory_per_key": (system.resident_bytes() - before) / keys}


class Snapshots:
    """Takes one snapshot after the other while it is entered."""

    def __init__(self, system):
        self.system, self.count, self.over, self.errors = system, 0, threading.Event(), []

    def work(self):
        while not self.over.is_set():
            try:
                self.system.snapshot()
                self.count += 1
            except (Failed, OSError) as error:
                # Another leader, perhaps: it is asked next.
                self.errors.append(str(error))
                self.over.wait(0.1)

    def __enter__(self):
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, kind, *_):
        self.over.set()
        # Whoever interrupts does not wait for a snapshot.
        if kind is None:
            self.thread.join(START_PATIENCE_S)


def beside_snapshots(generators, system, keys, seconds):
    """The same load without and with snapshots, which follow each other without a pause."""
    def measured():
        process = generators.begin(system, many(keys), seconds, 1.0)
        try:
            return finish(process)
        finally:
            end(process)

    quiet = measured()
    with Snapshots(system) as snapshots:
        busy = measured()
    if not snapshots.count:
        raise Failed(f"no snapshot: {snapshots.errors[:1]}")
    return {"quiet": quiet, "snapshots": busy, "snapshots_taken": snapshots.count, "snapshot_errors": snapshots.errors}


def timed(start, ready=lambda: None):
    began = time.monotonic()
    start()
    ready()
    return time.monotonic() - began


def all_again(system, keys):
    """Stops all nodes and starts them; until each has all keys and one has taken a write."""
    for node in system.nodes:
        node.stop()

    def start():
        for node in range(len(system.nodes)):
            system.restart(node)

    def ready():
        system.await_leader(START_PATIENCE_S)
        wait_for("a write", lambda: ask(system.port(0), "SET", "key:000000000000", "x" * VALUE_BYTES) == "OK",
                 alive=system.nodes)

    seconds = timed(start, ready)
    for node in range(len(system.nodes)):
        must_hold(system, node, keys)
    return seconds


def one_again(system, keys):
    """A follower dies and starts; until it has applied all that the leader had committed."""
    leader = system.leader()
    node = next(n for n in range(len(system.nodes)) if n != leader)
    system.nodes[node].kill()

    def ready():
        wanted = int(system.raft(leader)["raft_commit_index"])
        wait_for("the follower's return", lambda: int(system.raft(node)["raft_applied_index"]) >= wanted, START_PATIENCE_S)

    seconds = timed(lambda: system.restart(node), ready)
    must_hold(system, node, keys)
    return seconds


def measure_bowline(generators, system, keys, seconds):
    made = fill(generators, system, keys)
    must_hold(system, 0, keys)
    made["snapshot_seconds"] = timed(system.snapshot)
    made.update(beside_snapshots(generators, system, keys, seconds))
    made["restart_seconds"] = all_again(system, keys)
    made["restart_one_seconds"] = one_again(system, keys)
    return made


def measure_log_only(generators, system, keys):
    """No snapshot is ever due: the whole log is read back."""
    fill(generators, system, keys)
    return {"restart_seconds": all_again(system, keys)}


def redis_again(system, keys):
    system.nodes[0].stop()

    def start():
        system.nodes[0] = system.launch_node(0)

    seconds = timed(start, lambda: system.await_node(0, START_PATIENCE_S))
    must_hold(system, 0, keys)
    return seconds


def measure_redis(generators, system, keys, seconds):
    made = fill(generators, system, keys)
    must_hold(system, 0, keys)
    wait_for("the end of AOF rewriting", system.at_rest, START_PATIENCE_S)
    made["snapshot_seconds"] = timed(system.snapshot)
    made.update(beside_snapshots(generators, system, keys, seconds))
    ask(system.port(0), "BGREWRITEAOF")
    wait_for("the end of BGREWRITEAOF", system.at_rest, START_PATIENCE_S)
    made["restart_seconds"] = redis_again(system, keys)
    return made


def run(args, place, generators, systems, store, header):
    keys, seconds = args.keys or KEYS, args.seconds or SECONDS
    always = ("--appendonly", "yes", "--appendfsync", "always")
    log_only = Bowline("bowline-log-only", "bowline, 3 nodes, from the log alone", args.binary, 3,
                       "--snapshot-log-mib", 1 << 20)
    redis_log = Redis("redis-log-only", "redis-server, from its log alone", *always, "--auto-aof-rewrite-percentage", 0)
    plan = [
        (Redis("redis-always", "redis-server, `appendfsync always`", *always),
         lambda system: measure_redis(generators, system, keys, seconds)),
        (redis_log, lambda system: {**fill(generators, system, keys), "restart_seconds": redis_again(system, keys)}),
        (systems[MAIN], lambda system: measure_bowline(generators, system, keys, seconds)),
        (log_only, lambda system: measure_log_only(generators, system, keys)),
    ]
    store.begin("startup")
    store.add("startup", {**header, "keys": keys, "value_bytes": VALUE_BYTES, "seconds": seconds})
    progress = Progress(len(plan))
    for system, measure in plan:
        progress.say(f"{system.label}: {keys} keys")
        with progress.attempt(system.label), system.running(place):
            store.add("startup", {"system": system.name, "label": system.label, **measure(system)})
        progress.step(1)
    return progress.finish()
