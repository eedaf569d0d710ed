"""Which engine runs: by plan, dtype and device, by what is asked for; and what it says where it cannot."""

import numpy as np
import pytest
import torch

import recurra
from recurra.compiler import plan, trace
from recurra.engines import asked, choose, reasons
from recurra.errors import EngineError
from tests.runtime.models import layer, model

LSTM = plan(trace(recurra.cells.lstm))
MGU = plan(trace(recurra.cells.mgu))


@pytest.mark.parametrize("scheduled", [LSTM, MGU], ids=["known", "own"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16"])
def test_a_cpu_runs_native_code(scheduled, dtype):
    assert choose(scheduled, dtype, "cpu").name == "native"
    assert choose(scheduled, dtype, "cpu", resets=True).name == "native"


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16"])
@pytest.mark.parametrize("device", ["cuda", "mps", "xpu"])
def test_other_devices_run_torch_s_fused_layers_where_there_are_any(dtype, device):
    assert choose(LSTM, dtype, device).name == "torch"
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


def test_an_engine_that_cannot_run_a_call_says_why():
    """It never runs another one in silence."""
    own = recurra.nn.Recurrent(recurra.cells.mgu, 3, 4)
    with recurra.engine("torch"):
        with pytest.raises(EngineError, match=r"the torch engine cannot run 'mgu' in float32 on cpu: torch has no"):
            own(torch.randn(5, 2, 3))
        with pytest.raises(EngineError, match="reset="):
            recurra.nn.GRU(3, 4)(torch.randn(5, 2, 3), reset=torch.zeros(5, 2, dtype=torch.bool))
        with pytest.raises(EngineError, match="torch engine cannot run 'gru'"):
            recurra.nn.GRU(3, 4)(torch.randn(5, 2, 3), return_trace=True)
    with recurra.engine("native"), pytest.raises(EngineError, match="run on the CPU, not on meta"):
        recurra.nn.GRU(3, 4, device="meta")(torch.randn(5, 2, 3, device="meta"))


def test_models_without_torch_are_told_too():
    made = model(layer(recurra.cells.mgu, 3, 4))
    with recurra.engine("torch"), pytest.raises(EngineError, match="'mgu'"):
        made(np.zeros((5, 2, 3), np.float32))
