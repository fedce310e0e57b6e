#!/usr/bin/env python3
"""Differential fuzzer for servers that speak the Redis protocol.

Sends one random stream of commands to two servers, a reference and the server
under test, and compares every reply: its RESP type and its content, errors by their
whole text. Prints the mismatches grouped by command, then the pass ratio.

    difffuzz.py --ref 7101 --sut 7201 --seed 1 --commands 20000 --family strings,generic

Both servers are emptied with FLUSHALL, again and again: point it only at servers
that may lose their data. The stream is cut into episodes; each starts with empty
servers and depends only on the seed, its own number and the clock, so a mismatch is
replayed with --episode N --trace (and with --pipeline 1, if it is of events). After a mismatch both servers
are emptied, so that one difference is not counted many times.

--allowed FILE names differences that are known and meant, a line each with tabs between:
a regular expression for the whole command, one for `REF => SUT` as --trace shows the
replies, and the reason. --tally FILE adds what was counted, with tabs between: `family` NAME
RESP COMMANDS MISMATCHES and `allowed` RULE COUNT.

Exit status: 0 no mismatch, 1 mismatches, 2 wrong usage, 3 a server was lost.
"""

import argparse
import collections
import itertools
import os
import random
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "fuzz"))
from elements import THRESHOLDS, VALUES  # noqa: E402 - lies in its own folder
from families import FAMILIES, FLOATS, INTEGERS, WORDS  # noqa: E402 - lies in its own folder
from generator import SORTS, WAITING, Generator, Template, name_of  # noqa: E402
from replies import Events, Link, ServerLost, agree, error_words, shown, written  # noqa: E402
from scripting import NOT_CALLED  # noqa: E402

ALONE = WAITING | SORTS | {"SETBIT", "SPOP"}  # commands that are the last of what is sent at once
WHOLE = 100_000  # characters of a reply that a rule of --allowed sees


class Rules:
    """The differences that are allowed, and how often each occurred."""

    def __init__(self, path):
        self.rules, self.hits = [], collections.Counter()
        for line in open(path, encoding="utf-8") if path else ():
            if line.strip() and not line.startswith("#"):
                command, replies, _reason = line.rstrip("\n").split("\t")
                self.rules.append((re.compile(command, re.IGNORECASE | re.DOTALL), re.compile(replies, re.DOTALL)))

    def allow(self, args, ref, sut):
        command, replies = written(args), f"{shown(ref, WHOLE)} => {shown(sut, WHOLE)}"
        for number, (command_re, replies_re) in enumerate(self.rules, 1):
            if command_re.fullmatch(command) and replies_re.fullmatch(replies):
                self.hits[number] += 1
                return True
        return False


