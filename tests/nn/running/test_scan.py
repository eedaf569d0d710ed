"""A scan holds its program as an object that modules share; it is text only in files and compiled graphs."""

import ast
import copy
import pickle
from pathlib import Path

import torch
from torch._dynamo.testing import CompileCounterWithBackend

import recurra
from recurra import cells
from recurra.nn import Recurrent, RecurrentCell

SOURCE = Path(recurra.__file__).parent
ROOMS = {"program/__init__.py", "program/program.py", "program/serial.py"}
# Graphs hold programs as text too: an exported module's call of the operator, and a layer of Keras with a mask, become
# nodes, which others read.
EXPORTED, CONVERTED = "nn/graphs/rules/recurrent.py", "conversion/keras_graphs/rules/recurrent.py"
GRAPHS = {EXPORTED, "graph/operators/cell_scan.py", "onnx/exporting/from_graph.py", "onnx/torch_exporters/recorded.py"}
READERS, WRITERS = {*ROOMS, *GRAPHS, "nn/running/operator.py"}, {*ROOMS, EXPORTED, CONVERTED, "nn/running/scan.py"}


def test_programs_are_read_from_text_by_files_and_the_operator_alone():
    for path in SOURCE.rglob("*.py"):
        name = path.relative_to(SOURCE).as_posix()
        if not name.startswith("bench/"):  # whose orders to other processes are JSON too
            tree = ast.parse(path.read_text(encoding="utf-8"))
            names = {getattr(node, "id", getattr(node, "attr", None)) for node in ast.walk(tree)}
            assert "from_json" not in names or name in READERS, path
            assert "to_json" not in names or name in WRITERS, path


def test_a_module_has_its_program_as_it_is():
    layer = Recurrent(cells.mgu, 3, 4, num_layers=2, bidirectional=True)
    assert layer.program is layer.program is Recurrent(cells.mgu, 5, 6).program
    assert all(scan.plan is layer._scans[0].plan for scan in layer._scans)
    one = RecurrentCell(cells.mgu, 3, 4)
    assert one.program is layer.program


def test_a_copy_shares_the_program_and_a_pickle_holds_it_once():
    layer = Recurrent(cells.mgu, 3, 4, num_layers=4, bidirectional=True)
    assert copy.deepcopy(layer)._scans[0] is layer._scans[0]
    scans = pickle.loads(pickle.dumps(layer._scans))
    assert scans == layer._scans
    assert all(scan.plan is layer._scans[0].plan for scan in scans)
    one, eight = (len(pickle.dumps(part)) for part in (layer._scans[:1], layer._scans))
    assert eight < one + 7 * 100


def test_one_graph_serves_copies():
    layer, x = Recurrent(cells.mgu, 3, 4), torch.randn(5, 2, 3)
    torch._dynamo.reset()
    counter = CompileCounterWithBackend("eager")
    for other in (layer, copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), Recurrent(cells.mgu, 3, 4)):
        compiled = torch.compile(other, fullgraph=True, backend=counter)
        assert torch.equal(compiled(x)[0], other(x)[0])
    assert counter.frame_count == 1
    another = Recurrent(cells.gru, 3, 4)
    assert torch.equal(torch.compile(another, fullgraph=True, backend=counter)(x)[0], another(x)[0])
    assert counter.frame_count == 2
