"""The demo's race compares like with like, and does not time models whose results differ."""

import pytest
import torch

from recurra.errors import RunError
from recurra.look import timing
from recurra.tasks.text import demo
from recurra.tasks.text.settings import ModelSettings
from recurra.tasks.text.token_model import TokenModel


@pytest.fixture
def model() -> TokenModel:
    torch.manual_seed(0)
    return TokenModel(7, ModelSettings("lstm", hidden=6, layers=2, dropout=0.0))


def test_race(model: TokenModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "ROUNDS", 6)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    inputs, targets = torch.randint(0, 7, (2, 5, 3))
    assert isinstance(demo.on_torch(model).recurrent, torch.nn.LSTM)
    found = demo.race(model, inputs, targets)
    assert found.rounds == 6
    assert min(found.ours, found.theirs) > 0
    assert found.difference < 1e-4
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_no_times_for_different_numbers(model: TokenModel, monkeypatch: pytest.MonkeyPatch) -> None:
    right = demo.on_torch

    def wrong(model: TokenModel) -> TokenModel:
        changed = right(model)
        with torch.no_grad():
            next(changed.recurrent.parameters())[0, 0] += 1.0
        return changed

    monkeypatch.setattr(demo, "on_torch", wrong)
    with pytest.raises(RunError, match="differ by"):
        demo.race(model, *torch.randint(0, 7, (2, 5, 3)))


def test_the_job_is_that_of_the_demo() -> None:
    job = demo.demo_job()
    assert job.settings.model.cell == "lstm"
    assert job.settings.training.seconds == 20
    assert job.windows_per_epoch > 300


@pytest.mark.parametrize(("milliseconds", "expected"), [({1: 5.0, 2: 9.0}, 1), ({1: 9.0, 2: 5.0}, 2)])
def test_threads(monkeypatch: pytest.MonkeyPatch, milliseconds: dict[int, float], expected: int) -> None:
    job = demo.demo_job()
    before = torch.get_num_threads()
    monkeypatch.setattr(demo, "milliseconds", lambda step: milliseconds[torch.get_num_threads()])
    with demo.threads(2):
        assert demo.thread_counts() == [1, 2]
        assert demo.faster_threads(job) == expected
        assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == before


def test_indentation_becomes_tabs() -> None:
    assert demo.with_tabs("a    b\n    c\n          d\n") == "a    b\n\tc\n\t\t  d\n"
