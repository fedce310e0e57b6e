"""Many connections, idle ones, and a value of 64 MiB beside small writes."""
import contextlib
import socket
import time

from load import end, finish, point
from matrix import MAIN
from processes import Failed
from progress import Progress
from systems import REFERENCE, resp

FEW, MANY = 200, 5000
LARGE_BYTES = 64 << 20
SECONDS = 10


def idle_bytes(system, count):
    """What a connection that has asked once and is silent since takes, of its node."""
    host, port = system.addresses("leader")[0].split(":")
    before = system.resident_bytes()
    with contextlib.ExitStack() as held:
        sockets = []
        for _ in range(count):
            one = held.enter_context(socket.create_connection((host, int(port)), timeout=20))
            one.sendall(resp.encode("SET", "idle", "xxx"))
            sockets.append(one)
        for one in sockets:
            if not one.recv(64).startswith(b"+OK"):
                raise Failed("no +OK on an idle connection")
        # The servers may take back some of what the command needed.
        time.sleep(2)
        return (system.resident_bytes() - before) / count


def connections(generators, system, seconds, rounds):
    made = {"few": FEW, "many": MANY, "per_second": {}, "idle_bytes": idle_bytes(system, MANY)}
    for load in ("set", "get"):
        generators.fill(system, point())
        runs = {FEW: [], MANY: []}
        for _ in range(rounds):
            for clients, found in runs.items():
                found.append(generators.run(system, point(load=load, clients=clients), seconds, 2))
        made["per_second"][load] = {str(clients): [one["per_second"] for one in found] for clients, found in runs.items()}
        made["errors"] = made.get("errors", 0) + sum(one["errors"] for found in runs.values() for one in found)
    return made


def terms(system):
    return max(int(system.raft(node)["raft_term"]) for node in range(len(system.nodes)))


def large_value(generators, system, seconds):
    """50 clients write small values; another writes and reads a large one meanwhile, again and again."""
    small, large = point(), {**point(), "value_bytes": LARGE_BYTES, "keys": 1, "clients": 1}
    elects = system.name == MAIN
    quiet = generators.run(system, small, seconds, 1)
    term = terms(system) if elects else 0
    times, errors = {"set": [], "get": []}, []
    process = generators.begin(system, small, seconds, 0)
    try:
        while process.poll() is None:
            for load, found in times.items():
                done = finish(generators.begin(system, {**large, "load": load}, 0, 0, "--requests", 1))
                if done["errors"]:
                    errors.append(done["first_error"])
                else:
                    found.append(done["max_us"] / 1e6)
        beside = finish(process)
    finally:
        end(process)
    return {"quiet": quiet, "beside": beside, "large_bytes": LARGE_BYTES, "large_seconds": times,
            "large_errors": errors, "elections": terms(system) - term if elects else None}


def run(args, place, generators, systems, store, header):
    seconds, rounds = args.seconds or SECONDS, args.rounds or 3
    store.begin("connections")
    store.add("connections", {**header, "seconds": seconds, "rounds": rounds})
    names = (REFERENCE, MAIN)
    progress = Progress(2 * len(names))
    for name in names:
        system = systems[name]
        for what, measure in (("connections", lambda s: connections(generators, s, seconds, rounds)),
                              ("large value", lambda s: large_value(generators, s, seconds))):
            progress.say(f"{system.label}: {what}")
            with progress.attempt(f"{system.label}: {what}"), system.running(place):
                store.add("connections", {"what": what, "system": name, **measure(system)})
            progress.step(1)
    return progress.finish()
