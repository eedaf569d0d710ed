"""``Forecaster``: frames in, the same kind out; what was not said is found, and what cannot be is refused."""

import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest

from recurra import Forecaster
from recurra.errors import RunError
from tests.tasks.series.tables import csv_of, months, one_series, two_shops

QUANTILES = [f"q{level:02}" for level in (5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95)]


def test_what_is_not_said_is_found(trained):
    forecast = trained.predict()
    assert list(forecast) == ["month", "forecast", *QUANTILES]
    assert forecast["month"] == months(6, "2021-01")
    rows = np.stack([forecast[name] for name in QUANTILES], 1)
    assert np.isfinite(rows).all()
    assert (np.diff(rows) >= 0).all()
    assert np.array_equal(forecast["forecast"], forecast["q50"])
    assert "best naive forecast" in trained.verdict


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame])
def test_frames_come_back_as_they_are(kind):
    table = one_series()
    frame = kind({"month": np.array(table["month"], "datetime64[us]"), "sales": table["sales"]})
    trained = Forecaster(horizon=3, minutes=0.001).fit(frame)
    forecast = trained.predict()
    assert type(forecast) is kind
    assert list(forecast.columns) == ["month", "forecast", *QUANTILES]
    assert np.array_equal(forecast["month"].to_numpy().astype("datetime64[M]").astype(str), months(3, "2021-01"))
    assert np.array_equal(trained.predict(frame)["q10"].to_numpy(), forecast["q10"].to_numpy())


def test_chosen_intervals(trained):
    assert list(trained.predict(level=[80])) == ["month", "forecast", "q10", "q50", "q90"]
    assert list(trained.predict(level=80)) == ["month", "forecast", "q10", "q50", "q90"]
    with pytest.raises(RunError, match="no interval of 85 %: --level can be 90, 80, 60, 40, 20"):
        trained.predict(level=[85])


def test_another_table(trained):
    longer = one_series(80)
    assert trained.predict(longer)["month"] == months(6, "2021-09")
    with pytest.raises(RunError, match="has no column month"):
        trained.predict({"date": longer["month"], "sales": longer["sales"]})


def test_known_inputs(of_shops):
    history, both = two_shops(), two_shops(60, 6)
    rows = [place for place, value in enumerate(both["sales"]) if not value]
    future = {name: [both[name][row] for row in rows] for name in ("shop", "month", "promo")}
    forecast = of_shops.predict(future=future)
    assert list(forecast)[:2] == ["shop", "month"]
    assert forecast["shop"] == ["north"] * 6 + ["south"] * 6
    assert np.array_equal(of_shops.predict(both)["q90"], forecast["q90"])
    assert np.array_equal(of_shops.predict(history, future=future)["q90"], forecast["q90"])
    with pytest.raises(RunError, match="series north needs known input promo until 2020-06"):
        of_shops.predict()


def test_the_template_has_the_rows_to_fill_in(of_shops):
    template = of_shops.template()
    assert list(template) == ["shop", "month", "promo"]
    assert template["month"] == months(6, "2020-01") * 2
    filled = {**template, "promo": [0.0] * 12}
    assert len(of_shops.predict(future=filled)["forecast"]) == 12


def test_a_forecaster_without_known_inputs_takes_no_future(trained):
    with pytest.raises(RunError, match="trained without known inputs"):
        trained.predict(future=one_series(6))
    with pytest.raises(RunError, match="nothing to fill in"):
        trained.template()


def test_save_and_load(of_shops, tmp_path):
    of_shops.save(tmp_path / "shops.safetensors")
    loaded, both = Forecaster.load(tmp_path / "shops.safetensors"), two_shops(60, 6)
    before, after = of_shops.predict(both), loaded.predict(both)
    assert all(np.array_equal(before[name], after[name]) for name in before)
    with pytest.raises(RunError, match="loaded from a file, which has no table"):
        loaded.predict()


