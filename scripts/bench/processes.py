"""Server processes: started, watched in /proc, and ended, each by its own id."""
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HOST = "127.0.0.1"
TICKS = os.sysconf("SC_CLK_TCK")
PATIENCE_S = 60
# Ports of one system: clients' from the base, peers' from here.
PEER_OFFSET = 50
PORTS = 100


class Failed(Exception):
    """Something did not start, or did not answer."""


def wait_for(what, condition, patience_s=PATIENCE_S, alive=None):
    """Until `condition()` gives something, which is returned; connections may fail in between.

    `alive`: processes that have to run all the time."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            found = condition()
            if found:
                return found
        except OSError:
            pass
        for process in alive or ():
            process.must_run()
        if time.monotonic() > deadline:
            raise Failed(f"not within {patience_s} s: {what}")
        time.sleep(0.01)


def cpu_s(pid):
    """What a process and its children that have ended have taken."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return sum(int(field) for field in fields[11:15]) / TICKS


class Process:
    def __init__(self, words, directory, name):
        self.words, self.directory, self.name = [str(word) for word in words], directory, name
        self.log = os.path.join(directory, "log")
        os.makedirs(directory, exist_ok=True)
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen(
                self.words, cwd=directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.pid = self.child.pid

    def must_run(self):
        if self.child.poll() is not None:
            with open(self.log, errors="replace") as log:
                end = log.read()[-2000:]
            raise Failed(f"{self.name} ended with {self.child.returncode}: {end}")

    def runs(self):
        return self.child.poll() is None

    def children(self):
        """Their ids, of those that run."""
        with contextlib.suppress(OSError):
            with open(f"/proc/{self.pid}/task/{self.pid}/children") as file:
                return [int(pid) for pid in file.read().split()] if self.runs() else []
        return []

    def kill(self):
        """As a crash would, with children: redis-server's write snapshots."""
        children = self.children()
        self.child.kill()
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.child.wait()

    def stop(self):
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self.kill()

    def cpu_s(self):
        """With that of children that have ended."""
        return cpu_s(self.pid)

    def resident_bytes(self):
        with open(f"/proc/{self.pid}/status") as status:
            for line in status:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
        return 0


def device_written_bytes(directory):
    """What the disk below a directory has been sent since the machine started, by anybody; None where
    the kernel does not say. (`write_bytes` of a process would be its own, but counts a whole
    folio of the page cache, up to some MiB, for each small write into it.)"""
    device = os.stat(directory).st_dev
    try:
        with open(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/stat") as stat:
            return int(stat.read().split()[6]) * 512
    except (OSError, IndexError):
        return None


def port_taken(port):
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex((HOST, port)) == 0


def free_base(wanted):
    """The first of PORTS ports, below the range from which outgoing connections take theirs."""
    for base in [wanted] if wanted else range(10240 + os.getpid() % 9000, 29000, PORTS):
        if not any(port_taken(base + at) for at in range(PORTS)):
            return base
    raise Failed(f"ports from {wanted} are taken" if wanted else "no free ports were found")


class Place:
    """Where systems run: a directory on the disk that is measured, and ports. Ends what it started."""

    def __init__(self, directory, base_port):
        os.makedirs(directory, exist_ok=True)
        self.scratch = tempfile.mkdtemp(prefix="scratch-", dir=directory)
        self.base_port = free_base(base_port)
        self.processes, self.closed = [], False

    def directory(self, name):
        return os.path.join(self.scratch, name)

    def spawn(self, words, name):
        if self.closed:
            raise Failed("it is over")
        process = Process(words, self.directory(name), name)
        self.processes.append(process)
        return process

    def clear(self):
        """Ends all processes and removes their data."""
        for process in self.processes:
            process.kill()
        self.processes = []
        for name in os.listdir(self.scratch):
            shutil.rmtree(os.path.join(self.scratch, name), ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.closed = True
        self.clear()
        shutil.rmtree(self.scratch, ignore_errors=True)


def fail(text):
    print(f"bench.sh: {text}", file=sys.stderr)
    sys.exit(1)
