"""What difffuzz.py sends to the consumer groups of streams, and what of their replies two right servers need not agree
about: when something was, by their own clocks."""
import re

GROUPS = """
    8 XADD r newid +(field value)
    XADD r MAXLEN count newid field value
    3 XDEL r +id
    4 XGROUP CREATE r group (id|$|0|0) ?MKSTREAM ?(ENTRIESREAD count)
    XGROUP CREATE any group id ?(MKSTREAM|value) ?(ENTRIESREAD (-1|-2|01|count|NO))
    XGROUP SETID r group (id|idbound|$) ?(ENTRIESREAD count)
    3 XGROUP (CREATECONSUMER|DELCONSUMER) r group consumer
    XGROUP DESTROY r group
    8 XREADGROUP GROUP group consumer ?(COUNT small) ?NOACK STREAMS r >
    3 XREADGROUP GROUP group consumer ?(COUNT small) ?NOACK STREAMS r id
    2 XREADGROUP GROUP group consumer ?(COUNT small) STREAMS r r (> >|> id|id >)
    XREADGROUP GROUP group consumer ?(COUNT value) ?NOACK STREAMS any (> >|$|value)
    4 XACK r group +id
    4 XPENDING r group
    4 XPENDING r group ?(IDLE (0|100000000)) idbound idbound count ?consumer
    XPENDING r group ?(IDLE idle) idbound ?idbound ?value
    5 XCLAIM r group consumer (0|0|0|100000000) +id ?(RETRYCOUNT small) ?FORCE ?JUSTID ?(LASTID id)
    2 XCLAIM r group consumer idle +id ?(IDLE (0|int|value)|TIME (0|5|int)) ?(RETRYCOUNT value) ?value
    5 XAUTOCLAIM r group consumer (0|0|0|100000000) idbound ?(COUNT small) ?JUSTID
    XAUTOCLAIM r group consumer idle idbound ?(COUNT value) ?value
    3 XINFO GROUPS r
    2 XINFO CONSUMERS r group
    2 XINFO STREAM r FULL ?(COUNT count)
    2 DUMP r
    COPY r r ?REPLACE
"""

# What changes a group, of which WATCH knows nothing in redis-server: docs/differences.md.
CHANGES = {"XGROUP", "XREADGROUP", "XACK", "XCLAIM", "XAUTOCLAIM"}

# The type of DUMP that has moments in it, in milliseconds of these years; and what stands behind.
STREAM = 19
MOMENTS = range(1_600_000_000_000, 2_000_000_000_000)
MOMENT_BYTES = re.compile(rb"[\s\S]{4}[\x74-\xd1]\x01\x00\x00")
CHECKSUM_BYTES = 8
# For longer than this nothing was pending since a run began.
LONG_MS = 1_000_000_000


class Groups:
    """Words of the templates, for the Generator."""

    def group(self):
        return self.rng.choice((b"g1", b"g1", b"g2", b"g\xff"))

    def consumer(self):
        return self.rng.choice((b"alice", b"bob", b"carol", b"7"))

    def idle(self):
        """What no entry is by chance on one of two servers only."""
        return self.rng.choice((b"0", b"-1", b"100000000", b"9223372036854775807", b"x", b"1.5"))


def without_moments(name, reply):
    """The reply of such a command, but for when something was."""
    kind, body = reply
    if name == "DUMP" and kind == "$" and body and body[0] == STREAM:
        return kind, MOMENT_BYTES.sub(b"a moment", body[:-CHECKSUM_BYTES])
    if name == "XPENDING":
        return _without_idle_times(reply)
    return _without_numbers(reply) if name == "XINFO" else reply


def _without_numbers(reply):
    kind, body = reply
    if kind == ":" and body in MOMENTS:
        return kind, "a moment"
    if not isinstance(body, list):
        return reply
    items = [_without_numbers(item) for item in body]
    for i, (name, value) in enumerate(zip(body, items[1:]), 1):
        if name == ("$", b"idle"):
            items[i] = value[0], "idle"
    return kind, items


def _without_idle_times(reply):
    kind, body = reply
    if not isinstance(body, list) or not all(isinstance(entry, list) and len(entry) == 4 for _, entry in body):
        return reply
    return kind, [(of, [id, owner, (":", "long" if idle[1] > LONG_MS else "short"), count])
                  for of, (id, owner, idle, count) in body]
