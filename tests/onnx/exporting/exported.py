"""Modules and their ONNX files: written, run by onnxruntime and by onnx's own evaluator, and compared."""

import copy

import numpy as np
import onnx
import onnxruntime
import torch
from onnx.reference import ReferenceEvaluator

import recurra
from recurra.nn import Recurrent, pack_padded_sequence, pad_packed_sequence
from tests.cells import representatives

CELLS = {**representatives.CELLS, "zoneout_rnn": representatives.zoneout_rnn}
WIDTH, HIDDEN = 5, 6
SAME_SIZES = ("intersection",)  # cells whose input is as wide as their state
ONE_LAYER = ("tgru", "intersection")  # cells that cannot be stacked at these sizes
CLOSE = {torch.float32: 1e-5, torch.float64: 1e-10}
RECURRENT = ("RNN", "LSTM", "GRU", "Scan")


def layer_of(cell, dtype=torch.float32, *, seed=0, **options):
    """A layer in evaluation mode; ``cell`` is a cell, or a name in CELLS."""
    torch.manual_seed(seed)
    width = HIDDEN if cell in SAME_SIZES else WIDTH
    return Recurrent(
        CELLS.get(cell, cell) if isinstance(cell, str) else cell, width, HIDDEN, dtype=dtype, **options
    ).eval()


def flat(value):
    """The arrays of a module's result, in their order."""
    if isinstance(value, torch.Tensor):
        return [value.detach().numpy()]
    return [array for item in value for array in flat(item)]


def states_of(layer, batch, seed=1):
    """Random states of a layer."""
    draw = torch.Generator().manual_seed(seed)
    dtype, count = next(layer.parameters()).dtype, layer.num_layers * (1 + layer.bidirectional)
    return [torch.randn(count, batch, size, generator=draw, dtype=dtype) for size in layer.state_sizes]


def input_of(layer, steps, batch, seed=2):
    """A random input of a layer."""
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(steps, batch, layer.input_size, generator=draw, dtype=next(layer.parameters()).dtype)
    return x.transpose(0, 1) if layer.batch_first else x


def as_state(states):
    """States as a layer takes them."""
    return tuple(states) if len(states) > 1 else states[0]


def packed_results(layer, x, lengths, states):
    """Output and last states of padded sequences."""
    packed = pack_padded_sequence(x, lengths, layer.batch_first, enforce_sorted=False, allow_empty=True)
    output, last = layer(packed, as_state(states))
    steps = x.shape[1 if layer.batch_first else 0]
    return flat([pad_packed_sequence(output, layer.batch_first, total_length=steps)[0], last])


def feed_of(layer, x, states, lengths=None):
    """The inputs of a layer's graph by name."""
    feed = {"x": x.numpy(), **{f"{name}_0": s.numpy() for name, s in zip(layer.cell.states, states, strict=True)}}
    return feed if lengths is None else {**feed, "lengths": np.array(lengths)}


def rounding(layer, steps, batch):
    """The layer's distance from its own results in float64: one in 500 generated programs amplifies rounding."""
    x, states, exact = input_of(layer, steps, batch), states_of(layer, batch), copy.deepcopy(layer).double()
    mine = flat(layer(x, as_state(states)))
    others = flat(exact(x.double(), as_state([state.double() for state in states])))
    return max(float(np.abs(a - b).max()) for a, b in zip(mine, others, strict=True))


class File:
    """An ONNX file of a module, and its runs."""

    def __init__(self, module, folder, **options):
        self.path = folder / "model.onnx"
        recurra.onnx.export(module, self.path, **options)
        self.proto = onnx.load(self.path)
        settings = onnxruntime.SessionOptions()
        settings.log_severity_level = 4
        settings.intra_op_num_threads = 1
        # onnxruntime folds factors into float64 products as float32 numbers.
        is_double = self.proto.graph.output[0].type.tensor_type.elem_type == onnx.TensorProto.DOUBLE
        self._session = onnxruntime.InferenceSession(
            self.path,
            settings,
            providers=["CPUExecutionProvider"],
            disabled_optimizers=["MatMulScaleFusion"] if is_double else [],
        )

    def run(self, feed):
        """All outputs, computed by onnxruntime."""
        return self._session.run(None, feed)

    def run_reference(self, feed):
        """All outputs, computed by onnx's evaluator; numpy would warn of NaN in the padding of sequences."""
        with np.errstate(invalid="ignore"):
            return ReferenceEvaluator(self.proto).run(None, feed)

    @property
    def operators(self):
        """The recurrent nodes, in order."""
        return [node.op_type for node in self.proto.graph.node if node.op_type in RECURRENT]

    @property
    def evaluator_honours_all(self):
        """Whether onnx's evaluator computes the recurrent nodes' attributes and lengths; it has Tanh alone for RNN."""
        nodes = [node for node in self.proto.graph.node if node.op_type in ("RNN", "LSTM", "GRU")]
        has_lengths = any(node.input[4:5] not in ([], [""]) for node in nodes)
        return not has_lengths and not any(a.name == "activations" for node in nodes for a in node.attribute)

    @property
    def names(self):
        """The names of the inputs, and of the outputs."""
        graph = self.proto.graph
        return [value.name for value in graph.input], [value.name for value in graph.output]


def assert_close(actual, expected, dtype, what=""):
    """Check that arrays are equal in number, shape and dtype, and in value to 1e-5, in float64 to 1e-10."""
    assert len(actual) == len(expected), what
    for position, (mine, other) in enumerate(zip(actual, expected, strict=True)):
        assert mine.shape == other.shape, (what, position)
        assert mine.dtype == other.dtype, (what, position)
        np.testing.assert_allclose(mine, other, rtol=0, atol=CLOSE[dtype], err_msg=f"{what}, result {position}")


def assert_same(file, feed, expected, dtype, what=""):
    """Check that both evaluators give the expected arrays."""
    assert_close(file.run(feed), expected, dtype, f"onnxruntime, {what}")
    if file.evaluator_honours_all:
        assert_close(file.run_reference(feed), expected, dtype, f"onnx, {what}")
