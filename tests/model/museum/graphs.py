"""Files of graphs of operators that are wrong."""

import json
from itertools import pairwise

from recurra.graph.file import GRAPH_KEY, graph_contents
from recurra.model.safetensors import pack
from tests.graph.graphs import recurrent_graph
from tests.model.museum.exhibits import exhibits


def of_graph(change):
    """A file of a graph whose content is changed."""
    tensors, metadata = graph_contents(recurrent_graph())
    content = json.loads(metadata[GRAPH_KEY])
    change(content, content["graph"])
    return b"".join(bytes(piece) for piece in pack(tensors, {GRAPH_KEY: json.dumps(content)}))


def nested(depth):
    """A graph inside an attribute of a graph's node, and so on."""
    inner = {"inputs": [], "outputs": [], "nodes": [], "tensors": {}}
    for _ in range(depth):
        node = {"operator": "If", "inputs": ["x"], "outputs": ["q"], "attributes": {"then_branch": {"graph": inner}}}
        inner = {"inputs": [], "outputs": [], "nodes": [node], "tensors": {}}
    return inner["nodes"][0]


def many(count):
    """Nodes that compute one value after the other, and not the graph's output."""
    names = ["x", *(f"v{number}" for number in range(count))]
    return [{"operator": "Relu", "inputs": [a], "outputs": [b], "attributes": {}} for a, b in pairwise(names)]


exhibits(
    "graph",
    {
        "inside of a graph, a hundred times": lambda c, g: g["nodes"].append(nested(100)),
        "of many nodes, one after the other": lambda c, g: g.update(nodes=many(3000)),
        "a cell of a million units": lambda c, g: g["nodes"][0]["attributes"].update(sizes={"ints": [3, 10**6, 0]}),
        "a cell without a program": lambda c, g: g["nodes"][0]["attributes"].pop("program"),
        "a name of control characters": lambda c, g: g["nodes"][1].update(operator="\x1b[2J"),
        "an operator of another domain": lambda c, g: g["nodes"][1].update(domain="os.system"),
        "no nodes": lambda c, g: g.update(nodes=[]),
        "a list": lambda c, g: c.update(graph=[g]),
        "an attribute that is a huge number": lambda c, g: g["nodes"][1].update(attributes={"a": {"int": 10**400}}),
    },
    of_graph,
)
