"""Programs as JSON: a written program is read back equal, and nothing else is accepted."""

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import recurra.cells
from recurra.compiler import plan, trace
from recurra.errors import ProgramError
from recurra.program import Program, from_json, serial, to_json

CELLS = recurra.cells.all()


@pytest.mark.parametrize("name", CELLS)
def test_round_trip(name):
    program = trace(CELLS[name])
    for made in (program, plan(program).program, plan(program, traced=True).program):
        text = to_json(made)
        assert from_json(text) == made
        assert to_json(from_json(text)) == text
        assert Program.from_json(made.to_json()) == made


def test_numbers_that_are_not_finite_round_trip():
    @recurra.cell
    def bounded(x, h, *, W):
        return recurra.minimum(recurra.maximum(x @ W + h, -float("inf")), float("inf"))

    program = trace(bounded)
    assert "Infinity" not in to_json(program)
    assert from_json(to_json(program)) == program


def content():
    return json.loads(to_json(trace(CELLS["lstm"])))


def change(path, value):
    changed = content()
    target = changed
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    return json.dumps(changed)


BROKEN = {
    "unknown operation": (("equations", 0, "operation"), "import_os"),
    "known operation, wrong operands": (("equations", 0, "operation"), "where"),
    "unknown field": (("extra",), 1),
    "unknown variable": (("equations", 1, "operands", 0), "nobody"),
    "later variable": (("equations", 0, "operands", 0), "h'"),
    "a number for a matrix": (("equations", 1, "operands", 1), 3.0),
    "wrong shape": (("equations", 0, "results", 0, "shape"), ["hidden", "hidden"]),
    "unknown size": (("parameters", 0, "shape"), ["4*secret", "input"]),
    "negative size": (("parameters", 0, "shape"), ["-4*hidden", "input"]),
    "shape no list": (("parameters", 0, "shape"), "hidden"),
    "four dimensions": (("parameters", 0, "shape"), ["input"] * 4),
    "cell's name too long": (("name",), "x" * 101),
    "cell's name not printable": (("name",), "a\nb"),
    "name with code": (("parameters", 0, "name"), "__import__('os')"),
    "defined twice": (("parameters", 0, "name"), "x"),
    "another version": (("version",), 2),
    "version a bool": (("version",), True),
    "another format": (("format",), "pickle"),
    "states missing": (("states",), []),
    "too many results": (
        ("equations", 0, "results"),
        [{"name": f"r{n}", "shape": ["input", "4*hidden"]} for n in range(3)],
    ),
    "state of a matrix": (("states", 0, "shape"), ["hidden", "hidden"]),
    "next state of another size": (("next_states", 0), "x"),
    "output a matrix": (("output",), "weight_ih"),
    "unknown attribute": (("equations", 0, "attributes"), {"code": "1"}),
    "attribute too many": (("equations", 0, "attributes"), {"count": 4}),
    "kind unknown": (("input", "kind"), "complex"),
    "bool input": (("input", "kind"), "bool"),
    "operands too many": (("equations", 0, "operands"), ["x"] * 2000),
    "huge number": (("equations", 2, "operands", 1), 10**400),
}


@pytest.mark.parametrize("what", BROKEN)
def test_refused(what):
    path, value = BROKEN[what]
    with pytest.raises(ProgramError):
        from_json(change(path, value))


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", "{", '{"format": NaN}', "[" * 100_000, '{"a":1,"a":2}', '"' + "x" * 20_000_000 + '"', "\x00"],
    ids=["empty", "null", "list", "cut", "nan", "deep", "twice", "large", "zero"],
)
def test_what_is_no_program_is_refused(text):
    with pytest.raises(ProgramError):
        from_json(text)


def bomb(**parts):
    """A program that is too large in one place."""
    return {**content(), **parts}


def variables(count, shape):
    return [{"name": f"p{n}", "shape": [shape(n)]} for n in range(count)]


BOMBS = {
    "equations": lambda: bomb(equations=[content()["equations"][0]] * (serial.MAX_EQUATIONS + 1)),
    "parameters": lambda: bomb(parameters=variables(serial.MAX_VARIABLES, lambda n: "hidden")),
    "states": lambda: bomb(states=variables(serial.MAX_STATES + 1, lambda n: "hidden")),
    "operands": lambda: bomb(equations=[{**content()["equations"][0], "operands": ["x"] * (serial.MAX_OPERANDS + 1)}]),
    "sizes": lambda: bomb(parameters=variables(serial.MAX_SIZES + 1, lambda n: f"{n + 1}*hidden")),
}


@pytest.mark.parametrize("what", BOMBS)
def test_more_than_a_cap_is_refused(what):
    with pytest.raises(ProgramError, match=r"(?i)more than|at most"):
        from_json(json.dumps(BOMBS[what]()))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" + "0," * (serial.MAX_ITEMS + 1) + "0]", "items"),
        ("{" + ",".join(f'"{n}":0' for n in range(serial.MAX_KEYS + 1)) + "}", "keys"),
        ("[" + "{}," * serial.MAX_OBJECTS + "{}]", "objects"),
        ("[" + "[]," * serial.MAX_LISTS + "[]]", "lists"),
        ('{"format":' + "1" * 21 + "}", "21 characters"),
        ('{"format":-' + "1" * 4_000_000 + "}", "4000001 characters"),
        (" " * serial.MAX_TEXT + "{}", "characters"),
    ],
    ids=["items", "keys", "objects", "lists", "digits", "millions of digits", "characters"],
)
def test_json_beyond_a_cap_is_refused(text, message):
    with pytest.raises(ProgramError, match=message):
        from_json(text)


def test_factors_whose_denominators_grow_are_refused():
    """Their least common multiple has thousands of digits: the time of each sum would grow with the square."""
    changed = content()
    parts = [{"name": f"q{n}", "shape": [f"hidden/{1009 + 2 * n}"]} for n in range(300)]
    changed["equations"].append({"operation": "partition", "operands": ["h"], "results": parts, "attributes": {}})
    with pytest.raises(ProgramError, match="18 digits"):
        from_json(json.dumps(changed))


@pytest.mark.parametrize("text", ["\u001b[2J", "\n\n", "x" * 100_000, "\ud800", "\u202e"])
def test_messages_are_one_line_that_a_terminal_shows(text):
    for path in (("name",), ("parameters", 0, "name"), ("equations", 0, "operation"), (text,), ("output",)):
        with pytest.raises(ProgramError) as refused:
            from_json(change(path, text))
        assert len(str(refused.value)) <= 300
        assert str(refused.value).isprintable()


def _paths(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from _paths(inner, (*path, key))


PATHS = [path for path in _paths(content()) if path]


@settings(max_examples=400)
@given(
    st.sampled_from(PATHS),
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.just([]), st.just({})),
)
def test_any_change_is_refused_or_gives_a_checked_program(path, value):
    try:
        changed = from_json(change(path, copy.deepcopy(value)))
    except ProgramError:
        return
    assert from_json(to_json(changed)) == changed
