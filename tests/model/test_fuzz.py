"""The fuzzer of tools/fuzz: it runs some inputs without the sanitizer, and finds the faults that it looks for."""

import json
from pathlib import Path

import pytest

from recurra.errors import ProgramError
from recurra.runtime import AutoregressiveModel, ForecastModel

TOOLS = Path(__file__).parents[2] / "tools"


@pytest.fixture
def fuzz(monkeypatch):
    monkeypatch.syspath_prepend(TOOLS)
    import fuzz.foreign
    import fuzz.seeds
    import fuzz.sweep
    import fuzz.targets

    return fuzz


def test_seeds_are_accepted_and_run(fuzz):
    for _, seed in fuzz.seeds.all_seeds():
        assert fuzz.targets.read(seed) is not None
        fuzz.targets.one_input(seed, 1)


def test_the_seeds_have_forecasters_that_run(fuzz):
    forecasters = [each for each in fuzz.seeds.descriptions() if "forecaster" in each.annotations]
    assert len(forecasters) == 2
    for description in forecasters:
        fuzz.targets._forecast(ForecastModel(description))
    autoregressive = [each for each in fuzz.seeds.descriptions() if "autoregressive" in each.annotations]
    assert len(autoregressive) == 2
    for description in autoregressive:
        fuzz.targets._draw(AutoregressiveModel(description))


def test_mutated_inputs_are_refused_or_run(fuzz):
    corpus = [seed for _, seed in fuzz.seeds.all_seeds()]
    accepted = 0
    for number in range(2000):
        data = fuzz.sweep.input_of(corpus, f"test {number}")
        fuzz.targets.one_input(data, 4)
        accepted += fuzz.targets.read(data) is not None
    assert 20 < accepted < 1500


def test_mutated_files_of_others_are_refused_or_converted(fuzz):
    corpus = [seed for _, seed in fuzz.foreign.foreign()]
    accepted = 0
    for number in range(500):
        data = fuzz.sweep.input_of(corpus, f"test {number}")
        fuzz.targets.one_input(data, 8)
        accepted += fuzz.targets.read(data) is not None
    assert 20 < accepted < 400


def test_seeds_are_written(fuzz, tmp_path):
    fuzz.seeds.write(tmp_path / "seeds", ["torch", "hdf5"])
    assert {path.name.partition("-")[0] for path in (tmp_path / "seeds").iterdir()} == {"torch", "hdf5"}


@pytest.mark.parametrize("message", ["two\nlines", "x" * 1000, "\x1b[2J"])
def test_messages_that_are_no_line_are_found(fuzz, monkeypatch, message):
    def refuse(text):
        raise ProgramError(message)

    monkeypatch.setattr(fuzz.targets, "from_json", refuse)
    with pytest.raises(fuzz.targets.Found, match="no line"):
        fuzz.targets.read(b"{}")


def test_programs_that_change_are_found(fuzz, monkeypatch):
    text = next(fuzz.seeds.programs())
    renamed = json.dumps({**json.loads(text), "name": "other"})
    monkeypatch.setattr(fuzz.targets, "to_json", lambda program: renamed)
    with pytest.raises(fuzz.targets.Found, match="round trip"):
        fuzz.targets.read(text.encode())
