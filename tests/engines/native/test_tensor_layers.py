"""TensorLayers: its answer for each call, the same bits as scan by scan, and refused calls."""

import pytest
import torch

from recurra import _native
from recurra.compiler import plan, trace
from recurra.engines import ScanSpec
from recurra.engines.native import torch_calls
from recurra.program import Sizes
from tests.cells.representatives import CELLS, zoneout_rnn
from tests.engines.native.cases import ENGINE
from tests.engines.native.layers import assert_equal

INPUT, HIDDEN = 3, 4


@pytest.fixture(autouse=True, scope="module")
def _tensors():
    assert torch_calls.reads_tensors(torch)


def layers_of(kernels, sizes, names, reverse, directions, is_cell, double):
    """The direct calls of a module."""
    scans = [ScanSpec(kernel.plan, *spec) for kernel, *spec in zip(kernels, sizes, reverse, strict=True)]
    return torch_calls.TensorCalls(kernels, scans, names, directions, is_cell, "float64" if double else "float32")


class Layers:
    """Two layers in both directions, or a cell, with all arguments of a call."""

    def __init__(self, name="lstm", *, is_cell=False, dtype=torch.float64, seed=0):
        draw = torch.Generator().manual_seed(seed)
        self.kernel, self.is_cell, self.double = ENGINE.build(plan(trace(CELLS[name]))), is_cell, dtype is torch.float64
        widths = [INPUT] if is_cell else [INPUT, INPUT, 2 * HIDDEN, 2 * HIDDEN]
        self.sizes = [Sizes(width, HIDDEN) for width in widths]
        self.reverse = [False] if is_cell else [False, True, False, True]
        program = self.kernel.plan.program
        self.parameters, self.names = {}, []
        for number, sizes in enumerate(self.sizes):
            self.names.append([f"{parameter.name} {number}" for parameter in program.parameters])
            for label, parameter in zip(self.names[-1], program.parameters, strict=True):
                shape = tuple(size.value(sizes) for size in parameter.shape)
                self.parameters[label] = torch.randn(shape, generator=draw, dtype=dtype)
        leading = (2,) if is_cell else (5, 2)
        self.x = torch.randn(*leading, INPUT, generator=draw, dtype=dtype)
        counts = () if is_cell else (4,)
        self.states = tuple(torch.randn(*counts, 2, HIDDEN, generator=draw, dtype=dtype) for _ in program.states)
        count = len(widths)
        self.native = layers_of(
            [self.kernel] * count, self.sizes, self.names, self.reverse, 1 if is_cell else 2, is_cell, self.double
        )

    def run(self, **changes):
        usual = {
            "x": self.x, "given": self.states if len(self.states) > 1 else self.states[0],
            "parameters": self.parameters, "batch_first": False, "differentiate": False, "has_dropout": False,
            "threads": 1, "prepared": None,
        }  # fmt: skip
        return self.native.run(*{**usual, **changes}.values())

    def scans(self):
        """The same call, scan by scan."""
        x, states = self.x, self.states if self.is_cell else [state.split(1) for state in self.states]
        last = [[] for _ in states]
        for begin in range(0, len(self.sizes), 2):
            outputs = []
            for number in range(begin, min(begin + 2, len(self.sizes))):
                scan = torch_calls.scan_of(self.kernel, self.sizes[number], self.double, self.reverse[number], True)
                firsts = states if self.is_cell else [state[number] for state in states]
                weights = [self.parameters[name] for name in self.names[number]]
                _, output, *ends = scan.forward(x, (*firsts, *weights), (), None, None, 1)
                outputs.append(output)
                for values, end in zip(last, ends, strict=True):
                    values.append(end)
            x = torch.cat(outputs, -1)
        return x, [torch.cat(values) for values in last]


