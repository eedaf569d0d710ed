"""Reports of runs, comparisons and the demo's page in a browser: their looks, and the numbers that they read out."""

import json
import shutil

import numpy as np
import pytest
import torch

import recurra
from recurra.page.line_chart import number_text
from recurra.tasks.demo.forecast import demo_forecast
from recurra.tasks.demo.page import DemoResults, demo_page
from recurra.tasks.demo.races import Race
from recurra.tasks.report.comparison import compare_runs
from recurra.tasks.report.comparison_page import comparison_page
from recurra.tasks.report.shapes import shape_parts
from recurra.tasks.report.writing import write_report
from recurra.tasks.series.loading import load_forecast_model
from recurra.tasks.series.opening import open_table, table_from
from recurra.tasks.series.table_settings import TableSettings
from tests.tasks.report.runs import make_runs


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_runs(tmp_path_factory.mktemp("made"))


def rows_of(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def read_out(page, title, key):
    """What a chart reads out after a key: names and numbers."""
    plot = page.locator("figure").filter(has_text=title).locator(".plot").first
    plot.focus()
    plot.press(key)
    return dict(zip(plot.locator("dt").all_text_contents(), plot.locator("dd").all_text_contents(), strict=True))


def test_a_language_model(check_page, made):
    page = check_page(made / "lstm" / "report.html")
    last = rows_of(made / "lstm")[-1]
    expected = {"training": number_text(last["train_loss"]), "validation": number_text(last["valid_loss"])}
    assert read_out(page, "cross-entropy", "End") == expected
    page.locator("summary", has_text="All").press("Enter")
    assert page.get_by_role("row", name="model.hidden").is_visible()
    cells = page.locator(".cells").first
    cells.focus()
    cells.press("ArrowRight")
    assert "unit" in page.locator(".heat-map .readout").first.text_content()


@pytest.mark.parametrize("name", ["direct", "known"])
def test_a_forecaster(check_page, made, name):
    page = check_page(made / name / "report.html")
    assert page.locator("[aria-label^=Forecast]").count() == {"direct": 2, "known": 4}[name]  # box and drawing of each
    steps = read_out(page, "Error by the step ahead", "Home")
    assert {"recurra", "seasonal naive"} <= set(steps)


def test_the_forecast_is_read_out(open_page, made):
    page = open_page(made / "direct" / "report.html")
    model = load_forecast_model(made / "direct")
    opened = open_table(table_from(made / "sales.csv"), TableSettings(), lambda _: None)
    plot = page.get_by_label("Forecast").first
    plot.focus()
    plot.press("End")
    found = dict(zip(plot.locator("dt").all_text_contents(), plot.locator("dd").all_text_contents(), strict=True))
    assert float(found["Forecast"]) == pytest.approx(model.forecast(opened.panel).median[0, -1], abs=0.06)


def test_many_series_and_long_horizons_fit(check_page, made, tmp_path):
    """The page stays small where a forecast is long."""
    rng, count = np.random.default_rng(0), 1500
    days = np.datetime64("2015-01-01") + np.arange(count)
    lines = ["series,day,value"]
    for series in range(4):
        values = 100 + 10 * np.sin(np.arange(count) * 2 * np.pi / 7) + rng.normal(0, 3, count)
        lines += [f"shop {series},{day},{value:.2f}" for day, value in zip(days, values, strict=True)]
    (tmp_path / "long.csv").write_text("\n".join(lines))
    recurra.Forecaster(horizon=450, minutes=0.001, members=1, hidden=8).fit(tmp_path / "long.csv", out=tmp_path / "run")
    page = check_page(tmp_path / "run" / "report.html")
    assert "of which 400 are drawn" in page.locator("main").text_content()


def test_a_run_that_has_nothing(check_page, made, tmp_path):
    """No table, no evaluation, no command: what is missing is said."""
    run = shutil.copytree(made / "direct", tmp_path / "run")
    (run / "metrics.jsonl").unlink()
    config = json.loads((run / "config.json").read_text())
    del config["made"], config["data"]
    (run / "config.json").write_text(json.dumps(config))
    page = check_page(write_report(run))
    assert "There was no evaluation." in page.locator("main").text_content()


def test_a_comparison(check_page, made, tmp_path):
    comparison_page(compare_runs([made / "lstm", made / "gru"])).write(tmp_path / "compare.html")
    page = check_page(tmp_path / "compare.html")
    last = {name: number_text(rows_of(made / name)[-1]["valid_loss"]) for name in ("lstm", "gru")}
    assert read_out(page, "Validation loss by update", "End") == last
    comparison_page(compare_runs([made / "direct", made / "paths", made / "known"])).write(tmp_path / "series.html")
    assert "MASE" in check_page(tmp_path / "series.html").locator("main").text_content()


def test_the_demo(check_page, tmp_path):
    shapes = shape_parts(recurra.explain(recurra.nn.LSTM(4, 8), torch.zeros(5, 3, 4)))
    races = {1: [Race("own cell", 20.0, 40.0, 25, 1e-6)], 2: [Race("own cell", 10.0, 30.0, 25, 1e-6)]}
    rows = [
        {"step": step, "train_loss": 3 / step, "valid_loss": 4 / step, "seconds": step, "lr": 0.1} for step in (1, 2)
    ]
    demo_page(DemoResults(rows, "def a:\n", shapes, demo_forecast(0.1), races)).write(tmp_path / "demo.html")
    page = check_page(tmp_path / "demo.html")
    assert page.get_by_role("row", name="own cell").is_visible()
