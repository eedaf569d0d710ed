"""Forecasters built from parts and random weights, without torch."""

import dataclasses

import numpy as np

from recurra import cells
from recurra.model import Description, Part
from recurra.runtime import ForecastModel
from recurra.series.forecast import LEVELS
from recurra.series.frequency import Frequency
from recurra.series.panel import Panel
from recurra.series.recipe import Recipe
from recurra.series.windows import SeriesReader
from tests.runtime.models import described, layer, linear, stack


def recipe(frequency="step", horizon=3, context=5, periods=(), **others):
    """A recipe of references that all have the same weight, and of quantiles that are straight lines."""
    linear = {name: others.pop(name) for name in ("linear_weights", "linear_memory", "blend_weights") if name in others}
    given = Recipe(
        frequency=Frequency(frequency),
        horizon=horizon,
        context=context,
        periods=periods,
        reference_weights=((1.0,),) * min(3, horizon),
        reference_quantiles=(tuple(level - 0.5 for level in LEVELS),) * horizon,
        centers=(0.5,) * (len(others.get("known", ())) + len(others.get("past", ()))),
        spreads=(2.0,) * (len(others.get("known", ())) + len(others.get("past", ()))),
        **{"members": 2, "widths": (1.0,) * len(LEVELS), **others},
    )
    reader = SeriesReader(panel_of(given, 1), given)
    count = len(reader.references(reader.ends()))
    return dataclasses.replace(given, reference_weights=((1 / count,) * count,) * min(3, horizon), **linear)


def panel_of(recipe, *lengths, seed=0, level=0.0):
    """Series of random numbers, with the inputs that a recipe takes."""
    random = np.random.default_rng(seed)
    return Panel(
        ids=tuple(f"s{number}" for number in range(len(lengths))),
        starts=random.integers(0, 50, len(lengths)),
        target=tuple(level + random.standard_normal(length).cumsum() for length in lengths),
        known=tuple(random.standard_normal((length + recipe.horizon, len(recipe.known))) for length in lengths),
        past=tuple(random.standard_normal((length, len(recipe.past))) for length in lengths),
        static=random.integers(0, 2, (len(lengths), len(recipe.categories))),
        frequency=recipe.frequency,
    )


def pair(past, future, outputs, hidden=4, cell=cells.gru, **settings):
    """The part of an encoder with its decoder."""
    decoder = stack(layer(cell, future, hidden, **settings), linear(hidden, outputs))
    return Part("EncoderDecoder", {}, (("encoder", layer(cell, past, hidden, **settings)), ("decoder", decoder)))


def ensemble(*members):
    """The part of an ensemble."""
    return Part("Ensemble", {}, tuple((str(number), member) for number, member in enumerate(members)))


def features_of(recipe):
    """The numbers of features that a recipe makes for encoders and decoders."""
    reader = SeriesReader(panel_of(recipe, 1), recipe)
    encoded = reader.encode(reader.ends())
    return encoded.past.shape[2], encoded.future.shape[2]


def forecaster(made=None, **settings):
    """The description of a forecaster of a recipe; by default one of two members and three steps."""
    made = recipe() if made is None else made
    member = pair(*features_of(made), len(made.levels), **settings)
    networks = described(ensemble(*[member] * made.members))
    return Description(networks.root, networks.weights, {"forecaster": made})


def model_of(made=None, **settings):
    """A forecaster of a recipe, ready to run."""
    return ForecastModel(forecaster(made, **settings))


def autoregressive(made, *, outputs=None, **settings):
    """The description of an autoregressive forecaster of a recipe; by default one that the recipe fits."""
    outputs = made.distribution.outputs if outputs is None else outputs
    network = described(stack(layer(cells.lstm, made.inputs, 4, **settings), linear(4, outputs)))
    return Description(network.root, network.weights, {"autoregressive": made})
