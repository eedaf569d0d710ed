"""A whole engine in a few lines: all that ``engines/protocol.py`` asks of one.

It computes in numpy, in float64. torch cannot see these operations, so it must be given the backward pass.
"""

from dataclasses import replace
from functools import cache

import numpy as np
import torch

from recurra.engines import Engine, Kernel, Result
from recurra.engines.reference import ReferenceKernel


def there(value):
    return None if value is None else value.detach().double().numpy() if value.is_floating_point() else value.numpy()


def back(value, like):
    return None if value is None else torch.as_tensor(np.ascontiguousarray(value)).to(like.dtype)


class ToyKernel(Kernel):
    def __init__(self, plan):
        self.plan, self.inner, self.passes_run = plan, ReferenceKernel(plan), []

    def call(self, call):
        lists = {name: [there(v) for v in getattr(call, name)] for name in ("states", "parameters", "masks")}
        return replace(call, x=there(call.x), reset=there(call.reset), **lists)

    def forward(self, call, wishes=None):
        self.passes_run.append("forward")
        result = self.inner.forward(self.call(call), wishes)
        traced = {n: back(v, call.x) if v.dtype != bool else torch.as_tensor(v) for n, v in result.traced.items()}
        states = tuple(back(state, call.x) for state in result.states)
        return Result(back(result.output, call.x), states, traced, tuple(back(v, call.x) for v in result.kept))

    def backward(self, call, result, wishes, arriving, last):
        self.passes_run.append("backward")
        result = Result(there(result.output), (), {}, tuple(there(v) for v in result.kept))
        arriving, last = [there(g) for g in arriving], [there(g) for g in last]
        found = self.inner.backward(self.call(call), result, wishes, arriving, last)
        return [back(gradient, call.x) for gradient in found]

    def kept_shapes(self, leading, sizes, wishes):
        return self.inner.kept_shapes(leading, sizes, wishes)


class ToyEngine(Engine):
    name = "toy"

    def refuses(self, plan=None, dtype="float32", device="cpu"):
        return None if device == "cpu" else "it runs in numpy"

    @cache  # noqa: B019
    def build(self, plan):
        return ToyKernel(plan)
