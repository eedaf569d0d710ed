"""``with recurra.engine(name)`` runs that engine, or the error says why it cannot."""

import pytest
import torch

import recurra
from recurra.errors import EngineError


def test_an_engine_that_cannot_run_a_call_says_why():
    """No other engine runs in its place unless the log says so."""
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


def test_transforms_run_on_the_reference_engine_and_the_log_says_so_once(caplog):
    layer, x = recurra.nn.GRU(3, 4), torch.randn(2, 5, 2, 3)
    recurra.nn.running.execute._log_exception.cache_clear()
    with caplog.at_level("INFO", "recurra"), recurra.engine("native"):
        for _ in range(2):
            torch.func.vmap(lambda one: layer(one)[0])(x)
    assert [record.message for record in caplog.records if "reference engine runs here" in record.message] == [
        caplog.records[0].message
    ]
    assert "not the native engine" in caplog.text