def test_predicting_needs_no_torch(of_shops, tmp_path):
    of_shops.save(tmp_path / "shops.safetensors")
    (tmp_path / "both.csv").write_text(csv_of(two_shops(60, 6)))
    code = (
        "import sys; sys.modules['torch'] = None; sys.modules['narwhals'] = None\n"
        "from recurra import Forecaster\n"
        "model = Forecaster.load('shops.safetensors')\n"
        "print(*model.predict('both.csv')['forecast'].round(6))\n"
        "model.plot('shops.html', 'both.csv')\n"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    expected = of_shops.predict(two_shops(60, 6))["forecast"].round(6)
    assert run.stdout.split() == [str(value) for value in expected]
    assert "<svg" in (tmp_path / "shops.html").read_text()


def test_a_run_folder(tmp_path):
    (tmp_path / "sales.csv").write_text(csv_of(one_series()))
    run = tmp_path / "run"
    made = Forecaster(horizon=4, minutes=0.001).fit(tmp_path / "sales.csv", out=run)
    assert {path.name for path in run.iterdir()} >= {"config.json", "model.safetensors", "metrics.jsonl"}
    assert np.array_equal(Forecaster.load(run).predict(tmp_path / "sales.csv")["q20"], made.predict()["q20"])
    with pytest.raises(RunError, match="exists already"):
        Forecaster(horizon=4).fit(one_series(), out=run)


def test_a_backtest_of_a_later_table(trained, tmp_path):
    tested = trained.backtest(one_series(90), origins=4, step=3)
    assert len(tested.forecasts["month"]) == 4 * 6
    assert tested.forecasts["cutoff"][:6] == [months(1, "2021-03")[0]] * 6
    assert tested.forecasts["month"][:6] == months(6, "2021-04")
    assert tested.forecasts["sales"][:2] == pytest.approx(one_series(90)["sales"][75:77])
    assert tested.measures["model"] == ["forecast", "last_value", "seasonal_naive", "seasonal_naive_with_growth"]
    assert "MASE" in str(tested)
    assert "the model was taken as it is" in str(tested).casefold()
    tested.plot(tmp_path / "tested.html")
    assert "<svg" in (tmp_path / "tested.html").read_text()
    with pytest.raises(RunError, match="refit is for the table that was trained on"):
        trained.backtest(one_series(90), refit=True)


@pytest.mark.parametrize(
    ("refit", "knew"), [(False, "trained once"), (True, "trained on what was known at its origin")]
)
def test_a_backtest_trains_on_what_was_known(trained, refit, knew):
    tested = trained.backtest(origins=2, refit=refit)
    assert tested.report.tested.is_refitted is refit
    assert knew in str(tested)
    assert np.isfinite(tested.forecasts["forecast"]).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"horizon": 0}, "--horizon must be a whole number from 1"),
        ({"cell": "gruu"}, "--cell must be one of"),
        ({"seed": -1}, "--seed"),
        ({"minutes": 0}, "--minutes"),
        ({"on_gap": "guess"}, "--on-gap must be one of fill, error"),
    ],
)
def test_options_out_of_range(options, message):
    with pytest.raises(RunError, match=message):
        Forecaster(**options)


def test_before_training():
    forecaster = Forecaster()
    assert repr(forecaster) == "<Forecaster, not trained yet>"
    with pytest.raises(RunError, match="not trained yet: call fit"):
        forecaster.predict(one_series())


def test_the_size_of_a_training_can_be_said():
    made = Forecaster(horizon=np.int64(3), hidden=5, members=2, steps=2).fit(one_series())
    assert (made.horizon, made.runtime.recipe.members) == (3, 2)
    assert made.runtime.description.weights["0.decoder.2.weight"].values().shape == (11, 5)


def test_what_falls_below_zero_is_forecast_below_zero(trained):
    table = one_series()
    below = trained.predict({**table, "sales": [-value for value in table["sales"]]})
    assert max(below["forecast"]) < 0
