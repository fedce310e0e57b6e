"""From raw results to docs/performance.md. Needs no server, and no matplotlib."""
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import floor  # noqa: E402
import load  # noqa: E402
import matrix  # noqa: E402
import plots  # noqa: E402
import redis_benchmark  # noqa: E402
import report  # noqa: E402
import tables  # noqa: E402
from processes import Failed  # noqa: E402
from results import Store  # noqa: E402
from systems import FLOOR, REFERENCE, SMALLEST, all_systems  # noqa: E402

HEADER = {"machine": {"processor": "a processor", "memory_gib": 8}, "rounds": 3, "seconds_per_point": 4,
          "warm_up_seconds": 1}


def record(dimension, system, number, per_second, **changes):
    return {"dimension": dimension, "system": system, "round": number, "point": load.point(**changes),
            "per_second": per_second, "p50_us": 100.0, "p99_us": 2000.0, "p999_us": None, "cpu_us_per_op": 10.0,
            "memory_per_key": 90.0, "written_per_payload": 3.0}


def snapshots(p99_quiet, p99_busy):
    run = {"per_second": 1000.0, "max_us": 9000.0}
    return {"quiet": {**run, "p99_us": p99_quiet}, "snapshots": {**run, "p99_us": p99_busy}, "snapshots_taken": 4}


