"""Calls of the native engine and the same calls of the reference engine in float64, on random values in all layouts."""

import random

import numpy as np
import torch

from recurra.compiler import plan
from recurra.engines import Call, Wishes, reference
from recurra.engines.native import NativeEngine
from recurra.engines.native.kernel import NativeKernel
from recurra.program import Sizes

ENGINE = NativeEngine()
LAYOUTS = ("contiguous", "transposed", "strided", "sliced", "expanded")
EXACT = {"rtol": 1e-9, "atol": 1e-10}
SINGLE = {"rtol": 1e-3, "atol": 1e-4}


def laid_out(value, layout, library):
    """The same numbers in another layout."""
    value = np.asarray(value)
    if library is torch:
        value = torch.from_numpy(value)
        empty = torch.full
        options = {"dtype": value.dtype}
    else:
        empty = np.full
        options = {"dtype": value.dtype}
    shape = tuple(value.shape)
    if layout == "transposed" and len(shape) > 1:
        order = tuple(range(len(shape)))[::-1]
        made = empty(shape[::-1], float("nan"), **options)
        made = made.permute(order) if library is torch else made.transpose(order)
    elif layout == "swapped" and len(shape) > 2:
        made = empty((shape[1], shape[0], *shape[2:]), float("nan"), **options)
        made = made.swapaxes(0, 1)
    elif layout == "strided" and shape:
        made = empty((*shape[:-1], 2 * shape[-1]), float("nan"), **options)[..., ::2]
    elif layout == "sliced" and shape:
        made = empty((*(size + 1 for size in shape[:-1]), shape[-1] + 3), float("nan"), **options)
        made = made[(*(slice(0, size) for size in shape[:-1]), slice(2, 2 + shape[-1]))]
    elif layout == "expanded" and len(shape) > 1:
        made = value[:1]
        return made.expand(shape) if library is torch else np.broadcast_to(made, shape)
    else:
        return value
    made[...] = value
    return made


