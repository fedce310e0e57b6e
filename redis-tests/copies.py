"""Two servers, one of which copies the other: random writes to the one, looks at the other for parts of
transactions, and what both hold when all is quiet."""
import random
import threading

import resp
from nodes import wait

DATABASES = 4  # that random commands work in
POPULATED, COUNTERS = "7", "9"
WRITES_BETWEEN = 1500


def field(client, name):
    """A field of INFO replication."""
    text = client.ask("INFO", "replication")
    if not isinstance(text, bytes):
        return None
    found = [line.split(":", 1)[1] for line in text.decode().split("\r\n") if line.startswith(f"{name}:")]
    return found[0] if found else None


class Writer(threading.Thread):
    """Random commands on strings, in several databases, alone and in transactions. `connect` gives a
    client, anew whenever a server has gone; what a test writes besides comes from `own_commands`. With
    `may_fail` a transaction may be answered with an error: nodes are killed."""

    def __init__(self, connect, seed, may_fail=False):
        super().__init__(daemon=True)
        self.connect, self.random, self.may_fail = connect, random.Random(seed), may_fail
        self.count, self.torn, self.stopped = 0, [], threading.Event()

    def key(self):
        return f"k{self.random.randrange(200)}"

    def own_commands(self, key, value, soon, late):
        return []

    def command(self):
        draw, key = self.random, self.key()
        value = draw.choice(["12", "text", "x" * 50, "long " * 200, str(draw.randrange(1 << 40)), ""])
        soon, late = str(draw.randrange(1, 900)), str(draw.randrange(7_200_000, 9_000_000))
        return draw.choice([
            ("SET", key, value), ("SET", key, value, "PX", soon), ("SET", key, value, "PX", late),
            ("SET", key, value, "KEEPTTL"), ("SETNX", key, value), ("GETSET", key, value), ("GETDEL", key),
            ("GETEX", key, "PX", late), ("GETEX", key, "PERSIST"), ("PEXPIRE", key, soon), ("PERSIST", key),
            ("PEXPIRE", key, late), ("EXPIRE", key, "-1"), ("DEL", key, self.key()), ("UNLINK", key),
            ("SET", f"n{key}", "5"), ("INCR", f"n{key}"), ("INCRBY", f"n{key}", "-7"),
            ("SET", f"n{key}", "1", "PX", soon), ("INCR", f"n{key}"),
            ("APPEND", key, "tail"), ("SETRANGE", key, str(draw.randrange(300)), "patch"),
            ("SETBIT", key, str(draw.randrange(3000)), "1"), ("BITOP", "XOR", key, self.key(), self.key()),
            ("BITFIELD", key, "INCRBY", "u8", "#3", "77"), ("RENAME", key, self.key()),
            ("COPY", key, self.key(), "REPLACE"), ("COPY", key, key, "DB", "2", "REPLACE"), ("MOVE", key, "1"),
            ("MSET", key, "1", self.key(), value), ("PUBLISH", "news", value), ("SETEX", key, "9000", value),
            *self.own_commands(key, value, soon, late),
        ] + [("SWAPDB", "1", "2")] * draw.randrange(2) + [("FLUSHDB",)] * (draw.random() < 0.005))

    def run(self):
        client = None
        while not self.stopped.is_set():
            try:
                client = client or self.connect()
                batch = [("SELECT", str(self.random.randrange(DATABASES)))]
                batch += [self.command() for _ in range(10)]
                if self.random.random() < 0.5:
                    batch = [("MULTI",), *batch, ("EXEC",)]
                # Whoever sees one of them alone sees a part of a transaction.
                batch += [("SELECT", COUNTERS), ("MULTI",), ("INCR", "one"), ("INCR", "two"), ("EXEC",)]
                client.send_raw(b"".join(resp.encode(*words) for words in batch))
                replies = [client.read() for _ in batch]
                failed = self.may_fail and isinstance(replies[-1], resp.Error)
                if not failed and replies[-1] != [replies[-1][0]] * 2:
                    self.torn.append(replies[-1])
                self.count += len(batch)
            except (OSError, resp.Closed):
                client = None


class Reader(threading.Thread):
    """Looks at both counters of the transactions."""

    def __init__(self, connect):
        super().__init__(daemon=True)
        self.connect, self.stopped, self.torn, self.looks, self.refusals = connect, threading.Event(), [], 0, set()

    def run(self):
        client = None
        while not self.stopped.is_set():
            try:
                if client is None:
                    client = self.connect()
                    client.ask("SELECT", COUNTERS)
                seen = client.ask("MGET", "one", "two")
                if isinstance(seen, resp.Error):
                    self.refusals.add(seen.split(" ")[0])
                    continue
                self.looks += 1
                if seen[0] != seen[1]:
                    self.torn.append(seen)
            except (OSError, resp.Closed):
                client = None


def halt(threads):
    for thread in threads:
        thread.stopped.set()
    for thread in threads:
        if thread.is_alive():
            thread.join(30)


def more(writers):
    """So many more writes."""
    goal = sum(writer.count for writer in writers) + WRITES_BETWEEN
    wait("writes", lambda: sum(writer.count for writer in writers) >= goal)


def report_torn(threads):
    """No part of a transaction was seen; and somebody has looked."""
    torn = [seen for thread in threads for seen in thread.torn]
    looks = sum(thread.looks for thread in threads if isinstance(thread, Reader))
    resp.report(not torn and looks > 0, f"no part of a transaction was seen in {looks} looks {torn[:3] or ''}")


def contents(client):
    """All keys of all databases: values, and when they end."""
    found = {}
    for db in [*range(DATABASES), POPULATED, COUNTERS]:
        client.ask("SELECT", str(db))
        keys = sorted(client.ask("KEYS", "*"))
        for start in range(0, len(keys), 500):
            part = keys[start:start + 500]
            client.send_raw(b"".join(resp.encode("GET", key) + resp.encode("PEXPIRETIME", key) for key in part))
            found.update({(db, key): (client.read(), client.read()) for key in part})
    client.ask("SELECT", "0")
    return found


def ends_soon(client):
    """Whether a key is about to expire, which may have happened on one server and not yet on the other."""
    for db in range(DATABASES):
        client.ask("SELECT", str(db))
        keys = client.ask("KEYS", "*")
        client.send_raw(b"".join(resp.encode("PTTL", key) for key in keys))
        if any(0 <= left < 3_600_000 for left in [client.read() for _ in keys]):
            return True
    return False


def report_same(expected, client, what, least=1):
    """The server holds these keys, as `contents` gives them, and no others."""
    seen = contents(client)
    differ = [key for key in {*expected, *seen} if expected.get(key) != seen.get(key)]
    shown = [(key, expected.get(key), seen.get(key)) for key in differ[:3]]
    resp.report(not differ and len(expected) >= least,
                f"{what} holds the {len(expected)} keys{f', but {len(differ)}: {shown}' if differ else ''}")
