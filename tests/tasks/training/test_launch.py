"""The variables of torchrun."""

import pytest

from recurra.errors import RunError
from recurra.tasks.training.launch import Launch, is_first, launched


@pytest.fixture
def variables(monkeypatch):
    """Replace torchrun's variables; None removes one."""

    def replace(rank, count, local_rank=None):
        for name, value in {"RANK": rank, "WORLD_SIZE": count, "LOCAL_RANK": local_rank}.items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)

    return replace


def test_without_torchrun(variables):
    variables(None, None)
    assert launched() == Launch(0, 1, 0)
    variables("3", None)  # other programs have a RANK too
    assert launched() == Launch(0, 1, 0)
    assert is_first()


def test_the_place_of_a_process(variables):
    variables("5", "8", "1")
    assert launched() == Launch(5, 8, 1)
    assert not is_first()
    variables("0", "8", "0")
    assert is_first()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (("x", "2", "0"), "must be whole numbers, and are RANK='x', WORLD_SIZE='2', LOCAL_RANK='0'"),
        (("-1", "2", "0"), "must be whole numbers"),
        (("1", "", "0"), "must be whole numbers"),
        (("²", "2", "0"), "must be whole numbers"),
        (("2", "2", "0"), "contradict each other: RANK='2', WORLD_SIZE='2'"),
        (("0", "2", "1"), "contradict each other"),
        (("0", "0", "0"), "contradict each other"),
    ],
)
def test_refused(variables, values, message):
    variables(*values)
    with pytest.raises(RunError, match=message):
        launched()
    assert is_first()  # so that the message is printed
