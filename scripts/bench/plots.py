"""SVG plots of the results: labelled at the lines themselves, in colours that the colour-blind can tell
apart (Okabe and Ito), with text that stays text."""
import os
import re

from load import point
from matrix import LEASE, MAIN
from scale_tables import header
from tables import LABELS, count, size

try:
    import matplotlib
    matplotlib.use("svg")
    import matplotlib.pyplot as plt
except ImportError:
    plt = None

SHORT = {
    "redis-none": "redis-server, not synced", "redis-always": "redis-server, synced",
    "redis-wait": "redis-server, 3, WAIT", "etcd": "etcd, 3",
    MAIN: "bowline, 3", LEASE: "bowline, 3, lease",
}
COLOURS = {"redis-none": "#999999", "redis-always": "#000000", "redis-wait": "#CC79A7", "etcd": "#009E73",
           MAIN: "#0072B2", LEASE: "#D55E00"}
MARKERS = {"redis-none": "x", "redis-always": "s", "redis-wait": "v", "etcd": "^", MAIN: "o", LEASE: "D"}
OTHER = "#56B4E9"
MARK = "#D55E00"
STYLE = {
    "svg.fonttype": "none", "svg.hashsalt": "bowline", "font.family": "sans-serif", "font.size": 10,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": "#e4e4e4",
    "axes.axisbelow": True, "axes.titlesize": 11, "axes.titlelocation": "left", "figure.facecolor": "white",
}
# Of lines' names: so many points apart at least.
LABEL_POINTS = 12


def short(system):
    if system in SHORT:
        return SHORT[system]
    return LABELS[system].replace(" nodes", "").replace(" node", "").replace(" reads", "")


def name_lines(axes, ends):
    """Writes each line's name at its end, moved apart where they would overlap."""
    figure = axes.figure
    figure.canvas.draw()
    scale = figure.dpi / 72
    placed = []
    for x, y, text, colour in sorted(ends, key=lambda end: end[1]):
        at = axes.transData.transform((x, y))[1]
        lowest = placed[-1] + LABEL_POINTS * scale if placed else at
        placed.append(max(at, lowest))
        axes.annotate(text, (x, y), xytext=(7, (placed[-1] - at) / scale), textcoords="offset points", color=colour,
                      va="center", fontsize=9, annotation_clip=False)


def plain(value, _=None):
    return f"{value:g}" if value < 1000 else f"{value:,.0f}"


def curves(matrix, dimension, across, field, scale, unit, xlabel, xname, log_y, title):
    """Two panels, SET and GET: one line a system, at even steps across. `scale(value, point)` makes the
    unit of the axis."""
    figure, panels = plt.subplots(1, 2, figsize=(12, 4.4))
    # Beside each panel there is room for the names of its lines.
    figure.subplots_adjust(left=0.06, right=0.85, wspace=0.55, top=0.84, bottom=0.13)
    for axes, load in zip(panels, ("set", "get")):
        points = matrix.points(dimension, load)
        ends = []
        if log_y:
            axes.set_yscale("log")
        for system in matrix.systems(dimension):
            found = [(at, scale(value, one)) for at, one in enumerate(points)
                     if (value := matrix.value(dimension, system, one, field))]
            if not found:
                continue
            colour = COLOURS.get(system, OTHER)
            axes.plot(*zip(*found), color=colour, marker=MARKERS.get(system, "o"), markersize=5, linewidth=1.6)
            ends.append((*found[-1], short(system), colour))
        axes.set_xticks(range(len(points)), [xname(one[across]) for one in points])
        axes.yaxis.set_major_formatter(plain)
        if not log_y:
            axes.set_ylim(bottom=0)
        axes.set_title(load.upper())
        axes.set_xlabel(xlabel)
        axes.set_ylabel(unit)
        name_lines(axes, ends)
    figure.suptitle(title, x=0.01, ha="left", fontsize=12)
    return figure


def bars(matrix):
    """Ratios of all systems at the points of the aims."""
    systems = list(reversed(matrix.systems("systems")))
    shown = [(load, clients, pipeline) for load in ("set", "get") for clients, pipeline in ((1, 1), (50, 1), (200, 1), (50, 16))]
    figure, panels = plt.subplots(2, 4, figsize=(13, 1.6 + 0.5 * len(systems)), sharey=True)
    for axes, (load, clients, pipeline) in zip(panels.flat, shown):
        one = point(load=load, clients=clients, pipeline=pipeline)
        ratios = [matrix.ratio("systems", system, one) for system in systems]
        top = max([1.0, *(ratio for ratio in ratios if ratio is not None)])
        for row, (system, ratio) in enumerate(zip(systems, ratios)):
            if ratio is not None:
                axes.barh(row, ratio, color=COLOURS.get(system, OTHER), height=0.7)
                axes.text(ratio + top * 0.02, row, f"{ratio:.2f}", va="center", fontsize=8,
                          bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5})
        axes.axvline(1, color="black", linewidth=1, linestyle=":")
        axes.set_xlim(0, top * 1.2)
        axes.set_yticks(range(len(systems)), [short(system) for system in systems], fontsize=8)
        axes.grid(axis="y", visible=False)
        clients_text = f"{clients} client{'s' * (clients > 1)}"
        axes.set_title(f"{load.upper()}, {clients_text}" + (f", pipeline {pipeline}" * (pipeline > 1)))
    for axes in panels[1]:
        axes.set_xlabel("ratio of throughput")
    figure.suptitle("Throughput, as a ratio to one redis-server that syncs every write (dotted: equal)", x=0.01, ha="left",
                    fontsize=12)
    figure.tight_layout(rect=(0, 0, 1, 0.97))
    return figure


