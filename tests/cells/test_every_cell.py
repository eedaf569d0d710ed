"""What holds for each cell of the zoo, once for each property and with small sizes.

Options of layers, shapes and edge cases are tested with the cells of `tests/cells/representatives.py`.
"""

import importlib
import pickle
import pkgutil

import numpy as np
import pytest
import torch

import recurra
from recurra import cells, runtime
from recurra.equations import Cell
from recurra.nn import pack_padded_sequence, pad_packed_sequence
from tests.cells.layers import Arguments, B, T, as_state, as_tuple, layer_of, run
from tests.onnx.exporting.exported import File
from tests.runtime.models import same

EVERY_CELL = pytest.mark.parametrize("name", cells.all())
ROUNDING = ("skip_gru",)  # its gradient is that of the number before it was rounded: test_loops.py compares it


def arrays(values):
    return [value.detach().numpy() for value in values]


def saved(layer, folder):
    recurra.save(layer, folder / "m")
    return runtime.load(folder / "m")


def test_every_cell_is_here():
    modules = [importlib.import_module(f"recurra.cells.{each.name}") for each in pkgutil.iter_modules(cells.__path__)]
    found = [item for module in modules for item in vars(module).items()]
    written = {name for name, value in found if isinstance(value, Cell) and value.states}
    assert written == set(cells.all()) == set(cells.__all__) - {"all"}


@EVERY_CELL
def test_its_source_is_named(name):
    assert any(character.isdigit() for character in cells.all()[name].__doc__), "the docstring gives paper and year"


@pytest.mark.parametrize("name", [name for name in cells.all() if name not in ROUNDING])
@pytest.mark.parametrize("which", ["native", "reference"])
def test_gradcheck(name, which):
    layer = layer_of(name)
    given = Arguments(layer, 2, 2)
    names = [name for name, _ in layer.named_parameters()]
    inputs, states = len(given.inputs), len(given.states)

    def call(x, *others):
        further = dict(zip(given.further, others, strict=False))
        others = others[inputs - 1 :]
        weights = dict(zip(names, others[states:], strict=True))
        output, last = torch.func.functional_call(layer, weights, (x, as_state(others[:states])), further)
        return (output, *(value for value in as_tuple(last) if value.requires_grad))

    with recurra.engine(which):
        leaves = [*given.inputs, *given.states, *layer.parameters()]
        assert torch.autograd.gradcheck(call, leaves, fast_mode=True)


@EVERY_CELL
def test_packed_sequences_are_sequences_by_themselves(name):
    layer = layer_of(name)
    given = Arguments(layer)
    lengths = [2, T, 1]

    def pack(value):
        return pack_padded_sequence(value, lengths, enforce_sorted=False)

    further = {name: pack(value) for name, value in given.further.items()}
    output, *last = run(layer, pack(given.x), further, given.states)
    padded, _ = pad_packed_sequence(output)
    for row, length in enumerate(lengths):
        alone = run(layer, *given.of_sequence(row, length))
        found = [padded[:length, row : row + 1], *(state[:, row : row + 1] for state in last)]
        torch.testing.assert_close(found, alone, rtol=1e-12, atol=1e-13)


@EVERY_CELL
def test_a_saved_layer_computes_the_same_bits(name, tmp_path):
    layer = layer_of(name, torch.float32).eval()
    given = Arguments(layer)
    everything = given.x, given.further, given.states
    expected = arrays(run(layer, *everything))
    model = saved(layer, tmp_path)
    x, further, states = given.arrays()
    output, last = model(x, as_state(states), **further)
    found = [output, *model.layout.nest.flatten(last)]
    again = arrays(run(recurra.load(tmp_path / "m"), *everything))
    copied = arrays(run(pickle.loads(pickle.dumps(layer)), *everything))
    for value, *others in zip(expected, found, again, copied, strict=True):
        for other in others:
            assert same(value, other)


@EVERY_CELL
def test_steps_of_a_stream_are_the_whole_sequence(name, tmp_path):
    layer = layer_of(name, torch.float32).eval()
    model = saved(layer, tmp_path)
    x, further, _ = Arguments(layer).arrays()
    whole, last = model(x, **further)
    stream = model.stream(B)
    steps = [stream.step(x[t], **{name: value[t] for name, value in further.items()}) for t in range(T)]
    assert same(np.stack(steps), whole)
    assert same(stream.state, last)
    stream.reset()
    chunks = [
        stream.feed(x[part], **{name: value[part] for name, value in further.items()})
        for part in (slice(0, 1), slice(1, T))
    ]
    assert same(np.concatenate(chunks), whole)


@EVERY_CELL
def test_onnxruntime_computes_it(name, tmp_path):
    layer = layer_of(name, torch.float32).eval()
    given = Arguments(layer)
    expected = arrays(run(layer, given.x, given.further, given.states))
    x, further, states = given.arrays()
    names = [f"{state.name}_0" for state in layer.program.states]
    found = File(layer, tmp_path).run({"x": x, **further, **dict(zip(names, states, strict=True))})
    for mine, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-5, atol=1e-5)
