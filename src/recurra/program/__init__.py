"""The traced graph: symbolic sizes, the operation table, programs, their printing and their JSON."""

from recurra.program.check import check
from recurra.program.operations import OPERATIONS, Operation
from recurra.program.precision import PRECISIONS, PRODUCTS, Products, check_precision
from recurra.program.program import HISTORY, Equation, Operand, Program, StepInput, Variable, depending
from recurra.program.serial import from_json, to_json
from recurra.program.sizes import HIDDEN, INPUT, PROJ, Shape, Size, Sizes, shape_text

__all__ = [
    "HIDDEN",
    "HISTORY",
    "INPUT",
    "OPERATIONS",
    "PRECISIONS",
    "PRODUCTS",
    "PROJ",
    "Equation",
    "Operand",
    "Operation",
    "Products",
    "Program",
    "Shape",
    "Size",
    "Sizes",
    "StepInput",
    "Variable",
    "check",
    "check_precision",
    "depending",
    "from_json",
    "shape_text",
    "to_json",
]
