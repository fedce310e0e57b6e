#!/usr/bin/env python3
"""Every reply in golden/*.golden, byte by byte, on every node.

    t_commands.py                  against the nodes in BOWLINE_PORTS
    t_commands.py --record PORT    write what a redis-server on PORT answers into the files
    ... FAMILY...                  only these files, such as `strings`

Each file is a conversation. `> WORDS` is sent (quoting as in redis-cli), and the
lines below it are the reply, drawn as redis-cli draws it. `>2 WORDS` goes over a second
connection. `<` alone (or `<2`) stands for what comes without a command: the next of several
replies, or a message. `!> WORDS` is bowline's own: a real Redis is not asked, and --record leaves it
alone. A reply of one line `~ REGEX` must match it whole. `#` starts a comment.
"""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import resp

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden")
COMMAND = re.compile(r"^(!?)>(\d?) (.*)$")
MORE = re.compile(r"^()<(\d?)()$")


class Case:
    def __init__(self, number, own, connection, words):
        self.number, self.own, self.connection, self.words = number, own, connection, words
        self.expected = []

    def matches(self, got):
        want = "\n".join(self.expected)
        if want.startswith("~ "):
            return re.fullmatch(want[2:], got, re.DOTALL) is not None
        return want == got


def files(families):
    """Their paths; all, if none is named."""
    names = [f"{name}.golden" for name in families] or sorted(os.listdir(GOLDEN))
    return [os.path.join(GOLDEN, name) for name in names]


def read(path):
    """The file's lines: a `Case`, or a text that is kept as it is."""
    items, case = [], None
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file.read().splitlines(), 1):
            if found := COMMAND.match(line) or MORE.match(line):
                case = Case(number, bool(found[1]), found[2] or "1", found[3])
                items.append(case)
            elif not line or line.startswith("#"):
                items.append(line)
                case = None
            else:
                case.expected.append(line)
    return items


class Clients:
    def __init__(self, port):
        self.port, self.open = port, {}

    def ask(self, case):
        if case.connection not in self.open:
            self.open[case.connection] = resp.Client(self.port)
        client = self.open[case.connection]
        try:
            if case.words:
                client.send(*resp.split(case.words))
            return resp.draw(client.read())
        except (OSError, resp.Closed) as error:
            del self.open[case.connection]
            return f"the connection ended: {error!r}"


def record(path, port):
    clients, lines = Clients(port), []
    for item in read(path):
        if isinstance(item, str):
            lines.append(item)
            continue
        sign = "!" if item.own else ""
        connection = "" if item.connection == "1" else item.connection
        lines.append(f"{sign}>{connection} {item.words}" if item.words else f"<{connection}")
        got = item.expected if item.own else clients.ask(item).split("\n")
        lines += item.expected if item.expected and item.expected[0].startswith("~ ") else got
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


def check(path, port):
    clients, passed, failed = Clients(port), 0, 0
    name = os.path.basename(path)
    for case in read(path):
        if isinstance(case, str) or case.own and resp.FOREIGN:
            continue
        got = clients.ask(case)
        if case.matches(got):
            passed += 1
        else:
            failed += 1
            want = "\n    ".join(case.expected)
            resp.report(False, f"port {port}, {name} line {case.number}: {case.words}\n  want\n    {want}\n  got\n    "
                        + got.replace("\n", "\n    "))
    resp.report(failed == 0, f"{name}: {passed} of {passed + failed} replies on port {port}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--record"]:
        for path in files(sys.argv[3:]):
            record(path, int(sys.argv[2]))
    else:
        for path in files(sys.argv[1:]):
            for port in resp.PORTS:
                check(path, port)
        resp.finish()
