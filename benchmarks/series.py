"""Forecasts of well-known series by recurra with its defaults, beside the naive ones and, if asked, other libraries.

    python benchmarks/series.py [--case air24] [--seeds 3] [--threads 1] [--peers-python PATH] [--one-step]
                                [--keep FILE] [--print FILE]

Cases are the last values of series in ../shared/data, which no contender sees: `air24` and `air12`, monthly airline
passengers; `sun36`, monthly sunspots, and `sun36roll`, ten origins in their last 360 values; `temp30`, daily minimum
temperatures, and `temp30roll`, twelve origins in their last 360. Days that the file lacks are interpolated for all.
`sun36early720` and its like are ten origins of the sunspots before these, by which rules are decided; they run if
named.
A model is trained once, on what was known at the first origin. Each training has a process of its own, and all
contenders take turns, seed by seed. With --one-step sunspots are forecast one step ahead 360 times, beside AR(p) of
statsmodels. --peers-python names the Python of an environment that has the other libraries, and adds them:

    python -m venv peers && peers/bin/pip install torch==2.13.0 neuralforecast==3.3.0 mlforecast==1.1.0 lightgbm==4.7.0

The tables are in Markdown. MASE, WQL and coverage are those of recurra.series.metrics. --keep adds each outcome to a
file of JSON lines, and --print prints the tables of such a file without running anything.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from series_contender import CONTENDERS, Task

from recurra.series.forecast import LEVELS
from recurra.series.frequency import Frequency
from recurra.series.metrics import measure, scale_of
from recurra.series.naive import naive_forecasts
from recurra.series.panel import Panel, make_panel

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
CONTENDER = Path(__file__).with_name("series_contender.py")
OURS, AUTOREGRESSION = "recurra", "AR(p)"
PEERS = tuple(name for name in CONTENDERS if name not in (OURS, AUTOREGRESSION))
NAIVE_ORIGINS = 20  # before the first one, by which the naive forecast is chosen
ONE_STEP = "sun1"

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Case:
    """Origins in a series.

    Attributes:
        file: the series' file in the data folder.
        frequency: its frequency.
        season: the steps of a season: of the scale of MASE, and of the seasonal naive forecasts.
        horizon: the steps of a forecast, and between origins.
        origins: the number of origins; the last is `horizon` steps before the end.
        longer: another season of the naive forecasts.
        unused: the steps at the end that the case knows nothing of.
    """

    file: str
    frequency: str
    season: int
    horizon: int
    origins: int = 1
    longer: int | None = None
    unused: int = 0

    def task(self, seed: int) -> Task:
        """The task of all contenders."""
        times, values = series_of(DATA / self.file, self.frequency)
        end = len(values) - self.unused
        times, values = times[:end], values[:end]
        origins = [len(values) - self.horizon * back for back in range(self.origins, 0, -1)]
        return Task(times, values, self.frequency, self.season, self.horizon, origins, list(LEVELS), seed)


AIRLINE, SUNSPOTS, TEMPERATURES = "airline-passengers.csv", "monthly-sunspots.csv", "daily-min-temperatures.csv"
CASES = {
    "air24": Case(AIRLINE, "MS", 12, 24),
    "air12": Case(AIRLINE, "MS", 12, 12),
    "sun36": Case(SUNSPOTS, "MS", 12, 36, longer=132),
    "sun36roll": Case(SUNSPOTS, "MS", 12, 36, 10, longer=132),
    "temp30": Case(TEMPERATURES, "D", 365, 30),
    "temp30roll": Case(TEMPERATURES, "D", 365, 30, 12),
    ONE_STEP: Case(SUNSPOTS, "MS", 12, 1, 360, longer=132),
}
# Rules are decided by these: origins before all of those above. The number is how long before the end the first one is.
EARLIER = {
    f"sun36early{first}": Case(SUNSPOTS, "MS", 12, 36, 10, longer=132, unused=first - 360)
    for first in (720, 1080, 1440)
}
CASES |= EARLIER


def series_of(path: Path, frequency: str) -> tuple[list[str], list[float]]:
    """The times of a file, as they are written, and its values; of days all, missing ones interpolated."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[1:]
    times, values = [row[0] for row in rows], [float(row[1]) for row in rows]
    if frequency != "D":
        return times, values
    days = np.array(times, "datetime64[D]")
    grid = np.arange(days[0], days[-1] + 1)
    filled = np.interp(grid.astype(np.int64), days.astype(np.int64), values)
    return [str(day) for day in grid], filled.tolist()


