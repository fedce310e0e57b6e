"""Markdown tables of the floor, and of what redis-benchmark measured."""
from results import median
from scale_tables import header
from systems import FLOOR, REFERENCE
from tables import LABELS, Matrix, method, rows, thousands, throughput, title, with_ratio


def floor(records):
    """One row a point and system."""
    matrix = Matrix([record for record in records if "point" in record])
    body = []
    for one in matrix.points("floor", "set"):
        for system in matrix.systems("floor"):
            def value(field, one=one, system=system):
                return matrix.value("floor", system, one, field)
            if value("per_second") is None:
                continue
            to_floor = matrix.ratio("floor", system, one, to=FLOOR)
            body.append([
                title("floor", one), LABELS[system],
                with_ratio(thousands(value("per_second")), matrix.ratio("floor", system, one), system == REFERENCE),
                "" if to_floor is None or system == FLOOR else f"{to_floor:.2f}",
                with_ratio(f"{value('cpu_us_per_op'):.1f}", matrix.ratio("floor", system, one, "cpu_us_per_op"),
                           system == REFERENCE)])
    if not body:
        return {}
    table = rows(["SET", "", "thousands/s", "to the floor", "CPU, µs/op"], body)
    return {"floor": f"{method(header(records))}\n\n{table}"}


def busy(matrix, name, load):
    """How much of a core redis-benchmark itself took beside the reference, points across."""
    cells = []
    for one in matrix.points(name, load):
        found = median([record.get("generator_busy") for record in matrix.rounds(name, REFERENCE, one).values()])
        cells.append("" if found is None else f"{found:.0%}")
    return cells


def redis_benchmark(records):
    """Systems down, points across."""
    name = "redis-benchmark"
    matrix = Matrix([record for record in records if "point" in record])
    if not matrix.records:
        return {}
    text = [method(header(records))]
    for load in ("set", "get"):
        cells = " | ".join(busy(matrix, name, load))
        text.append(f"{throughput(matrix, name, load)}\n| {name}'s own thread, of a core, beside redis-server | {cells} |")
    return {name: "\n\n".join(text)}
