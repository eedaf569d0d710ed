"""Helpers: the shapes that a trace finds, and the messages with which it refuses a cell."""

import re
from pathlib import Path

import pytest

from recurra import cell
from recurra.compiler import trace
from recurra.errors import EquationError
from recurra.program import shape_text


def shapes(target, sizes=None, **options):
    return {variable.name: shape_text(variable.shape) for variable in trace(target, options, sizes=sizes).parameters}


def refused(function):
    """The message with which a cell is refused; it must name the cell."""
    with pytest.raises(EquationError) as error:
        trace(cell(function))
    message = str(error.value)
    assert repr(function.__name__) in message
    file = Path(function.__code__.co_filename).name
    assert re.search(rf"{re.escape(file)}:\d+", message), message
    return message
