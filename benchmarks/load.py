"""Times of layers beside busy processes. Prints a table in Markdown.

python -m benchmarks.load [inference|training] [LSTM|GRU] …    without names: all of them

Four sides take turns in each case, each in a process of its own: recurra with one thread and with two, torch.nn and
onnxruntime with two. Each case has four rows: without busy processes, with one for each processor, with three for each
processor, and without any but with a call of onnxruntime before each timed call, as its threads then spin for a while.

The figure of a round is the mean of its calls. Beside busy processes a call may also wait for the turns of others. A
median of calls would only say whether more calls waited than did not.
"""

import statistics
import subprocess
import sys
import time

from benchmarks.busy import Busy

MODES, KINDS = ("inference", "training"), ("LSTM", "GRU")
SHAPES = ((60, 1, 96, 160), (200, 1, 64, 256), (1, 1, 128, 512), (90, 24, 64, 192))
SIDES = ("recurra 1", "recurra 2", "torch 2", "onnxruntime 2")
ROUNDS, SECONDS, LEAST_CALLS = 7, 0.4, 1


# ---- in a worker's process ----


def make(side, kind, shape):
    """The layer of one side and its input; all sides draw the same weights and inputs."""
    import torch

    from recurra import nn

    steps, batch, width, hidden = shape
    torch.manual_seed(0)
    theirs = getattr(torch.nn, kind)(width, hidden)
    x = torch.randn(steps, batch, width)
    if side == "torch":
        return theirs, x
    ours = getattr(nn, kind)(width, hidden)
    ours.load_state_dict(theirs.state_dict())
    return (session(ours, kind, x, hidden) if side == "onnxruntime" else ours), x


def session(layer, kind, x, hidden):
    """A function that runs the layer in onnxruntime and returns its output first, as layers in torch do."""
    import tempfile
    from pathlib import Path

    import numpy as np
    import onnxruntime
    import torch

    from recurra import onnx
    from recurra.nn.parts import describe

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "layer.onnx")
        onnx.export(describe(layer), path, optional_states=False)
        runtime = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    inputs = [value.name for value in runtime.get_inputs()]
    states = np.zeros((1, x.shape[1], hidden), np.float32)
    feed = dict(zip(inputs, [x.numpy(), *[states] * (len(inputs) - 1)], strict=True))
    return lambda _: [torch.from_numpy(value) for value in runtime.run(None, feed)]


def caller(side, mode, kind, shape, beside):
    """Two functions: one times a call and returns its ms, the other returns all results of a call."""
    import torch

    layer, x = make(side, kind, shape)
    spinning = make("onnxruntime", kind, (200, 8, 64, 256))[0] if beside else None

    def inference():
        with torch.no_grad():
            return [layer(x)[0]]

    gradient = torch.ones(*x.shape[:2], shape[3])

    def training():
        layer.zero_grad(set_to_none=True)
        output = layer(x)[0]
        output.backward(gradient)
        return [output.detach(), *(parameter.grad for parameter in layer.parameters())]

    run = inference if mode == "inference" else training

    def timed():
        if spinning is not None:
            spinning(None)
        begin = time.perf_counter()
        run()
        return 1e3 * (time.perf_counter() - begin)

    return timed, run


def work(side, threads):
    """Answer each line: a new case with the root mean squares of its results, the same case again with its time."""
    import torch

    torch.set_num_threads(int(threads))
    case, timed = None, None
    for line in sys.stdin:
        if line != case:
            case = line
            mode, kind, beside, *shape = line.split()
            timed, run = caller(side, mode, kind, tuple(map(int, shape)), beside == "spinning")
            print(*(float(value.double().square().mean().sqrt()) for value in run()), flush=True)
            continue
        times, end = [], time.perf_counter() + SECONDS
        while len(times) < LEAST_CALLS or time.perf_counter() < end:
            times.append(timed())
        print(statistics.mean(times), flush=True)


# ---- in the first process ----


class Worker:
    """A process that runs one side with some number of threads."""

    def __init__(self, name):
        command = [sys.executable, "-m", "benchmarks.load", "work", *name.split()]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, case):
        """The numbers that the process answers with."""
        self.process.stdin.write(case + "\n")
        self.process.stdin.flush()
        return [float(word) for word in self.process.stdout.readline().split()]

    def close(self):
        """End the process."""
        self.process.stdin.close()
        self.process.wait()


def measure(workers, case, busy):
    """The median of each worker's rounds in ms, after a check that all compute the same numbers."""
    sizes = [worker.ask(case) for worker in workers]
    for others in sizes[1:]:
        assert all(abs(a - b) <= 1e-3 * abs(b) + 1e-6 for a, b in zip(others, sizes[0], strict=True)), (case, sizes)
    with Busy(busy):
        rounds = [[worker.ask(case)[0] for worker in workers] for _ in range(ROUNDS)]
    return [statistics.median(column) for column in zip(*rounds, strict=True)]


def main(words):
    """Time the cases that are named."""
    from recurra import _native

    cores = _native.hardware_threads()
    print(f"Medians of {ROUNDS} rounds of calls, ms a call; {cores} processors.\n")
    print(f"| T,B,I,H | busy | {' | '.join(SIDES)} |")
    print(f"|---|---|{'---|' * len(SIDES)}")
    workers = {name: Worker(name) for name in SIDES}
    for mode in [mode for mode in MODES if mode in words] or MODES:
        for kind in [kind for kind in KINDS if kind in words] or KINDS:
            for shape in SHAPES:
                names = SIDES if mode == "inference" else SIDES[:3]
                for beside, busy in (("alone", 0), ("alone", cores), ("alone", 3 * cores), ("spinning", 0)):
                    case = " ".join(map(str, (mode, kind, beside, *shape)))
                    times = measure([workers[name] for name in names], case, busy)
                    label = "onnxruntime's threads" if beside == "spinning" else busy
                    cells = " | ".join(f"{ms:.3g}" for ms in times) + " | " * (len(SIDES) - len(names))
                    print(f"| {kind} {','.join(map(str, shape))}, {mode} | {label} | {cells} |", flush=True)
                    for worker in workers.values():
                        worker.ask("inference RNN alone 1 1 1 1")  # another case, so that the next one is made anew
    for worker in workers.values():
        worker.close()


if __name__ == "__main__":
    if sys.argv[1:2] == ["work"]:
        work(*sys.argv[2:])
    else:
        main(sys.argv[1:])
