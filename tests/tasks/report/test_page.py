"""The report of a run shows its own numbers: of evaluations, samples, forecasts and errors."""

import json
import re
import shutil
from html import unescape
from pathlib import Path

import numpy as np
import pytest

from recurra.errors import RunError
from recurra.page.line_chart import number_text
from recurra.runtime import sample
from recurra.series.backtest import MODEL
from recurra.series.metrics import STEP
from recurra.tasks.report.page import report_page
from recurra.tasks.report.samples import LENGTH, length_for
from recurra.tasks.run import open_run
from recurra.tasks.series.configuration import read_config
from recurra.tasks.series.left_out import forecasts_of_left_out
from recurra.tasks.series.loading import load_forecast_model
from recurra.tasks.series.opening import open_table, table_from
from recurra.tasks.text.loading import load_model


def text_of(html: str) -> str:
    """The page's words, without tags."""
    return unescape(re.sub(r"<[^>]*>", " ", html))


def test_a_language_model(made: Path) -> None:
    html = report_page(made / "lstm").html()
    rows = [json.loads(line) for line in (made / "lstm" / "metrics.jsonl").read_text().splitlines()]
    best = min(rows, key=lambda row: row["valid_loss"])
    text = text_of(html)
    assert f"perplexity {best['perplexity']:.2f}, {best['bits_per_char']:.3f} bits per character" in text
    for part in (
        "cross-entropy, nats per token",
        "Learning rate",
        "training.lr",
        "recurra text train",
        "torch",
        "seed",
    ):
        assert part in text
    written = "".join(sample(load_model(made / "lstm"), length=LENGTH, temperature=0.8, seed=0))
    assert written in unescape(html)


def test_one_evaluation_has_no_curve_of_rates(made: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(made / "lstm", tmp_path / "lstm")
    first = (folder / "metrics.jsonl").read_text().splitlines(keepends=True)[0]
    (folder / "metrics.jsonl").write_text(first)
    text = text_of(report_page(folder).html())
    assert "Learning rate" not in text
    assert "cross-entropy, nats per token" in text
    assert "a language model of characters" in text


def test_it_is_the_same_again(made: Path) -> None:
    assert report_page(made / "lstm").html() == report_page(made / "lstm").html()


@pytest.mark.parametrize("name", ["direct", "paths"])
def test_a_forecaster(made: Path, name: str) -> None:
    html = report_page(made / name).html()
    run = open_run(made / name, "series")
    settings, said, source = read_config(run)
    assert source is not None
    opened = open_table(table_from(source.path), said, lambda _: None)
    model = load_forecast_model(run.folder)
    tested = forecasts_of_left_out(model, opened, settings)
    assert tested is not None
    text = text_of(html)
    median = model.forecast(opened.panel).median[0]
    assert all(f"{value:,.6g}" in text for value in median)
    by_step = tested.measures(MODEL, STEP).mase
    assert all(number_text(value) in text for value in by_step)
    assert "2015-01" in unescape(html)
    for part in ("The next 6 months.", "seasonal naive", "Error by the step ahead", "80 % holds"):
        assert part in text


def test_known_inputs_that_end(made: Path) -> None:
    """Without inputs ahead the last steps are forecast, and the page says that they were learned from."""
    text = text_of(report_page(made / "known").html())
    assert "The last 6 months of the table" in text
    assert "north" in text
    assert "south" in text


def test_a_table_that_has_changed(made: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(made / "direct", tmp_path / "run"))
    config = json.loads((run / "config.json").read_text())
    config["data"]["path"] = str(tmp_path / "gone.csv")
    (run / "config.json").write_text(json.dumps(config))
    text = text_of(report_page(run).html())
    assert "Forecasts and errors need the table" in text
    assert "quantile loss" in text


def test_a_run_without_a_model(made: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(made / "lstm", tmp_path / "run"))
    (run / "model.safetensors").unlink()
    with pytest.raises(RunError, match=r"model\.safetensors is missing"):
        report_page(run)


def test_a_run_that_was_stopped(made: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(made / "lstm", tmp_path / "run"))
    (run / "metrics.jsonl").unlink()
    text = text_of(report_page(run).html())
    assert "before its first evaluation" in text
    assert "There was no evaluation." in text


def test_large_models_write_less() -> None:
    lengths = [length_for(weights) for weights in (1, 10_000, 10**7, 10**9)]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] == lengths[1] == LENGTH
    assert lengths[-1] >= 24
    assert np.diff(lengths[1:]).all()
