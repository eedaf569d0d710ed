"""Layers in int8 beside onnxruntime's and torch's dynamic quantization, and beside float32.

    python benchmarks/quantized.py --threads 1 --threads 2

Each line has milliseconds for recurra in float32, recurra in int8 (``recurra.quantize``), onnxruntime in float32 and
quantized (``quantize_dynamic``, which makes a DynamicQuantizeLSTM of an LSTM and leaves a GRU in float32), and
torch's ``quantize_dynamic``; then how many times as fast recurra's int8 is as its float32 and as the two quantized
others. Times are medians of interleaved rounds; the least is shown in brackets. Before anything is timed, each side's
error against float64 is printed, relative to the largest number.

On processors without AVX512_VNNI onnxruntime's products of 8 bits saturate, and its outputs are off by a quarter of
the largest. There its weights have 7 bits (``reduce_range=True``), as its documentation advises; it is as fast so.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import onnxruntime
import torch
from onnxruntime.quantization import quantize_dynamic
from torch import Tensor, nn

import recurra
import recurra._native
from recurra.bench.machine import machine
from recurra.bench.side import Side
from recurra.bench.timing import Rounds, race

SHAPES = ((100, 1, 128, 256), (100, 8, 128, 256), (35, 64, 256, 512))  # T, B, I, H
KINDS = ("LSTM", "GRU")
SIDES = ("recurra float32", "recurra int8", "onnxruntime float32", "onnxruntime int8", "torch int8")


def onnx_calls(layer: nn.Module, x: Tensor, threads: int, folder: Path) -> list[Callable[[], Tensor]]:
    """Calls of onnxruntime on the layer in float32 and quantized."""
    path, small = folder / "layer.onnx", folder / "small.onnx"
    recurra.onnx.export(layer, path)
    has_vnni = "avx512vnni" in recurra._native.cpu()["features"]
    quantize_dynamic(path, small, reduce_range=not has_vnni)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3  # it says of each state that it may be given
    calls = []
    for each in (path, small):
        session = onnxruntime.InferenceSession(str(each), options, providers=["CPUExecutionProvider"])
        names = [value.name for value in session.get_inputs()]
        states = {value.name: torch.zeros([1, x.shape[1], layer.hidden_size]).numpy() for value in session.get_inputs()}
        feeds = {name: x.numpy() if name == names[0] else states[name] for name in names}
        calls.append(lambda session=session, feeds=feeds: torch.from_numpy(session.run(None, feeds)[0]))
    return calls


@torch.no_grad()
def case(kind: str, shape: tuple[int, int, int, int], threads: int, rounds: int, folder: Path) -> None:
    """Compare and time one layer at one shape."""
    steps, batch, width, hidden = shape
    torch.manual_seed(0)
    given = getattr(nn, kind)(width, hidden)
    ours = getattr(recurra.nn, kind)(width, hidden)
    ours.load_state_dict(given.state_dict())
    x = torch.randn(steps, batch, width)
    truth = getattr(nn, kind)(width, hidden).double()
    truth.load_state_dict(given.state_dict())
    exact = truth(x.double())[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch announces its next quantizer
        theirs = torch.ao.quantization.quantize_dynamic(nn.Sequential(given), {getattr(nn, kind)})[0]
    small = recurra.quantize(ours)
    calls = [lambda: ours(x)[0], lambda: small(x)[0], *onnx_calls(ours, x, threads, folder), lambda: theirs(x)[0]]
    with recurra.frozen(ours):
        found = [call().double().reshape(exact.shape) for call in calls]
        errors = [float((output - exact).abs().max() / exact.abs().max()) for output in found]
        # Between turns onnxruntime's threads stop waiting for work, which would take a processor from the next side.
        turns = Rounds(many=rounds, few=rounds, fewest=rounds, settle=0.2)
        times = race([Side(name, call) for name, call in zip(SIDES, calls, strict=True)], turns)
    print(f"{kind} {shape}: errors " + ", ".join(f"{error:.1e}" for error in errors))
    taken = [[1e3 * seconds for seconds in times[name] if seconds is not None] for name in SIDES]
    ms = [statistics.median(each) for each in taken]
    shown = ", ".join(f"{median:.2f} [{min(each):.2f}]" for median, each in zip(ms, taken, strict=True))
    float32, _, _, theirs_int8, torch_int8 = (each / ms[1] for each in ms)
    print(f"  {shown} ms; x {float32:.2f} of float32, {theirs_int8:.2f} of onnxruntime, {torch_int8:.2f} of torch")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, action="append", help="threads, several times for several; default 1")
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args(arguments)
    print(
        f"{machine().processor}, torch {torch.__version__}, onnxruntime {onnxruntime.__version__}; {', '.join(SIDES)}"
    )
    for threads in given.threads or [1]:
        torch.set_num_threads(threads)
        print(f"{threads} thread{'s' * (threads > 1)}")
        for kind in KINDS:
            for shape in SHAPES:
                with tempfile.TemporaryDirectory() as folder:
                    case(kind, shape, threads, given.rounds, Path(folder))


if __name__ == "__main__":
    main()
