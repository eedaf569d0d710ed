"""The operation table and the tables with a row for each operation: a failure names the table that lacks one."""

import onnx
import pytest

import recurra
from recurra import _native, cell, equations
from recurra.compiler import trace
from recurra.compiler.derivatives import RULES, UNDIFFERENTIABLE
from recurra.engines.reference import numpy_table, torch_table
from recurra.engines.triton.expressions import EXPRESSIONS
from recurra.onnx.exporting.operations import WRITERS, operator_of
from recurra.program import OPERATIONS, Program

ELEMENTWISE = {name for name, row in OPERATIONS.items() if row.elementwise}
# Operations that Python writes with operators, forms of functions, and those that only the compiler makes.
NO_FUNCTION = {
    "add", "subtract", "multiply", "divide", "power", "negative", "less", "less_equal", "greater", "greater_equal",
    "equal", "not_equal", "product", "transpose", "partition", "mask", "sum_along", "mean_along", "max_along",
    "broadcast",
}  # fmt: skip
# Operations that the exporter makes of several nodes.
COMPOSED = {"clip", "not_equal"}

TABLES = {
    "equations.FUNCTIONS": (set(OPERATIONS) - NO_FUNCTION, set(equations.FUNCTIONS)),
    "compiler/derivatives.py": (set(OPERATIONS), {*RULES, *UNDIFFERENTIABLE}),
    "engines/reference/numpy_table.py": (ELEMENTWISE, set(numpy_table.ELEMENTWISE)),
    "engines/reference/torch_table.py": (ELEMENTWISE, set(torch_table.ELEMENTWISE)),
    "engines/triton/expressions.py": (ELEMENTWISE, set(EXPRESSIONS)),
    "native/operations.def": (ELEMENTWISE, set(_native.operations())),
    "onnx/exporting/operations.py": (set(OPERATIONS), set(WRITERS)),
    "onnx's operators": (
        ELEMENTWISE - COMPOSED,
        {name for name in ELEMENTWISE if onnx.defs.has(operator_of(name))},
    ),
}


@pytest.mark.parametrize("table", TABLES)
def test_no_table_lacks_an_operation(table):
    wanted, there = TABLES[table]
    missing = sorted(wanted - there)
    assert not missing, f"{table} has no row for {', '.join(missing)}"


def test_no_operation_has_a_rule_and_none():
    assert not set(RULES) & set(UNDIFFERENTIABLE)
    assert set(RULES) | set(UNDIFFERENTIABLE) == set(OPERATIONS)


def test_the_package_exports_every_function():
    """All functions are attributes; a star import takes those that hide nothing of Python's."""
    hiding = {"abs", "max", "sum"}
    for name, function in equations.FUNCTIONS.items():
        assert getattr(recurra, name, None) is function, f"recurra does not export {name}"
        assert (name in recurra.__all__) == (name not in hiding), f"recurra.__all__ and {name}"


def test_programs_with_every_function_are_text_and_data():
    @cell
    def steps(x, h, *, W):
        return recurra.erf(x @ W) + recurra.sign(h) * recurra.floor(h) + recurra.gelu(h)

    program = trace(steps)
    for name in ("erf", "sign", "floor"):
        assert f"{name}(" in str(program)
    assert Program.from_json(program.to_json()) == program
