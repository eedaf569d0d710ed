"""`recurra explain --mistake`: the way from a message to its page."""

import re
import subprocess
import sys
from collections.abc import Callable

import pytest
import torch

from recurra.mistakes import NAMES
from recurra.mistakes.page import mistake
from recurra.nn import GRU

Call = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize("name", NAMES)
def test_every_mistake(call: Call, name: str) -> None:
    assert call("explain", "--mistake", name) == (0, f"{mistake(name)}\n", "")


def test_the_address_of_a_message_is_a_command(call: Call) -> None:
    with pytest.raises(RuntimeError) as error:
        GRU(10, 20)(torch.zeros(3, 2, 9))
    command = re.search(r"\(recurra (.+)\)$", str(error.value))
    assert command
    code, out, _ = call(*command[1].split())
    assert code == 0
    assert out.startswith("Another number of features than input_size (input-features)\n")


def test_all_are_listed(call: Call) -> None:
    code, out, err = call("explain", "--mistake", "list")
    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()] == list(NAMES)


def test_an_unknown_name(call: Call) -> None:
    code, out, err = call("explain", "--mistake", "h0")
    assert (code, out) == (2, "")
    assert err == (
        "recurra: there is no mistake 'h0': did you mean h0-shape? recurra explain --mistake list shows all\n"
    )


@pytest.mark.parametrize("beside", [["lstm"], ["--html", "page.html"], ["--svg", "drawing.svg"], ["--json"]])
def test_it_stands_alone(call: Call, beside: list[str]) -> None:
    code, out, err = call("explain", *beside, "--mistake", "h0-shape")
    assert (code, out) == (2, "")
    assert err == "recurra: --mistake NAME stands alone, without CELL, --html, --svg and --json\n"


def test_it_needs_no_torch() -> None:
    code = "import sys; sys.modules['torch'] = None\nfrom recurra.cli import main\nsys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "explain", "--mistake", "gate-order"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.startswith("Weights with another order of gates (gate-order)\n")
