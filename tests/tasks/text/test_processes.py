"""Several processes that train one language model have the losses of one process with as many lanes."""

import json

import pytest

from tests.launches import started
from tests.tasks.text.curves import curves

TOLERANCES = {"torch.float32": 1e-5, "torch.float64": 1e-10}


@pytest.fixture(scope="module")
def alone():
    return curves()


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 3])
def test_the_losses_are_those_of_one_process(alone, tmp_path, count):
    processes = started(count, "-W", "error", "-m", "tests.tasks.text.curves", tmp_path / "curves")
    assert [process.communicate(timeout=300)[1] for process in processes] == [""] * count
    together = json.loads((tmp_path / "curves").read_text())
    assert together.keys() == alone.keys()
    for name, losses in together.items():
        tolerance = TOLERANCES[name.split()[1]]
        assert len(losses["train"]) >= 100
        assert len(losses["valid"]) >= 2
        assert losses["train"] == pytest.approx(alone[name]["train"], rel=tolerance)
        assert losses["valid"] == pytest.approx(alone[name]["valid"], rel=tolerance)
        assert losses["train"] != alone[name]["train"]  # the sums are taken in another order
        assert losses["train"][-1] < losses["train"][0] / 2