def processor_time(matrix):
    systems = list(reversed(matrix.systems("systems")))
    figure, panels = plt.subplots(1, 2, figsize=(11, 1.2 + 0.3 * len(systems)), sharey=True)
    for axes, load in zip(panels, ("set", "get")):
        values = [matrix.value("systems", system, point(load=load), "cpu_us_per_op") for system in systems]
        # etcd needs some tenfold of the others, who would not be told apart.
        axes.set_xscale("log")
        for row, (system, value) in enumerate(zip(systems, values)):
            if value:
                axes.barh(row, value, color=COLOURS.get(system, OTHER), height=0.7)
                axes.text(value * 1.05, row, f"{value:.1f}", va="center", fontsize=8)
        found = [value for value in values if value]
        axes.set_xlim(min(found) / 2, max(found) * 2)
        axes.xaxis.set_major_formatter(plain)
        axes.set_yticks(range(len(systems)), [short(system) for system in systems], fontsize=8)
        axes.grid(axis="y", visible=False)
        axes.set_title(f"{load.upper()}, 50 clients")
        axes.set_xlabel("µs of CPU an operation, all servers together (log)")
    figure.tight_layout()
    return figure


def event(one, header):
    """Throughput and p99 over time, with what happened."""
    interval = one["interval_ms"] / 1000
    times = [(number + 0.5) * interval for number in range(len(one["timeline"]))]
    figure, (above, below) = plt.subplots(2, 1, figsize=(11, 5.2), sharex=True)
    above.plot(times, [ops / interval / 1000 for ops, _, _ in one["timeline"]], color=COLOURS[MAIN], linewidth=1.4)
    above.set_ylim(bottom=0)
    above.set_ylabel("thousand SETs a second")
    nothing = float("nan")
    below.plot(times, [p99 / 1000 if p99 is not None else nothing for _, p99, _ in one["timeline"]], color=COLOURS[MAIN],
               linewidth=1.4)
    below.set_yscale("log")
    below.yaxis.set_major_formatter(plain)
    below.set_ylabel("p99, ms (log)")
    below.set_xlabel("seconds")
    end = len(times) * interval
    for number, (at, text) in enumerate(one["marks"]):
        for axes in (above, below):
            axes.axvline(at, color=MARK, linewidth=1, linestyle="--")
        right = at > 0.7 * end
        above.annotate(text, (at, 1), xycoords=("data", "axes fraction"), xytext=(-4 if right else 4, -10 - 13 * number),
                       textcoords="offset points", color=MARK, fontsize=9, ha="right" if right else "left",
                       bbox={"facecolor": "white", "edgecolor": "none", "pad": 1, "alpha": 0.8})
    above.set_xlim(0, end)
    title = f"{LABELS[one['system']].replace('`', '')}: {one['scenario']}"
    above.set_title(f"{title}; SET, {header['clients']} clients, {count(header['keys'])} keys, each 0.1 s")
    figure.tight_layout()
    return figure


def figures(matrix, events):
    """Pairs of a name and what draws it."""
    per_second = lambda value, _: value / 1000  # noqa: E731
    if matrix.systems("systems"):
        yield "systems", lambda: bars(matrix)
        yield "cpu", lambda: processor_time(matrix)
    if matrix.systems("clients"):
        yield "clients", lambda: curves(matrix, "clients", "clients", "per_second", per_second, "thousand requests a second",
                                        "clients", plain, False, "Throughput by the number of clients")
        yield "latency", lambda: curves(matrix, "clients", "clients", "p99_us", per_second, "p99, ms (log)",
                                        "clients", plain, True, "Latency by the number of clients")
    if matrix.systems("pipeline"):
        yield "pipeline", lambda: curves(matrix, "pipeline", "pipeline", "per_second", per_second,
                                         "thousand requests a second (log)", "requests in a batch", plain, True,
                                         "Throughput by the depth of the pipeline, 50 clients")
    if matrix.systems("values"):
        yield "values", lambda: curves(matrix, "values", "value_bytes", "per_second",
                                       lambda value, one: value * one["value_bytes"] / 1e6, "MB of values a second (log)",
                                       "size of a value", size, True, "Bytes a second by the size of values, 50 clients")
    if matrix.systems("keys"):
        yield "keys", lambda: curves(matrix, "keys", "keys", "per_second", per_second, "thousand requests a second",
                                     "keys", count, False, "Throughput by the number of keys, 50 clients")
    for one in events:
        if "scenario" in one:
            slug = re.sub(r"[^a-z]+", "-", one["scenario"])
            yield f"event-{slug}", lambda one=one: event(one, header(events))


def draw(matrix, events, directory):
    """The files written; None without matplotlib."""
    if plt is None:
        return None
    os.makedirs(directory, exist_ok=True)
    written = []
    with plt.rc_context(STYLE):
        for name, make in figures(matrix, events):
            figure = make()
            path = os.path.join(directory, f"{name}.svg")
            # No date: the same results make the same file.
            figure.savefig(path, metadata={"Date": None})
            if os.environ.get("BOWLINE_BENCH_PNG"):
                figure.savefig(path[:-3] + "png", dpi=110)
            plt.close(figure)
            written.append(os.path.basename(path))
    return written
