"""Programs at the size caps are handled like small ones."""

import recurra
from recurra import cell, tanh
from recurra.compiler import plan, trace
from recurra.program import from_json, to_json


@cell
def deep(x, h, *, W, b):
    h = x @ W + h
    for _ in range(700):
        h = (h + b) + (b + x @ W)
    return tanh(h)


def test_thousands_of_nested_operations():
    program = trace(deep)
    assert len(program.equations) > 2800
    assert from_json(to_json(program)) == program
    assert len(str(program)) > len(program.equations)
    assert "product" not in {equation.operation for equation in plan(program).schedule.step}


def test_thousands_of_nested_operations_without_names():
    @cell
    def nameless(x, h, *, W):
        values = [x @ W + h]
        for _ in range(3000):
            values.append(recurra.sigmoid(values.pop()))
        return values[0]

    text = str(trace(nameless))
    assert max(map(len, text.splitlines())) < 1000
