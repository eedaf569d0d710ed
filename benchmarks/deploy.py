"""Costs of a model in use: start-up, steps, many streams, memory. Prints a table in Markdown.

python benchmarks/deploy.py [cold|step|streams|draw|memory|size] …    without a name: all of them

import_time.py measures imports.
"""

import gc
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from import_time import measure

from recurra import cells, runtime
from recurra.compiler import trace
from recurra.model import Description, Part, Weight, weights_of, write
from recurra.runtime.sampling import Sampler, SamplingSettings

ROUNDS = 15


def lstm(input_size, hidden_size):
    """A model of one LSTM with random weights."""
    settings = {
        "input_size": input_size, "hidden_size": hidden_size, "num_layers": 1, "bias": True, "batch_first": False,
        "dropout": 0.0, "bidirectional": False, "proj_size": 0, "program": trace(cells.lstm), "init": {},
    }  # fmt: skip
    part = Part("LSTM", settings)
    random = np.random.default_rng(0)
    bound = hidden_size**-0.5
    weights = {
        name: Weight.of(random.uniform(-bound, bound, shape).astype(np.float32))
        for name, shape in weights_of(part).items()
    }
    return Description(part, weights)


RECURRA = """
import numpy as np
from recurra import runtime
model = runtime.load({path!r})
print(model(np.ones((1, 1, 256), np.float32))[0].sum())
"""
ONNXRUNTIME = """
import numpy as np, onnxruntime
session = onnxruntime.InferenceSession({path!r}, providers=["CPUExecutionProvider"])
zeros = np.zeros((1, 1, 256), np.float32)
feeds = dict(x=np.ones((1, 1, 256), np.float32), h_0=zeros, c_0=zeros)
print(session.run(None, feeds)[0].sum())
"""


def bench_cold():
    """Time the first output of a new process, beside onnxruntime."""
    from recurra import onnx

    description = lstm(256, 256)
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = Path(folder, "m.safetensors"), Path(folder, "m.onnx")
        write(description, ours)
        onnx.export(description, theirs, optional_states=False)  # onnxruntime warns of states with defaults
        codes = [RECURRA.format(path=str(ours)), ONNXRUNTIME.format(path=str(theirs)), "import numpy"]
        times = zip(*measure(codes, ROUNDS), strict=True)
    ms, other, numpy = (1000 * statistics.median(column) for column in times)
    measured = f"{ms:.0f} ms; onnxruntime {other:.0f} ms; numpy alone {numpy:.0f} ms"
    print(f"| first output of a cold process, LSTM of 256 units | {measured} | 300 ms, and less than onnxruntime |")


def percentiles(step, count=50_000):
    """The median and the 99th percentile of a call's time, in microseconds."""
    for _ in range(2000):
        step()
    times = np.empty(count)
    gc.disable()
    for n in range(count):
        begin = time.perf_counter_ns()
        step()
        times[n] = time.perf_counter_ns() - begin
    gc.enable()
    return np.percentile(times, [50, 99]) / 1000


def bench_step():
    """Time a step of one stream, from Python."""
    for input_size, hidden_size in ((32, 32), (1, 128), (128, 128), (256, 256), (512, 512)):
        stream = runtime.Model(lstm(input_size, hidden_size)).stream()
        x = np.ones(input_size, np.float32)
        half, most = min((percentiles(lambda s=stream, v=x: s.step(v)) for _ in range(3)), key=lambda pair: pair[0])
        wanted = "8 µs, p99 ≤ 2 × p50" if hidden_size == 128 else ""
        print(
            f"| `step`, LSTM of {hidden_size} units, {input_size} inputs | {half:.1f} µs, p99 {most:.1f} | {wanted} |"
        )


def rate(call, count, rounds=9):
    """Steps per second, the median of some rounds."""
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return count / statistics.median(times)


def bench_streams(count=1000):
    """Time steps of many sequences together, and of the same sequences one by one."""
    for input_size, hidden_size in ((8, 16), (32, 32), (1, 128), (128, 128)):
        model = runtime.Model(lstm(input_size, hidden_size))
        x = np.random.default_rng(0).standard_normal((count, input_size)).astype(np.float32)
        streams = model.streams()
        ids = streams.join(count)
        alone = [model.stream() for _ in range(count)]
        together = rate(lambda s=streams, i=ids, v=x: s.step(i, v), count)
        one_by_one = rate(
            lambda s=streams, i=ids, v=x: [s.step(i[n : n + 1], v[n : n + 1]) for n in range(count)], count
        )
        own = rate(lambda a=alone, v=x: [stream.step(row) for stream, row in zip(a, v, strict=True)], count)
        what = f"{count} streams, LSTM of {hidden_size} units, {input_size} inputs"
        factors = f"{together / one_by_one:.0f} × `Streams.step` one by one, {together / own:.1f} × a `Stream` each"
        print(f"| {what} | {together / 1e6:.2f} million steps/s: {factors} | 20 × |")


def bench_draw():
    """Time draws of a token from logits, in time of the processor: the least of some rounds."""
    cases = {"all": {}, "`top_k=40`": {"top_k": 40}, "`top_p=0.9`": {"top_p": 0.9}, "the likeliest": {"temperature": 0}}
    for tokens, count in ((100, 2000), (33_278, 200)):
        random = np.random.default_rng(0)
        # As in a text: the k-th most frequent token comes some 1/k as often as the first, and a context says more.
        logits = [random.normal(0, 2.5, tokens) - np.log(np.arange(1, tokens + 1)) for _ in range(20)]
        logits = [each.astype(np.float32) for each in logits]
        figures = []
        for name, settings in cases.items():
            sampler = Sampler(SamplingSettings(seed=1, **settings), never=[0])
            times = []
            for _ in range(ROUNDS):
                begin = time.process_time()
                for number in range(count):
                    sampler.draw(logits[number % len(logits)])
                times.append((time.process_time() - begin) / count)
            figures.append(f"{min(times) * 1e6:.1f} µs ({name})")
        print(f"| a draw of one of {tokens:,} tokens | {', '.join(figures)} | |")


def bench_memory(steps=10_000_000):
    """Measure the growth of the process over many steps."""
    stream = runtime.Model(lstm(8, 16)).stream()
    x = np.ones(8, np.float32)
    for _ in range(100_000):
        stream.step(x)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(steps):
        stream.step(x)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(f"| growth of memory over {steps:,} steps | {grown} KiB | none |")


def bench_size():
    """Measure the size of the installed native module."""
    import recurra._native

    print(f"| native module | {Path(recurra._native.__file__).stat().st_size / 1e6:.2f} MB | 3 MB |")


PARTS = {name.removeprefix("bench_"): value for name, value in list(globals().items()) if name.startswith("bench_")}

if __name__ == "__main__":
    print("| what | measured | wanted |\n|---|---|---|")
    for name in sys.argv[1:] or PARTS:
        PARTS[name]()
