"""The matrix: a base point, and each dimension varied from it. Systems take turns within each round,
so that a noisy machine is as unfair to one as to the other. Other kinds of results whose systems take
turns are made by the same code."""
from dataclasses import dataclass, field

from load import BASE, point
from processes import Failed
from progress import Progress
from systems import REFERENCE

MAIN = "bowline-3-file-quorum"
LEASE = "bowline-3-file-lease"
TYPES = ("lpush", "hset", "sadd", "zadd", "xadd", "eval")
# What a start costs, in seconds, and how many keys are filled in one: for the time left only.
START_COST_S = 1.5
FILL_RATE = 300_000
# Connecting that many clients takes its time.
CONNECT_RATE = 10_000


@dataclass
class Dimension:
    name: str
    points: list
    systems: list
    # Of these systems only points with so many clients: one figure tells what they are for.
    brief: list = field(default_factory=list)
    brief_clients: int = BASE["clients"]
    # Of these only points that read.
    readers: list = field(default_factory=list)

    def points_of(self, name):
        return [one for one in self.points
                if (name not in self.brief or one["clients"] == self.brief_clients)
                and (name not in self.readers or one["load"] == "get")]


def both(**changes):
    return [point(load=load, **changes) for load in ("set", "get")]


def aims():
    return [p for clients, pipeline in ((1, 1), (50, 1), (200, 1), (50, 16))
            for p in both(clients=clients, pipeline=pipeline)]


def dimensions(available, quick, most_keys):
    """All of them, of systems that are `available`."""
    def some(*names):
        return [name for name in names if name in available]

    sizes = [keys for keys in (1, 10_000, 1_000_000, 10_000_000) if keys <= most_keys]
    others = some("redis-none", "redis-always", "redis-wait", "etcd")
    if quick:
        return [
            Dimension("systems", aims(), some("redis-none", REFERENCE, "etcd", MAIN, LEASE)),
            Dimension("entry", [p for entry in ("leader", "follower", "all") for p in both(entry=entry)],
                      some(REFERENCE, MAIN)),
        ]
    few = some("redis-none", REFERENCE, MAIN)
    bowlines = [name for name in available if name.startswith("bowline")]
    return [
        Dimension("systems", aims(), others + bowlines, brief=[name for name in bowlines if name not in (MAIN, LEASE)]),
        Dimension("clients", [p for clients in (1, 50, 200, 1000, 5000) for p in both(clients=clients)],
                  few + some(LEASE, "etcd")),
        Dimension("pipeline", [p for pipeline in (1, 16, 100) for p in both(pipeline=pipeline)], few),
        Dimension("loads", [point(load=load) for load in ("set", "get", "incr", "mset", "mixed", *TYPES)], few),
        Dimension("values", [p for size in (3, 1 << 10, 64 << 10, 1 << 20) for p in both(value_bytes=size)], few),
        Dimension("keys", [p for keys in sizes for p in both(keys=keys)], some(REFERENCE, MAIN)),
        Dimension("pattern", [p for pattern in ("uniform", "hot") for p in both(pattern=pattern, keys=1_000_000)],
                  some(REFERENCE, MAIN)),
        Dimension("entry", [p for entry in ("leader", "follower", "all") for p in both(entry=entry)],
                  some(REFERENCE, MAIN, LEASE)),
    ]


def groups(system, points):
    """Points that share their keys, so that one start and one fill does for them."""
    made = {}
    for one in points:
        if system.supports(one):
            made.setdefault((one["keys"], one["value_bytes"]), []).append(one)
    return made


def cost_s(system, points, pace):
    """About how long a system takes for its part of a round."""
    total = 0.0
    for (keys, _), group in groups(system, points).items():
        total += START_COST_S + keys / FILL_RATE
        total += sum(pace.seconds + pace.warm_up + one["clients"] / CONNECT_RATE for one in group)
    return total


@dataclass
class Pace:
    rounds: int
    seconds: float
    warm_up: float


def pace(args):
    return Pace(args.rounds or 3, args.seconds or (1 if args.quick else 2), 0.3 if args.quick else 0.5)


def title(one):
    changes = [f"{name} {value}" for name, value in one.items() if value != BASE[name] and name != "load"]
    return f"{one['load']} {', '.join(changes)}"


class Matrix:
    """`kind`: of the results."""

    def __init__(self, place, generators, systems, store, pace, kind="matrix"):
        self.place, self.generators, self.systems = place, generators, systems
        self.store, self.pace, self.kind = store, pace, kind

    def run(self, chosen, header):
        """What failed."""
        names = {dimension.name for dimension in chosen}
        self.store.begin(self.kind, lambda record: record.get("dimension", "") in names or "machine" in record)
        self.store.add(self.kind, {**header, "rounds": self.pace.rounds, "seconds_per_point": self.pace.seconds,
                                   "warm_up_seconds": self.pace.warm_up})
        total = sum(cost_s(self.systems[name], dimension.points_of(name), self.pace) * self.pace.rounds
                    for dimension in chosen for name in dimension.systems)
        self.progress = Progress(total)
        self.missing = set()
        for dimension in chosen:
            for number in range(self.pace.rounds):
                order = dimension.systems
                for name in order[number % len(order):] + order[:number % len(order)]:
                    self.round(dimension, number, self.systems[name])
        return self.progress.finish()

    def round(self, dimension, number, system):
        for (keys, _), group in groups(system, dimension.points_of(system.name)).items():
            where = f"{dimension.name}, round {number + 1} of {self.pace.rounds}, {system.label}"
            self.progress.say(f"{where}: starting, {keys} keys")
            with self.progress.attempt(where), system.running(self.place):
                empty_bytes = system.resident_bytes()
                filled = self.generators.fill(system, group[0])
                if filled["errors"]:
                    raise Failed(f"{system.label}: {filled['first_error']}")
                key_bytes = (system.resident_bytes() - empty_bytes) / keys
                self.progress.step(START_COST_S + keys / FILL_RATE)
                for one in group:
                    with self.progress.attempt(f"{where}: {title(one)}"):
                        self.measure(dimension, number, system, one, key_bytes, where)

    def measure(self, dimension, number, system, one, key_bytes, where):
        self.progress.say(f"{where}: {title(one)}")
        if (system.name, one["load"]) not in self.missing:
            result = self.generators.run(system, one, self.pace.seconds, self.pace.warm_up)
            if "unknown command" in (result["first_error"] or ""):
                self.missing.add((system.name, one["load"]))
                self.progress.note(f"{system.label} has no {one['load']}")
            else:
                if result["errors"]:
                    self.progress.note(f"{system.label}, {title(one)}: {result['errors']} errors: {result['first_error']}")
                record = {"dimension": dimension.name, "round": number, "system": system.name, "point": one,
                          "memory_per_key": key_bytes, **result}
                self.store.add(self.kind, record)
        self.progress.step(self.pace.seconds + self.pace.warm_up + one["clients"] / CONNECT_RATE)
