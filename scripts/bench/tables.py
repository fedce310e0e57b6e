"""Markdown tables of the matrix."""
from load import BASE
from results import median
from systems import REFERENCE, all_systems

LABELS = {name: system.label for name, system in all_systems("", True).items()}
VARIED = {"systems": ("clients", "pipeline"), "clients": ("clients",), "pipeline": ("pipeline",), "loads": (),
          "values": ("value_bytes",), "keys": ("keys",), "pattern": ("pattern",), "entry": ("entry",),
          "floor": ("clients",), "redis-benchmark": ("clients", "pipeline", "keys")}


class Matrix:
    """Answers what was measured at a point, of all rounds."""

    def __init__(self, records):
        self.records = records

    def rounds(self, dimension, system, one):
        return {record["round"]: record for record in self.records
                if record["dimension"] == dimension and record["system"] == system and record["point"] == one}

    def value(self, dimension, system, one, field):
        return median([record.get(field) for record in self.rounds(dimension, system, one).values()])

    def ratio(self, dimension, system, one, field="per_second", to=REFERENCE):
        """To the reference, round by round. It has one node, so to it all ways in are the leader."""
        mine = self.rounds(dimension, system, one)
        reference = self.rounds(dimension, to, {**one, "entry": "leader"})
        ratios = [mine[number][field] / reference[number][field] for number in mine
                  if number in reference and reference[number].get(field) and mine[number].get(field) is not None]
        return median(ratios)

    def systems(self, dimension):
        """In the order of the table of systems."""
        found = {record["system"] for record in self.records if record["dimension"] == dimension}
        return [name for name in LABELS if name in found]

    def points(self, dimension, load):
        """In the order in which they were measured first."""
        made = []
        for record in self.records:
            if record["dimension"] == dimension and record["point"]["load"] == load and record["point"] not in made:
                made.append(record["point"])
        return sorted(made, key=lambda one: tuple(position(dimension, one)))


def position(dimension, one):
    """So that points stand in order, whichever system could be measured there first."""
    order = {"leader": 0, "follower": 1, "all": 2, "uniform": 0, "hot": 1}
    return [order.get(one[name], one[name]) for name in VARIED[dimension]]


def size(count):
    for unit, shift in (("MiB", 20), ("KiB", 10)):
        if count >= 1 << shift:
            return f"{count >> shift} {unit}"
    return f"{count} B"


def count(number):
    for unit, factor in (("million", 1_000_000),):
        if number >= factor:
            return f"{number // factor} {unit}"
    return f"{number:,}"


def plural(noun):
    return noun + ("es" if noun.endswith("sh") else "s")


def title(dimension, one):
    """What is special about a point of a dimension."""
    words = []
    for name in VARIED[dimension]:
        value = one[name]
        if name == "clients":
            words.append(f"{count(value)} client{'s' * (value != 1)}")
        elif name == "pipeline" and (value != 1 or dimension == "pipeline"):
            words.append(f"pipeline {value}")
        elif name == "value_bytes":
            words.append(size(value))
        elif name == "keys" and (value != BASE["keys"] or dimension == "keys"):
            words.append(f"{count(value)} key{'s' * (value != 1)}")
        elif name == "pattern":
            words.append({"uniform": "uniform", "hot": "four of five requests to a fifth of the keys"}[value])
        elif name == "entry":
            words.append({"leader": "the leader", "follower": "a follower", "all": "all nodes"}[value])
    return ", ".join(words)


def thousands(per_second):
    """Three digits at least, in thousands."""
    if per_second is None:
        return ""
    value = per_second / 1000
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def ms(us):
    if us is None:
        return ""
    return f"{us / 1000:.0f}" if us >= 100_000 else f"{us / 1000:.1f}" if us >= 10_000 else f"{us / 1000:.2f}"


def with_ratio(text, ratio, is_reference=False):
    return text if ratio is None or is_reference or not text else f"{text} ({ratio:.2f})"


def method(header):
    rounds = f"the median of {header['rounds']} rounds" if header["rounds"] > 1 else "of one round"
    return (f"Each figure is {rounds} of {header['seconds_per_point']:g} s, after "
            f"{header['warm_up_seconds']:g} s of warm-up; ratios are medians of the rounds' ratios.")


