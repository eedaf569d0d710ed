"""The check of programs: each rule refuses a program that breaks it."""

import json

import pytest

from recurra.errors import ProgramError
from recurra.program import from_json
from tests.program.written import equation, program, variable

HEADS = equation("H", "heads", "h", shape=("4", "hidden/4"), count=4)
MEAN = equation("m", "mean", "h", shape=())
REFUSED = {
    "eye that is a number": program(equation("I", "eye", shape=())),
    "eye that is a vector": program(equation("I", "eye", shape=("hidden",))),
    "eye that is no square": program(equation("I", "eye", shape=("hidden", "input"))),
    "partition in numbers": program(equation([variable("a"), variable("b")], "partition", "h")),
    "partition with other rows": program(
        equation([variable("a", "2", "1"), variable("b", "3", "2")], "partition", "W"),
        parameters=[variable("W", "2", "3")],
    ),
    "partition of another size": program(
        equation([variable("a", "hidden"), variable("b", "hidden")], "partition", "h"),
    ),
    "a mask with heads": program(
        equation("m", "mask", shape=("4", "hidden/4"), probability=0.5, on=1.0, mean=1.0, per="step"),
    ),
    "heads as many as units": program(
        HEADS,
        equation("T", "transpose", "H", shape=("hidden/4", "4")),
        equation("p", "product", "T", "R", shape=("3*hidden/4",)),
        parameters=[variable("R", "hidden/4", "4", "3")],
    ),
    "three dimensions in every step": program(
        MEAN,
        equation("S", "add", "R", "m", shape=("hidden", "4", "3")),
        parameters=[variable("R", "hidden", "4", "3")],
    ),
    "a parameter of size 0": program(parameters=[variable("p", "0")]),
    "a parameter of no unit": program(parameters=[variable("p", "hidden", "0*hidden")]),
    "a parameter of an unknown size": program(parameters=[variable("p", "secret")]),
    "a product with what differs from step to step": program(
        equation("o", "product", "h", "H", shape=("hidden",)), HEADS
    ),
    "a comparison as the next state": program(equation("h'", "less", "h", "h", kind="bool")),
    "a sum of comparisons": program(
        equation("l", "less", "h", "h", kind="bool"), equation("h'", "add", "l", "h", shape=("hidden",))
    ),
    "an operand that comes later": program(equation("a", "tanh", "b"), equation("b", "tanh", "h")),
    "a number that is not finite": program(equation("a", "add", "h", 1e999)),
    "a number as a comparison": program(equation("a", "where", 1.0, "h", "h")),
    "a probability above 1": program(
        equation("m", "mask", probability=1.5, on=1.0, mean=1.0, per="step"),
    ),
    "a sum along a third axis": program(
        equation("s", "sum_along", "W", shape=("hidden",), axis=2), parameters=[variable("W", "hidden", "hidden")]
    ),
    "a sum along an axis that is none": program(
        equation("s", "sum_along", "W", shape=("hidden",), axis=True), parameters=[variable("W", "hidden", "hidden")]
    ),
    "a sum along the other axis": program(
        equation("s", "sum_along", "W", shape=("2",), axis=1), parameters=[variable("W", "3", "2")]
    ),
    "a sum along the axis of a vector": program(
        equation("s", "sum_along", "p", shape=("hidden",), axis=0), parameters=[variable("p", "hidden")]
    ),
    "a sum along an axis in every step": program(HEADS, equation("s", "sum_along", "H", shape=("4",), axis=1)),
    "a vector of rows in every row": program(
        equation("B", "broadcast", "p", shape=("3", "2"), axis=0), parameters=[variable("p", "3")]
    ),
    "a matrix broadcast to another": program(
        equation("B", "broadcast", "W", shape=("4", "2"), axis=0), parameters=[variable("W", "2", "2")]
    ),
    "a vector broadcast to a vector": program(
        equation("B", "broadcast", "p", shape=("3",), axis=0), parameters=[variable("p", "3")]
    ),
    "a state broadcast to a matrix": program(equation("B", "broadcast", "h", shape=("3", "hidden"), axis=0)),
    "no heads": program(equation("H", "heads", "h", shape=("1", "hidden"), count=0)),
    "millions of heads": program(equation("H", "heads", "h", shape=("1", "hidden"), count=10**7)),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused(what):
    with pytest.raises(ProgramError) as refused:
        from_json(json.dumps(REFUSED[what]).replace("Infinity", "1e999"))
    assert str(refused.value).isprintable()


def test_what_these_are_variations_of_is_accepted():
    made = program(
        HEADS,
        MEAN,
        equation("I", "eye", shape=("hidden", "hidden")),
        equation("k", "mask", probability=0.5, on=1.0, mean=1.0, per="step"),
        equation([variable("a", "2", "1"), variable("b", "2", "2")], "partition", "W"),
        equation("S", "add", "H", "m", shape=("4", "hidden/4")),
        equation("p", "product", "S", "R", shape=("12",)),
        equation("s", "max_along", "W", shape=("2",), axis=1),
        equation("A", "broadcast", "s", shape=("5", "2"), axis=0),
        equation("B", "broadcast", "s", shape=("2", "1"), axis=1),
        equation("C", "broadcast", "B", shape=("2", "hidden"), axis=1),
        parameters=[variable("W", "2", "3"), variable("R", "4", "hidden/4", "3")],
    )
    assert len(from_json(json.dumps(made)).equations) == 12
