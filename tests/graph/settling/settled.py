"""Graphs of a few nodes, and their settled calls beside the operators' own functions."""

import numpy as np

from recurra.graph.build import build
from recurra.graph.declaration import Declaration
from recurra.graph.graph import Graph, GraphNode, ModelGraph

F = np.dtype(np.float32)
RANDOM = np.random.default_rng(0)


def declared(*names, dtype=F):
    return tuple(Declaration(name, None, dtype) for name in names)


def weight(*shape):
    return RANDOM.normal(size=shape).astype(F) / np.float32(np.sqrt(np.prod(shape[1:]) or 1))


def node(operator, inputs, outputs="y", **attributes):
    return GraphNode(operator, tuple(inputs.split(",")), tuple(outputs.split(",")), attributes)


def model(nodes, tensors=None, outputs="y", inputs="x", opset=24):
    tensors = {name: np.asarray(value) for name, value in (tensors or {}).items()}
    graph = Graph(
        declared(*inputs.split(",")),
        tuple(Declaration(n, None, None) for n in outputs.split(",")),
        tuple(nodes),
        tensors,
    )
    return build(ModelGraph(graph, opset), "m")


def unsettled(made, *arrays):
    """The outputs by the operators' own functions."""
    names = [each.name for each in made.inputs]
    with np.errstate(all="ignore"):
        return [np.array(each) for each in made._graph.run({**made._defaults, **dict(zip(names, arrays, strict=True))})]


def check(made, *arrays, runs=1, atol=2e-6):
    """Calls with other numbers and other shapes in between give what the operators' own functions give."""
    names = [each.name for each in made.inputs]
    for scale in (1, -0.5, 2):
        given = [(array * scale).astype(array.dtype) for array in arrays]
        found = made.run(None, dict(zip(names, given, strict=True)))
        for own, wanted in zip(found, unsettled(made, *given), strict=True):
            assert own.shape == wanted.shape
            assert own.dtype == wanted.dtype
            np.testing.assert_allclose(own, wanted, rtol=2e-6, atol=atol)
            assert own.flags.owndata
            own[...] = 7  # the caller's own
    (calls,) = made._settled._free.values()
    assert len(calls) == 1
    assert len(calls[0]._runs) == runs
