"""Several inputs a step: their declaration, the traced program, and programs of files."""

import json

import pytest

from recurra import EquationError, ProgramError, cell, exp, tanh
from recurra.compiler import plan, trace
from recurra.program import Program, Sizes


def decaying(x, dt, m, h, *, W, M, w):
    h = exp(-dt * w) * h
    h = tanh(x @ W + m @ M + h)
    return h


INPUTS = {"x": None, "dt": 1.0, "m": None}
SIZES = {"m": "input"}


def test_the_program():
    made = cell(inputs=INPUTS, sizes=SIZES)(decaying)
    assert (made.inputs, made.states) == (INPUTS, ("h",))
    assert repr(made) == "<cell decaying(x, dt, m, h)>"
    program = trace(made)
    assert program.input.width(Sizes(5, 4)) == 11
    assert [(each.name, str(each.size), each.default) for each in program.inputs] == [
        ("x", "input", None),
        ("dt", "1", 1.0),
        ("m", "input", None),
    ]
    lines = [" ".join(line.split()) for line in str(program).splitlines()]
    assert lines[:4] == ["decaying(x, dt, m, h)", "x (input)", "dt scalar", "m (input)"]
    assert not any("partition" in line or "%" in line for line in [*lines, *str(plan(program)).splitlines()])
    assert Program.from_json(program.to_json()) == program


def test_an_input_is_a_number_or_a_vector():
    assert (
        trace(cell(inputs=("x", "dt", "m"), sizes={"m": 7})(decaying)).named_inputs[2].shape[0].value(Sizes(1, 1)) == 7
    )

    def product(x, dt, h, *, W, w):
        return tanh(x @ W + dt @ w + h)

    assert str(trace(cell(inputs=("x", "dt"), sizes={"dt": 1})(product)).parameters[1].shape[0]) == "1"
    with pytest.raises(EquationError, match="`dt` has shape scalar"):
        trace(cell(inputs=("x", "dt"))(product))
    with pytest.raises(EquationError, match=r"the input `dt` the shape .*: it is a vector"):
        trace(cell(inputs=("x", "dt"), sizes={"dt": (2, 3)})(product))


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (("dt",), r"inputs names the first arguments in their order.*are \(x, dt, m, h\)"),
        (("x", "m"), "inputs names the first arguments"),
        ("x", "inputs names the first arguments"),
        ((), "inputs names the first arguments"),
        ({"x": 1.0, "dt": 1.0}, "the first input, x, can have no default"),
        ({"x": None, "dt": "1"}, r"inputs\['dt'\] must be a number, or None for none; not '1'"),
        ({"x": None, "dt": float("nan")}, "must be a number, or None"),
        (("x", "dt", "m", "h"), "before the star stand the input and at least one state"),
    ],
)
def test_declarations_that_are_refused(inputs, message):
    with pytest.raises(EquationError, match=message):
        cell(inputs=inputs)(decaying)


def test_names_that_calls_need():
    def taken(x, reset, h, *, W):
        return tanh(x @ W + reset * h)

    with pytest.raises(EquationError, match="an input beside the first one cannot be called reset"):
        cell(inputs=("x", "reset"))(taken)


def test_an_input_that_nothing_reads():
    def unread(x, dt, h, *, W):
        return tanh(x @ W + h)

    with pytest.raises(EquationError, match="input `dt` is not used"):
        trace(cell(inputs=("x", "dt"))(unread))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p["inputs"].pop(), r"input %inputs must have shape \(input \+ 1\)"),
        (lambda p: p["inputs"][2].update(size="5"), r"must have shape \(input \+ 6\)"),
        (lambda p: p["inputs"][0].update(size="hidden"), "the first has the size input"),
        (lambda p: p["inputs"][1].update(name="x"), "names of at least two, which differ"),
        (lambda p: p["inputs"][1].update(name="x y"), "'x y' is not a name"),
        (lambda p: p["inputs"][1].update(default="1"), "is no default of an input"),
        (lambda p: p["inputs"][1].update(default=True), "is no default of an input"),
        (lambda p: p["inputs"][1].update(size=1), "the size of an input is a text"),
        (lambda p: p["inputs"][1].update(more=1), "not known"),
        (lambda p: p.update(inputs=[]), r"input %inputs must have shape \(input\)"),
        (lambda p: p.update(inputs=p["inputs"] * 9), "a list of at most 20"),
        (lambda p: p.update(inputs=p["inputs"][:1]), "at least two"),
    ],
)
def test_programs_that_are_refused(change, message):
    content = json.loads(trace(cell(inputs=INPUTS, sizes=SIZES)(decaying)).to_json())
    change(content)
    with pytest.raises(ProgramError, match=message):
        Program.from_json(json.dumps(content))
