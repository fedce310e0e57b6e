"""The aims, each with what was measured. Ratios are to redis-server with `appendfsync always`."""
from load import point
from matrix import LEASE, MAIN, TYPES
from results import median
from systems import REFERENCE, SMALLEST
from tables import plural, rows

# Load, clients, pipeline, system, least ratio.
RATIOS = [
    ("set", 1, 1, MAIN, 0.85), ("set", 50, 1, MAIN, 1.0), ("set", 200, 1, MAIN, 1.0), ("set", 50, 16, MAIN, 2.0),
    ("get", 50, 1, MAIN, 0.95), ("get", 200, 1, MAIN, 1.0), ("get", 50, 16, MAIN, 1.4),
    ("get", 50, 1, LEASE, 1.0), ("get", 1, 1, LEASE, 0.9),
]
LEAST_TYPES = 0.8
MOST_CPU = 1.4
LEAST_FOLLOWER = 0.7
LEAST_ETCD = 8
LEAST_MANY_CONNECTIONS = 0.8
MOST_IDLE_KIB = 20
MOST_MEMORY = 1.1
MOST_LARGE_P99_MS = 100
MOST_SNAPSHOT_P99 = 2
MOST_COLLECTION_MEMORY = 1.2
MOST_PAUSE_MS = 10


class Judge:
    def __init__(self):
        self.body = []

    def least(self, text, wanted, found):
        if found is not None:
            self.body.append([text, f"≥ {wanted:g}", f"{found:.2f}", "yes" if found >= wanted else "**no**"])

    def most(self, text, wanted, found):
        if found is not None:
            self.body.append([text, f"≤ {wanted:g}", f"{found:.2f}", "yes" if found <= wanted else "**no**"])


def of_matrix(judge, matrix):
    for load, clients, pipeline, system, wanted in RATIOS:
        one = point(load=load, clients=clients, pipeline=pipeline)
        reads = "" if load == "set" else " by lease" if system == LEASE else " by quorum"
        text = f"{load.upper()}{reads}, {clients} client{'s' * (clients > 1)}" + (f", pipeline {pipeline}" * (pipeline > 1))
        judge.least(text, wanted, matrix.ratio("systems", system, one))
    for load in TYPES:
        judge.least(f"{load.upper()}, 50 clients", LEAST_TYPES, matrix.ratio("loads", MAIN, point(load=load)))
    judge.most("CPU of a SET, 50 clients, all servers", MOST_CPU, matrix.ratio("systems", MAIN, point(), "cpu_us_per_op"))
    for load in ("set", "get"):
        def rates(entry, load=load):
            return {number: record["per_second"]
                    for number, record in matrix.rounds("entry", MAIN, point(load=load, entry=entry)).items()}
        leader, follower = rates("leader"), rates("follower")
        found = median([follower[number] / leader[number] for number in leader if number in follower and leader[number]])
        judge.least(f"{load.upper()} by a follower, to the leader's", LEAST_FOLLOWER, found)
    for load in ("set", "get"):
        mine, etcd = (matrix.value("systems", name, point(load=load), "per_second") for name in (MAIN, "etcd"))
        judge.least(f"{load.upper()}, 50 clients, to etcd's", LEAST_ETCD, mine / etcd if mine and etcd else None)


def of_connections(judge, records):
    for one in records:
        if one.get("system") != MAIN:
            continue
        if one["what"] == "connections":
            for load, rates in one["per_second"].items():
                few, many = rates[str(one["few"])], rates[str(one["many"])]
                judge.least(f"{load.upper()}, {one['many']:,} connections, to {one['few']}", LEAST_MANY_CONNECTIONS,
                            median([b / a for a, b in zip(few, many) if a]))
            judge.most("memory of an idle connection, KiB", MOST_IDLE_KIB, one["idle_bytes"] / 1024)
        else:
            judge.most("64 MiB written and read beside small SETs: elections", 0, one["elections"])
            judge.most("p99 of these small SETs, ms", MOST_LARGE_P99_MS, one["beside"]["p99_us"] / 1000)


def of_startup(judge, records):
    found = {record["system"]: record for record in records if "system" in record}
    if MAIN in found and REFERENCE in found:
        judge.most("memory a key, many keys, to redis-server's", MOST_MEMORY,
                   found[MAIN]["memory_per_key"] / found[REFERENCE]["memory_per_key"])
    if MAIN in found:
        one = found[MAIN]
        judge.most("p99 of SET beside snapshots, to without", MOST_SNAPSHOT_P99,
                   one["snapshots"]["p99_us"] / one["quiet"]["p99_us"])


def of_large(judge, records):
    found = {(record["what"], record["type"], record["system"]): record for record in records if "what" in record}
    for (what, kind, system), mine in found.items():
        other = found.get((what, kind, SMALLEST))
        if system == MAIN and what == "small" and other:
            judge.most(f"memory of {mine['keys']:,} {plural(kind)} of {mine['elements']}, to redis-server's",
                       MOST_COLLECTION_MEMORY, mine["bytes"] / other["bytes"])
    for (what, kind, system), mine in found.items():
        if system == MAIN and what == "pauses":
            for event, longest_ms in mine["longest_ms"].items():
                if event != "nothing":
                    judge.most(f"longest PING beside a {kind} of {mine['elements']:,} and its {event}, ms", MOST_PAUSE_MS,
                               longest_ms["PING"])


def table(matrix, startup, connections, large):
    """None when nothing was measured that they speak of."""
    judge = Judge()
    of_matrix(judge, matrix)
    of_startup(judge, startup)
    of_connections(judge, connections)
    of_large(judge, large)
    return rows(["three nodes, `file`", "aim", "measured", "met"], judge.body) if judge.body else None