def flat(result):
    return [result] if torch.is_tensor(result) else [value for part in result for value in flat(part)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("is_cell", [False, True])
@pytest.mark.parametrize("name", ["lstm", "gru", "block_slstm", "layer_norm_lstm"])
def test_one_scan_after_the_other_gives_the_same(name, is_cell, dtype):
    """Weights may have any layout, such as that of a view of others."""
    layers = Layers(name, is_cell=is_cell, dtype=dtype)
    output, last = layers.scans()
    expected = last if is_cell else [output, *last]
    assert_equal(flat(layers.run()), expected)
    turned = {label: value.movedim(-1, 0).clone().movedim(0, -1) for label, value in layers.parameters.items()}
    assert_equal(flat(layers.run(parameters=turned)), expected)
    if not is_cell:
        found = flat(layers.run(x=layers.x.transpose(0, 1).contiguous(), batch_first=True))
        assert_equal([found[0].transpose(0, 1), *found[1:]], expected)


@pytest.mark.parametrize("is_cell", [False, True])
def test_ways(is_cell):
    layers, general, autograd = Layers(is_cell=is_cell), _native.Way.general, _native.Way.autograd
    assert layers.run(x=layers.x.float()) is general
    assert layers.run(x=layers.x[..., :-1]) is general
    assert layers.run(x="text") is general
    assert layers.run(x=layers.x[:0]) is general
    assert layers.run(given=layers.states[:1]) is general
    assert layers.run(given=tuple(state[..., :-1] for state in layers.states)) is general
    assert layers.run(parameters={}) is general
    some = next(iter(layers.parameters))
    assert layers.run(parameters={**layers.parameters, some: layers.parameters[some].float()}) is general
    assert layers.run(has_dropout=True) is general
    assert layers.run(has_dropout=True, differentiate=True) is general
    wanting = [
        {"x": layers.x.clone().requires_grad_()},
        {"given": (layers.states[0], layers.states[1].clone().requires_grad_())},
        {"parameters": {**layers.parameters, some: torch.nn.Parameter(layers.parameters[some])}},
    ]
    for change in wanting:
        for has_dropout in (False, True):
            assert layers.run(**change, differentiate=True, has_dropout=has_dropout) is autograd
        assert layers.run(**change, has_dropout=True) is general
        assert_equal(flat(layers.run(**change)), flat(layers.run()))


def test_what_does_not_fit_together_is_refused():
    layers, cell = Layers(), Layers(is_cell=True)
    kernel = layers.kernel
    single = kernel.code(layers.sizes[0], False)
    names, sizes, reverse = layers.names, layers.sizes, layers.reverse
    for count, directions in ((0, 1), (3, 2), (4, 0), (4, -1), (4, 1), (2, 1)):
        with pytest.raises(ValueError, match=r"direction|fit"):
            layers_of([kernel] * count, sizes[:count], names[:count], reverse[:count], directions, False, True)
    with pytest.raises(ValueError, match="one scan"):
        layers_of([kernel] * 4, sizes, names, reverse, 2, True, True)
    shapes = [list(value.shape) for value in cell.parameters.values()]
    right = (kernel.code(sizes[0], True), cell.names[0], shapes, False)
    _native.TensorLayers([right], 1, True)
    for wrong in ((right[0], cell.names[0][:-1], shapes, False), (right[0], cell.names[0], [[1]] * len(shapes), False)):
        with pytest.raises(ValueError, match="other shapes"):
            _native.TensorLayers([wrong], 1, True)
    with pytest.raises(ValueError, match="another dtype"):
        _native.TensorLayers([right, (single, *right[1:])], 2, False)
    masked = ENGINE.build(plan(trace(zoneout_rnn)))
    with pytest.raises(ValueError, match="another form"):
        layers_of([masked], sizes[:1], [["W", "U", "b"]], reverse[:1], 1, False, True)
    with pytest.raises(ValueError, match="no dict"):
        layers.run(parameters=[])


def test_prepared_weights():
    layers = Layers()
    prepared = layers.native.pack(layers.parameters)
    assert_equal(flat(layers.run(prepared=prepared)), flat(layers.run()))
    with pytest.raises(ValueError, match="another kernel"):
        layers.run(prepared=prepared[::-1])
