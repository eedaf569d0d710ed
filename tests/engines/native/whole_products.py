"""Two products and nothing else: for tests of products whose operands are rounded to whole numbers."""

import recurra
from recurra.compiler import plan, trace
from recurra.engines import Call
from recurra.engines.native.kernel import NativeKernel
from recurra.program import Sizes

CHAIN = 16384  # products of whole numbers are added up exactly, so many at a time
SIZES = (1, 2, 3, 5, 16, 31, 33, 64, 67, 127, 130, 257)


@recurra.cell
def two_products(x, h, *, W, U):
    """Two products and nothing else."""
    h = x @ W + h @ U
    return h


PLAN = plan(trace(two_products))
KERNELS = {products: NativeKernel(PLAN, products) for products in ("int8", "uint8")}


def step(products, x, h, W, U, packed=None):
    """One step of x @ W + h @ U."""
    return KERNELS[products].forward(Call(x[None], None, [h], [W, U], Sizes(*W.shape), packed=packed)).output[0]
