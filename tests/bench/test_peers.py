"""All sides compute recurra's numbers, on small cases; peers that are not installed are left out."""

import re
from dataclasses import replace
from itertools import product

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from recurra.bench.cases import CUSTOM, LAYERS, STANDARD, STREAM, Case, CaseShape
from recurra.bench.measure import measure
from recurra.bench.peers import PEERS, Peer, onnx_model, torch_peer
from recurra.bench.problem import make
from recurra.bench.rows import FROZEN, describe, rows
from recurra.bench.side import TOLERANCE, Side, difference
from recurra.bench.timing import Rounds
from recurra.bench.torch_side import torch_side
from recurra.tasks.text.demo import threads

SMALL = (CaseShape(12, 3, 5, 16), CaseShape(7, 2, 6, 4, 2), CaseShape(7, 2, 6, 4, 1, 2), CaseShape(5, 3, 4, 6, 2, 2))
MODES = (False, True)
CASES = (
    *(Case("layer", *each) for each in product(STANDARD, SMALL, MODES)),
    *(Case("stream", cell, CaseShape(1, 1, 8, 8), training) for cell, training in product(STANDARD, MODES)),
    *(Case("packed", cell, CaseShape(12, 5, 6, 8, 2), True) for cell in STANDARD),
    *(Case("step", cell, CaseShape(1, 3, 8, 6), training) for cell, training in product(STANDARD, MODES)),
    *(Case("custom", cell, SMALL[0], training) for cell, training in product(CUSTOM, MODES)),
    *(Case("own", "peephole_lstm", SMALL[0], training) for training in MODES),
)
INSTALLED = [peer for peer in PEERS.values() if not peer.missing()]
ONCE = Rounds(many=1, few=1, batch=1e-6)


@pytest.fixture(autouse=True)
def one_thread():
    with threads(1):
        yield


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_same_numbers(case):
    peers = [peer for peer in INSTALLED if peer.covers(case, 1)]
    assert peers
    record = measure_small(case, peers)
    assert record.failures == {}
    ours = {"recurra", FROZEN} if any(peer.holds_weights for peer in peers) else {"recurra"}
    assert set(record.times) == ours | {peer.name for peer in peers}
    assert set(record.differences) == {peer.name for peer in peers} - {"padded", "own-lstm"}
    assert all(off <= TOLERANCE for off in record.differences.values())


def measure_small(case, peers, count=1):
    return measure(case, count, peers, ONCE)


def test_on_one_thread_of_several():
    case = Case("layer", "gru", CaseShape(3, 16, 4, 8), True)
    record = measure_small(case, [PEERS["torch"], PEERS["one-thread"]], 2)
    assert record.failures == {}
    assert set(record.times) == {"recurra", "torch", "one-thread"}
    assert torch.get_num_threads() == 1


@pytest.mark.parametrize("training", MODES)
def test_what_is_compared(training):
    problem = make(Case("layer", "lstm", SMALL[2], training))
    results = torch_peer.side(problem, 1).results()
    names = {"output", "h_n", "c_n"}
    if training:
        names |= {"grad x"} | {f"grad {name}" for name, _ in problem.layer.named_parameters()}
    assert set(results) == names


def test_timed_steps_leave_gradients_and_ask_none_of_the_input():
    problem = make(Case("layer", "rnn", SMALL[0], True))
    side = torch_side("recurra", problem.layer, problem, threads=1)
    side.call()
    assert all(parameter.grad is not None for parameter in problem.layer.parameters())
    assert not problem.x.requires_grad


def test_problems_repeat():
    case = Case("packed", "gru", CaseShape(30, 8, 5, 4), True)
    first, second = make(case), make(case)
    assert torch.equal(first.x.data, second.x.data)
    assert torch.equal(first.weights["weight_hh_l0"], second.weights["weight_hh_l0"])
    lengths = [int((first.x.batch_sizes > place).sum()) for place in range(8)]
    assert lengths == sorted(lengths, reverse=True)
    assert 9 <= min(lengths) < max(lengths) <= 30


