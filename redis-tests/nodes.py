"""Killing and restarting the nodes of a cluster that scripts/cluster.sh runs."""
import contextlib
import os
import subprocess
import tempfile
import time

import resp

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "scripts", "cluster.sh")
PATIENCE_S = 60


def wait(what, condition):
    """Until `condition` holds; it may fail in between."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {PATIENCE_S} s: {what}")
        time.sleep(0.01)


class Nodes:
    """The cluster of BOWLINE_CLUSTER_DIR, or of another directory."""

    def __init__(self, directory=None):
        self.environment = dict(os.environ)
        if directory:
            self.environment["BOWLINE_CLUSTER_DIR"] = directory

    def run(self, *words):
        done = subprocess.run([SCRIPT, *words], env=self.environment, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"cluster.sh {' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout.strip()

    def ports(self):
        return [int(self.run("addr", str(id)).rsplit(":", 1)[1]) for id in (1, 2, 3)]

    def leader(self):
        """Its id."""
        found = []

        def is_found():
            with contextlib.suppress(RuntimeError):
                found.append(int(self.run("leader")))
            return found

        wait("a leader", is_found)
        return found[0]

    def kill(self, id):
        self.run("kill", str(id))

    def restart(self, id):
        """Starts a node again, and waits until all nodes see each other and the leader."""
        self.run("restart", str(id))
        ports = self.ports()
        wait("the killed node's return", lambda: all(sees_all(port) for port in ports))


def sees_all(port):
    try:
        client = resp.Client(port)
        nodes, info = client.ask("CLUSTER", "NODES"), client.ask("CLUSTER", "INFO")
        client.close()
        if not isinstance(nodes, bytes) or not isinstance(info, bytes):
            return False  # it is loading the copy of an upstream
        return nodes.count(b" connected") == 3 and b"cluster_slots_ok:16384" in info
    except (OSError, resp.Closed):
        return False


@contextlib.contextmanager
def another(*flags):
    """Three more nodes, on ports and with data of their own, which are gone in the end."""
    with tempfile.TemporaryDirectory() as scratch:
        nodes = Nodes(os.path.join(scratch, "cluster"))
        try:
            nodes.run("start", "3", "--port", "0", *flags)
            yield nodes
        finally:
            nodes.run("clean")
