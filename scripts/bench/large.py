"""Values that have elements: the memory of many small ones and of a few large ones, and how long other
clients wait while one of ten million elements is deleted, expires or is written into a snapshot."""
import functools
import threading
import time

import resp
from matrix import MAIN
from processes import Failed, wait_for
from progress import Progress
from systems import SMALLEST, ask

KEYS = 1_000_000
LARGE = 10
ELEMENTS = 10_000_000
# Elements in a command, where one value is built by many.
BATCH = 100
# Commands that are sent before their replies are read.
WINDOW = 500


def hash_of(start, count):
    return [word for n in range(start, start + count) for word in (b"field:%06d" % n, b"value:%06d" % n)]


def list_of(start, count):
    return [b"element:%08d" % n for n in range(start, start + count)]


def zset_of(start, count):
    return [word for n in range(start, start + count) for word in (b"%d" % n, b"member:%08d" % n)]


def stream_of(start, _):
    return [b"%d-1" % (start + 1), b"field", b"value:%08d" % start]


# Name, command, elements of a number from a number on, elements of each small value, most a command.
TYPES = [("hash", b"HSET", hash_of, 10, BATCH), ("list", b"RPUSH", list_of, 100, BATCH), ("set", b"SADD", list_of, 10, BATCH),
         ("sorted set", b"ZADD", zset_of, 100, BATCH), ("stream", b"XADD", stream_of, 10, 1)]


@functools.lru_cache(maxsize=16)
def arguments(words, start, count):
    """The elements as a request holds them, and how many words they are: all small values have the same."""
    made = words(start, count)
    return len(made), b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in made)


def commands(kind, keys, elements):
    """What builds so many values with so many elements each."""
    _, command, words, _, most = kind
    for key in range(keys):
        for start in range(0, elements, most):
            count, text = arguments(words, start, min(most, elements - start))
            name = b"key:%012d" % key
            yield b"*%d\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n%s" % (2 + count, len(command), command, len(name), name, text)


def send(port, stream):
    """Sends all of it, in windows, and reads a reply for each command. No reply may be an error."""
    client = resp.Client(port, 600)
    try:
        waiting, parts = 0, []

        def settle():
            client.send_raw(b"".join(parts))
            for _ in range(waiting):
                reply = client.read()
                if isinstance(reply, resp.Error):
                    raise Failed(str(reply))
        for command in stream:
            parts.append(command)
            waiting += 1
            if waiting == WINDOW:
                settle()
                waiting, parts = 0, []
        settle()
    finally:
        client.close()


def memory(system, place, kind, keys, elements):
    """Resident bytes an element, of the node that has the most."""
    with system.running(place):
        before = system.resident_bytes()
        port = system.port(system.leader())
        send(port, commands(kind, keys, elements))
        return (system.resident_bytes() - before) / (keys * elements)


class Other:
    """A client that sends a command again and again while it is entered; how long each took."""

    def __init__(self, port, *command):
        self.client, self.over, self.took_s = resp.Client(port, 600), threading.Event(), []
        self.command = command

    def work(self):
        while not self.over.is_set():
            began = time.monotonic()
            self.client.ask(*self.command)
            self.took_s.append(time.monotonic() - began)

    def __enter__(self):
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join(600)
        self.client.close()

    def longest_ms(self):
        return max(self.took_s) * 1000


def longest(port, work):
    """Of writes, which wait for disks and other nodes too, and of PINGs, which wait for the loop alone."""
    with Other(port, "SET", "small", "value") as writer, Other(port, "PING") as pinger:
        work()
    return {"SET": writer.longest_ms(), "PING": pinger.longest_ms()}


def pauses(system, place, kind, elements):
    """The longest command of other clients, by what happens meanwhile."""
    with system.running(place):
        leader = system.leader()
        port, key = system.port(leader), b"key:%012d" % 0

        def build():
            send(port, commands(kind, 1, elements))

        def gone():
            return ask(port, "EXISTS", key) == 0
        made = {}
        build()
        made["nothing"] = longest(port, lambda: time.sleep(3))
        made["snapshot"] = longest(port, system.snapshot)
        if ask(port, "COPY", key, "copy", timeout_s=600) != 1:
            raise Failed("COPY did nothing")
        made["DEL"] = longest(port, lambda: (ask(port, "DEL", key, timeout_s=600), time.sleep(3)))
        ask(port, "RENAME", "copy", key, timeout_s=600)

        def expire():
            ask(port, "PEXPIRE", key, "1", timeout_s=600)
            wait_for("the end of the key", gone, 600)
            time.sleep(3)
        made["expiry"] = longest(port, expire)
        return made


def run(args, place, _, systems, store, header):
    keys, elements = args.keys or KEYS, ELEMENTS * (args.keys or KEYS) // KEYS
    plan = [("small", kind, name) for kind in TYPES for name in (SMALLEST, MAIN)]
    plan += [("large", kind, name) for kind in TYPES for name in (SMALLEST, MAIN)]
    plan += [("pauses", kind, name) for kind in TYPES[:4] for name in (SMALLEST, MAIN)]
    store.begin("large")
    store.add("large", {**header, "keys": keys, "large": LARGE, "elements": elements})
    progress = Progress(len(plan))
    for what, kind, name in plan:
        system = systems[name]
        where = f"{system.label}: {what}, {kind[0]}"
        progress.say(where)
        with progress.attempt(where):
            record = {"what": what, "type": kind[0], "system": name}
            if what == "small":
                small = keys if kind[4] > 1 else keys // 10
                record |= {"keys": small, "elements": kind[3], "bytes": memory(system, place, kind, small, kind[3])}
            elif what == "large":
                each = elements // LARGE
                record |= {"keys": LARGE, "elements": each // LARGE,
                           "bytes": memory(system, place, kind, LARGE, each // LARGE)}
            else:
                record |= {"elements": elements, "longest_ms": pauses(system, place, kind, elements)}
            store.add("large", record)
        progress.step(1)
    return progress.finish()
