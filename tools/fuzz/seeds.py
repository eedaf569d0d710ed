"""The inputs that mutation begins with: small models as files, cells' programs as JSON, files of torch and Keras.

``python -m fuzz.seeds FOLDER [KIND …]`` writes them.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fuzz.foreign import foreign
from fuzz.graphs import files_of_graphs
from fuzz.grow import grown
from fuzz.networks import networks
from recurra import cells
from recurra.compiler import drop_biases, plan, trace
from recurra.model import Description, Part, Weight, weights_of
from recurra.model.file import contents_of
from recurra.model.quantize import quantize
from recurra.model.safetensors import Tensor, pack
from recurra.program import Program, to_json
from recurra.series.autoregressive.recipe import AutoregressiveRecipe
from recurra.series.frequency import Frequency
from recurra.series.recipe import Recipe
from recurra.series.table_format import TableFormat
from recurra.vocabulary import Vocabulary

PLAIN = {
    "Linear": {"in_features": 2, "out_features": 3, "bias": True},
    "LayerNorm": {"features": 3, "eps": 1e-5, "elementwise_affine": True, "bias": True},
    "RMSNorm": {"features": 3, "eps": None, "elementwise_affine": True},
    "AdaptiveSoftmax": {"in_features": 2, "n_classes": 4, "cutoffs": (1, 3), "div_value": 1.0, "head_bias": True},
    "Dropout": {"p": 0.5},
    "VariationalDropout": {"p": 0.5},
    "Identity": {},
    "ReLU": {},
    "Tanh": {},
    "Sigmoid": {},
    "SiLU": {},
    "Softsign": {},
    "Hardtanh": {"min_val": -1.0, "max_val": 1.0},
    "ELU": {"alpha": 1.0},
    "LeakyReLU": {"negative_slope": 0.01},
    "Softplus": {"beta": 1, "threshold": 20.0},
    "GELU": {"approximate": "none"},
    "CELU": {"alpha": 1.0},
    "PReLU": {},
    "Softshrink": {"lambd": 0.5},
    "Threshold": {"threshold": 0.0, "value": 1.0},
    "Softmax": {"dim": -1},
    "LogSoftmax": {"dim": -1},
}


def layer(program: Program, input_size: int, hidden_size: int, kind: str = "Recurrent", **settings: object) -> Part:
    """A recurrent part."""
    given = {"num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0, "bidirectional": False}
    sizes = {"input_size": input_size, "hidden_size": hidden_size, "proj_size": 0}
    return Part(kind, {**given, **sizes, "program": program, "init": {}, **settings})


def described(root: Part, annotations: Mapping[str, object] | None = None, dtype: str = "float32") -> Description:
    """The description of a model of these parts, with random weights."""
    draw = np.random.default_rng(0)
    weights = {name: Weight.of(draw.uniform(-1, 1, shape).astype(dtype)) for name, shape in weights_of(root).items()}
    return Description(root, weights, annotations or {})


def _numbered(kind: str, *parts: Part) -> Part:
    return Part(kind, {}, tuple((str(number), part) for number, part in enumerate(parts)))


def _stack(*parts: Part) -> Part:
    return _numbered("Stack", *parts)


def _pair(program: Program, past: int, future: int, outputs: int) -> Part:
    """An encoder with its decoder."""
    decoder = _stack(
        layer(program, future, 2), Part("Linear", {"in_features": 2, "out_features": outputs, "bias": True})
    )
    return Part("EncoderDecoder", {}, (("encoder", layer(program, past, 2)), ("decoder", decoder)))


def _forecasters(program: Program) -> Iterator[Description]:
    """Forecasters without inputs, and with one of each kind."""
    levels = (0.1, 0.5, 0.9)
    facts: dict[str, Any] = {
        "horizon": 2,
        "context": 3,
        "levels": levels,
        "widths": (1.0,) * 3,
        "reference_quantiles": ((0.0,) * 3,) * 2,
    }
    plain = Recipe(Frequency("step"), reference_weights=((1.0,),) * 2, members=2, **facts)
    table = TableFormat(Frequency("MS"), ("y",), "ds", ("id",), ("price",), ("rain",), ("region",), "text", "%Y-%m")
    rich = Recipe(
        Frequency("MS", 0, "Europe/Berlin"), periods=(12,), reference_weights=((0.125,) * 7,) * 2, transform=None,
        linear_weights=(0.1,) * 6, linear_memory=9, blend_weights=((0.125,) * 8,) * 2,
        least=0.0, known=("price",), past=("rain",), centers=(1.0, 2.0), spreads=(0.5, 1.0), categories=(1,), gain=0.5,
        coverage=(0.8, 0.9), naive="last value",
        table=replace(table, whole_ids=(False,), known_categories=((),), static_categories=(("a",),)),
        **facts,
    )  # fmt: skip
    for recipe, past, future in ((plain, 2, 3), (rich, 11, 16)):
        members = [_pair(program, past, future, len(levels)) for _ in range(recipe.members)]
        yield described(_numbered("Ensemble", *members), {"forecaster": recipe})


def _autoregressive(program: Program) -> Iterator[Description]:
    """Autoregressive forecasters of numbers, and of counts with an input of each kind."""
    plain = AutoregressiveRecipe(Frequency("step"), 2, 3, (1, 2), "normal", True)
    rich = AutoregressiveRecipe(
        Frequency("MS", 0, "Europe/Berlin"), 2, 3, (1, 12), "negative-binomial", False, categories=(1,),
        known=("price",), known_means=(1.0,), known_scales=(0.5,), least=0.0, naive="last value", gain=0.5,
        coverage=(0.8, 0.9), left_out=9,
    )  # fmt: skip
    for recipe in (plain, rich):
        given = recipe.distribution.outputs
        output = Part("Linear", {"in_features": 2, "out_features": given, "bias": True})
        yield described(_stack(layer(program, recipe.inputs, 2), output), {"autoregressive": recipe})


def descriptions() -> Iterator[Description]:
    """Models with every kind of part, dtype and option."""
    tanh, gru = trace(cells.rnn), trace(cells.gru)
    yield described(layer(tanh, 1, 2, "RNN", num_layers=2, bidirectional=True))
    yield described(layer(drop_biases(gru), 2, 1, "GRU", bias=False), dtype="float64")
    yield described(layer(trace(cells.lstm, projected=True), 1, 2, "LSTM", proj_size=1))
    cell = {"input_size": 2, "hidden_size": 1, "bias": True, "program": tanh, "init": {"bias_ih": 0.5}}
    yield described(Part("RNNCell", cell))
    tokens = {"vocabulary": Vocabulary("char", ["<unk>", "a", "b", "\n"])}
    lookup = Part("Embedding", {"num_embeddings": 4, "embedding_dim": 2, "padding_idx": 1})
    spoken = _stack(
        lookup, layer(tanh, 2, 2, "RNN"), Part("Linear", {"in_features": 2, "out_features": 4, "bias": True})
    )
    yield described(spoken, tokens)
    for vocabulary in (Vocabulary("byte"), Vocabulary("bpe", merges=[(97, 98), (256, 99), (98, 99), (97, 258)])):
        yield described(
            _stack(Part("Embedding", {"num_embeddings": len(vocabulary), "embedding_dim": 1, "padding_idx": None})),
            {"vocabulary": vocabulary},
        )
    for kind in ("bf16", "int8"):
        yield quantize(described(spoken, tokens), kind)
    yield from _forecasters(tanh)
    yield from _autoregressive(tanh)
    yield described(_numbered("Ensemble", layer(tanh, 2, 2), Part("Tanh"), _pair(gru, 2, 1, 1)))
    yield described(_stack(_numbered("Residual", layer(tanh, 2, 2), Part("Tanh", {})), layer(tanh, 2, 3)))
    both = described(_stack(layer(tanh, 2, 2), layer(tanh, 2, 2)))
    yield Description(both.root, {name: both.weights[name.replace("1.", "0.", 1)] for name in both.weights})
    for kind, settings in PLAIN.items():
        yield described(_stack(Part(kind, settings)))


def files() -> Iterator[bytes]:
    """The models as files, and state_dicts without a description."""
    for description in descriptions():
        yield b"".join(bytes(piece) for piece in pack(*contents_of(description)))
    for gates in (1, 3, 4):
        shapes = {"weight_ih_l0": (gates * 2, 3), "weight_hh_l0": (gates * 2, 2), "bias_ih_l0": (gates * 2,)}
        arrays = {f"rnn.{name}": np.ones(shape, "f4") for name, shape in {**shapes, "bias_hh_l0": (gates * 2,)}.items()}
        yield b"".join(bytes(piece) for piece in pack({name: Tensor("F32", a) for name, a in arrays.items()}, {}))


def programs() -> Iterator[str]:
    """The programs of cells, traced and planned, and random programs."""
    for cell in cells.all().values():
        for program in (trace(cell), plan(trace(cell)).program):
            if len(program.equations) < 12:
                yield to_json(program)
    for number in range(100):
        yield json.dumps(grown(random.Random(number), 8), separators=(",", ":"))


def all_seeds() -> Iterator[tuple[str, bytes]]:
    """All inputs, each with a name that begins with its kind: model, graph, program, torch, hdf5 or keras."""
    yield from ((f"model-{number}", data) for number, data in enumerate(files()))
    yield from ((f"graph-{number}", data) for number, data in enumerate(files_of_graphs()))
    yield from ((f"program-{number}", text.encode()) for number, text in enumerate(programs()))
    yield from foreign()
    yield from ((f"network-{number}", data) for number, data in enumerate(networks()))


def write(folder: Path, kinds: Sequence[str] = ()) -> None:
    """Write the inputs into a folder; only those of these kinds, if any are given."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in all_seeds():
        if not kinds or name.startswith(tuple(kinds)):
            (folder / name).write_bytes(data)


if __name__ == "__main__":
    write(Path(sys.argv[1]), sys.argv[2:])
