"""The grid of cases, and the part of it that a run's options ask for."""

import json

import pytest

from recurra.bench.cases import CUSTOM_SHAPES, LAYERS, STREAM, Case, CaseShape, cases, is_quick
from recurra.bench.peers import PEERS
from recurra.bench.settings import BenchSettings
from recurra.bench.worker import WorkOrder
from recurra.errors import RecurraError

GRID = """
1,1,128,128,1 · 100,1,32,32,1 · 100,1,128,128,1 · 100,1,512,512,1 · 49,1,10,118,1 · 100,32,28,128,1 · 100,32,128,256,2
· 35,20,200,200,2 · 35,64,256,512,2 · 784,64,1,128,1 · 70,80,400,1150,1 · 168,32,50,40,2 · 500,8,256,512,1 bidirectional
"""


def test_the_shapes():
    assert [str(shape) for shape in (STREAM, *LAYERS)] == [" ".join(shape.split()) for shape in GRID.split("·")]


def test_every_cell_in_every_mode():
    found = [(case.cell, case.training) for case in cases() if case.shape == CaseShape(784, 64, 1, 128)]
    assert sorted(found) == [(cell, mode) for cell in ("gru", "lstm", "rnn") for mode in (False, True)]


def test_no_two_cases_share_a_name():
    names = [case.name for case in cases()]
    assert len(set(names)) == len(names)
    assert "layer gru 500,8,256,512,1 bidirectional training" in names


def test_input_sizes_of_layers():
    assert CaseShape(5, 2, 3, 4, 3).input_sizes == (3, 4, 4)
    assert CaseShape(5, 2, 3, 4, 2, 2).input_sizes == (3, 8)


def test_each_group_has_a_quick_part():
    groups = {case.group for case in cases()}
    assert {case.group for case in cases() if is_quick(case)} == groups
    assert sum(map(is_quick, cases())) < len(list(cases())) / 2


def test_who_runs_what():
    def names(case, threads=1):
        return [peer.name for peer in BenchSettings().peers_of(case, threads)]

    assert names(Case("layer", "gru", LAYERS[0], False), 2) == ["torch", "onnxruntime", "openvino", "jax"]
    assert names(Case("layer", "gru", CaseShape(100, 32, 28, 128), True), 1) == ["torch", "jax"]
    assert names(Case("layer", "gru", CaseShape(100, 32, 28, 128), True), 2) == ["torch", "jax", "one-thread"]
    assert names(Case("custom", "layer_norm_lstm", CUSTOM_SHAPES[0], True)) == ["loop"]
    assert names(Case("custom", "mgu", CUSTOM_SHAPES[0], True)) == ["loop", "torchrecurrent"]
    assert names(Case("packed", "rnn", CUSTOM_SHAPES[0], True)) == ["torch", "padded"]
    assert all(names(case) for case in cases())


def test_a_part_of_the_grid():
    settings = BenchSettings(quick=True, only="stream", peers=("jax",))
    assert {case.group for case in settings.cases(1)} == {"stream"}
    assert {case.group for case in BenchSettings(peers=("loop",)).cases(1)} == {"custom"}
    assert settings.command == "recurra bench --quick --only stream --peer jax"
    assert BenchSettings(threads=(4,)).command == "recurra bench --threads 4"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (BenchSettings(only="("), "--only is not a regular expression"),
        (BenchSettings(only="nothing"), "nothing is left to time"),
        (BenchSettings(peers=("one-thread",), threads=(1,)), "nothing is left to time"),
        (BenchSettings(peers=("keras",)), "there is no 'keras'; there are torch, onnxruntime"),
        (BenchSettings(threads=(0,)), "--threads must be 1 or more; got 0"),
    ],
)
def test_what_cannot_be_meant(settings, message):
    with pytest.raises(RecurraError, match=message.replace("(", r"\(")):
        settings.check()


def test_the_memory_alone():
    settings = BenchSettings(only="^memory")
    settings.check()
    assert not list(settings.cases(1))


def test_an_order_travels():
    order = WorkOrder(BenchSettings(True, "gru", ("torch", "jax"), (1,)), 1, "records.jsonl", ("one", "two"))
    assert WorkOrder.from_json(order.to_json()) == order
    assert json.loads(order.to_json())["threads"] == 1


def test_every_peer_has_its_module():
    assert all(peer.name == name for name, peer in PEERS.items())
    assert len({peer.title for peer in PEERS.values()}) == len(PEERS)
