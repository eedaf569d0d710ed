"""The benchmark of the textbooks' character model: its data, and that its numbers are torch's."""

import importlib.util
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[1]
TEXT = ROOT.parent / "shared" / "data" / "timemachine.txt"


def script():
    spec = importlib.util.spec_from_file_location("time_machine", ROOT / "benchmarks" / "time_machine.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(not TEXT.exists(), reason="the text of The Time Machine is not here (../shared/data)")
def test_the_corpus():
    numbers, letters = script().corpus(TEXT)
    assert (len(numbers), letters) == (10_000, 27)


def test_windows_follow_on_each_other():
    module = script()
    numbers = torch.arange(10_000)
    pairs = list(module.windows(numbers, 7))
    assert [tuple(x.shape) for x, _ in pairs] == [(35, 32)] * 8
    for x, y in pairs:
        assert torch.equal(x + 1, y)
    lanes = torch.cat([x for x, _ in pairs])
    assert torch.equal(lanes[1:], lanes[:-1] + 1)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_training_follows_torch(cell, capsys):
    module = script()
    numbers = torch.randint(27, (3_000,), generator=torch.Generator().manual_seed(0))

    ours = module.train(cell, numbers, 27, 2)
    assert ours == pytest.approx(module.train(cell, numbers, 27, 2, make=module.torch_layer), rel=1e-5)