@pytest.mark.parametrize("cell", STANDARD)
@pytest.mark.parametrize("shape", [*SMALL, STREAM], ids=str)
def test_onnx_graphs_are_torch_layers(cell, shape):
    problem = make(Case("stream" if shape == STREAM else "layer", cell, shape, False))
    model = onnx_model.model(problem)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    names = onnx_model.outputs(problem)
    found = dict(zip(names, session.run(names, onnx_model.feed(problem)), strict=True))
    expected = torch_peer.side(problem, 1).results()
    assert set(found) == set(expected)
    assert difference(found, expected)[0] <= 1e-5


def test_other_numbers_are_a_failure(monkeypatch):
    right = torch_peer.side

    def wrong(problem, count):
        side = right(problem, count)
        if problem.dense.dtype == torch.float64:
            return side
        return Side(side.name, side.call, lambda: side.results() | {"h_n": side.results()["h_n"] + 0.1}, side.during)

    monkeypatch.setattr(torch_peer, "side", wrong)
    case = Case("layer", "lstm", LAYERS[0], False)
    record = measure_small(case, [PEERS["torch"]])
    assert set(record.times) == {"recurra"}
    (row,) = rows([record])
    assert row.ratio is None
    assert re.fullmatch(r"differs by \S+ in h_n; from float64, recurra by \S+e-0[78] and torch by \S+", row.failure)
    assert "torch: differs by" in describe(record)


@pytest.mark.parametrize("case", [case for case in CASES if case.group != "own"], ids=lambda case: case.name)
def test_who_is_off_can_be_told(case, monkeypatch):
    """With no tolerance at all, every side is judged by float64."""
    monkeypatch.setattr("recurra.bench.measure.TOLERANCE", -1.0)
    record = measure_small(case, [peer for peer in INSTALLED if peer.covers(case, 1) and peer.name != "padded"][:1])
    (failure,) = record.failures.values()
    assert re.fullmatch(
        r"differs by \S+ in .*; from float64, recurra by \S+e-\S+ and (torch|loop) by \S+e-\S+", failure
    )


def test_a_peer_that_breaks_does_not_end_the_others(monkeypatch):
    monkeypatch.setattr(torch_peer, "module", lambda problem: 1 / 0)
    record = measure_small(Case("packed", "gru", SMALL[0], True), [PEERS["torch"], PEERS["padded"]])
    assert record.failures == {"torch": "torch failed: ZeroDivisionError: division by zero"}
    assert set(record.times) == {"recurra", "padded"}


def test_numbers_that_change_are_a_failure(monkeypatch):
    calls = 0

    def unsteady(name, module, problem, **options):
        side = torch_side(name, module, problem, **options)

        def results():
            nonlocal calls
            calls += 1
            return {key: value + (calls > 3) for key, value in side.results().items()}

        return replace(side, results=results)

    monkeypatch.setattr("recurra.bench.measure.torch_side", unsteady)
    record = measure_small(CASES[0], [PEERS["torch"]])
    assert record.times == {}
    assert re.fullmatch(r"RunError: recurra's numbers change from call to call, by \S+ in .*", record.failures["torch"])


def test_when_recurra_breaks_all_rows_say_so(monkeypatch):
    monkeypatch.setattr("recurra.bench.measure.make", lambda case: 1 / 0)
    record = measure_small(CASES[0], [PEERS["torch"]])
    assert record.failures == {"torch": "ZeroDivisionError: division by zero"}


def test_what_is_not_installed():
    peer = Peer("other", "another library", lambda case, count: True, ("numpy", "no_such_package"))
    assert peer.missing() == ("no_such_package",)


def test_differences():
    ours = {"output": np.array([1.0, 2.0]), "h_n": np.array([4.0])}
    assert difference(ours, {"output": np.array([1.0, 2.5])}) == (pytest.approx(0.2), "output")
    assert difference(ours, {"h_n": np.array([np.nan])})[1] == "h_n"
    assert not difference(ours, {"h_n": np.array([np.nan])})[0] <= TOLERANCE
    assert difference(ours, ours)[0] == 0
    with pytest.raises(ValueError, match="'c_n' to compare"):
        difference(ours, {"c_n": np.array([1.0])})
    with pytest.raises(ValueError, match="has shape"):
        difference(ours, {"h_n": np.array([[1.0]])})
