"""Runs a load generator against a system, and sees what it costs the servers."""
import json
import os
import resource
import subprocess
import time

from processes import Failed

BASE = {"load": "set", "clients": 50, "pipeline": 1, "value_bytes": 3, "keys": 10_000, "pattern": "uniform",
        "entry": "leader"}
# No point stores more than this in keys of large values.
MOST_STORED_BYTES = 256 << 20


def point(**changes):
    made = {**BASE, **changes}
    made["keys"] = max(1, min(made["keys"], MOST_STORED_BYTES // max(made["value_bytes"], 1)))
    return made


class Generators:
    """`resp`, `etcd`: the binaries; the second may be None."""

    def __init__(self, resp, etcd):
        self.binaries = {"resp": resp, "etcd": etcd}

    def begin(self, system, point, seconds, warm_up, *flags, addresses=None):
        """A running generator, for `finish`."""
        words = [self.binaries[system.speaks], "--addresses",
                 ",".join(addresses or system.addresses(point["entry"])), "--clients", point["clients"],
                 "--value-bytes", point["value_bytes"], "--keys", point["keys"], "--load", point["load"],
                 "--seconds", seconds, "--warm-up", warm_up, *flags]
        if system.speaks == "resp":
            words += ["--pipeline", point["pipeline"], "--pattern", point["pattern"], "--wait", system.wait]
        return subprocess.Popen([str(word) for word in words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True)

    def run(self, system, point, seconds, warm_up, *flags):
        """What the generator reports, with the servers' costs."""
        before = (system.cpu_s(), system.written_bytes(), children_cpu_s())
        result = finish(self.begin(system, point, seconds, warm_up, *flags))
        cpu_s, written = system.cpu_s() - before[0], system.written_bytes()
        ops = max(result["ops_all"], 1)
        result["cpu_us_per_op"] = cpu_s * 1e6 / ops
        # It shares the processors, so its own cost matters too.
        result["generator_us_per_op"] = (children_cpu_s() - before[2]) * 1e6 / ops
        payload = ops * result["payload_bytes_per_op"]
        if payload and written is not None and before[1] is not None:
            result["written_per_payload"] = (written - before[1]) / payload
        return result

    def fill(self, system, point):
        """Sets each key of the point once."""
        if not system.stores:
            return {"errors": 0}
        if system.speaks == "etcd":
            return finish(self.begin(system, {**point, "load": "set", "clients": 50}, 0, 0, "--fill"))
        # By requests, so that neither memory nor the servers' buffers know a value's size.
        pipeline = max(1, min(64, (256 << 10) // (point["value_bytes"] + 64)))
        # The replicas of a redis-server are waited for once a batch.
        wanted = {**point, "load": "set", "clients": 8, "pipeline": pipeline, "pattern": "sequential"}
        return finish(self.begin(system, wanted, 0, 0, "--requests", point["keys"]))


def children_cpu_s():
    """Of all that have ended; while a system runs, these are load generators."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def finish(process):
    """What a generator reports."""
    try:
        out, err = process.communicate()
    except BaseException:
        process.kill()
        process.wait()
        raise
    if process.returncode != 0:
        raise Failed(f"the load generator: {err.strip()}")
    return json.loads(out)


def end(process):
    if process.poll() is None:
        process.kill()
    process.communicate()


def now_unix_ms():
    return time.time() * 1000


def nproc():
    return len(os.sched_getaffinity(0))
