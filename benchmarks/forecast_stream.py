"""Times of a forecaster's stream: a step with the next forecast and the surprise. Prints a table in Markdown.

python benchmarks/forecast_stream.py

The forecasters have GRUs with random weights: weights do not change the time. It is processor time on one thread, the
least of some rounds.
"""

import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from recurra import cells, runtime
from recurra.compiler import trace
from recurra.model import Description, Part, Weight, weights_of
from recurra.series.forecast import LEVELS
from recurra.series.frequency import Frequency
from recurra.series.panel import make_panel
from recurra.series.recipe import Recipe
from recurra.series.windows import SeriesReader

ROUNDS, STEPS, HISTORY = 15, 300, 2000
CASES = (("MS", 24, (12,), 12), ("D", 60, (7,), 30), ("h", 48, (24, 168), 24), ("h", 168, (24, 168), 24))


def recipe(name, context, periods, horizon, members):
    """A forecaster's facts; the references all have the same weight."""
    rules = 1 + sum(7 if period >= 20 else 6 for period in periods)
    return Recipe(
        frequency=Frequency(name), horizon=horizon, context=context, periods=periods, members=members,
        reference_weights=((1 / rules,) * rules,) * min(3, horizon), widths=(1.0,) * len(LEVELS),
        reference_quantiles=(tuple(level - 0.5 for level in LEVELS),) * horizon,
    )  # fmt: skip


def gru(input_size, hidden):
    """A layer of the zoo's GRU."""
    settings = {
        "input_size": input_size, "hidden_size": hidden, "num_layers": 1, "bias": True, "batch_first": False,
        "dropout": 0.0, "bidirectional": False, "proj_size": 0, "program": trace(cells.gru), "init": {},
    }  # fmt: skip
    return Part("Recurrent", settings)


def forecaster(made, history, hidden):
    """A forecaster of a recipe, with random weights."""
    reader = SeriesReader(make_panel([history], made.frequency), made)
    encoded = reader.encode(reader.ends())
    output = Part("Linear", {"in_features": hidden, "out_features": len(LEVELS), "bias": True})
    decoder = Part("Stack", {}, (("0", gru(encoded.future.shape[2], hidden)), ("1", output)))
    member = Part("EncoderDecoder", {}, (("encoder", gru(encoded.past.shape[2], hidden)), ("decoder", decoder)))
    root = Part("Ensemble", {}, tuple((str(number), member) for number in range(made.members)))
    random = np.random.default_rng(0)
    weights = {
        f"{name}.{weight}": Weight.of(random.uniform(-0.1, 0.1, shape).astype(np.float32))
        for name, part in root.walk() if part.kind in ("Recurrent", "Linear")
        for weight, shape in weights_of(part).items()
    }  # fmt: skip
    return runtime.ForecastModel(Description(root, weights, {"forecaster": made}))


def microseconds(stream, values):
    """Processor time of a step, the least of some rounds."""
    times = []
    for number in range(ROUNDS):
        part = values[number * STEPS :][:STEPS].tolist()
        begin = time.process_time_ns()
        for value in part:
            stream.step(value)
        times.append((time.process_time_ns() - begin) / STEPS / 1000)
    return min(times)


def main():
    """Time steps of some forecasters, with one step of the horizon and with all of them."""
    random = np.random.default_rng(0)
    values = 10 + np.sin(np.arange(HISTORY + ROUNDS * STEPS) * np.pi / 6) + random.normal(size=HISTORY + ROUNDS * STEPS)
    print("| forecaster, 3 members of GRU with 64 units | next step | whole horizon | networks alone, next step |")
    print("|---|---|---|---|")
    for name, context, periods, horizon in CASES:
        model = forecaster(recipe(name, context, periods, horizon, 3), values[:HISTORY], 64)
        one, whole = (
            microseconds(model.stream(values[:HISTORY], horizon=steps), values[HISTORY:]) for steps in (1, horizon)
        )
        networks = microseconds(_Networks(model.stream(values[:HISTORY])), values[HISTORY:])
        what = f"{name}, context {context}, seasons {', '.join(map(str, periods))}, horizon {horizon}"
        print(f"| {what} | {one:.0f} µs | {whole:.0f} µs | {networks:.0f} µs |")


class _Networks:
    """The networks of a stream, without what is around them."""

    def __init__(self, stream):
        self.networks = stream._networks

    def step(self, value):
        self.networks()


if __name__ == "__main__":
    main()