class Fuzzer:
    def __init__(self, options):
        self.options = options
        self.templates = list(templates(options.family))
        self.links = [
            Link(options.host, port, options.timeout, options.resp) for port in (options.ref, options.sut)
        ]
        self.events = [Events(options.host, link, options.timeout) for link in self.links] if options.events else []
        self.payloads = []
        self.rules = Rules(options.allowed)
        self.sent = collections.Counter()
        self.wrong = collections.Counter()
        self.sent_of_family = collections.Counter()
        self.wrong_of_family = collections.Counter()
        self.unknown = collections.Counter()
        self.unanswered = collections.Counter()
        self.examples = collections.defaultdict(list)
        self.ref_errors = 0

    def both(self, args):
        for link in self.links:
            link.send(args)
        return [link.receive() for link in self.links]

    def quietly(self, args):
        """The same, with the replies not compared."""
        if any(kind == "!" for kind, _ in self.both(args)):
            self.restart()

    def restart(self):
        """Both servers empty, on fresh connections."""
        for link in self.links:
            link.open()
        for link, reply in zip(self.links, self.both([b"FLUSHALL"])):
            if reply != ("+", b"OK"):
                raise ServerLost(f"port {link.address[1]}: FLUSHALL: {shown(reply)}")
        for events in self.events:
            events.open()

    def learn_payloads(self):
        """The reference's DUMP of some values, for RESTORE."""
        reference = self.links[0]
        for value in [*WORDS, *INTEGERS, *FLOATS, b"pattern " * 40]:
            reference.call(b"SET", b"s0", value)
            self.payloads.append(reference.call(b"DUMP", b"s0")[1])
        for name, *elements in VALUES:
            reference.call(b"DEL", b"s0")
            reference.call(name, b"s0", *elements)
            self.payloads.append(reference.call(b"DUMP", b"s0")[1])

    def run(self):
        options = self.options
        first = options.episode if options.episode is not None else 0
        last = first + 1 if options.episode is not None else sys.maxsize
        self.restart()
        self.learn_payloads()
        for episode in range(first, last):
            self.restart()
            rng = random.Random(f"{options.seed}/{episode}")
            self.begin(rng)
            generator = Generator(rng, options.family, self.templates, list(self.payloads))
            steps = 0
            while steps < options.length:
                steps += self.some(episode, generator)
                if self.sent.total() >= options.commands:
                    return

    def begin(self, rng):
        """What an episode begins with besides empty databases: no scripts, and thresholds of its own."""
        thresholds = [(name, rng.choice(THRESHOLDS[name])) for name in THRESHOLDS if b"ziplist" not in name]
        settings = [word for pair in thresholds for word in pair]
        for args in ([b"CONFIG", b"SET", *settings], [b"FUNCTION", b"FLUSH"], [b"SCRIPT", b"FLUSH"]):
            for link, reply in zip(self.links, self.both(args)):
                if reply != ("+", b"OK"):
                    raise ServerLost(f"port {link.address[1]}: {written(args)}: {shown(reply)}")

    def some(self, episode, generator):
        """Sends some steps at once and compares what comes of them, up to the first mismatch. How many steps."""
        steps = []
        while len(steps) < self.options.pipeline:
            steps.append(generator.step())
            last = steps[-1][-1]
            if generator.expires_soon or name_of(last) in ALONE:
                break
        for link in self.links:
            link.send(*(args for commands in steps for args in commands))
        replies = [[[link.receive() for _ in commands] for commands in steps] for link in self.links]
        good = all(map(self.step, itertools.repeat(episode), itertools.repeat(generator), steps, *replies))
        self.tidy(good and self.same_events(episode, last), last, generator)
        return len(steps)

    def step(self, episode, generator, commands, refs, suts):
        """Whether the replies to a command, or to all of a transaction, are right."""
        queued, good = [], True
        for args, ref, sut in zip(commands, refs, suts):
            self.count(args, ref)
            same = self.same(args, ref, sut, queued)
            self.trace(same, args, ref, sut)
            if name_of(args) == "DUMP" and same and sut[0] == "$" and sut[1]:
                generator.payloads += [ref[1], sut[1]]  # both must be good on both
            if len(commands) > 1 and ref == ("+", b"QUEUED"):
                queued.append(args)
            if not same:
                good = False
                self.note(episode, args, ref, sut)
            if "!" in (ref[0], sut[0]):
                return False
        return good

    def same(self, args, ref, sut, queued):
        """Whether both are right. What SORT was asked for may have been a set, or be kept like one; and redis-server
        does not look behind zero bytes, and with BY and LIMIT exchanges elements that weigh the same."""
        if self.options.errors == "word":
            ref, sut = error_words(ref), error_words(sut)
        if agree(args, ref, sut, queued):
            return True
        if name_of(args) not in SORTS or not agree(args, ref, sut, queued, loose=True):
            return False
        any_order = {b"BY", b"LIMIT"}.issubset(args) or any(b"\0" in (body or b"") for _, body in [*ref[1], *sut[1]])
        return any_order or self.kind(args) in (b"set", b"zset", b"none")

    def kind(self, args):
        """What kind of value a command's first key has by now."""
        return self.links[0].call(b"TYPE", *args[1:2])[1]

    def kept_alike(self, args):
        """Whether the first key is kept in the same form on both."""
        ref, sut = self.both([b"OBJECT", b"ENCODING", *args[1:2]])
        return ref == sut

    def count(self, args, ref):
        self.sent[name_of(args)] += 1
        self.sent_of_family[args.family] += 1
        self.ref_errors += ref[0] == "-"

    def trace(self, same, args, ref, sut):
        if self.options.trace:
            print(f"{'  ' if same else '! '}{written(args)}\n      ref {shown(ref)}\n      sut {shown(sut)}")

    def same_events(self, episode, args):
        """Whether both published the same about their keys since the last time."""
        if not self.events:
            return True
        ref, sut = [("*", events.published()) for events in self.events]
        self.trace(ref == sut, args, ref, sut)
        if ref != sut:
            self.note(episode, args, ref, sut)
        return ref == sut

    def tidy(self, good, args, generator):
        """Keeps one difference from causing others."""
        if not good:
            self.restart()
        elif name_of(args) == "SPOP" or name_of(args) in SORTS | {"SETBIT"} and not self.kept_alike(args):
            self.quietly([b"DEL", *args[1:]] if len(args) > 1 else [b"FLUSHALL"])
        elif generator.expires_soon:
            time.sleep(self.options.settle / 1000)
            self.quietly([b"EXISTS", *args])

    def note(self, episode, args, ref, sut):
        name = name_of(args)
        if self.rules.allow(args, ref, sut):
            return
        self.wrong[name] += 1
        self.wrong_of_family[args.family] += 1
        self.unknown[name] += sut[0] == "-" and "unknown command" in sut[1].lower()
        self.unanswered[name] += sut[0] == "!"
        if len(self.examples[name]) < self.options.show:
            self.examples[name].append((episode, written(args), shown(ref), shown(sut)))

    def report(self):
        for name, wrong in self.wrong.most_common():
            kinds = (self.unknown[name], "unknown to sut"), (self.unanswered[name], "without a reply from sut")
            notes = "".join(f", {count} {what}" for count, what in kinds if count)
            print(f"{name}: {wrong} of {self.sent[name]} differ{notes}")
            for episode, command, ref, sut in self.examples[name]:
                print(f"    episode {episode}: {command}\n        ref {ref}\n        sut {sut}")
        sent, wrong = self.sent.total(), self.wrong.total()
        clean = sum(not self.wrong[name] for name in self.sent)
        print(
            f"{sent} commands ({len(self.sent)} kinds, {self.ref_errors} errors on ref), {wrong} mismatches, "
            f"{self.rules.hits.total()} allowed differences, {clean} kinds without a mismatch, "
            f"pass ratio {(sent - wrong) / max(sent, 1):.4f}"
        )
        if self.options.tally:
            self.tally()

    def tally(self):
        with open(self.options.tally, "a", encoding="utf-8") as file:
            for family in self.options.family:
                counts = self.sent_of_family[family], self.wrong_of_family[family]
                print("family", family, self.options.resp, *counts, sep="\t", file=file)
            for number in range(1, len(self.rules.rules) + 1):
                print("allowed", number, self.rules.hits[number], sep="\t", file=file)


