import pytest

import recurra
from recurra.engines import chosen, reasons
from recurra.errors import EngineError


def test_the_default_is_the_fastest_that_can_run():
    best = next(name for name in ("native", "triton", "reference") if reasons()[name] is None)
    assert chosen().name == best


def test_a_block_chooses_and_gives_back():
    before = chosen().name
    with recurra.engine("reference"):
        assert chosen().name == "reference"
        with recurra.engine("auto"):
            assert chosen().name == before
        assert chosen().name == "reference"
    assert chosen().name == before


def test_the_environment_chooses(monkeypatch):
    monkeypatch.setenv("RECURRA_ENGINE", "reference")
    assert chosen().name == "reference"
    monkeypatch.setenv("RECURRA_ENGINE", "warp")
    with pytest.raises(EngineError, match=r"RECURRA_ENGINE: there is no engine 'warp'; there are auto, reference"):
        chosen()


def test_an_engine_that_cannot_run_says_why():
    refused = {name: reason for name, reason in reasons().items() if reason}
    for name, reason in refused.items():
        with pytest.raises(EngineError) as error, recurra.engine(name):
            pass
        assert reason in str(error.value)
    with pytest.raises(EngineError, match="no engine"), recurra.engine("cuda"):
        pass