def outcome_of(python: str, name: str, task: Task, threads: int) -> dict[str, Any]:
    """The outcome of a contender's process.

    Raises:
        SystemExit: the process failed; what it printed comes with it.
    """
    limits = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
    command = [python, str(CONTENDER), name]
    process = subprocess.run(
        command, input=json.dumps(asdict(task)), capture_output=True, text=True, env={**os.environ, **limits}
    )
    if process.returncode:
        raise SystemExit(f"{name} failed:\n{process.stderr[-3000:]}")
    outcome: dict[str, Any] = json.loads(process.stdout)
    return outcome


def figures(task: Task, quantiles: Any) -> dict[str, float]:
    """The measures of a contender's quantiles (origins, horizon, levels), and the share of steps where some cross."""
    values, given = np.array(task.values), np.array(quantiles)
    actual = np.stack([values[origin : origin + task.horizon] for origin in task.origins])
    scale = scale_of(values[: task.origins[0]], task.season)
    found = measure(actual[None], given[None], task.levels, [scale])
    kept = ("count", "rmse", "mase", "wql", "coverage80", "coverage90")
    crossing = float((np.diff(given, axis=-1) < 0).any(-1).mean())
    return {name: float(getattr(found, name)) for name in kept} | {"crossing": crossing}


def naive_figures(case: Case) -> dict[str, dict[str, float]]:
    """The measures of the naive forecasts, and as `chosen` those of the best one before the first origin."""
    task = case.task(0)
    panel = make_panel([np.array(task.values)], Frequency(task.frequency))
    first, spacing = task.origins[0], max(task.horizon, 12)
    before = [first - spacing * back for back in range(NAIVE_ORIGINS, 0, -1)]
    before = [origin for origin in before if origin >= 2 * task.season]
    found, past = {}, {}
    for season in (case.season, *([case.longer] if case.longer else [])):
        suffix = "" if season == case.season else f", {season} steps"
        for name, quantiles in naive_quantiles(panel, task.origins, task.horizon, season).items():
            named = name if name == "last value" else f"{name}{suffix}"
            found[named] = figures(task, quantiles)
            earlier = naive_quantiles(panel, before, task.horizon, season)[name][..., task.levels.index(0.5)]
            came = np.stack([panel.target[0][origin : origin + task.horizon] for origin in before])
            past[named] = float(np.abs(earlier - came).mean())
    best = min(past, key=past.__getitem__)
    return found | {f"best before: {best}": found[best]}


def naive_quantiles(panel: Panel, origins: list[int], horizon: int, season: int) -> dict[str, Array]:
    """The naive forecasts of one series, (origins, horizon, levels) each, by name."""
    cuts = panel.take(np.zeros(len(origins), np.int64)).until(np.array(origins))
    return {name: each.quantiles for name, each in naive_forecasts(cuts, horizon, season).items()}


