"""Raw results: JSON lines, a file for each kind of measurement, and medians of rounds."""
import json
import os
import platform
import re
import statistics
import subprocess
import time

from load import nproc

KINDS = ("matrix", "events", "startup", "connections", "floor", "redis-benchmark", "large")


class Store:
    def __init__(self, directory):
        self.directory = directory
        os.makedirs(directory, exist_ok=True)

    def path(self, kind):
        return os.path.join(self.directory, f"{kind}.jsonl")

    def begin(self, kind, replaces=lambda record: True):
        """Forgets the results that are about to be measured again."""
        kept = [record for record in self.read(kind) if not replaces(record)]
        with open(self.path(kind), "w") as file:
            for record in kept:
                file.write(json.dumps(record) + "\n")

    def add(self, kind, record):
        with open(self.path(kind), "a") as file:
            file.write(json.dumps(record) + "\n")

    def read(self, kind):
        try:
            with open(self.path(kind)) as file:
                return [json.loads(line) for line in file]
        except FileNotFoundError:
            return []


def median(values):
    values = [value for value in values if value is not None]
    return statistics.median(values) if values else None


def first_line(*words):
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        return (done.stdout or done.stderr).strip().splitlines()[0]
    except (OSError, IndexError):
        return ""


def version(text):
    found = re.search(r"\d+\.\d+\.\d+", text)
    return found[0] if found else "unknown"


def file_system(directory):
    """Of the mount that holds the directory: type and whether the device says it rotates."""
    directory, best = os.path.realpath(directory), ("", "unknown")
    with open("/proc/self/mounts") as mounts:
        for line in mounts:
            _, at, kind = line.split()[:3]
            if (directory + "/").startswith(at.rstrip("/") + "/") and len(at) >= len(best[0]):
                best = (at, kind)
    return best[1]


def machine(binary, directory):
    """What a reader needs to judge the figures; nothing that names the machine."""
    with open("/proc/cpuinfo") as cpuinfo:
        found = re.search(r"model name\s*: (.*)", cpuinfo.read())
    with open("/proc/meminfo") as meminfo:
        memory = re.search(r"MemTotal:\s*(\d+)", meminfo.read())
    made = {
        "date": time.strftime("%Y-%m-%d"),
        "processor": found[1] if found else platform.machine(),
        "cores": nproc(),
        "memory_gib": round(int(memory[1]) / (1 << 20)),
        "kernel": platform.release().split("-")[0],
        "file system": file_system(directory),
        "bowline": version(first_line(binary, "--version")),
        "redis-server": version(first_line("redis-server", "--version")),
    }
    etcd = first_line("etcd", "--version")
    return {**made, "etcd": version(etcd)} if etcd else made
