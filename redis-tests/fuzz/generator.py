"""Draws random commands from the templates of families.py."""
import re
import time

from elements import THRESHOLDS
from families import FLOATS, INTEGERS, JUNK, KEY_FAMILY, NOT_QUITE, PATTERNS, PLACES, RANDOM, SCANS, SCORES, WORDS
from groups import CHANGES, Groups
from scripting import Scripts

SORTS = {"SORT", "SORT_RO"}
ENDS_MULTI = {"MULTI", "EXEC", "DISCARD", "RESET", "QUIT"}
# Settings of the whole cluster and CLIENT REPLY are not for transactions: docs/differences.md. SORT changes the form of
# a sorted set, and SETBIT that changes no bit that of a string, for redis-server alone: such keys are forgotten.
NOT_QUEUED = RANDOM | ENDS_MULTI | SORTS | {"CONFIG", "SETBIT"}
# An argument of another kind might let them wait for ever.
WAITING = {"BLPOP", "BRPOP", "BLMOVE", "BRPOPLPUSH", "BLMPOP", "BZPOPMIN", "BZPOPMAX", "BZMPOP"}
UNITS = (b"m", b"km", b"ft", b"mi")


class Command(list):
    """The words of a command, and the family that it was drawn from."""

    family = ""


def name_of(args):
    return args[0].upper().decode(errors="replace")


class Template:
    """One line of FAMILIES, parsed; `fill` draws a command from it."""

    def __init__(self, line, generators):
        self.generators = generators
        self.tokens = re.findall(r"[()|?+]|[^\s()|?+]+", line)
        self.tree = self._sequence()

    def _sequence(self):
        items = []
        while self.tokens and self.tokens[0] not in ")|":
            items.append(self._item())
        return items

    def _item(self):
        token = self.tokens.pop(0)
        if token in "?+":
            return token, self._item()
        if token != "(":
            return "word", token
        choices = [self._sequence()]
        while self.tokens.pop(0) == "|":
            choices.append(self._sequence())
        return "(", choices

    def fill(self, generator):
        args = []
        for item in self.tree:
            self._fill(item, generator, args)
        return args

    def _fill(self, item, generator, args):
        kind, body = item
        if kind == "word":
            drawn = getattr(generator, body)() if body in self.generators else body.encode()
            args += drawn if isinstance(drawn, tuple) else (drawn,)
        elif kind == "(":
            for part in generator.rng.choice(body):
                self._fill(part, generator, args)
        else:
            rng = generator.rng
            for _ in range(rng.random() < 0.4 if kind == "?" else rng.choice((1, 1, 2, 3, 4))):
                self._fill(body, generator, args)


