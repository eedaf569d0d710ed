"""One contender's forecasts of one series, in a process of its own, for series.py.

    python benchmarks/series_contender.py NAME < task.json > outcome.json

The task has `times` and `values` of the series, `frequency`, `season` and `horizon` in steps, `origins` (the values
that each forecast knows), `levels` and `seed`. A contender is trained once, on what was known at the first origin, and
forecasts from each origin. The outcome has `quantiles` (origins, horizon, levels); `processor` and `seconds`, of fit
and predictions without imports; and `memory`, the most that the process held, in MB. Contenders other than recurra need
no recurra here, so that they run in an environment of their own.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import resource
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Predict = Callable[[int], Any]
QUIET = {"accelerator": "cpu", "devices": 1, "logger": False, "enable_progress_bar": False} | {
    "enable_model_summary": False, "enable_checkpointing": False,
}  # fmt: skip
STEPS = 300  # of neuralforecast's trainings
MOST_CONTEXT = 120  # steps that neuralforecast's networks read
MOST_LAGS = 48  # of LightGBM, beside the season
MOST_AR_LAGS = 60


@dataclass
class Task:
    """A series, and the origins and steps to forecast, as JSON carries them to a process."""

    times: list[str]
    values: list[float]
    frequency: str
    season: int
    horizon: int
    origins: list[int]
    levels: list[float]
    seed: int

    def frame(self, length: int) -> Any:
        """The first values in the columns that Nixtla's libraries take, as a frame of pandas."""
        import pandas

        times = pandas.to_datetime(self.times[:length])
        return pandas.DataFrame({"unique_id": "series", "ds": times, "y": self.values[:length]})


Contender = Callable[[Task], Iterator[Any]]


def recurra(task: Task) -> Iterator[Any]:
    """The forecaster with its defaults; a table of times as they are in the file."""
    importlib.import_module("torch")  # before the clock starts, which is for the work, not for imports
    from recurra import Forecaster

    def table(length: int) -> dict[str, Any]:
        return {"time": task.times[:length], "value": np.array(task.values[:length])}

    yield
    model = Forecaster(task.horizon, seed=task.seed).fit(table(task.origins[0]))
    names = [f"q{round(100 * level):02d}" for level in task.levels]
    for origin in task.origins:
        found = model.predict(table(origin))
        yield np.stack([found[name] for name in names], 1)


def neural(task: Task, name: str, **options: Any) -> Iterator[Any]:
    """A model of neuralforecast that gives quantiles."""
    from neuralforecast import NeuralForecast, models
    from neuralforecast.losses.pytorch import MQLoss

    context = min(2 * max(task.season, task.horizon), MOST_CONTEXT)
    yield
    model = getattr(models, name)(
        h=task.horizon, input_size=context, loss=MQLoss(quantiles=task.levels), max_steps=STEPS, scaler_type="robust",
        random_seed=task.seed, **options, **QUIET,
    )  # fmt: skip
    forecaster = NeuralForecast([model], freq=task.frequency)
    forecaster.fit(task.frame(task.origins[0]))
    for origin in task.origins:
        found = forecaster.predict(df=task.frame(origin))
        yield found.drop(columns=["unique_id", "ds"]).to_numpy()


def lstm(task: Task) -> Iterator[Any]:
    return neural(task, "LSTM")


def nhits(task: Task) -> Iterator[Any]:
    return neural(task, "NHITS")


def lightgbm(task: Task) -> Iterator[Any]:
    """LightGBM on lags and the month, with mlforecast's conformal intervals.

    Monthly series are differenced by season; differences of daily ones forecast worse. At later
    origins mlforecast moves the intervals away from the forecasts, unless it is fitted again.
    """
    from lightgbm import LGBMRegressor
    from mlforecast import MLForecast
    from mlforecast.target_transforms import Differences
    from mlforecast.utils import PredictionIntervals

    yield
    model = LGBMRegressor(random_state=task.seed, n_jobs=1, verbosity=-1, min_child_samples=5)
    lags = sorted({*range(1, min(2 * task.season, MOST_LAGS) + 1), task.season})
    transforms = [Differences([task.season])] if task.frequency == "MS" else []
    forecaster = MLForecast(
        {"model": model}, task.frequency, lags=lags, date_features=["month"], target_transforms=transforms
    )
    intervals = PredictionIntervals(n_windows=2, h=task.horizon)
    forecaster.fit(task.frame(task.origins[0]), static_features=[], prediction_intervals=intervals)
    shares = sorted({round(100 * abs(2 * level - 1)) for level in task.levels} - {0})
    for origin in task.origins:
        newer = None if origin == task.origins[0] else task.frame(origin)
        found = forecaster.predict(task.horizon, new_df=newer, level=shares)
        yield np.stack([found[_column(level)].to_numpy() for level in task.levels], 1)


def _column(level: float) -> str:
    """The name that mlforecast gives the quantile of a level."""
    share = round(100 * abs(2 * level - 1))
    return "model" if share == 0 else f"model-{'lo' if level < 0.5 else 'hi'}-{share}"


def autoregression(task: Task) -> Iterator[Any]:
    """AR(p) of statsmodels, with the p of the least AIC; one step ahead, with normal quantiles."""
    from scipy.stats import norm
    from statsmodels.tsa.ar_model import AutoReg, ar_select_order

    if task.horizon != 1:
        raise ValueError("the autoregression forecasts one step alone")
    yield
    values = np.array(task.values)
    known = values[: task.origins[0]]
    lags = len(ar_select_order(known, MOST_AR_LAGS, ic="aic").ar_lags)
    fitted = AutoReg(known, lags).fit()
    found = AutoReg(values, lags).predict(fitted.params, start=task.origins[0], end=task.origins[-1])
    spread = np.sqrt(fitted.sigma2) * norm.ppf(task.levels)
    for origin in task.origins:
        yield (found[origin - task.origins[0]] + spread)[None]


CONTENDERS: dict[str, Contender] = {
    "recurra": recurra,
    "neuralforecast LSTM": lstm,
    "neuralforecast NHITS": nhits,
    "LightGBM": lightgbm,
    "AR(p)": autoregression,
}


def measured(task: Task, contender: Contender) -> dict[str, Any]:
    """The outcome of a contender: its first step imports, each further one is a forecast."""
    steps = contender(task)
    next(steps)
    processor, seconds = time.process_time(), time.perf_counter()
    found = [np.asarray(each, np.float64) for each in steps]
    return {
        "processor": time.process_time() - processor,
        "seconds": time.perf_counter() - seconds,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6,
        "quantiles": np.stack(found).tolist(),
    }


def main() -> None:
    """Read the task, forecast in a folder of no interest, and write the outcome."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    task = Task(**json.load(sys.stdin))
    output = os.dup(1)
    os.dup2(2, 1)  # what libraries print is no outcome
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        outcome = measured(task, CONTENDERS[sys.argv[1]])
    with os.fdopen(output, "w") as stream:
        json.dump(outcome, stream)


if __name__ == "__main__":
    main()
