"""simplify drops dead equations, equal ones and identities, and keeps the requested variables."""

from recurra import cell, cells, dropout, sigmoid, tanh
from recurra.compiler import simplify, trace
from tests.compiler.outcomes import operations


def test_simplify_drops_what_is_dead_equal_or_nothing():
    @cell
    def wasteful(x, h, *, W, U):
        unused = tanh(x)
        a = sigmoid(x @ W + h @ U)
        b = sigmoid(x @ W + h @ U)
        c = (a + 0.0) * 1.0 / 1.0
        return c * h + (1 - b) * dropout(a, 0.0) * (2.0 + 1.0 * 3.0)

    program = simplify(trace(wasteful))
    assert operations(program.equations).count("sigmoid") == 1
    assert operations(program.equations).count("product") == 2
    assert not {"tanh", "divide", "mask"} & set(operations(program.equations))


def test_simplify_keeps_what_is_asked_for():
    program = trace(cells.lstm)
    wanted = [program.named()["a_i"], program.named()["g"]]
    assert set(wanted) <= {v for e in simplify(program, wanted).equations for v in e.results}


def test_random_masks_are_never_merged():
    @cell
    def noisy(x, h, *, W):
        z = x @ W + h
        return dropout(z, 0.5) + dropout(z, 0.5)

    assert len(simplify(trace(noisy)).masks) == 2