def templates(families):
    """Their commands: template, weight, family."""
    words = {name for name in dir(Generator) if not name.startswith("_")}
    for family in families:
        for line in filter(None, map(str.strip, FAMILIES[family].splitlines())):
            weight, rest = re.fullmatch(r"(\d+ )?(.*)", line).groups()
            yield Template(rest, words), int(weight or 1), family


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--ref", type=int, required=True, metavar="PORT", help="the reference server")
    parser.add_argument("--sut", type=int, required=True, metavar="PORT", help="the server under test")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--commands", type=int, default=10_000, metavar="N")
    parser.add_argument("--family", default="strings,generic,expiry", help="of " + ",".join(FAMILIES))
    parser.add_argument("--length", type=int, default=300, metavar="N", help="steps in an episode")
    parser.add_argument("--pipeline", type=int, default=16, metavar="N", help="steps that are sent at once")
    parser.add_argument("--episode", type=int, metavar="N", help="only this episode")
    parser.add_argument("--trace", action="store_true", help="print every command and both replies")
    parser.add_argument("--show", type=int, default=3, metavar="N", help="examples for each command")
    parser.add_argument("--resp", type=int, default=2, choices=(2, 3), help="protocol version")
    parser.add_argument("--errors", default="whole", choices=("whole", "word"), help="what of them is compared")
    parser.add_argument("--events", action="store_true", help="compare keyspace notifications as well")
    parser.add_argument("--allowed", metavar="FILE", help="differences that are meant")
    parser.add_argument("--tally", metavar="FILE", help="add the counts to it")
    parser.add_argument("--settle", type=int, default=60, metavar="MS", help="wait after a short expiry")
    parser.add_argument("--timeout", type=float, default=5, metavar="S", help="for one reply")
    options = parser.parse_args()
    options.family = options.family.split(",")
    if unknown := set(options.family) - set(FAMILIES):
        parser.error(f"no such family: {', '.join(sorted(unknown))}")
    if "scripts" in options.family and NOT_CALLED.issuperset(options.family):
        parser.error("scripts call the commands of other families: name one besides")
    return options


def main():
    fuzzer = Fuzzer(parse_options())
    try:
        fuzzer.run()
    except ServerLost as error:
        fuzzer.report()
        print(f"stopped: {error}", file=sys.stderr)
        return 3
    fuzzer.report()
    return 1 if fuzzer.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