def run(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """A record of each outcome: case, contender, seed, figures, seconds and memory."""
    names = options.case or [name for name in CASES if name != ONE_STEP and name not in EARLIER]
    names += [ONE_STEP] if options.one_step and ONE_STEP not in names else []
    for name in names:
        for contender, measures in naive_figures(CASES[name]).items():
            yield {"case": name, "contender": contender, "seed": None, **measures}
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        for name in names:
            task = CASES[name].task(seed)
            for contender, python in contenders(name, options):
                outcome = outcome_of(python, contender, task, options.threads)
                measures = figures(task, outcome.pop("quantiles"))
                yield {"case": name, "contender": contender, "seed": seed, **measures, **outcome}


def contenders(case: str, options: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """The contenders of a case, each with its Python."""
    yield OURS, sys.executable
    if case == ONE_STEP:
        yield AUTOREGRESSION, sys.executable
    elif options.peers_python:
        yield from ((name, options.peers_python) for name in PEERS)


COLUMNS = ("", "MASE", "WQL", "in 80 %", "in 90 %", "crossing", "processor s", "s", "MB")


def table(name: str, records: list[dict[str, Any]]) -> str:
    """A table of one case in Markdown: medians over the seeds, and of MASE the extremes in brackets."""
    case, count = CASES[name], int(records[0]["count"])
    measure_name, head = ("rmse", "RMSE") if name == ONE_STEP else ("mase", "MASE")
    lines = [
        f"**{name}**: {case.file}, {case.horizon} step(s) ahead, {case.origins} origin(s), {count} values\n",
        "| " + " | ".join(head if column == "MASE" else column for column in COLUMNS) + " |",
        "|" + "---|" * len(COLUMNS),
    ]
    for contender in dict.fromkeys(record["contender"] for record in records):
        own = [record for record in records if record["contender"] == contender]
        cells = [contender, spread([record[measure_name] for record in own])]
        for column, form in (("wql", ".3f"), ("coverage80", ".0%"), ("coverage90", ".0%"), ("crossing", ".0%")):
            cells.append(middle(own, column, form))
        cells += [middle(own, column, ".0f") for column in ("processor", "seconds", "memory")]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def spread(values: list[float]) -> str:
    """A median, with the extremes in brackets if there are several values."""
    text = f"{statistics.median(values):.3f}"
    return text if len(values) == 1 else f"{text} ({min(values):.3f} to {max(values):.3f})"


def middle(records: list[dict[str, Any]], column: str, form: str) -> str:
    """The median of a column; nothing where the contender has none."""
    values = [record[column] for record in records if column in record]
    return format(statistics.median(values), form) if values else ""


def tables(records: Iterable[dict[str, Any]]) -> str:
    """The tables of all cases; of a naive forecast that was kept several times the figures are the same."""
    by_case: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        by_case.setdefault(record["case"], []).append(record)
    known = [name for name in CASES if name in by_case]
    return "\n\n".join(table(name, deterministic_once(by_case[name])) for name in known)


def deterministic_once(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The records without repetitions of those that have no seed."""
    last = {(record["contender"], record["seed"], number * (record["seed"] is not None)): record
            for number, record in enumerate(records)}  # fmt: skip
    return list(last.values())


def main() -> None:
    """Parse the command line, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", action="append", choices=tuple(CASES), help="one of the cases; may be given again")
    parser.add_argument("--seeds", type=int, default=3, help="the number of seeds")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1, help="threads of each process")
    parser.add_argument("--peers-python", help="the Python that has neuralforecast, mlforecast and LightGBM")
    parser.add_argument("--one-step", action="store_true", help="sunspots one step ahead too, beside AR(p)")
    parser.add_argument("--keep", type=Path, help="a file of JSON lines that each outcome is added to")
    parser.add_argument("--print", type=Path, help="such a file: print its tables, and run nothing")
    options = parser.parse_args()
    if options.print:
        print(tables(map(json.loads, options.print.read_text(encoding="utf-8").splitlines())))
        return
    records = []
    for record in run(options):
        records.append(record)
        shown = {name: round(value, 4) if isinstance(value, float) else value for name, value in record.items()}
        print(json.dumps(shown), file=sys.stderr, flush=True)
        if options.keep:
            with options.keep.open("a", encoding="utf-8") as file:
                print(json.dumps(record), file=file)
    print(tables(records))


if __name__ == "__main__":
    main()
