"""Layers of programs that are wrong, or that would take hours or gigabytes."""

from recurra import cells
from recurra.program import serial
from tests.model.museum.exhibits import arrays, bytes_of, closed, exhibit, exhibits, opened, small
from tests.program.written import equation, program, variable
from tests.runtime.models import described, layer

HUGE = "999999999"


def of_program(content, hidden=4, weights=None, **settings):
    """A layer whose program is written by hand; weights are empty unless their shapes are given."""
    header, description, body = opened(small())
    part = description["model"]["parts"][0][1]
    part["settings"].update(input_size=4, hidden_size=hidden, **settings)
    description.update(programs=[content], model=part)
    part["kind"] = "Recurrent"
    return closed(*arrays(weights or {}, description))


exhibits(
    "program",
    {
        "an unknown operation": program(equation("a", "import_os", "h")),
        "a call as a name": program(equation("__import__('os').system('x')", "tanh", "h")),
        "an operand that is not there": program(equation("a", "tanh", "nobody")),
        "a ring": program(equation("a", "tanh", "b"), equation("b", "tanh", "a")),
        "no state": program(states=(), next_states=(), output="x"),
        "a state of a projection that is not there": {
            **program(),
            "states": [variable("h", "proj")],
            "equations": [],
            "next_states": ["h"],
            "output": "x",
        },
        "more equations than can be": program(*[equation("a", "tanh", "h")] * (serial.MAX_EQUATIONS + 1)),
        "as many as can be, the last one wrong": program(
            *(equation(f"a{n}", "add", f"a{n - 1}" if n else "h", "h") for n in range(serial.MAX_EQUATIONS - 3)),
            equation("z", "tanh", "nobody"),
        ),
        "as many operands as can be": program(
            equation("c", "concat", *["h"] * (serial.MAX_OPERANDS - 2), shape=(f"{serial.MAX_OPERANDS - 3}*hidden",))
        ),
        "as many results as can be": program(
            equation([variable(f"s{n}", "hidden") for n in range(serial.MAX_VARIABLES - 3)], "split", "h")
        ),
        "as many sizes as can be, all of large factors": program(
            equation(
                [variable(f"s{n}", f"{999999000 + n}*hidden/{999999000 - n}") for n in range(serial.MAX_SIZES - 2)],
                "partition",
                "h",
            )
        ),
        "more names than can be": program(
            parameters=[variable(f"p{n}", "hidden") for n in range(serial.MAX_VARIABLES)]
        ),
        "texts of megabytes": program(name="x" * 3_000_000),
        "a size that is not whole": program(parameters=[variable("p", "hidden/3")]),
        "a size beyond 2**31": program(parameters=[variable("p", "999999999*hidden")]),
        "a matrix of 2**60": program(
            equation("I", "eye", shape=(HUGE, HUGE)), equation("J", "transpose", "I", shape=(HUGE, HUGE))
        ),
        "one number that becomes 2**29": program(
            *(
                equation(f"c{n}", "concat", *[f"c{n - 1}" if n else "p"] * 2, shape=(str(2 ** (n + 1)),))
                for n in range(29)
            ),
            equation("m", "mean", "c28", shape=()),
            equation("h'", "add", "h", "m"),
            parameters=[variable("p", "1")],
        ),
        "heads that are multiplied a million times": program(
            equation("y", "concat", *["h"] * 8192, shape=("8192*hidden",)),
            equation("H", "heads", "y", shape=("32768", "hidden/4"), count=32768),
            *(equation(f"q{n}", "product", "H", "R", shape=("32768",)) for n in range(100)),
            parameters=[variable("R", "32768", "hidden/4", "1")],
        ),
        "transposed in every step": program(
            equation("y", "concat", *["h"] * 8192, shape=("8192*hidden",)),
            *(
                made
                for n in range(100)
                for made in (
                    equation(f"H{n}", "heads", "y", shape=("1", "8192*hidden"), count=1),
                    equation(f"T{n}", "transpose", f"H{n}", shape=("8192*hidden", "1")),
                )
            ),
        ),
    },
    of_program,
)


@exhibit("program: products of parameters that take hours")
def _():
    size = "8192"
    names = [f"M{n}" for n in range(250)]
    made = [
        equation(name, "product", names[n - 1] if n else "I", "I", shape=(size, size)) for n, name in enumerate(names)
    ]
    return of_program(program(equation("I", "eye", shape=(size, size)), *made))


@exhibit("program: a thousand layers of a thousand equations")
def _():
    content = program(*(equation(f"a{n}", "tanh", "h") for n in range(1000)))
    return of_program(content, num_layers=1000)


@exhibit("program: two thousand parts of a thousand equations")
def _():
    content = program(*(equation(f"a{n}", "tanh", "h") for n in range(1000)))
    header, description, body = opened(of_program(content))
    part = description["model"]
    description["model"] = {"kind": "Stack", "settings": {}, "parts": [[str(n), part] for n in range(1900)]}
    return closed(header, description, body)


@exhibit("program: a state of 2**31 numbers")
def _():
    return of_program(program(), hidden=2**31 - 1)


@exhibit("program: a weight of a few numbers tied to thousands of others")
def _():
    header, description, body = opened(bytes_of(described(layer(cells.indrnn, 1000, 1000))))
    description["model"]["settings"]["num_layers"] = 1
    part = description["model"]
    names = [name for name in header if name != "__metadata__"]
    description["model"] = {"kind": "Stack", "settings": {}, "parts": [[str(n), part] for n in range(1000)]}
    description["tied"] = {f"{n}.{name}": f"0.{name}" for n in range(1, 1000) for name in names}
    return closed({f"0.{name}": header[name] for name in names}, description, body)
