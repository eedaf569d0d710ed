"""The comparison of runs of one task: settings that differ, figures, and whether their data are the same."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from recurra.errors import RunError
from recurra.series.backtest import MODEL
from recurra.series.metrics import shown
from recurra.tasks.report.facts import duration
from recurra.tasks.report.facts import shown as setting_text
from recurra.tasks.report.record import RunRecord, number, read_record

MISSING = "–"
LEAST = 2


@dataclass(frozen=True)
class ComparedFigure:
    """A figure of each run.

    Attributes:
        key: its name for programs.
        title: its name for readers.
        values: a number for each run, None where it is not known.
        form: writes a number.
        best: ``min`` or ``max`` if lower or higher values are better; None where neither is.
    """

    key: str
    title: str
    values: tuple[float | None, ...]
    form: Callable[[float], str]
    best: Callable[..., float] | None = None

    @property
    def texts(self) -> list[str]:
        """The numbers as texts."""
        return [MISSING if value is None else self.form(value) for value in self.values]

    @property
    def best_places(self) -> tuple[int, ...]:
        """The runs with the best number; none where none is better than another."""
        known = [value for value in self.values if value is not None]
        if self.best is None or len(known) < LEAST or min(known) == max(known):
            return ()
        return tuple(place for place, value in enumerate(self.values) if value == self.best(known))


@dataclass(frozen=True)
class RunComparison:
    """Runs side by side.

    Attributes:
        task: the task of all of them.
        records: the runs.
        names: a name for each: that of its folder, or its path where two have one name.
        differing: the settings that are not the same in all runs, with a value for each run.
        figures: what is measured.
        notes: sentences of what makes figures hard to compare.
    """

    task: str
    records: tuple[RunRecord, ...]
    names: tuple[str, ...]
    differing: Mapping[str, tuple[object, ...]]
    figures: tuple[ComparedFigure, ...]
    notes: tuple[str, ...]

    def settings_rows(self) -> list[tuple[str, ...]]:
        """A row of texts for each setting that differs."""
        return [(name, *map(setting_text, values)) for name, values in self.differing.items()]

    def figure_rows(self) -> list[tuple[str, ...]]:
        """A row of texts for each figure; a star marks the best number."""
        return [
            (each.title, *(f"{text} *" if place in each.best_places else text for place, text in enumerate(each.texts)))
            for each in self.figures
        ]

    def content(self) -> dict[str, object]:
        """The comparison for programs, as JSON."""
        return {
            "task": self.task,
            "notes": list(self.notes),
            "runs": [
                {
                    "name": name,
                    "folder": str(record.run.folder),
                    "settings": {key: values[place] for key, values in self.differing.items()},
                    "figures": {each.key: _finite(each.values[place]) for each in self.figures},
                    "sources": [
                        dict(zip(("role", "path", "sha256"), source, strict=True)) for source in record.sources
                    ],
                }
                for place, (record, name) in enumerate(zip(self.records, self.names, strict=True))
            ],
        }


def compare_runs(folders: Sequence[Path]) -> RunComparison:
    """Compare runs.

    Args:
        folders: the run folders, at least two.

    Raises:
        RunError: there are fewer, one is given twice, one is missing or damaged, or they are of different tasks.
    """
    if len(folders) < LEAST:
        raise RunError("a comparison needs two runs or more: recurra compare RUN RUN …")
    known: dict[str, Path] = {}
    for folder in folders:
        if known.setdefault(os.path.realpath(folder), folder) is not folder:
            raise RunError(f"{folder} is given twice: name other runs to compare it with")
    records = tuple(read_record(folder) for folder in folders)
    tasks = {record.task: record for record in reversed(records)}
    if len(tasks) > 1:
        each = ", ".join(f"{record.run.folder} is of {task}" for task, record in sorted(tasks.items()))
        raise RunError(f"runs of different tasks have no figures in common: {each}")
    task = records[0].task
    figures = _text_figures(records) if task == "text" else _series_figures(records)
    figures += _common_figures(records)
    kept = tuple(each for each in figures if any(value is not None for value in each.values))
    return RunComparison(task, records, _names(records), _differing(records), kept, tuple(_notes(records)))


def _names(records: Sequence[RunRecord]) -> tuple[str, ...]:
    names = [record.name for record in records]
    return tuple(
        name if names.count(name) == 1 else str(record.run.folder) for record, name in zip(records, names, strict=True)
    )


def _differing(records: Sequence[RunRecord]) -> dict[str, tuple[object, ...]]:
    """The settings that are not the same in all runs; None stands for one that a run does not have."""
    settings = [record.settings for record in records]
    names = dict.fromkeys(name for each in settings for name in each)
    found = {name: tuple(each.get(name) for each in settings) for name in names}
    return {name: values for name, values in found.items() if any(value != values[0] for value in values)}


def _notes(records: Sequence[RunRecord]) -> list[str]:
    notes = []
    data = [tuple((role, checksum) for role, _, checksum in record.sources) for record in records]
    if not all(data):
        notes.append("Some runs do not say what they learned from: their data may differ.")
    elif len(set(data)) > 1:
        notes.append("The runs learned from different data: their figures are not of the same values.")
    levels = {str(record.settings.get("level")) for record in records}
    if len(levels) > 1:
        notes.append("The runs have different tokens: compare bits per character, not perplexity or loss.")
    horizons = {str(record.settings.get("horizon")) for record in records}
    if len(horizons) > 1:
        notes.append("The runs forecast different numbers of steps: longer horizons have larger errors.")
    models = {str(record.config.get("model")) for record in records if record.task == "series"}
    if len(models) > 1:
        notes.append("The models have different losses, and left out different data.")
    return notes


def _text_figures(records: Sequence[RunRecord]) -> list[ComparedFigure]:
    return [
        ComparedFigure("perplexity", "perplexity", _of_best(records, "perplexity"), "{:.3f}".format, min),
        ComparedFigure("bits_per_char", "bits per character", _of_best(records, "bits_per_char"), "{:.4f}".format, min),
        ComparedFigure("valid_loss", "validation loss", _of_best(records, "valid_loss"), "{:.4f}".format, min),
    ]


def _series_figures(records: Sequence[RunRecord]) -> list[ComparedFigure]:
    from recurra.tasks.series.loading import load_forecast_model

    recipes = [load_forecast_model(record.run.folder).recipe for record in records]
    measures = [_left_out(record) for record in records]
    gains = tuple(recipe.gain for recipe in recipes)
    found = [
        ComparedFigure("mase", "MASE on left-out data", tuple(each.get("mase") for each in measures), shown, min),
        ComparedFigure("wql", "WQL on left-out data", tuple(each.get("wql") for each in measures), shown, min),
        ComparedFigure("gain", "smaller than the best naive error by", gains, _percent, max),
    ]
    for place, level in enumerate((80, 90)):
        values = tuple(recipe.coverage[place] if len(recipe.coverage) > place else None for recipe in recipes)
        found.append(ComparedFigure(f"coverage{level}", f"{level} % interval holds", values, _percent))
    found.append(ComparedFigure("valid_loss", "validation loss", _of_best(records, "valid_loss"), "{:.4f}".format))
    return found


def _left_out(record: RunRecord) -> dict[str, float]:
    """The measures of a forecaster on what it left out; none where its table is not there."""
    from recurra.tasks.report.page import reopened
    from recurra.tasks.series.configuration import read_config
    from recurra.tasks.series.left_out import forecasts_of_left_out
    from recurra.tasks.series.loading import load_forecast_model

    settings, model = read_config(record.run)[0], load_forecast_model(record.run.folder)
    try:
        tested = forecasts_of_left_out(model, reopened(record).opened, settings)
    except RunError:
        return {}
    if tested is None:
        return {}
    own = tested.measures(MODEL)
    return {name: value for name in ("mase", "wql") if not math.isnan(value := float(getattr(own, name)))}


def _common_figures(records: Sequence[RunRecord]) -> list[ComparedFigure]:
    item = next((record.item for record in records if record.rows), "item")
    return [
        ComparedFigure("step", "best at update", _of_best(records, "step"), "{:,.0f}".format),
        ComparedFigure("weights", "weights", tuple(float(record.weights) for record in records), "{:,.0f}".format),
        ComparedFigure("seconds", "time", tuple(record.seconds for record in records), duration),
        ComparedFigure(
            f"{item}s_per_second", f"{item}s per second", tuple(each.speed for each in records), "{:,.0f}".format
        ),
    ]


def _of_best(records: Sequence[RunRecord], name: str) -> tuple[float | None, ...]:
    rows = [record.best for record in records]
    return tuple(None if row is None or name not in row else number(row[name]) for row in rows)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
