"""Fills in docs/performance.md from the raw results: between `<!-- NAME -->` and `<!-- /NAME -->`. What
stands elsewhere in that file is left as it is; without results a part is left as it is too."""
import os
import re
import sys

import aims
import plots
import results
import scale_tables
import tables
import tool_tables

FRAME = os.path.join(os.path.dirname(os.path.abspath(__file__)), "frame.md")


def machine(headers):
    """Every kind of measurement may have been made on another day."""
    rows = ["| | " + " | ".join(headers) + " |", "|---" * (len(headers) + 1) + "|"]
    names = []
    for header in headers.values():
        names += [name for name in header["machine"] if name not in names]
    for name in names:
        cells = [str(header["machine"].get(name, "")) for header in headers.values()]
        rows.append(f"| {name.replace('_gib', ', GiB').replace('_', ' ')} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def parts(store):
    """By name: the text of each part of which there are results."""
    made, headers = {}, {}
    kinds = {kind: store.read(kind) for kind in results.KINDS}
    for kind, records in kinds.items():
        header = next((record for record in records if "machine" in record), None)
        if header:
            headers[kind] = header
    if headers:
        made["machine"] = machine(headers)
    matrix = tables.Matrix([record for record in kinds["matrix"] if "point" in record])
    if matrix.records:
        made["method"] = tables.method(headers["matrix"])
        made.update(tables.dimensions(matrix))
    made.update(scale_tables.startup(kinds["startup"]))
    made.update(scale_tables.connections(kinds["connections"]))
    made.update(scale_tables.events(kinds["events"]))
    made.update(scale_tables.large(kinds["large"]))
    made.update(tool_tables.floor(kinds["floor"]))
    made.update(tool_tables.redis_benchmark(kinds["redis-benchmark"]))
    judged = aims.table(matrix, kinds["startup"], kinds["connections"], kinds["large"])
    if judged:
        made["aims"] = judged
    return made, matrix, kinds["events"]


def fill(text, made):
    for name, content in made.items():
        mark = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if not mark.search(text):
            print(f"bench.sh: the frame has no part {name}", file=sys.stderr)
        text = mark.sub(lambda found, content=content: f"{found[1]}{content}\n{found[2]}", text)
    return text


def write(store, docs):
    os.makedirs(docs, exist_ok=True)
    path = os.path.join(docs, "performance.md")
    source = path if os.path.exists(path) else FRAME
    with open(source) as file:
        text = file.read()
    made, matrix, events = parts(store)
    drawn = plots.draw(matrix, events, os.path.join(docs, "performance"))
    if drawn is None:
        print("bench.sh: without matplotlib the plots are left as they are", file=sys.stderr)
    with open(path, "w") as file:
        file.write(fill(text, made))
    print(f"written: {path}" + "".join(f", {name}" for name in drawn or []), file=sys.stderr)
