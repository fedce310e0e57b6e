"""Draws random commands from the templates of families.py."""
import re
import time

from families import FLOATS, INTEGERS, JUNK, KEY_FAMILY, NOT_QUITE, PATTERNS, RANDOM, SCORES, WORDS

ENDS_MULTI = {"MULTI", "EXEC", "DISCARD", "RESET", "QUIT"}


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
            args.append(getattr(generator, body)() if body in self.generators else body.encode())
        elif kind == "(":
            for part in generator.rng.choice(body):
                self._fill(part, generator, args)
        else:
            rng = generator.rng
            for _ in range(rng.random() < 0.4 if kind == "?" else rng.choice((1, 1, 2, 3, 4))):
                self._fill(body, generator, args)


class Generator:
    """Draws commands; its public lower-case methods are the words of the templates."""

    def __init__(self, rng, families, templates, payloads):
        self.rng = rng
        self.now = int(time.time())
        self.pools = ["s"] + [kind for kind, family in KEY_FAMILY.items() if family in families]
        self.templates, self.weights, self.families = zip(*templates)
        self.payloads = payloads
        self.expires_soon = False
        self.watched = set()

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

    def p(self):
        return self._key("p")

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
        """PFCOUNT of a key that is watched is a change for redis-server alone: docs/differences.md."""
        args = self._any_command()
        while name_of(args) == "PFCOUNT" and self.watched.intersection(args[1:]):
            args = self._any_command()
        if name_of(args) == "WATCH":
            self.watched.update(args[1:])
        return args

    def _any_command(self):
        which = self.rng.choices(range(len(self.templates)), self.weights)[0]
        args = Command(self.templates[which].fill(self))
        args.family = self.families[which]
        if self.rng.random() < 0.2:
            args[0] = args[0].lower()
        # Without its argument, HELLO says what is of this server alone.
        if self.rng.random() < 0.05 and len(args) > 1 and args[1][:1] != b"x" and name_of(args) != "HELLO":
            self._spoil(args)
        return args

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
            if not self.expires_soon and name_of(args) not in RANDOM | ENDS_MULTI:
                body.append(args)
        self.expires_soon = False
        last = Command([b"EXEC"] if self.rng.random() < 0.85 else [b"DISCARD"])
        last.family = first.family
        self.watched.clear()
        return [first, *body, last]