class Report(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.store = Store(os.path.join(self.directory.name, "raw"))
        self.docs = os.path.join(self.directory.name, "docs")
        # matplotlib is not what is tested here.
        plots.plt = None

    def add(self, kind, *records):
        self.store.add(kind, HEADER)
        for one in records:
            self.store.add(kind, one)

    def written(self):
        sys.stderr, kept = open(os.devnull, "w"), sys.stderr
        try:
            report.write(self.store, self.docs)
        finally:
            sys.stderr.close()
            sys.stderr = kept
        with open(os.path.join(self.docs, "performance.md")) as file:
            return file.read()

    def test_a_ratio_is_the_median_of_the_ratios_of_rounds(self):
        # The machine is twice as slow in the second round, for both.
        for number, speed in enumerate((100_000, 50_000, 100_000)):
            self.store.add("matrix", record("systems", REFERENCE, number, speed))
            self.store.add("matrix", record("systems", matrix.MAIN, number, speed * (0.9, 1.25, 1.1)[number]))
        self.add("matrix")
        text = self.written()
        self.assertIn("| bowline, 3 nodes, file, quorum reads | 90.0 (1.10) |", text)
        self.assertIn("| redis-server, `appendfsync always` | 100 |", text)
        self.assertIn("| SET, 50 clients | ≥ 1 | 1.10 | yes |", text)

    def test_the_reference_has_one_way_in(self):
        self.add("matrix", record("entry", REFERENCE, 0, 100_000), record("entry", matrix.MAIN, 0, 80_000),
                 record("entry", matrix.MAIN, 0, 40_000, entry="follower"))
        text = self.written()
        self.assertIn("| bowline, 3 nodes, file, quorum reads | 80.0 (0.80) | 40.0 (0.40) |", text)
        self.assertIn("| SET by a follower, to the leader's | ≥ 0.7 | 0.50 | **no** |", text)

    def test_values_that_have_elements_are_judged_by_memory_and_pauses(self):
        small = {"what": "small", "type": "hash", "keys": 1_000_000, "elements": 10}
        pauses = {"what": "pauses", "type": "list", "elements": 10_000_000, "system": matrix.MAIN}
        self.add("large", {**small, "system": SMALLEST, "bytes": 20.0}, {**small, "system": matrix.MAIN, "bytes": 25.0},
                 {**pauses, "longest_ms": {
                     "nothing": {"SET": 40.0, "PING": 30.0}, "DEL": {"SET": 90.0, "PING": 9.0}, "expiry": {"SET": 12.0, "PING": 11.0}}})
        text = self.written()
        self.assertIn("| 1 million hashes of 10 | 20.0 | 25.0 (1.25) |", text)
        self.assertIn("| memory of 1,000,000 hashes of 10, to redis-server's | ≤ 1.2 | 1.25 | **no** |", text)
        self.assertIn("| longest PING beside a list of 10,000,000 and its DEL, ms | ≤ 10 | 9.00 | yes |", text)
        self.assertIn("| longest PING beside a list of 10,000,000 and its expiry, ms | ≤ 10 | 11.00 | **no** |", text)
        self.assertNotIn("its nothing", text)
        self.assertIn("| 30.0 (40.0) | 9.0 (90.0) | 11.0 (12.0) |", text)

    def test_types_are_judged_by_the_commands_dimension(self):
        self.add("matrix", record("loads", REFERENCE, 0, 100_000, load="zadd"),
                 record("loads", matrix.MAIN, 0, 79_000, load="zadd"))
        self.assertIn("| ZADD, 50 clients | ≥ 0.8 | 0.79 | **no** |", self.written())

    def test_what_was_not_measured_is_left_as_it_was(self):
        self.add("matrix", record("keys", REFERENCE, 0, 100_000, keys=1_000_000))
        first = self.written().replace("## Hot keys\n", "## Hot keys\n\nWritten by hand.\n")
        with open(os.path.join(self.docs, "performance.md"), "w") as file:
            file.write(first)
        self.store.begin("matrix")
        self.add("startup", {"system": REFERENCE, "label": "a redis-server", "memory_per_key": 100.0, **snapshots(1000, 1500)},
                 {"system": matrix.MAIN, "label": "a bowline", "memory_per_key": 120.0, **snapshots(1000, 1500)})
        with open(self.store.path("startup")) as file:
            lines = file.read()
        with open(self.store.path("startup"), "w") as file:
            file.write(lines.replace('"rounds"', '"keys": 10000000, "value_bytes": 32, "rounds"'))
        text = self.written()
        self.assertIn("Written by hand.", text)
        self.assertIn("| 1 million keys | 90 |", text)
        self.assertIn("| memory a key, many keys, to redis-server's | ≤ 1.1 | 1.20 | **no** |", text)
        self.assertIn("| p99 of SET beside snapshots, to without | ≤ 2 | 1.50 | yes |", text)
        self.assertEqual(text, self.written())

    def test_results_of_one_dimension_replace_only_their_own(self):
        self.add("matrix", record("keys", REFERENCE, 0, 1), record("entry", REFERENCE, 0, 2))
        self.store.begin("matrix", lambda one: one.get("dimension") == "keys")
        self.assertEqual([one.get("dimension") for one in self.store.read("matrix")], [None, "entry"])

    def test_every_part_of_the_frame_is_filled_in_by_somebody(self):
        with open(report.FRAME) as file:
            frame = file.read()
        for name in (*tables.VARIED, "machine", "method", "aims", "events", "startup", "beside-snapshots", "connections",
                     "large-value"):
            self.assertEqual(report.fill(frame, {name: "here"}).count("-->\nhere\n<!--"), 1, name)

    def test_the_floor_is_a_system_and_a_reference(self):
        for number, speed in enumerate((10_000, 5_000)):
            for system, share in ((matrix.MAIN, 0.75), (FLOOR, 0.8), (REFERENCE, 1)):
                self.store.add("floor", record("floor", system, number, speed * share, clients=1))
        self.add("floor")
        text = self.written()
        self.assertIn("| 1 client | redis-server, `appendfsync always` | 7.50 | 1.25 | 10.0 |", text)
        self.assertIn("| 1 client | floor, 3 processes | 6.00 (0.80) |  | 10.0 (1.00) |", text)
        self.assertIn("| 1 client | bowline, 3 nodes, file, quorum reads | 5.62 (0.75) | 0.94 | 10.0 (1.00) |", text)
        self.assertIn("## The floor", text)

    def test_what_redis_benchmark_measured_stands_beside_how_busy_it_was(self):
        for keys, speed in ((10_000, 100_000), (redis_benchmark.MANY_KEYS, 80_000)):
            for system, share in ((REFERENCE, 1), (matrix.MAIN, 0.9)):
                one = record("redis-benchmark", system, 0, speed * share, load="get", keys=keys)
                self.store.add("redis-benchmark", {**one, "generator_busy": 0.861})
        self.add("redis-benchmark")
        text = self.written()
        self.assertIn("| GET | 50 clients | 50 clients, 1 million keys |", text)
        self.assertIn("| bowline, 3 nodes, file, quorum reads | 90.0 (0.90) | 72.0 (0.90) |", text)
        self.assertIn("of a core, beside redis-server | 86% | 86% |", text)

    def test_the_output_of_redis_benchmark_is_understood(self):
        text = ('"test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms",'
                '"max_latency_ms"\n"SET","1234.50","0.062","0.032","0.063","0.079","0.111","0.503"\n')
        self.assertEqual(redis_benchmark.parse(text, "set"), {"per_second": 1234.5, "p50_us": 63.0, "p99_us": 111.0})
        with self.assertRaises(Failed):
            redis_benchmark.parse(text, "get")

    def test_redis_benchmark_asks_for_the_keys_that_were_filled_in(self):
        system = all_systems("bowline", True)[REFERENCE]
        system.addresses = lambda entry: ["127.0.0.1:7000"]
        words = redis_benchmark.words(system, load.point(load="get", pipeline=16), 1000)
        self.assertEqual(" ".join(words), "redis-benchmark -h 127.0.0.1 -p 7000 -t get -c 50 -P 16 -r 10000 -d 3 -n 1000 "
                                          "--csv")

    def test_dimensions_name_systems_and_points_that_exist(self):
        systems = all_systems("bowline", True)
        for quick in (False, True):
            own = [floor.dimension(), redis_benchmark.dimension(quick)]
            for dimension in matrix.dimensions(list(systems), quick, 10_000_000) + own:
                self.assertIn(dimension.name, tables.VARIED)
                self.assertIn(REFERENCE, dimension.systems)
                points = [tuple(one.items()) for one in dimension.points]
                self.assertEqual(len(points), len(set(points)), dimension.name)
                for name in dimension.systems:
                    found = matrix.groups(systems[name], dimension.points_of(name))
                    self.assertTrue(found, (dimension.name, name))

    def test_a_reader_is_not_measured_writing(self):
        chosen = redis_benchmark.dimension(False)
        self.assertEqual({one["load"] for one in chosen.points_of(matrix.LEASE)}, {"get"})
        self.assertEqual({one["load"] for one in chosen.points_of(matrix.MAIN)}, {"set", "get"})

    def test_no_point_stores_more_than_it_may(self):
        self.assertEqual(load.point(value_bytes=1 << 20, keys=10_000_000)["keys"], 256)
        self.assertEqual(load.point(value_bytes=3, keys=10_000_000)["keys"], 10_000_000)


if __name__ == "__main__":
    unittest.main()
