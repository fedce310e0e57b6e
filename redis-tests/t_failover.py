#!/usr/bin/env python3
"""The leader is killed under load, three times. Clients of the other nodes see no error,
every acknowledged write is on every node, and nothing was done twice."""
import os
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp

CLUSTER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "scripts", "cluster.sh")
ROUNDS = 3
CLIENTS_PER_NODE = 3
WRITES_BEFORE = 100
WRITES_AFTER = 100
PATIENCE_S = 60


def cluster(*words):
    return subprocess.run([CLUSTER, *words], check=True, capture_output=True, text=True).stdout.strip()


def wait(what, condition):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {PATIENCE_S} s: {what}")
        time.sleep(0.01)


def leader():
    found = subprocess.run([CLUSTER, "leader"], capture_output=True, text=True)
    return int(found.stdout) if found.returncode == 0 else None


class Writer(threading.Thread):
    """Sets a key of its own and increments a shared one, again and again."""

    def __init__(self, name, port, stop):
        super().__init__(daemon=True)
        self.name, self.port, self.stop = name, port, stop
        self.acknowledged, self.errors, self.longest_wait_s = 0, [], 0.0

    def run(self):
        try:
            client = resp.Client(self.port, timeout_s=PATIENCE_S)
            while not self.stop.is_set():
                started = time.monotonic()
                client.send_raw(resp.encode("SET", f"{self.name}:{self.acknowledged}", str(self.acknowledged))
                                + resp.encode("INCR", f"count:{self.name}") + resp.encode("INCR", "count"))
                replies = [client.read(), client.read(), client.read()]
                self.longest_wait_s = max(self.longest_wait_s, time.monotonic() - started)
                if replies[0] != "OK" or replies[1] != self.acknowledged + 1 or not isinstance(replies[2], int):
                    self.errors.append(f"write {self.acknowledged}: {replies}")
                    return
                self.acknowledged += 1
        except (OSError, resp.Closed) as error:
            self.errors.append(f"write {self.acknowledged}: {error!r}")


def verify(number, port, writers, total):
    client = resp.Client(port)
    lost = 0
    for writer in writers:
        for first in range(0, writer.acknowledged, 500):
            numbers = range(first, min(first + 500, writer.acknowledged))
            values = client.ask("MGET", *(f"{writer.name}:{n}" for n in numbers))
            lost += sum(value != str(n).encode() for n, value in zip(numbers, values))
        count = client.ask("GET", f"count:{writer.name}")
        if int(count or 0) != writer.acknowledged:
            resp.report(False, f"round {number}, port {port}: {writer.name} counted to {count}, "
                               f"not {writer.acknowledged}")
    resp.report(lost == 0, f"round {number}, port {port}: {lost} acknowledged writes of "
                           f"{sum(w.acknowledged for w in writers)} are lost")
    count = int(client.ask("GET", "count") or 0)
    resp.report(count == total, f"round {number}, port {port}: {count} increments of {total}")
    client.close()


def round_of(number, total):
    wait("a leader", lambda: leader() is not None)
    victim, stop = leader(), threading.Event()
    writers = [Writer(f"r{number}:{port}:{n}", port, stop)
               for node, port in enumerate(resp.PORTS, 1) if node != victim for n in range(CLIENTS_PER_NODE)]
    for writer in writers:
        writer.start()

    def all_reached(least):
        return all(w.acknowledged >= least[w] or w.errors for w in writers)

    wait("load before the kill", lambda: all_reached({w: WRITES_BEFORE for w in writers}))
    cluster("kill", str(victim))
    least = {w: w.acknowledged + WRITES_AFTER for w in writers}
    try:
        wait("load after the kill", lambda: all_reached(least))
    finally:
        stop.set()
    for writer in writers:
        writer.join(PATIENCE_S)
    errors = [error for writer in writers for error in writer.errors]
    longest = max(w.longest_wait_s for w in writers)
    resp.report(not errors, f"round {number}: killed node {victim}, longest wait {longest:.2f} s, errors: {errors}")
    cluster("restart", str(victim))
    # It serves once it has caught up; asking for a value waits for that.
    wait("the killed node's return", lambda: answers(resp.PORTS[victim - 1]))
    total += sum(writer.acknowledged for writer in writers)
    for port in resp.PORTS:
        verify(number, port, writers, total)
    return total


def answers(port):
    try:
        client = resp.Client(port)
        good = not isinstance(client.ask("GET", "count"), resp.Error)
        client.close()
        return good
    except (OSError, resp.Closed):
        return False


if __name__ == "__main__":
    resp.Client(resp.PORTS[0]).ask("FLUSHALL")
    so_far = 0
    for number in range(1, ROUNDS + 1):
        try:
            so_far = round_of(number, so_far)
        except (TimeoutError, subprocess.CalledProcessError) as error:
            resp.report(False, f"round {number}: {error} {getattr(error, 'stderr', '')}")
            break
    resp.finish()