def rows(head, body):
    return "\n".join(["| " + " | ".join(head) + " |", "|---" * len(head) + "|"] +
                     ["| " + " | ".join(cells) + " |" for cells in body])


def throughput(matrix, dimension, load):
    """Systems down, points across."""
    points = matrix.points(dimension, load)
    body = []
    for system in matrix.systems(dimension):
        cells = [with_ratio(thousands(matrix.value(dimension, system, one, "per_second")),
                            matrix.ratio(dimension, system, one), system == REFERENCE) for one in points]
        if any(cells):
            body.append([LABELS[system], *cells])
    return rows([load.upper(), *(title(dimension, one) for one in points)], body)


def details(matrix, dimension, load):
    """One row a system and point: everything."""
    body = []
    for one in matrix.points(dimension, load):
        for system in matrix.systems(dimension):
            def value(field, one=one, system=system):
                return matrix.value(dimension, system, one, field)
            if value("per_second") is None:
                continue
            written = value("written_per_payload")
            body.append([
                title(dimension, one), LABELS[system],
                with_ratio(thousands(value("per_second")), matrix.ratio(dimension, system, one), system == REFERENCE),
                ms(value("p50_us")), ms(value("p99_us")), ms(value("p999_us")),
                with_ratio(f"{value('cpu_us_per_op'):.1f}", matrix.ratio(dimension, system, one, "cpu_us_per_op"),
                           system == REFERENCE),
                f"{written:.1f}" if written is not None else ""])
    head = [load.upper(), "", "thousands/s", "p50, ms", "p99, ms", "p99.9, ms", "CPU, µs/op", "disk, bytes/byte"]
    # Columns without a word in them: of points that differ in nothing but the load, and the disk of reads.
    used = [at for at in range(len(head)) if at == 1 or any(cells[at] for cells in body)]
    if used[0] == 1:
        head[1] = load.upper()
    return rows([head[at] for at in used], [[cells[at] for at in used] for cells in body])


def folded(summary, text):
    return f"<details><summary>{summary}</summary>\n\n{text}\n\n</details>"


def of_loads(matrix):
    """The dimension of the loads: loads down, systems across."""
    names = []
    for record in matrix.records:
        if record["dimension"] == "loads" and record["point"]["load"] not in names:
            names.append(record["point"]["load"])
    systems = matrix.systems("loads")
    body, all_details = [], []
    for load in names:
        one = {**BASE, "load": load}
        body.append([load.upper(), *(with_ratio(thousands(matrix.value("loads", system, one, "per_second")),
                                                matrix.ratio("loads", system, one), system == REFERENCE)
                                     for system in systems)])
        all_details.append(details(matrix, "loads", load))
    return "\n\n".join([rows(["", *(LABELS[system] for system in systems)], body),
                        folded("Latencies, CPU, disk", "\n\n".join(all_details))])


def memory(matrix):
    """Resident bytes a key, where there are enough of them."""
    body = []
    for one in matrix.points("keys", "set"):
        if one["keys"] >= 1_000_000:
            cells = [matrix.value("keys", system, one, "memory_per_key") for system in matrix.systems("keys")]
            body.append([title("keys", one), *(f"{cell:.0f}" if cell is not None else "" for cell in cells)])
    if not body:
        return ""
    return "\n\nResident bytes a key (16 bytes, value of 3), of the node that has the most:\n\n" + \
        rows(["", *(LABELS[system] for system in matrix.systems("keys"))], body)


def dimensions(matrix):
    """The text of each dimension that was measured."""
    made = {}
    for dimension in VARIED:
        if not matrix.systems(dimension):
            continue
        if dimension == "loads":
            made[dimension] = of_loads(matrix)
            continue
        text = "\n\n".join(throughput(matrix, dimension, load) for load in ("set", "get"))
        text += "\n\n" + folded("Latencies, CPU, disk", "\n\n".join(details(matrix, dimension, load) for load in ("set", "get")))
        made[dimension] = text + (memory(matrix) if dimension == "keys" else "")
    return made
