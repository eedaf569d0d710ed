"""OpenVINO on the CPU, inference, called in its fastest way: one request, whose inputs are set once."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from recurra.bench.peers import onnx_model
from recurra.bench.problem import Problem
from recurra.bench.side import Results, Side


def side(problem: Problem, threads: int) -> Side:
    """A request of a model compiled for so many threads and for latency, in float32."""
    import openvino

    settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        path.write_bytes(onnx_model.model(problem))
        compiled = openvino.Core().compile_model(path, "CPU", settings)
    request = compiled.create_infer_request()
    feed = onnx_model.feed(problem)
    for name, value in feed.items():
        request.set_tensor(name, openvino.Tensor(value, shared_memory=True))
    names = onnx_model.outputs(problem)

    def results() -> Results:
        call()
        return {name: np.array(request.get_tensor(name).data) for name in names}

    def call() -> object:
        return request.infer(share_outputs=True)

    return Side("openvino", call, results)
