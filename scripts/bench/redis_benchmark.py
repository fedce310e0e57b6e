"""The points of the aims, measured with redis-benchmark instead of the load generator of this project:
with it the aims were set, and users have it."""
import csv
import subprocess

from load import Generators, children_cpu_s, point
from matrix import LEASE, MAIN, Dimension, Matrix, aims, both, pace
from processes import Failed
from results import first_line, version
from systems import REFERENCE

PROGRAM = "redis-benchmark"
MANY_KEYS = 1_000_000
# Of the first run, in batches; each further one is longer, until one is a warm-up.
FIRST_BATCHES = 1000
MOST_GROWTH = 16
# Its clock counts milliseconds.
SHORTEST_S = 0.001
# A warm-up with a stall in it asks for too little.
ATTEMPTS = 3
# It has none of its own: a request that is never answered would be waited for.
PATIENCE_S = 120


def dimension(quick):
    points = aims()
    if not quick:
        points += [one for pipeline in (1, 16) for one in both(pipeline=pipeline, keys=MANY_KEYS)]
    return Dimension(PROGRAM, points, [REFERENCE, MAIN, LEASE], readers=[LEASE])


def words(system, one, requests):
    """The command, whose keys are those with which `fill` filled the system."""
    host, port = system.addresses(one["entry"])[0].split(":")
    return [PROGRAM, "-h", host, "-p", port, "-t", one["load"], "-c", str(one["clients"]), "-P", str(one["pipeline"]),
            "-r", str(one["keys"]), "-d", str(one["value_bytes"]), "-n", str(requests), "--csv"]


def parse(text, load):
    """Rate and latencies of a load in what `--csv` printed."""
    for row in csv.DictReader(text.splitlines()):
        if row.get("test") == load.upper():
            return {"per_second": float(row["rps"]), "p50_us": float(row["p50_latency_ms"]) * 1000,
                    "p99_us": float(row["p99_latency_ms"]) * 1000}
    raise Failed(f"{PROGRAM} said nothing of {load}: {text[-500:]}")


def send(system, one, requests):
    """What it reports of so many requests, and how long they took."""
    try:
        done = subprocess.run(words(system, one, requests), capture_output=True, text=True, check=False,
                              timeout=PATIENCE_S)
    except subprocess.TimeoutExpired as late:
        raise Failed(f"{PROGRAM} did not end within {PATIENCE_S} s") from late
    if done.returncode != 0:
        raise Failed(f"{PROGRAM}: {(done.stderr or done.stdout).strip()[-500:]}")
    result = parse(done.stdout, one["load"])
    rate = min(result["per_second"], requests / SHORTEST_S)
    return {**result, "per_second": rate, "seconds": requests / rate}


class RedisBenchmark(Generators):
    """Fills systems as any generator does, and measures with redis-benchmark. That takes a number of
    requests: the one that takes `seconds` at the rate of the warm-up."""

    def __init__(self, fills):
        super().__init__(fills, None)

    def run(self, system, point, seconds, warm_up, *_):
        requests = FIRST_BATCHES * point["pipeline"]
        found = send(system, point, requests)
        while found["seconds"] < warm_up:
            requests *= min(MOST_GROWTH, 1 + int(warm_up / found["seconds"]))
            found = send(system, point, requests)
        for _ in range(ATTEMPTS):
            requests = max(1, int(found["per_second"] * seconds))
            before = (system.cpu_s(), children_cpu_s())
            found = send(system, point, requests)
            if found["seconds"] >= seconds / 2:
                break
        return {**found, "errors": 0, "first_error": None,
                "cpu_us_per_op": (system.cpu_s() - before[0]) * 1e6 / requests,
                "generator_busy": (children_cpu_s() - before[1]) / found["seconds"]}


def run(args, place, _, systems, store, header):
    header["machine"][PROGRAM] = version(first_line(PROGRAM, "--version"))
    generators = RedisBenchmark(args.load)
    return Matrix(place, generators, systems, store, pace(args), PROGRAM).run([dimension(args.quick)], header)
