"""onnxruntime, inference, called in its fastest way: inputs are bound once."""

from __future__ import annotations

from recurra.bench.peers import onnx_model
from recurra.bench.problem import Problem
from recurra.bench.side import Results, Side


def side(problem: Problem, threads: int) -> Side:
    """A session with so many threads."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(onnx_model.model(problem), options, providers=["CPUExecutionProvider"])
    binding, names = session.io_binding(), onnx_model.outputs(problem)
    for name, value in onnx_model.feed(problem).items():
        binding.bind_ortvalue_input(name, onnxruntime.OrtValue.ortvalue_from_numpy(value))
    for name in names:
        binding.bind_output(name)

    def results() -> Results:
        call()
        return dict(zip(names, binding.copy_outputs_to_cpu(), strict=True))

    def call() -> None:
        session.run_with_iobinding(binding)

    return Side("onnxruntime", call, results)
