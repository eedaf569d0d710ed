"""Calls of the triton engine in Triton's interpreter, and the same calls of the reference engine in float64.

The interpreter must be on before Triton is imported: ``TRITON_INTERPRET=1``.
"""

import numpy as np

from recurra.engines.triton.kernel import TritonKernel
from tests.engines.native.cases import Case

CLOSE = 2e-5  # relative to the largest number


class TritonCase(Case):
    """One call with random numbers, in float32."""

    def __init__(self, program, seed=0, **options):
        super().__init__(program, seed, **{"dtype": "float32", "spread": 0.5, **options})
        self.kernel = self.made()

    def made(self):
        """The kernel that is tested."""
        return TritonKernel(self.plan)

    def same(self, actual, expected, what):
        actual, expected = np.asarray(actual.detach()), np.asarray(expected)
        assert actual.shape == expected.shape, (what, actual.shape, expected.shape)
        if expected.dtype == bool:
            assert (actual == expected).all(), what
            return
        assert actual.dtype == np.dtype(self.dtype), what
        scale = max(1e-3, float(np.abs(expected).max(initial=0.0)))
        np.testing.assert_allclose(actual / scale, expected / scale, rtol=0, atol=CLOSE, err_msg=str(what))

    def run_forward(self, kernel):
        with np.errstate(all="ignore"):
            return self.kernel.forward(self.call)

    def run_backward(self, kernel, wishes, arriving, last):
        with np.errstate(all="ignore"):
            return self.kernel.backward(self.call, self.kernel.forward(self.call, wishes), wishes, arriving, last)
