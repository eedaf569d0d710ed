"""``Forecaster`` with the autoregressive model: the same frames, and sample paths besides."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from recurra import Forecaster
from recurra.errors import RunError
from recurra.runtime import AutoregressiveModel
from tests.tasks.series.conftest import SHORT
from tests.tasks.series.tables import one_series, two_shops


@pytest.fixture(scope="module")
def drawing():
    """Trained on two shops, with a promotion that is known ahead."""
    options = {"known": "promo", "id": "shop", "target": "sales", "minutes": SHORT}
    made = Forecaster(horizon=6, model="autoregressive", likelihood="normal", **options)
    return made.fit(pd.DataFrame(two_shops()))


def test_a_forecast_as_of_any_model(drawing):
    future = drawing.template().assign(promo=0)
    forecast = drawing.predict(future=future, level=[80])
    assert list(forecast.columns) == ["shop", "month", "forecast", "q10", "q50", "q90"]
    assert len(forecast) == 12
    assert (forecast["q10"] >= 0).all()  # as no sale was below zero
    assert isinstance(drawing.runtime, AutoregressiveModel)
    assert drawing.runtime.recipe.likelihood == "normal"
    assert "best naive forecast" in drawing.verdict
    assert "(12 values)" in drawing.verdict


def test_paths(drawing):
    future = drawing.template().assign(promo=0)
    paths = drawing.paths(future=future, samples=7, seed=2)
    assert list(paths.columns) == ["shop", "month", "sample", "forecast"]
    assert len(paths) == 2 * 7 * 6
    assert paths["sample"].drop_duplicates().tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert paths["shop"].tolist() == ["north"] * 42 + ["south"] * 42
    assert paths["month"][:6].tolist() == future["month"][:6].tolist()
    pd.testing.assert_frame_equal(paths, drawing.paths(future=future, samples=7, seed=2))
    quantiles = drawing.paths(future=future).groupby(["shop", "month"])["forecast"].quantile(0.9)
    np.testing.assert_allclose(quantiles, drawing.predict(future=future)["q90"])
    with pytest.raises(RunError, match="samples must be a whole number from 1"):
        drawing.paths(future=future, samples=0)


def test_a_direct_model_has_none(trained):
    with pytest.raises(RunError, match='train one with model="autoregressive"'):
        trained.paths()


def test_backtests(drawing):
    tested = drawing.backtest(origins=2)
    assert len(tested.forecasts) == 2 * 2 * 6
    later = drawing.backtest(pd.DataFrame(two_shops(70)), origins=1)
    assert "taken as it is" in str(later)


def test_a_file_forecasts_without_torch(drawing, tmp_path):
    drawing.save(tmp_path / "m.safetensors")
    (tmp_path / "both.csv").write_text(pd.DataFrame(two_shops(60, 6)).to_csv(index=False))
    source = (
        "import sys; sys.modules['torch'] = None\n"
        "from recurra import Forecaster\n"
        f"model = Forecaster.load({str(tmp_path / 'm.safetensors')!r})\n"
        f"print(model.paths({str(tmp_path / 'both.csv')!r}, samples=2)['forecast'].tolist())\n"
    )
    found = subprocess.run([sys.executable, "-c", source], check=True, capture_output=True, text=True).stdout
    expected = drawing.paths(pd.DataFrame(two_shops(60, 6)), samples=2)["forecast"].tolist()
    assert found.strip() == str(expected)


def test_what_contradicts_the_model():
    with pytest.raises(RunError, match="--likelihood is of --model autoregressive"):
        Forecaster(likelihood="normal")
    with pytest.raises(RunError, match="takes no past inputs: leave out rain"):
        Forecaster(3, model="autoregressive", past="rain").fit({**one_series(), "rain": [0.0] * 72})
