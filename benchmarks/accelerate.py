"""Other libraries' recurrent models before and after ``recurra.accelerate``: seconds per epoch, forecasts, differences.

Each library goes into an environment of its own, with this checkout's recurra:

    export PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt
    python -m venv one && one/bin/pip install ".[torch]" neuralforecast
    one/bin/python benchmarks/accelerate.py neuralforecast

and likewise "darts[torch]", "gluonts[torch]", and Resemblyzer beside "setuptools<81", which its webrtcvad needs. Each
round trains one model on torch.nn and one accelerated, in turns and from the same seed; the first epoch does not count.
With --threads 1, times are processor time, which other work on the machine hardly changes.
"""

from __future__ import annotations

import argparse
import logging
import os
import statistics
import tempfile
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import numpy as np
import torch
from torch import nn

import recurra

Array = np.ndarray[Any, Any]
QUIET = {"accelerator": "cpu", "logger": False, "enable_progress_bar": False, "enable_model_summary": False}

COLUMNS = (
    "model",
    "training: torch, s per epoch",
    "recurra",
    "times as fast (least to most)",
    "forecast: torch, ms",
    "recurra",
    "times as fast (least to most)",
    "difference of forecasts",
    "after training",
)


def waves(count: int, length: int) -> Array:
    """Seasonal series around zero, (count, length); no data set is needed."""
    steps = np.arange(length)
    rows = [np.sin(2 * np.pi * (steps + 3 * k) / 24) * (1 + k / count) + 0.001 * steps for k in range(count)]
    return (np.stack(rows) + 0.1 * np.random.default_rng(0).standard_normal((count, length))).astype(np.float32)


class Case(ABC):
    """A model of another library.

    Attributes:
        name: the name in the table.
        lightning: the package whose callbacks the library takes.
    """

    name: str
    lightning: str

    @abstractmethod
    def fit(self, epochs: int, callbacks: list[Any]) -> Any:
        """Train a model from a fixed seed."""

    @abstractmethod
    def module(self, model: Any) -> nn.Module:
        """The torch module of a model."""

    @abstractmethod
    def forecast(self, model: Any) -> Array:
        """The forecasts of a model, from a fixed seed."""


class NeuralForecast(Case):
    """The library's defaults: two layers of 128 units, windows of 48 steps, 320 series of 200 steps."""

    lightning = "pytorch_lightning"
    series, batch = 320, 32

    def __init__(self, kind: str, **options: Any) -> None:
        self.kind, self.options = kind, options
        self.name = ", ".join((f"neuralforecast {kind}", *options.values()))

    def fit(self, epochs: int, callbacks: list[Any]) -> Any:
        library, pandas = import_module("neuralforecast"), import_module("pandas")
        series = waves(self.series, 200)
        names, steps = (grid.ravel() for grid in np.indices(series.shape))
        frame = pandas.DataFrame({"unique_id": names, "ds": steps, "y": series.ravel()})
        model = getattr(library.models, self.kind)(
            h=12, input_size=48, max_steps=epochs * self.series // self.batch, batch_size=self.batch,
            callbacks=callbacks, **QUIET, enable_checkpointing=False, **self.options,
        )  # fmt: skip
        forecaster = library.NeuralForecast(models=[model], freq=1)
        forecaster.fit(frame)
        return forecaster

    def module(self, model: Any) -> nn.Module:
        module: nn.Module = model.models[0]
        return module

    def forecast(self, model: Any) -> Array:
        values: Array = model.predict()[self.kind].to_numpy()
        return values


