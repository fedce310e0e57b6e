"""Throughput and latency while things happen. Each scenario is one run of the load generator with a
timeline, in which something happens at a known time."""
import threading
import time

import load
from load import point
from matrix import MAIN
from processes import HOST, Failed, wait_for
from progress import Progress
from systems import REFERENCE, Redis

INTERVAL_MS = 100
KEYS = 1_000_000
SECONDS = 20
SCENARIOS = ("snapshot", "snapshot of redis-server", "follower away", "follower comes back", "leader killed")


class Scene:
    """A load that runs, and marks on its timeline."""

    def __init__(self, generators, system, one, seconds, addresses):
        self.seconds, self.marks = seconds, []
        self.process = generators.begin(system, one, seconds, 1.0, "--timeline", INTERVAL_MS, addresses=addresses)
        # The generator's own clock says when exactly; this is for waiting.
        self.began = time.monotonic() + 1.0

    def wait_until(self, share):
        time.sleep(max(0.0, self.began + share * self.seconds - time.monotonic()))

    def mark(self, text):
        self.marks.append([load.now_unix_ms(), text])

    def finish(self):
        result = load.finish(self.process)
        result["marks"] = [[(at - result["begin_unix_ms"]) / 1000, text] for at, text in self.marks]
        return result


def everywhere(system):
    """All nodes, the leader last: so that losing it is seen from each kind of node."""
    leader = system.leader()
    nodes = [node for node in range(len(system.nodes)) if node != leader] + [leader]
    return [f"{HOST}:{system.port(node)}" for node in nodes]


def follower(system):
    leader = system.leader()
    return next(node for node in range(len(system.nodes)) if node != leader)


def others(system, node):
    return [f"{HOST}:{system.port(n)}" for n in range(len(system.nodes)) if n != node]


def applied(system, node):
    return int(system.raft(node)["raft_applied_index"])


def matched(system, leader, node):
    """Up to where the leader knows the node's log to be its own."""
    told = system.raft(leader)[f"raft_peer{node + 1}"]
    return int(dict(field.split("=", 1) for field in told.split(","))["match"])


def snapshot(scene, system):
    scene.wait_until(0.35)
    scene.mark("a snapshot begins")
    system.snapshot()
    scene.mark("it is on disk")


def follower_away(scene, system, node):
    scene.wait_until(0.35)
    scene.mark("a follower is killed")
    system.nodes[node].kill()


def follower_back(scene, system, node):
    """It is away for so long that the log kept for it has gone: it gets a snapshot."""
    scene.wait_until(0.15)
    scene.mark("a follower is killed")
    system.nodes[node].kill()
    leader = system.leader()

    def needs_snapshot():
        return int(system.raft(leader)["raft_first_index"]) > matched(system, leader, node) + 1

    # At the latest when half of the time is over.
    while not needs_snapshot() and time.monotonic() < scene.began + 0.5 * scene.seconds:
        time.sleep(0.05)
    gets_snapshot = needs_snapshot()
    scene.mark("it starts again")
    system.restart(node)

    def has_caught_up():
        # Asked in this order: while one node answers, the other goes on by many entries.
        committed = int(system.raft(leader)["raft_commit_index"])
        return applied(system, node) >= committed

    wait_for("the follower's return", has_caught_up, 120)
    scene.mark("it has caught up" + (" by a snapshot" if gets_snapshot else ", from the log alone"))


def leader_killed(scene, system, _):
    scene.wait_until(0.35)
    leader = system.leader()
    scene.mark("the leader is killed")
    system.nodes[leader].kill()
    scene.wait_until(0.7)
    scene.mark("it starts again")
    system.restart(leader)


def play(name, generators, system, keys, seconds):
    """One scenario, on a system that has been filled."""
    node = follower(system) if len(system.nodes) > 1 else 0
    # Large enough for the log to outgrow what is kept for a follower.
    one = point(keys=keys, value_bytes=1000 if name == "follower comes back" else 32)
    addresses = {"leader killed": everywhere(system), "follower away": others(system, node),
                 "follower comes back": others(system, node)}.get(name, system.addresses("leader"))
    scene = Scene(generators, system, one, seconds, addresses)
    failed = []

    def act():
        try:
            {"snapshot": lambda: snapshot(scene, system),
             "snapshot of redis-server": lambda: snapshot(scene, system),
             "follower away": lambda: follower_away(scene, system, node),
             "follower comes back": lambda: follower_back(scene, system, node),
             "leader killed": lambda: leader_killed(scene, system, node)}[name]()
        except (Failed, OSError, KeyError) as error:
            failed.append(error)

    actor = threading.Thread(target=act, daemon=True)
    actor.start()
    try:
        result = scene.finish()
        actor.join(300)
    finally:
        load.end(scene.process)
    if failed:
        raise Failed(f"{name}: {failed[0]}")
    return result


def run(args, place, generators, systems, store, header):
    keys, seconds = args.keys or KEYS, args.seconds or SECONDS
    store.begin("events")
    store.add("events", {**header, "keys": keys, "clients": load.BASE["clients"]})
    progress = Progress(len(SCENARIOS) * (seconds + 3 + keys / 300_000))
    for name in SCENARIOS:
        system = systems[REFERENCE if "redis" in name else MAIN]
        progress.say(f"{name}: starting, {keys} keys")
        with progress.attempt(name), system.running(place):
            generators.fill(system, point(keys=keys, value_bytes=32))
            if isinstance(system, Redis):
                wait_for("the end of AOF rewriting", system.at_rest, 600)
            progress.say(name)
            store.add("events", {"scenario": name, "system": system.name, **play(name, generators, system, keys, seconds)})
        progress.step(seconds + 3 + keys / 300_000)
    return progress.finish()
