"""The report of a run as a page: which parts it has, by the task of the run; needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from recurra.errors import RunError
from recurra.page.document import Document, PagePart
from recurra.page.parts import Section, Text
from recurra.tasks.report.curves import loss_chart, loss_of, rate_chart
from recurra.tasks.report.facts import made_section
from recurra.tasks.report.figures import best_sentence, end_sentence, figures_table, size_sentence
from recurra.tasks.report.record import RunRecord, read_record
from recurra.tasks.report.shapes import shapes_section

if TYPE_CHECKING:
    from pathlib import Path

    from recurra.tasks.series.forecaster_data import ForecasterData
    from recurra.tasks.series.opening import OpenedTable

# What a language model is of, by the level of its tokens.
_OF_LEVELS = {"char": " of characters", "byte": " of bytes", "word": " of words", "bpe": " of byte pairs"}


@dataclass(frozen=True, eq=False)
class TrainedData:
    """The data of a training that has just ended, so that its report need not read them again.

    Attributes:
        opened: the table.
        windows: the windows of a direct forecaster; None for another one.
    """

    opened: OpenedTable
    windows: ForecasterData | None


def report_page(folder: Path, trained: TrainedData | None = None) -> Document:
    """The page of a run.

    Args:
        folder: the run folder.
        trained: the data of a forecaster's training, if they are at hand. Default: they are read again.

    Raises:
        RunError: the folder is missing or is no run, or a file of it is missing or damaged.
    """
    record = read_record(folder)
    learned = Section("How it learned", _training_parts(record))
    own = _text_parts(record) if record.task == "text" else _series_parts(record, trained)
    parts = [learned, *own] if record.task == "text" else [*own, learned]  # of forecasts the result comes first
    title, lead = _title_and_lead(record)
    return Document(title, [*parts, made_section(record)], lead)


def _title_and_lead(record: RunRecord) -> tuple[str, list[str]]:
    if record.task == "text":
        title = f"{record.name}: a language model{_OF_LEVELS.get(str(record.settings.get('level')), '')}"
        return title, [best_sentence(record), end_sentence(record), size_sentence(record)]
    from recurra.series.units import steps_in_words
    from recurra.tasks.series.loading import load_forecast_model
    from recurra.tasks.series.verdict import training_sentences

    recipe = load_forecast_model(record.run.folder).recipe
    title = f"{record.name}: a forecaster of {steps_in_words(recipe.frequency.name, recipe.horizon)}"
    return title, [*training_sentences(recipe), end_sentence(record), size_sentence(record)]


def _training_parts(record: RunRecord) -> list[PagePart]:
    """The curves, and the figures of the best evaluation."""
    table = figures_table(record)
    if table is None:
        return [Text(["There was no evaluation."])]
    rates = [rate_chart(record.rows)] if len(record.rows) > 1 else []  # one point says less than the table
    return [loss_chart(record.rows, loss_of(record)), *rates, table]


def _text_parts(record: RunRecord) -> list[PagePart]:
    from recurra.tasks.report.gates import text_gates
    from recurra.tasks.report.samples import length_for, sample_section
    from recurra.tasks.text.loading import load_model

    model, seed = load_model(record.run.folder), record.settings.get("seed")
    drawn = seed if isinstance(seed, int) else 0
    length = length_for(record.weights)
    return [
        sample_section(model, drawn, length),
        shapes_section(model.description),
        text_gates(model, drawn, length),
    ]


def _series_parts(record: RunRecord, trained: TrainedData | None) -> list[PagePart]:
    """The forecasts and the errors; a sentence in place of what the data do not allow."""
    from recurra.tasks.report.errors import error_parts
    from recurra.tasks.report.fans import fan_parts
    from recurra.tasks.report.forecasts import drawn_forecasts
    from recurra.tasks.report.gates import series_gates
    from recurra.tasks.series.configuration import read_config
    from recurra.tasks.series.left_out import forecasts_of_left_out
    from recurra.tasks.series.loading import load_forecast_model

    model, settings = load_forecast_model(record.run.folder), read_config(record.run)[0]
    try:
        if trained is None:
            trained = reopened(record)
    except RunError as error:
        missing = f"Forecasts and errors need the table: {error}"
        return [Section("What it forecasts", [Text([missing])]), shapes_section(model.description)]
    try:
        forecasts: list[PagePart] = fan_parts(drawn_forecasts(model, trained.opened))
    except RunError as error:
        forecasts = [Text([f"The table's own series cannot be forecast: {error}"])]
    tested = forecasts_of_left_out(model, trained.opened, settings, trained.windows)
    errors: list[PagePart] = (
        [Text(["Nothing was left out of the training."])] if tested is None else error_parts(tested)
    )
    return [
        Section("What it forecasts", forecasts),
        Section("How well it forecasts what it left out", errors),
        shapes_section(model.description),
        series_gates(model, trained.opened),
    ]


def reopened(record: RunRecord) -> TrainedData:
    """The table of a run, read again.

    Raises:
        RunError: it was no file, is missing or has changed.
    """
    from recurra.tasks.series.configuration import check_source, read_config
    from recurra.tasks.series.opening import open_table, table_from

    _, said, source = read_config(record.run)
    path = check_source(source, record.run.folder).path
    return TrainedData(open_table(table_from(path), said, lambda _: None), None)