class Case:
    """One call with random numbers.

    Args:
        program: the program to run.
        seed: of the random numbers.
        steps: the rows of each step for packed rows, or (T, batch) for a dense batch.
        batch: the number of sequences; if it exceeds the rows of the first step, some sequences have no steps.
        dtype: of the native call.
        library: of the native call's arrays.
        layouts: of x, of states, of parameters.
        spread: the largest magnitude of parameters.
        around: by the name of a parameter numbers that it varies around, by the share ``spread`` at most; it is drawn
            as the others are where they are 0.
        begun: whether the first states are those after a step from zeros, as some cells' states have a domain.
    """

    def __init__(
        self, program, seed=0, *, steps=(4, 4, 3, 1), dense=None, batch=None, hidden=4, width=3, proj=0,
        dtype="float64", library=torch, layouts=("contiguous",) * 3, reverse=False, reset=False, traced=False,
        spread=1.0, around=None, begun=False,
    ):  # fmt: skip
        self.plan = plan(program, traced=traced)
        self.program, self.dtype, self.library = self.plan.program, dtype, library
        program = self.program
        sizes = Sizes(width, hidden, proj)
        numbers = np.random.default_rng(seed)
        leading = (sum(steps),) if dense is None else dense
        batch = batch or (steps[0] if dense is None else dense[1])

        def array(variable, leading=(), spread=1.0):
            shape = (*leading, *(size.value(sizes) for size in variable.shape))
            return np.asarray(numbers.uniform(-1, 1, shape) * spread, np.float32).astype(np.float64)

        def repeated(value, layout):
            """The values, with equal rows if the layout makes all rows share their memory."""
            return np.broadcast_to(value[:1], value.shape).copy() if layout == "expanded" and value.ndim > 1 else value

        x = repeated(array(program.input, leading), layouts[0])
        states = [repeated(array(state, (batch,)), layouts[1]) for state in program.states]
        drawn = {p.name: array(p, (), spread) for p in program.parameters}
        for name, middle in (around or {}).items():
            drawn[name] = np.asarray(
                np.float32(np.where(middle == 0, drawn[name], middle * (1 + drawn[name]))), np.float64
            )
        parameters = [repeated(drawn[p.name], layouts[2]) for p in program.parameters]
        if begun:
            before = torch.from_numpy(array(program.input, (1, batch)))
            zeros = [torch.zeros(batch, state.width(sizes), dtype=torch.float64) for state in program.states]
            ones = [torch.ones(1, batch, mask.results[0].width(sizes)).double() for mask in program.masks]
            call = Call(before, None, zeros, [torch.from_numpy(np.asarray(p)) for p in parameters], sizes, ones)
            states = [np.asarray(state.float().double()) for state in reference().build(self.plan).forward(call).states]
        masks = []
        for mask in program.masks:
            shape = (*leading, *(size.value(sizes) for size in mask.results[0].shape))
            masks.append(numbers.integers(0, 2, shape if len(shape) > len(leading) else (*leading, 1)) * 2.0)
        resets = numbers.random(leading) < 0.25 if reset else None
        sizes_of_steps = None if dense is not None else list(steps)
        self.exact = Call(
            torch.from_numpy(x),
            sizes_of_steps,
            [torch.from_numpy(state) for state in states],
            [torch.from_numpy(np.asarray(parameter)) for parameter in parameters],
            sizes,
            [torch.from_numpy(mask) for mask in masks],
            None if resets is None else torch.from_numpy(resets),
            reverse,
        )

        def given(value, layout):
            return laid_out(value.astype(dtype), layout, library)

        self.call = Call(
            given(x, layouts[0]),
            sizes_of_steps,
            [given(state, layouts[1]) for state in states],
            [given(parameter, layouts[2]) for parameter in parameters],
            sizes,
            [given(mask, "contiguous") for mask in masks],
            None if resets is None else (torch.from_numpy(resets) if library is torch else resets),
            reverse,
        )
        self.numbers = numbers
        self.close = EXACT if dtype == "float64" else SINGLE

    @property
    def sources(self):
        """x, states and parameters of the exact call."""
        return [self.exact.x, *self.exact.states, *self.exact.parameters]

    def same(self, actual, expected, what):
        actual, expected = np.asarray(actual), np.asarray(expected)
        assert actual.shape == expected.shape, (what, actual.shape, expected.shape)
        assert actual.dtype == (expected.dtype if expected.dtype == bool else np.dtype(self.dtype)), what
        if expected.dtype == bool:
            assert (actual == expected).all(), what
        else:
            scale = max(1.0, float(np.abs(expected).max(initial=0.0)))
            np.testing.assert_allclose(actual / scale, expected / scale, **self.close, err_msg=str(what))

    def run_forward(self, kernel):
        """The native call's result."""
        return kernel.forward(self.call)

    def run_backward(self, kernel, wishes, arriving, last):
        """The native call's gradients."""
        return kernel.backward(self.call, kernel.forward(self.call, wishes), wishes, arriving, last)

    def check_forward(self):
        """Output, states and traced variables equal the reference engine's."""
        kernel = ENGINE.build(self.plan)
        assert isinstance(kernel, NativeKernel)
        mine, other = self.run_forward(kernel), reference().build(self.plan).forward(self.exact)
        self.same(mine.output, other.output, "output")
        for state, a, b in zip(self.program.states, mine.states, other.states, strict=True):
            self.same(a, b, state.name)
        assert list(mine.traced) == list(other.traced)
        for name in mine.traced:
            self.same(mine.traced[name], other.traced[name], name)
        return mine

    def gradients(self, wanted, given, lasts, store):
        """Native gradients and the reference engine's, for random arriving gradients.

        Args:
            wanted: whether the gradient of each source is wanted.
            given: whether a gradient arrives at the output, and at each traced variable.
            lasts: whether a gradient arrives at each last state.
            store: whether products are kept.
        """
        kernel = ENGINE.build(self.plan)
        leaves = [source.detach().clone().requires_grad_() for source in self.sources]
        states = len(self.program.states)
        exact = Call(
            leaves[0], self.exact.batch_sizes, leaves[1 : 1 + states], leaves[1 + states :], self.exact.sizes,
            self.exact.masks, self.exact.reset, self.exact.reverse,
        )  # fmt: skip
        other = reference().build(self.plan).forward(exact)
        rows = [
            value for value, is_given in zip([other.output, *other.traced.values()], given, strict=True) if is_given
        ]
        ends = [value for value, is_given in zip(other.states, lasts, strict=True) if is_given]
        weights = [self.numbers.uniform(-1, 1, tuple(v.shape)).astype(np.float32) for v in [*rows, *ends]]
        loss = sum((v * torch.from_numpy(w).double()).sum() for v, w in zip([*rows, *ends], weights, strict=True))
        expected = [None] * len(leaves)
        if torch.is_tensor(loss) and loss.requires_grad:
            expected = torch.autograd.grad(loss, leaves, allow_unused=True)
        expected = [torch.zeros_like(a) if g is None else g for a, g in zip(leaves, expected, strict=True)]
        arriving = [laid_out(w.astype(self.dtype), "contiguous", self.library) for w in weights]
        late = iter(arriving[len(rows) :])
        last = [next(late) if is_given else None for is_given in lasts]
        wishes = Wishes(tuple(wanted), tuple(given), store)
        found = self.run_backward(kernel, wishes, arriving[: len(rows)], last)
        return found, expected, kernel.backward_of(wishes)

    def check_backward(self, wanted=None, given=None, lasts=None, store=True):
        """Gradients equal the reference engine's, and unwanted ones are None."""
        program = self.program
        real = [v.kind == "real" for _, v in self.plan.traced]
        wanted = [True] * len(program.sources) if wanted is None else wanted
        given = [True, *real] if given is None else given
        lasts = [True] * len(program.states) if lasts is None else lasts
        found, expected, backward = self.gradients(wanted, given, lasts, store)
        for variable, is_wanted, mine, other in zip(program.sources, wanted, found, expected, strict=True):
            if is_wanted:
                self.same(mine, other.numpy(), f"gradient of {variable.name}")
            else:
                assert mine is None or variable in program.states, variable.name
        return backward


def random_options(seed, *, layouts=LAYOUTS):
    """Options of a case, drawn from a seed."""
    draw = random.Random(seed)
    lengths = draw.choice([(4, 4, 3, 1), (5, 3, 3, 2), (1, 1, 1), (2,), (3, 3, 3)])
    return {
        "steps": lengths,
        "dense": draw.choice([None, None, (3, 2), (1, 3), (4, 1), (1, 1), (5, 3)]),
        "hidden": draw.choice([2, 4, 6, 10, 16, 18, 34, 130]),
        "width": draw.choice([1, 2, 3, 8, 17]),
        "library": draw.choice([np, torch]),
        "layouts": [draw.choice(layouts) for _ in range(3)],
        "reverse": draw.random() < 0.5,
        "reset": draw.random() < 0.4,
    }
