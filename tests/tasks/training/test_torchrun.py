"""Processes that sum, join and share tensors, and that notice a dead one."""

import signal

import pytest
import torch

from recurra.errors import RunError
from recurra.tasks.training.launch import Launch
from recurra.tasks.training.torchrun import TorchrunProcesses
from tests.launches import started


def run(folder, action, count):
    """The exit codes, errors and results of so many processes."""
    processes = started(count, "-W", "error", "-m", "tests.tasks.training.collectives", folder, action)
    errors = [process.communicate(timeout=120)[1] for process in processes]
    results = [torch.load(folder / str(rank)) if (folder / str(rank)).exists() else None for rank in range(count)]
    return [process.returncode for process in processes], errors, results


@pytest.mark.slow
def test_every_call(tmp_path):
    codes, errors, results = run(tmp_path, "exchange", 3)
    assert (codes, errors) == ([0, 0, 0], ["", "", ""])
    for rank, each in enumerate(results):
        matrix, vector, scalar = each["gradients"]
        assert torch.equal(matrix, torch.full((2, 3), 6.0))
        assert torch.equal(vector, torch.arange(4.0) * 3)
        assert float(scalar) == 1.5
        assert each["sums"] == [2.0**53, 0.1, 3.0]  # numbers of one process arrive exactly
        assert each["sum"] == [3.75, 3.0]
        assert each["shared"][0].tolist() == [[0.0, 0.0], [0.0, 0.0]]
        assert int(each["shared"][1]) == 0
        assert each["same"] == (True, False)
        assert (each["gathered"] is None) == (each["nothing"] is None) == (rank > 0)
    columns, flags, half = results[0]["gathered"]
    assert columns.tolist() == [[0, 10, 11, 20, 21, 22], [1, 12, 13, 23, 24, 25]]
    assert columns.dtype == torch.int64
    assert flags.tolist() == [[True, True, False, False]]
    assert half.tolist() == [[0.5, 1.5, 2.5]]
    assert half.dtype == torch.bfloat16
    assert results[0]["nothing"] == []
    assert len([rank for each in results for rank in each["told"]]) == 1


@pytest.mark.slow
def test_a_dead_process_is_noticed(tmp_path):
    codes, errors, results = run(tmp_path, "miss", 3)
    assert (codes, errors) == ([0, -signal.SIGKILL, 0], ["", "", ""])
    for each in (results[0], results[2]):
        assert each["message"] == "one of the 3 processes has ended, and the others cannot go on without it"
        assert each["seconds"] < 30


def test_variables_that_lead_nowhere(monkeypatch):
    for name, value in {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "70000"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(RunError, match="process 1 of 2 did not find the others: port must have value from 0 to 65535"):
        TorchrunProcesses(Launch(1, 2))
    monkeypatch.delenv("MASTER_ADDR")
    with pytest.raises(RunError, match=r"did not find the others: .*MASTER_ADDR expected"):
        TorchrunProcesses(Launch(1, 2))
