"""Markdown tables of starts, connections, large values and events."""
from matrix import MAIN
from results import median
from systems import SMALLEST
from tables import LABELS, count, ms, plural, rows, thousands


def header(records):
    return next((record for record in records if "machine" in record), {})


def seconds(value):
    return "" if value is None else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def startup(records):
    found = {record["system"]: record for record in records if "system" in record}
    if not found:
        return {}
    made = header(records)
    labels = {record["system"]: record["label"] for record in found.values()}
    body = [[labels[name], seconds(one.get("fill_seconds")),
             f"{one['memory_per_key']:.0f}" if "memory_per_key" in one else "", seconds(one.get("snapshot_seconds")),
             seconds(one.get("restart_seconds")), seconds(one.get("restart_one_seconds"))]
            for name, one in found.items()]
    text = (f"{count(made['keys'])} keys of 16 bytes with values of {made['value_bytes']}. Memory is what the node that has "
            "the most of it has more than empty. A start ends when all keys are there and a write is accepted.\n\n" +
            rows(["", "filled in, s", "memory, bytes/key", "snapshot, s", "start, s", "start of one follower, s"], body))
    body = []
    for name, one in found.items():
        if "quiet" in one:
            quiet, busy = one["quiet"], one["snapshots"]
            body.append([labels[name], thousands(quiet["per_second"]), thousands(busy["per_second"]), ms(quiet["p99_us"]),
                         ms(busy["p99_us"]), f"{busy['p99_us'] / quiet['p99_us']:.2f}", ms(busy["max_us"]),
                         str(one["snapshots_taken"])])
    beside = rows(["SET, 50 clients", "thousands/s", "beside snapshots", "p99, ms", "beside snapshots", "ratio",
                   "longest, ms", "snapshots"], body)
    return {"startup": text, "beside-snapshots": beside}


def connections(records):
    made = {}
    body = []
    for one in (record for record in records if record.get("what") == "connections"):
        few, many = str(one["few"]), str(one["many"])
        cells = [LABELS[one["system"]]]
        for load in ("set", "get"):
            rates = one["per_second"][load]
            ratio = median([b / a for a, b in zip(rates[few], rates[many]) if a])
            cells += [thousands(median(rates[few])), f"{thousands(median(rates[many]))} ({ratio:.2f})"]
        body.append([*cells, f"{one['idle_bytes'] / 1024:.1f}"])
        head = ["thousands/s", f"SET, {few}", f"SET, {many}", f"GET, {few}", f"GET, {many}", "idle, KiB/connection"]
    if body:
        made["connections"] = rows(head, body)
    body = []
    for one in (record for record in records if record.get("what") == "large value"):
        times = one["large_seconds"]
        body.append([LABELS[one["system"]], ms(one["quiet"]["p99_us"]), ms(one["beside"]["p99_us"]),
                     ms(one["beside"]["max_us"]), seconds(median(times["set"])), seconds(median(times["get"])),
                     str(len(one["large_errors"])), "" if one["elections"] is None else str(one["elections"])])
    if body:
        made["large-value"] = rows(
            ["", "p99 of small SETs, ms", "beside large ones", "longest, ms", "SET of 64 MiB, s", "GET of it, s", "refused",
             "elections"], body)
    return made


def large(records):
    """Memory of values that have elements, and the longest write of another client beside one of them."""
    found = {(record["what"], record["type"], record["system"]): record for record in records if "what" in record}
    types = list(dict.fromkeys(kind for _, kind, _ in found))
    made, body = {}, []
    for what in ("small", "large"):
        for kind in types:
            mine, other = found.get((what, kind, MAIN)), found.get((what, kind, SMALLEST))
            if mine and other:
                body.append([f"{count(mine['keys'])} {plural(kind)} of {mine['elements']:,}", f"{other['bytes']:.1f}",
                             f"{mine['bytes']:.1f} ({mine['bytes'] / other['bytes']:.2f})"])
    if body:
        made["collections"] = rows(["bytes an element", LABELS[SMALLEST], LABELS[MAIN]], body)
    body = []
    for (what, kind, system), one in found.items():
        if what == "pauses":
            body.append([f"{kind} of {one['elements']:,}", LABELS[system],
                         *(f"{ms['PING']:.1f} ({ms['SET']:.1f})" for ms in one["longest_ms"].values())])
            head = ["longest PING (SET), ms", "", *(f"beside {event}" if event != "nothing" else "nothing"
                                              for event in one["longest_ms"])]
    if body:
        made["pauses"] = rows(head, body)
    return made


def stall(one):
    """The longest time without an answer, in seconds, to within two intervals."""
    longest = current = 0
    for ops, _, _ in one["timeline"]:
        current = current + 1 if ops == 0 else 0
        longest = max(longest, current)
    return longest * one["interval_ms"] / 1000


def events(records):
    body = []
    for one in (record for record in records if "scenario" in record):
        marks = "; ".join(f"{text} at {at:.1f} s" for at, text in one["marks"])
        body.append([one["scenario"], LABELS[one["system"]], marks, thousands(one["per_second"]), ms(one["p99_us"]),
                     f"{stall(one):.1f}", str(one["errors"])])
    if not body:
        return {}
    made = header(records)
    text = (f"SET, {made['clients']} clients, {count(made['keys'])} keys; intervals of 0.1 s. An error is a request whose "
            "connection was lost, or that was refused.\n\n")
    return {"events": text + rows(["", "system", "what happens", "thousands/s, all in all", "p99, ms", "silence, s", "errors"],
                                  body)}
