"""The choice of an engine by plan, dtype, device and request, and the message if it cannot run."""

from importlib.util import find_spec

import numpy as np
import pytest

import recurra
from recurra.compiler import plan, trace
from recurra.engines import asked, choose, reasons
from recurra.engines.precision import fast_products
from recurra.errors import EngineError
from tests.runtime.models import layer, model

LSTM = plan(trace(recurra.cells.lstm))
MGU = plan(trace(recurra.cells.mgu))


@pytest.mark.parametrize("scheduled", [LSTM, MGU], ids=["known", "own"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16"])
def test_a_cpu_runs_native_code(scheduled, dtype):
    name = "native_bfloat16" if dtype == "bfloat16" and "bfloat16" in fast_products() else "native"
    assert choose(scheduled, dtype, "cpu").name == name
    assert choose(scheduled, dtype, "cpu", resets=True).name == name


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16"])
@pytest.mark.parametrize("device", ["cuda", "mps", "xpu"])
def test_other_devices_run_torch_s_fused_layers_where_there_are_any(dtype, device):
    assert choose(LSTM, dtype, device).name == ("torch" if find_spec("torch") else "reference")
    assert choose(LSTM, dtype, device, resets=True).name == "reference"
    assert choose(MGU, dtype, device).name == "reference"
    assert choose(plan(trace(recurra.cells.lstm), traced=True), dtype, device).name == "reference"


def test_a_block_chooses_and_gives_back():
    assert asked() == "auto"
    with recurra.engine("reference"):
        assert choose(LSTM).name == asked() == "reference"
        with recurra.engine("auto"):
            assert choose(LSTM).name == "native"
        assert asked() == "reference"
    assert asked() == "auto"


def test_the_environment_chooses(monkeypatch):
    monkeypatch.setenv("RECURRA_ENGINE", "reference")
    assert choose(LSTM).name == "reference"
    with recurra.engine("native"):
        assert choose(LSTM).name == "native"
    monkeypatch.setenv("RECURRA_ENGINE", "warp")
    with pytest.raises(EngineError, match=r"RECURRA_ENGINE: there is no engine 'warp'; there are auto, native"):
        choose(LSTM)


def test_an_engine_that_cannot_run_here_says_why():
    assert set(reasons()) == {"reference", "native", "torch", "triton"}
    refused = {name: reason for name, reason in reasons().items() if reason}
    assert "triton" in refused
    for name, reason in refused.items():
        with pytest.raises(EngineError) as error, recurra.engine(name):
            pass
        assert reason in str(error.value)
    with pytest.raises(EngineError, match="no engine"), recurra.engine("cuda"):
        pass


def test_models_are_told_too():
    made = model(layer(recurra.cells.mgu, 3, 4))
    with pytest.raises(EngineError, match=r"'mgu'|not installed"), recurra.engine("torch"):
        made(np.zeros((5, 2, 3), np.float32))