class Darts(Case):
    """RNNModel over 32 series of 200 steps, windows of 48."""

    lightning = "pytorch_lightning"

    def __init__(self, kind: str, units: int, layers: int) -> None:
        self.kind, self.units, self.layers = kind, units, layers
        self.name = f"darts RNNModel {kind}, {layers} × {units}"

    def fit(self, epochs: int, callbacks: list[Any]) -> Any:
        models = import_module("darts.models")
        model = models.RNNModel(
            model=self.kind, hidden_dim=self.units, n_rnn_layers=self.layers, input_chunk_length=36, training_length=48,
            n_epochs=epochs, random_state=0, pl_trainer_kwargs={**QUIET, "callbacks": callbacks},
        )  # fmt: skip
        model.fit(self._series())
        return model

    def _series(self) -> list[Any]:
        return [import_module("darts").TimeSeries.from_values(values) for values in waves(32, 200)]

    def module(self, model: Any) -> nn.Module:
        module: nn.Module = model.model
        return module

    def forecast(self, model: Any) -> Array:
        return np.stack([each.values() for each in model.predict(n=24, series=self._series())])


class GluonTS(Case):
    """DeepAR with the library's defaults: two layers of 40 units, dropout 0.1; hourly series, 100 samples of each."""

    lightning, name = "lightning.pytorch", "gluonts DeepAR"

    def fit(self, epochs: int, callbacks: list[Any]) -> Any:
        torch.manual_seed(0)
        np.random.seed(0)  # the library draws its windows with numpy
        estimator = import_module("gluonts.torch").DeepAREstimator(
            freq="h", prediction_length=24, trainer_kwargs={**QUIET, "max_epochs": epochs, "callbacks": callbacks}
        )
        return estimator.train(self._data())

    def _data(self) -> Any:
        start = import_module("pandas").Period("2020-01-01", "h")
        rows = [{"start": start, "target": values} for values in waves(32, 1000)]
        return import_module("gluonts.dataset.common").ListDataset(rows, freq="h")

    def module(self, model: Any) -> nn.Module:
        module: nn.Module = model.prediction_net
        return module

    def forecast(self, model: Any) -> Array:
        torch.manual_seed(0)
        return np.stack([forecast.samples for forecast in model.predict(self._data())])


class Resemblyzer(Case):
    """The embedding of some sound by the library's own checkpoint, three LSTM layers of 256 units; without training."""

    def __init__(self, length: int) -> None:
        self.length, self.name = length, f"Resemblyzer, embedding of {length} s"

    def fit(self, epochs: int, callbacks: list[Any]) -> Any:
        return import_module("resemblyzer").VoiceEncoder("cpu", verbose=False)

    def module(self, model: Any) -> nn.Module:
        module: nn.Module = model
        return module

    def forecast(self, model: Any) -> Array:
        steps = np.arange(self.length * 16000)
        sound = 0.1 * np.sin(steps / 4000) * np.random.default_rng(0).standard_normal(steps.size)
        embedding: Array = model.embed_utterance(sound.astype(np.float32))
        return embedding


class ResemblyzerPartials(Resemblyzer):
    """The network alone, without the spectrograms: 32 pieces of 160 frames."""

    def __init__(self) -> None:
        self.name = "Resemblyzer, network alone"

    def forecast(self, model: Any) -> Array:
        frames = torch.randn(32, 160, 40, generator=torch.Generator().manual_seed(0)).abs()
        with torch.no_grad():
            return model(frames).numpy()


CASES: dict[str, Callable[[], list[Case]]] = {
    "neuralforecast": lambda: [
        NeuralForecast("LSTM"),
        NeuralForecast("GRU"),
        NeuralForecast("RNN"),
        NeuralForecast("DilatedRNN", cell_type="LSTM"),
        NeuralForecast("DilatedRNN", cell_type="GRU"),
    ],
    "darts": lambda: [Darts(kind, *size) for size in ((25, 1), (128, 2)) for kind in ("LSTM", "GRU", "RNN")],
    "gluonts": lambda: [GluonTS()],
    "resemblyzer": lambda: [Resemblyzer(2), Resemblyzer(5), Resemblyzer(30), ResemblyzerPartials()],
}


def seconds() -> float:
    """A clock: processor time for one thread, wall time for several."""
    return time.process_time() if torch.get_num_threads() == 1 else time.perf_counter()


