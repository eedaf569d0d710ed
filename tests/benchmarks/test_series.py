"""benchmarks/series.py: days that a file lacks, the naive forecasts' measures, and the table."""

import importlib
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def series(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module("series")


def test_missing_days_are_interpolated(series, tmp_path):
    path = tmp_path / "days.csv"
    path.write_text('"Date","Temp"\n"1984-12-30",10\n"1985-01-01",14\n', encoding="utf-8")
    assert series.series_of(path, "D") == (["1984-12-30", "1984-12-31", "1985-01-01"], [10.0, 12.0, 14.0])


def test_figures_of_the_naive_forecast_chosen_before_the_origin(series, tmp_path, monkeypatch):
    months = np.arange("1990-01", "2000-01", dtype="datetime64[M]")
    values = 50 + 10 * np.sin(2 * np.pi * np.arange(120) / 12) + 2.0 * np.arange(120)
    text = "".join(f"{month},{value}\n" for month, value in zip(months, values, strict=True))
    (tmp_path / "growing.csv").write_text("Month,y\n" + text, encoding="utf-8")
    monkeypatch.setattr(series, "DATA", tmp_path)
    found = series.naive_figures(series.Case("growing.csv", "MS", 12, 12, 2))
    assert found["seasonal naive"]["mase"] == pytest.approx(1)
    assert found["best before: seasonal naive with growth"]["mase"] == pytest.approx(0, abs=1e-9)
    assert found["last value"]["count"] == 24


def test_a_table_has_medians_over_seeds(series):
    figures = {"count": 24.0, "wql": 0.03, "coverage80": 0.75, "coverage90": 0.875, "crossing": 0.0}
    naive = {"case": "air24", "contender": "last value", "seed": None, "mase": 4.0, **figures}
    ours = [{**naive, "contender": "recurra", "seed": seed, "mase": seed + 0.5, "memory": 340.2} for seed in range(3)]
    lines = series.tables([naive, *ours, naive]).splitlines()
    assert lines[-2:] == [
        "| last value | 4.000 | 0.030 | 75% | 88% | 0% |  |  |  |",
        "| recurra | 1.500 (0.500 to 2.500) | 0.030 | 75% | 88% | 0% |  |  | 340 |",
    ]