class Generator(Scripts, Groups):
    """Draws commands; its public lower-case methods are the words of the templates: an argument, or a tuple of some."""

    def __init__(self, rng, families, templates, payloads):
        self.rng = rng
        self.now = int(time.time())
        self.last_id = 0
        self.pools = ["s"] + [kind for kind, family in KEY_FAMILY.items() if family in families]
        self.templates, self.weights, self.families = zip(*templates)
        self.payloads = payloads
        self.expires_soon = False
        self.watched = set()
        self.scripts = []

    def _key(self, kind):
        if self.rng.random() < 0.08:
            kind = self.rng.choice(self.pools)
        return b"%s%d" % (kind.encode(), self.rng.randrange(4))

    def s(self):
        return self._key("s")

    def h(self):
        return self._key("h")

    def l(self):  # noqa: E743
        return self._key("l")

    def t(self):
        return self._key("t")

    def z(self):
        return self._key("z")

    def x(self):
        """A sorted set whose scores are all 0, as ordering by member asks for."""
        return b"x%d" % self.rng.randrange(3)

    def g(self):
        return self._key("g")

    def d(self):
        """Distances, whose last digits are not compared."""
        return b"d%d" % self.rng.randrange(3)

    def p(self):
        return self._key("p")

    def r(self):
        return self._key("r")

    def newid(self):
        """An id behind all others, mostly."""
        self.last_id += self.rng.choice((0, 1, 1, 1, 1, 2))
        last = self.rng.choice((b"", b"-*", b"-0", b"-1", b"-5", b"-70000"))
        return b"%d" % self.last_id + last

    def id(self):
        """One that may be there."""
        near = max(0, self.last_id - self.rng.choice((0, 0, 1, 1, 2, 3, 5, 10, 30, 100)))
        rare = (b"-", b"+", b"0", b"0-0", b"18446744073709551615-18446744073709551615", b"x", b"1-2-3", b"007-+1")
        last = self.rng.choice((b"", b"-0", b"-1", b"-2", b"-5"))
        return self.rng.choice(rare) if self.rng.random() < 0.1 else b"%d" % near + last

    def idbound(self):
        return self.rng.choice((b"-", b"+", self.id(), self.id(), b"(" + self.id()))

    def payload(self):
        """What DUMP gave for some value, at times broken."""
        payload = self.rng.choice(self.payloads)
        if self.rng.random() < 0.2:
            at = self.rng.randrange(len(payload))
            payload = payload[:at] + bytes([payload[at] ^ 1]) + payload[at + 1 :]
        return payload

    def database(self):
        return self.rng.choice((b"0", b"0", b"1", b"1", b"2", b"15", b"16", b"-1", b"one"))

    def channel(self):
        return self.rng.choice((b"c1", b"c2", b"news.it", b""))

    def any(self):
        return self._key(self.rng.choice(self.pools))

    def value(self):
        pool = self.rng.choices((WORDS, INTEGERS, FLOATS, NOT_QUITE), (5, 4, 1, 1))[0]
        return self.rng.choice(pool)

    def int(self):
        return self.rng.choice(INTEGERS if self.rng.random() < 0.9 else NOT_QUITE)

    def float(self):
        return self.rng.choice(FLOATS if self.rng.random() < 0.9 else NOT_QUITE)

    def score(self):
        return self.rng.choice(SCORES)

    def field(self):
        return b"f%d" % self.rng.randrange(6)

    def member(self):
        return self.rng.choice((b"m%d" % self.rng.randrange(8), b"%d" % self.rng.randrange(20)))

    def word(self):
        return self.rng.choice(WORDS)

    def many(self):
        """Numbers, an even number of them, around the places where collections change their form."""
        first, count = self.rng.choice((0, 0, 1000, -70000)), self.rng.choice((4, 10, 64, 130, 260))
        return tuple(b"%d" % (first + number) for number in range(count))

    def threshold(self):
        name = self.rng.choice(list(THRESHOLDS))
        return name, self.rng.choice(THRESHOLDS[name] if self.rng.random() < 0.9 else JUNK)

    def huge(self):
        return self.rng.choice((b"9223372036854775807", b"4294967296", b"2147483648", b"100000"))

    def shortly(self):
        """A timeout. None of them is for ever."""
        return self.rng.choice((b"0.01", b"0.001", b"1e-3", b"-1", b"abc", b"nan", b"inf", b"1e300", b""))

    def by(self):
        return self.rng.choice((b"s*", b"w_*", b"h0->*", b"h*->f1", b"#"))

    def longitude(self):
        return b"%.17g" % self._near(0, 180)

    def latitude(self):
        return b"%.17g" % self._near(1, 85.05112878)

    def _near(self, which, most):
        """One of a few places, or somewhere near, or beyond the edge."""
        at = self.rng.choice(PLACES)[which]
        if self.rng.random() < 0.7:
            at += self.rng.choice((0, 0.001, -0.02, 0.5, -3)) * self.rng.random()
        return at if self.rng.random() < 0.05 else max(-most, min(most, at))

    def place(self):
        return b"p%d" % self.rng.randrange(12)

    def radius(self):
        return self.rng.choice((b"0", b"1", b"10", b"200.5", b"3000", b"20000", b"1e7", b"-1", b"abc"))

    def unit(self):
        return self.rng.choice(UNITS)

    def area(self):
        if self.rng.random() < 0.5:
            return b"BYRADIUS", self.radius(), self.unit()
        return b"BYBOX", self.radius(), self.radius(), self.unit()

    # `with` is a word of Python's.
    def having(self):
        return tuple(word for word in (b"WITHCOORD", b"WITHDIST", b"WITHHASH") if self.rng.random() < 0.4)

    def pattern(self):
        return self.rng.choice(PATTERNS)

    def index(self):
        return b"%d" % self.rng.choice((0, 0, 1, 2, 3, 5, -1, -1, -2, -3, 100, -100))

    def offset(self):
        return b"%d" % self.rng.choice((0, 1, 3, 10, 60, -1))

    def bit(self):
        return b"%d" % self.rng.choice((0, 1, 5, 7, 8, 23, 100, 500))

    def bitwidth(self):
        return self.rng.choice((b"u1", b"u8", b"i8", b"u16", b"i5", b"i64", b"u63", b"u64"))

    def small(self):
        return b"%d" % self.rng.choice((0, 1, 1, 1, 2, 2, 3, 5))

    def count(self):
        return b"%d" % self.rng.choice((0, 1, 2, 5, 100, -1, -3))

    def bound(self):
        return self.rng.choice((b"", b"(")) + self.score()

    def lexbound(self):
        return self.rng.choice((b"-", b"+", b"[" + self.member(), b"(" + self.member()))

    def secs(self):
        return b"%d" % self.rng.randrange(1_000, 10_000_000)

    def msecs(self):
        return b"%d" % self.rng.randrange(1_000_000, 10_000_000_000)

    def at(self):
        return b"%d" % (self.now + self.rng.randrange(1_000, 10_000_000))

    def msat(self):
        return b"%d" % (self.now * 1000 + self.rng.randrange(1_000_000, 10_000_000_000))

    def past(self):
        return self.rng.choice((b"-1", b"0", b"-5", b"-1000"))

    def soon(self):
        self.expires_soon = True
        return b"%d" % self.rng.randrange(1, 15)

    def _command(self):
        args = self._any_command()
        while self._tells_of_estimates(args) or self._is_seen_by_watch(args):
            args = self._any_command()
        if name_of(args) == "WATCH":
            self.watched.update(args[1:])
        return args

    def _tells_of_estimates(self, args):
        """PFCOUNT keeps its estimate within the value, in redis-server alone: docs/differences.md. Who watches the key
        or looks at single bytes would see it; and sketches that somebody has damaged are not answered alike."""
        name = name_of(args)
        looks = args.family == "bits" or name in ("GETRANGE", "SUBSTR", "LCS", "SETRANGE", "APPEND")
        counts = name == "PFCOUNT" and self.watched.intersection(args[1:])
        return counts or looks and any(re.fullmatch(rb"p\d", arg) for arg in args)

    def _is_seen_by_watch(self, args):
        return name_of(args) in CHANGES and self.watched.intersection(args)

    def _any_command(self):
        which = self.rng.choices(range(len(self.templates)), self.weights)[0]
        args = Command(self.templates[which].fill(self))
        args.family = self.families[which]
        if self.rng.random() < 0.2:
            args[0] = args[0].lower()
        # Without an argument, these tell what is of this server alone.
        fixed = name_of(args) in WAITING | {"COMMAND", "HELLO"} or b"BLOCK" in args
        fixed = fixed or args[1:2] and args[1][:1] in (b"x", b"d")
        if self.rng.random() < 0.05 and len(args) > 1 and not fixed:
            self._spoil(args)
            self._begin_scan(args)
        return args

    def _begin_scan(self, args):
        """Cursors that no SCAN gave mean something else to each server."""
        at = 1 if name_of(args) == "SCAN" else 2
        if name_of(args) in SCANS and len(args) > at and re.fullmatch(rb"[-+ ]*\d+", args[at]):
            args[at] = b"0"

    def _spoil(self, args):
        """Makes a command that may be wrong: an argument too few, too many or of another kind."""
        where = self.rng.randrange(1, len(args))
        how = self.rng.randrange(4)
        if how == 0:
            del args[where]
        elif how == 1:
            args.insert(where, args[where])
        elif how == 2:
            args.append(self.rng.choice(JUNK))
        else:
            args[where] = self.rng.choice(JUNK)

    def step(self):
        """The next commands to send as one: one command, or a whole transaction."""
        self.expires_soon = False
        first = self._command()
        if name_of(first) != "MULTI":
            return [first]
        body = []
        for _ in range(self.rng.randrange(5)):
            self.expires_soon = False
            args = self._command()
            if not self.expires_soon and name_of(args) not in NOT_QUEUED and args[1:2] != [b"REPLY"]:
                body.append(args)
        self.expires_soon = False
        last = Command([b"EXEC"] if self.rng.random() < 0.85 else [b"DISCARD"])
        last.family = first.family
        self.watched.clear()
        return [first, *body, last]
