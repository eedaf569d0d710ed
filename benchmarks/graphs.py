"""Loaded ONNX graphs beside onnxruntime: graphs as real models have them, with random weights.

python benchmarks/graphs.py [--threads 1,2] [--rounds 15] [--quantized FORM] [--least] [kind …]

Without a kind, all of them: of floats the first five, of whole numbers all. Each kind of graph runs at two sizes: a
frame, as live sound and single images come, and a minute, as files come. Both libraries must give the same numbers.
With --quantized onnxruntime's tools quantize each graph before: ``dynamic``, or with a calibration on the same input as
``operators`` on whole numbers or as ``pairs`` of QuantizeLinear and DequantizeLinear; weights have 7 bits, as
onnxruntime's products of 8 saturate on some processors, and the numbers may differ by some quanta. They are timed in
turns, in one process for each number of threads; a figure is the median of its rounds (the least with --least, where
others compute too), of the processor's time for one thread, else of the clock. The last column is onnxruntime's time
divided by recurra's.
"""

import argparse
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

ROUND_SECONDS = 0.04  # at least; a round repeats short calls
PAUSE_SECONDS = 0.2  # before a round with several threads: onnxruntime's spin for a while after its last call


class Graph:
    """Puts an ONNX model together, node by node; weights are random."""

    def __init__(self):
        import numpy as np

        self.random = np.random.default_rng(0)
        self.nodes, self.initializers, self.inputs, self.outputs = [], [], [], []

    def input(self, name, shape, dtype="float32"):
        """Declare an input."""
        self.inputs.append(self._declared(name, shape, dtype))
        return name

    def output(self, name, shape, dtype="float32"):
        """Declare an output."""
        self.outputs.append(self._declared(name, shape, dtype))

    def _declared(self, name, shape, dtype):
        from onnx import TensorProto, helper

        kind = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64}[dtype]
        return helper.make_tensor_value_info(name, kind, shape)

    def constant(self, array):
        """Add an initializer and return its name."""
        import numpy as np
        from onnx import numpy_helper

        name = f"c{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def integers(self, *numbers):
        """A constant of int64."""
        import numpy as np

        return self.constant(np.array(numbers, np.int64))

    def weight(self, *shape, fan=None):
        """A random weight."""
        bound = (fan or math.prod(shape[1:]) or 1) ** -0.5
        return self.constant(self.random.uniform(-bound, bound, shape).astype("float32"))

    def node(self, operator, *inputs, count=1, outputs=None, **attributes):
        """Add a node and return the name of its output, or a list of names."""
        from onnx import helper

        names = outputs or [f"v{len(self.nodes)}_{number}" for number in range(count)]
        self.nodes.append(helper.make_node(operator, inputs, names, **attributes))
        return names[0] if len(names) == 1 else names

    def conv(self, x, channels, filters, kernel, *, bias=True, group=1, **attributes):
        """Add a convolution."""
        fan = channels // group * math.prod(kernel)
        weights = [self.weight(filters, channels // group, *kernel, fan=fan)]
        weights += [self.weight(filters, fan=fan)] if bias else []
        return self.node("Conv", x, *weights, kernel_shape=list(kernel), group=group, **attributes)

    def batch_norm(self, x, channels):
        """Add a batch normalization in use."""
        around = [self.random.uniform(low, 1.5, channels).astype("float32") for low in (0.5, -0.5, -0.5, 0.5)]
        return self.node("BatchNormalization", x, *map(self.constant, around))

    def recurrent(self, kind, x, features, hidden, states=(), directions=1, **attributes):
        """Add an LSTM or GRU node; return the names of its outputs."""
        gates = {"LSTM": 4, "GRU": 3}[kind]
        weights = (
            self.weight(directions, gates * hidden, features, fan=hidden),
            self.weight(directions, gates * hidden, hidden, fan=hidden),
            self.weight(directions, 2 * gates * hidden, fan=hidden),
        )
        if directions == 2:
            attributes["direction"] = "bidirectional"
        if kind == "GRU":
            attributes["linear_before_reset"] = 1
        outputs = 1 + (2 if kind == "LSTM" else 1)
        return self.node(kind, x, *weights, "", *states, count=outputs, hidden_size=hidden, **attributes)

    def linear(self, x, features, outputs):
        """Add x @ W + b."""
        product = self.node("MatMul", x, self.weight(features, outputs, fan=features))
        return self.node("Add", product, self.weight(outputs, fan=features))

    def save(self, path):
        """Write the model."""
        import onnx
        from onnx import helper

        graph = helper.make_graph(self.nodes, "graph", self.inputs, self.outputs, self.initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model)
        onnx.save(model, path)


def vad(graph, is_frame):
    """Speech detection: spectrum as a convolution, 4 Conv1d with ReLU, LSTM 128 with its state in and out."""
    samples = 576 if is_frame else 16_000 * 60
    x = graph.input("x", [1, samples])
    h, c = graph.input("h", [1, 1, 128]), graph.input("c", [1, 1, 128])
    x = graph.node("Unsqueeze", x, graph.integers(1))
    x = graph.node("Pad", x, graph.integers(0, 0, 0, 0, 0, 64), mode="reflect")
    spectrum = graph.conv(x, 1, 258, (256,), bias=False, strides=[128])
    parts = [graph.node("Slice", spectrum, *(graph.integers(n) for n in (begin, begin + 129, 1))) for begin in (0, 129)]
    squares = [graph.node("Mul", part, part) for part in parts]
    x = graph.node("Sqrt", graph.node("Add", *squares))
    for channels, filters, stride in ((129, 128, 1), (128, 64, 2), (64, 64, 2), (64, 128, 1)):
        x = graph.conv(x, channels, filters, (3,), strides=[stride], pads=[1, 1])
        x = graph.node("Relu", x)
    x = graph.node("Transpose", x, perm=[2, 0, 1])
    y, h, c = graph.recurrent("LSTM", x, 128, 128, (h, c))
    y = graph.node("Relu", graph.node("Squeeze", y, graph.integers(1)))
    y = graph.node("Transpose", y, perm=[1, 2, 0])
    y = graph.node("Sigmoid", graph.conv(y, 128, 1, (1,)))
    for value, name, shape in ((y, "y", [1, 1, None]), (h, "h_out", [1, 1, 128]), (c, "c_out", [1, 1, 128])):
        graph.node("Identity", value, outputs=[name])
        graph.output(name, shape)
    zeros = graph.random.normal(size=(2, 1, 1, 128)).astype("float32") * 0.1
    return {"x": graph.random.normal(size=(1, samples)).astype("float32"), "h": zeros[0], "c": zeros[1]}


def denoiser(graph, is_frame):
    """A denoiser's block: convolutions over frequencies, GRU with its state, sigmoid mask on the spectrum."""
    steps, bins = (1 if is_frame else 6000), 96
    x, h = graph.input("x", [1, steps, bins]), graph.input("h", [1, 1, 128])
    y = graph.node("Unsqueeze", x, graph.integers(1))  # (1, 1, steps, bins)
    y = graph.node("Relu", graph.conv(y, 1, 16, (1, 3), pads=[0, 1, 0, 1], strides=[1, 2]))
    y = graph.conv(y, 16, 16, (1, 3), pads=[0, 1, 0, 1], group=16)
    y = graph.node("Relu", graph.conv(y, 16, 16, (1, 1)))
    y = graph.node("Relu", graph.conv(y, 16, 8, (1, 3), pads=[0, 1, 0, 1], strides=[1, 2]))
    y = graph.node("Transpose", y, perm=[2, 0, 1, 3])
    y = graph.node("Reshape", y, graph.integers(0, 1, 8 * bins // 4))  # (steps, 1, features)
    y, h = graph.recurrent("GRU", y, 8 * bins // 4, 128, (h,))
    y = graph.node("Squeeze", y, graph.integers(1))  # (steps, 1, 128)
    mask = graph.node("Sigmoid", graph.linear(graph.node("Transpose", y, perm=[1, 0, 2]), 128, bins))
    graph.node("Mul", x, mask, outputs=["y"])
    graph.node("Identity", h, outputs=["h_out"])
    graph.output("y", [1, steps, bins])
    graph.output("h_out", [1, 1, 128])
    x = abs(graph.random.normal(size=(1, steps, bins))).astype("float32")
    return {"x": x, "h": graph.random.normal(size=(1, 1, 128)).astype("float32") * 0.1}


def lstm(graph, is_frame):
    """Two layers of LSTM 64, states in and out, a linear map."""
    steps = 1 if is_frame else 6000
    x, h, c = graph.input("x", [1, steps, 40]), graph.input("h", [2, 1, 64]), graph.input("c", [2, 1, 64])
    y = graph.node("Transpose", x, perm=[1, 0, 2])
    states = [graph.node("Split", value, count=2, axis=0) for value in (h, c)]
    ends = []
    for number, features in enumerate((40, 64)):
        y, *last = graph.recurrent("LSTM", y, features, 64, [each[number] for each in states])
        y = graph.node("Squeeze", y, graph.integers(1))
        ends.append(last)
    y = graph.linear(graph.node("Transpose", y, perm=[1, 0, 2]), 64, 2)
    graph.node("Softmax", y, axis=-1, outputs=["y"])
    for name, values in zip(("h_out", "c_out"), zip(*ends, strict=True), strict=True):
        graph.node("Concat", *values, axis=0, outputs=[name])
    for name, shape in (("y", [1, steps, 2]), ("h_out", [2, 1, 64]), ("c_out", [2, 1, 64])):
        graph.output(name, shape)
    states = graph.random.normal(size=(2, 2, 1, 64)).astype("float32") * 0.1
    return {"x": graph.random.normal(size=(1, steps, 40)).astype("float32"), "h": states[0], "c": states[1]}


def scorer(graph, is_frame):
    """A text scorer: embedding, BiGRU 2×128, attention over steps, a linear map."""
    batch, steps = (1, 32) if is_frame else (32, 128)
    tokens = graph.input("tokens", [batch, steps], "int64")
    table = graph.constant(graph.random.normal(size=(5000, 128)).astype("float32") * 0.1)
    x = graph.node("Transpose", graph.node("Gather", table, tokens, axis=0), perm=[1, 0, 2])
    y, _ = graph.recurrent("GRU", x, 128, 128, directions=2)  # (steps, 2, batch, 128)
    y = graph.node("Transpose", y, perm=[2, 0, 1, 3])
    y = graph.node("Reshape", y, graph.integers(0, 0, 256))  # (batch, steps, 256)
    scores = graph.node("MatMul", graph.node("Tanh", graph.linear(y, 256, 64)), graph.weight(64, 1, fan=64))
    weights = graph.node("Softmax", scores, axis=1)
    pooled = graph.node("ReduceSum", graph.node("Mul", y, weights), graph.integers(1), keepdims=0)
    graph.node("Sigmoid", graph.linear(pooled, 256, 8), outputs=["y"])
    graph.output("y", [batch, 8])
    return {"tokens": graph.random.integers(0, 5000, (batch, steps))}


def crnn(graph, is_frame):
    """A text reader: Conv2d, BatchNorm, ReLU and MaxPool, two BiLSTM 128, a linear map and Softmax."""
    width = 100 if is_frame else 1600
    y = graph.input("image", [1, 1, 32, width])
    channels = 1
    for filters, pool in ((32, (2, 2)), (64, (2, 2)), (128, None), (128, (2, 1)), (256, (2, 1))):
        y = graph.conv(y, channels, filters, (3, 3), pads=[1] * 4, bias=False)
        y = graph.node("Relu", graph.batch_norm(y, filters))
        if pool:
            y = graph.node("MaxPool", y, kernel_shape=[2, 2], strides=list(pool), pads=[0, 0, 0, 2 - pool[1]])
        channels = filters
    y = graph.node("Relu", graph.conv(y, 256, 256, (2, 1)))  # (1, 256, 1, width / 4)
    y = graph.node("Transpose", graph.node("Squeeze", y, graph.integers(2)), perm=[2, 0, 1])
    features = 256
    for _ in range(2):
        y, *_ = graph.recurrent("LSTM", y, features, 128, directions=2)
        y = graph.node("Reshape", graph.node("Transpose", y, perm=[0, 2, 1, 3]), graph.integers(0, 0, 256))
        features = 256
    graph.node("Softmax", graph.linear(y, 256, 96), axis=-1, outputs=["y"])
    graph.output("y", [None, 1, 96])
    return {"image": graph.random.normal(size=(1, 1, 32, width)).astype("float32")}


def tagger(graph, is_frame):
    """A tagger of words: embedding, BiGRU 2×128, two linear maps and Softmax for each word."""
    batch, steps = (1, 32) if is_frame else (32, 128)
    tokens = graph.input("tokens", [batch, steps], "int64")
    table = graph.constant(graph.random.normal(size=(5000, 128)).astype("float32") * 0.1)
    x = graph.node("Transpose", graph.node("Gather", table, tokens, axis=0), perm=[1, 0, 2])
    y, _ = graph.recurrent("GRU", x, 128, 128, directions=2)  # (steps, 2, batch, 128)
    y = graph.node("Reshape", graph.node("Transpose", y, perm=[2, 0, 1, 3]), graph.integers(0, 0, 256))
    y = graph.node("Relu", graph.linear(y, 256, 64))
    graph.node("Softmax", graph.linear(y, 64, 17), axis=-1, outputs=["y"])
    graph.output("y", [batch, steps, 17])
    return {"tokens": graph.random.integers(0, 5000, (batch, steps))}


def pictures(graph, is_frame):
    """A classifier of small pictures: convolutions of one channel each, residual connections, pooling; ten labels."""
    size = 32 if is_frame else 224
    y = graph.input("image", [1, 3, size, size])

    def block(y, channels, filters, kernel, is_rectified=True, **attributes):
        y = graph.batch_norm(graph.conv(y, channels, filters, kernel, bias=False, **attributes), filters)
        return graph.node("Relu", y) if is_rectified else y

    y, channels = block(y, 3, 16, (3, 3), strides=[2, 2], pads=[1] * 4), 16
    for filters, stride in ((16, 1), (24, 2), (24, 1), (40, 2), (40, 1)):
        x, wide = y, 4 * channels
        y = block(y, channels, wide, (1, 1))
        y = block(y, wide, wide, (3, 3), group=wide, pads=[1] * 4, strides=[stride] * 2)
        y = block(y, wide, filters, (1, 1), is_rectified=False)
        y = graph.node("Add", x, y) if stride == 1 and filters == channels else y
        channels = filters
    y = graph.node("Flatten", graph.node("GlobalAveragePool", block(y, channels, 128, (1, 1))))
    graph.node("Gemm", y, graph.weight(10, 128, fan=128), graph.weight(10, fan=128), transB=1, outputs=["y"])
    graph.output("y", [1, 10])
    return {"image": graph.random.normal(size=(1, 3, size, size)).astype("float32")}


FORMS = ("dynamic", "operators", "pairs")
QUANTIZED = ["Conv", "MatMul", "Gemm", "LSTM", "Gather"]  # operators that are quantized dynamically


def quantize(path, feeds, form):
    """Quantize the model at a path by onnxruntime's tools."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_dynamic, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    given = iter([feeds])

    class Once(CalibrationDataReader):
        def get_next(self):
            return next(given, None)

    quant_pre_process(path, path)
    if form == "dynamic":
        return quantize_dynamic(path, path, reduce_range=True, op_types_to_quantize=QUANTIZED)
    written_as = QuantFormat.QDQ if form == "pairs" else QuantFormat.QOperator
    return quantize_static(path, path, Once(), quant_format=written_as, reduce_range=True, per_channel=True)


KINDS = {"vad": vad, "denoiser": denoiser, "lstm": lstm, "scorer": scorer, "crnn": crnn}
ALL = {**KINDS, "tagger": tagger, "pictures": pictures}


def time_in_turns(calls, rounds, clock, chosen=statistics.median):
    """The median time of each call, or another of its times, in seconds."""
    times = [[] for _ in calls]
    counts = []
    for call in calls:
        for _ in range(3):
            call()
        begin = clock()
        call()
        counts.append(max(1, int(ROUND_SECONDS / (clock() - begin))))
    for _ in range(rounds):
        for call, count, own in zip(calls, counts, times, strict=True):
            if clock is time.perf_counter:
                time.sleep(PAUSE_SECONDS)
                call()
            begin = clock()
            for _ in range(count):
                call()
            own.append((clock() - begin) / count)
    return [chosen(own) for own in times]


def measure(kinds, threads, rounds, form, chosen):
    """Time every kind at both sizes; print a row of the table for each."""
    import numpy as np
    import onnxruntime

    import recurra.onnx

    ratios, clock = [], time.thread_time if threads == 1 else time.perf_counter
    for kind in kinds:
        for is_frame in (True, False):
            graph = Graph()
            feeds = ALL[kind](graph, is_frame)
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, f"{kind}.onnx")
                graph.save(path)
                if form is not None:
                    quantize(path, feeds, form)
                own = recurra.onnx.load(path)
                options = onnxruntime.SessionOptions()
                options.intra_op_num_threads = threads
                other = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            for ours, theirs in zip(own.run(None, feeds), other.run(None, feeds), strict=True):
                np.testing.assert_allclose(ours, theirs, rtol=2e-3, atol=2e-4 if form is None else 5e-2)
            calls = [partial(model.run, None, feeds) for model in (own, other)]
            first, second = time_in_turns(calls, rounds, clock, chosen)
            ratios.append(second / first)
            size = "a frame" if is_frame else "a minute"
            print(
                f"| {kind}, {size} | {threads} | {1000 * first:.3f} | {1000 * second:.3f} | {ratios[-1]:.2f} |",
                flush=True,
            )
    mean = math.exp(statistics.mean(map(math.log, ratios)))
    print(f"| geometric mean, least | {threads} | | | {mean:.2f}, {min(ratios):.2f} |", flush=True)


def main():
    """Start a process for each number of threads, as libraries read it when they are loaded."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="*", choices=[[], *ALL], default=[])
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--quantized", choices=FORMS, help="quantize each graph, and write it in this form")
    parser.add_argument("--least", action="store_true", help="the least time of the rounds, not the median")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        kinds = options.kinds or list(KINDS if options.quantized is None else ALL)
        chosen = min if options.least else statistics.median
        return measure(kinds, int(options.threads), options.rounds, options.quantized, chosen)
    print("| graph | threads | recurra, ms | onnxruntime, ms | ratio |\n|---|---|---|---|---|", flush=True)
    for threads in options.threads.split(","):
        environment = {**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        arguments = [sys.executable, __file__, "--here", "--threads", threads, "--rounds", str(options.rounds)]
        arguments += ["--least"] * options.least
        arguments += ["--quantized", options.quantized] if options.quantized else []
        subprocess.run([*arguments, *options.kinds], env=environment, check=True)
    return None


if __name__ == "__main__":
    main()
