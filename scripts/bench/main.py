"""What scripts/bench.sh runs, once everything is built."""
import argparse
import os
import resource
import signal
import sys

import connections
import events
import floor
import large
import redis_benchmark
import report
import results
import startup
from load import Generators
from matrix import Matrix, dimensions, pace
from processes import Failed, Place, fail
from systems import all_systems


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench.sh", add_help=False)
    parser.add_argument("--mode", choices=(*results.KINDS, "report"), default="matrix")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--keys", type=int)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--out", required=True)
    parser.add_argument("--docs", required=True)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--load", required=True)
    parser.add_argument("--load-etcd", default="")
    parser.add_argument("--floor", default="")
    return parser.parse_args()


def run_matrix(args, place, generators, systems, store, header):
    every = dimensions(list(systems), args.quick, args.keys or 10_000_000)
    unknown = set(args.only) - {dimension.name for dimension in every}
    if unknown:
        fail(f"there is no dimension {', '.join(sorted(unknown))}; there are: " +
             ", ".join(dimension.name for dimension in every))
    chosen = [dimension for dimension in every if not args.only or dimension.name in args.only]
    return Matrix(place, generators, systems, store, pace(args)).run(chosen, header)


def measure(args, store):
    """Runs what was asked for, and returns what failed. Signals are exceptions: nothing stays behind."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    header = {"machine": results.machine(args.binary, args.out)}
    with Place(args.out, args.port) as place:
        generators = Generators(args.load, args.load_etcd)
        systems = all_systems(args.binary, args.load_etcd, args.floor)
        run = {"matrix": run_matrix, "events": events.run, "startup": startup.run, "connections": connections.run,
               "large": large.run, "floor": floor.run, "redis-benchmark": redis_benchmark.run}
        return run[args.mode](args, place, generators, systems, store, header)


def main():
    args = arguments()
    args.out, args.docs, args.binary = (os.path.abspath(path) for path in (args.out, args.docs, args.binary))
    store = results.Store(args.out)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(130))
    try:
        failures = measure(args, store) if args.mode != "report" else []
        report.write(store, args.docs)
        if failures:
            fail(f"{len(failures)} of the measurements failed; see above")
    except KeyboardInterrupt:
        sys.exit(130)
    except Failed as failed:
        fail(str(failed))


if __name__ == "__main__":
    main()
