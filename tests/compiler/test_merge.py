"""merge makes one product of all products with the same left operand."""

from recurra import cells
from recurra.compiler import merge, trace
from tests.compiler.outcomes import operations


def test_merge_makes_one_product_of_four():
    program = merge(trace(cells.peephole_lstm))
    assert operations(program.equations).count("product") == 2
    assert [len(e.operands) for e in program.equations if e.operation == "concat"] == [4, 4]