def trained(case: Case, accelerated: bool, epochs: int) -> tuple[Any, float]:
    """Train a model; return it with the median seconds of an epoch after the first."""
    package = import_module(case.lightning)
    times: list[float] = []

    class Watch(package.Callback):  # type: ignore[misc, name-defined]
        def setup(self, trainer: Any, pl_module: nn.Module, stage: str) -> None:
            if accelerated:
                recurra.accelerate(pl_module)

        def on_train_epoch_start(self, trainer: Any, pl_module: nn.Module) -> None:
            times.append(-seconds())

        def on_train_epoch_end(self, trainer: Any, pl_module: nn.Module) -> None:
            times[-1] += seconds()

    model = case.fit(epochs, [Watch()])
    return model, statistics.median(times[1:])


def in_turns(rounds: int) -> Iterator[tuple[bool, bool]]:
    """The order of the two sides in each round; they are first in turns."""
    for number in range(rounds):
        yield (False, True) if number % 2 == 0 else (True, False)


def column(times: dict[bool, list[float]], unit: float, digits: int) -> str:
    """The medians of both sides, and the median and range of the rounds' ratios."""
    ratios = [before / after for before, after in zip(times[False], times[True], strict=True)]
    before, after = (statistics.median(times[accelerated]) * unit for accelerated in (False, True))
    spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    return f"{before:.{digits}f} | {after:.{digits}f} | {spread}"


def largest(difference: Array) -> str:
    """The largest absolute value, as text."""
    return f"{np.abs(difference).max():.1e}"


def row(case: Case, rounds: int, epochs: int) -> str:
    """One line of the table."""
    training: dict[bool, list[float]] = {False: [], True: []}
    models: dict[bool, Any] = {}
    apart = "–"
    if hasattr(case, "lightning"):
        for order in in_turns(rounds):
            for accelerated in order:
                models[accelerated], epoch = trained(case, accelerated, epochs)
                training[accelerated].append(epoch)
        recurra.restore(case.module(models[True]))
        apart = largest(case.forecast(models[True]) - case.forecast(models[False]))
    else:
        models[False] = case.fit(0, [])
    forecasting, difference = forecasts(case, models[False], rounds)
    epochwise = column(training, 1, 3) if training[True] else "– | – | –"
    return f"| {case.name} | {epochwise} | {column(forecasting, 1e3, 1)} | {difference} | {apart} |"


def forecasts(case: Case, model: Any, rounds: int) -> tuple[dict[bool, list[float]], str]:
    """Seconds of one model's forecasts, on torch.nn and accelerated in turns, and their largest difference."""
    module, results = case.module(model), {}
    times: dict[bool, list[float]] = {False: [], True: []}
    for order in in_turns(3 * rounds + 2):
        for accelerated in order:
            (recurra.accelerate if accelerated else recurra.restore)(module)
            assert bool(recurra.nn.acceleration(module).replaced) == accelerated
            start = seconds()
            results[accelerated] = case.forecast(model)
            times[accelerated].append(seconds() - start)
    return {key: values[2:] for key, values in times.items()}, largest(results[True] - results[False])


def main() -> None:
    """Read the command line, measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("library", choices=CASES)
    parser.add_argument("--rounds", type=int, default=5, help="how often each model is trained both ways")
    parser.add_argument("--epochs", type=int, default=5, help="of each training; the first is not counted")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of torch and recurra")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    warnings.simplefilter("ignore")
    for name in ("pytorch_lightning", "lightning.pytorch", "lightning.fabric", "gluonts"):
        logging.getLogger(name).setLevel(logging.ERROR)
    print("| " + " | ".join(COLUMNS) + " |\n" + "|---" * len(COLUMNS) + "|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # some libraries write to the current folder
        for case in CASES[arguments.library]():
            print(row(case, arguments.rounds, arguments.epochs), flush=True)


if __name__ == "__main__":
    main()
