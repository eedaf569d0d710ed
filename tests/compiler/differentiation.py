"""Gradients by a program's backward pass, compared with those of torch's autograd, for tests."""

import random

import numpy as np
import torch

from recurra.compiler import plan, products_stored, trace
from recurra.compiler.differentiate import differentiate
from recurra.engines import Call
from recurra.engines.reference import ReferenceKernel
from recurra.program import Sizes
from tests.schedules import check_schedule, compute, run_schedule

BATCH_SIZES = [4, 4, 3, 1]
SIZES = Sizes(3, 4, 2)


class Case:
    """Random values for a planned program, its forward pass, and the gradients that torch finds."""

    def __init__(
        self, scheduled, seed=0, *, reverse=False, reset=False, batch=None, sizes=SIZES, grid=None, steps=BATCH_SIZES
    ):
        self.plan, self.program, self.reverse = scheduled, scheduled.program, reverse
        self.sizes, self.steps = sizes, steps
        numbers = np.random.default_rng(seed)
        rows, batch = sum(steps), batch or steps[0]

        def array(variable, *leading):
            shape = (*leading, *(size.value(sizes) for size in variable.shape))
            return numbers.choice(grid, shape) if grid else numbers.uniform(-1, 1, shape)

        program = self.program
        self.x = array(program.input, rows)
        self.states = [array(state, batch) for state in program.states]
        self.parameters = [array(parameter) for parameter in program.parameters]
        self.masks = [numbers.integers(0, 2, array(m.results[0], rows).shape or (rows, 1)) * 2.0 for m in program.masks]
        self.reset = numbers.random((rows, 1)) < 0.25 if reset else None
        self.given = [program.output, *(v for _, v in scheduled.traced if v.kind == "real")]
        self.numbers = numbers
        self.forward()

    def forward(self):
        """The value of every variable at every row, and the weight of each given value and last state."""
        tensors = [[torch.from_numpy(a).requires_grad_() for a in group] for group in self._leaves()]
        (x,), states, parameters = tensors
        call = Call(
            x,
            torch.tensor(self.steps),
            states,
            parameters,
            self.sizes,
            masks=[torch.from_numpy(mask) for mask in self.masks],
            reset=None if self.reset is None else torch.from_numpy(self.reset[:, 0]),
            reverse=self.reverse,
        )
        result = ReferenceKernel(self.plan).forward(call)
        traced = [result.traced[name] for name, v in self.plan.traced if v.kind == "real"]
        values = [result.output, *traced, *result.states]
        self.weights = [self.numbers.uniform(-1, 1, tuple(value.shape)) for value in values]
        loss = sum((v * torch.from_numpy(w)).sum() for v, w in zip(values, self.weights, strict=True))
        sources = [x, *states, *parameters]
        found = [None] * len(sources)
        if loss.requires_grad:
            found = torch.autograd.grad(loss, sources, allow_unused=True)
        self.expected = {
            variable: np.zeros(source.shape) if gradient is None else gradient.numpy()
            for variable, source, gradient in zip(self.program.sources, sources, found, strict=True)
        }
        self.rows = self._every_row()

    def _leaves(self):
        return [self.x], self.states, self.parameters

    def _every_row(self):
        """Every varying variable at every row, computed step by step."""
        program, sizes = self.program, self.sizes
        varying = program.varying()
        starts = np.cumsum([0, *self.steps])
        states = [state.copy() for state in self.states]
        kept = {}
        order = range(len(self.steps))
        masks = {equation.results[0]: mask for equation, mask in zip(program.masks, self.masks, strict=True)}
        for t in reversed(order) if self.reverse else order:
            here, size = slice(starts[t], starts[t + 1]), self.steps[t]
            entering = [state[:size] for state in states]
            if self.reset is not None:
                entering = [np.where(self.reset[here], 0.0, state) for state in entering]
            values = dict(zip(program.parameters, self.parameters, strict=True))
            values |= {program.input: self.x[here], **{m: mask[here] for m, mask in masks.items()}}
            values |= {state: np.array(v) for state, v in zip(program.states, entering, strict=True)}
            for equation in program.equations:
                if equation.operation != "mask":
                    compute(equation, values, varying, sizes, size)
            kept[t] = values
            for state, new in zip(states, [values[v].copy() for v in program.next_states], strict=True):
                state[:size] = new
        return {v: np.concatenate([kept[t][v] for t in order]) for v in varying}

    def check(self, wanted, stored, given=None):
        """Check that a schedule's gradients are torch's, and return the result of `differentiate`."""
        program = self.program
        gradient = differentiate(program, given=self.given, wanted=wanted, stored=stored)
        schedule = gradient.schedule
        check_schedule(schedule)
        allowed = {program.input, *program.states, *stored, *gradient.arriving}
        assert set(schedule.rows) <= allowed | {equation.results[0] for equation in program.masks}
        rows = {v: self.rows[v] for v in schedule.rows if v in self.rows}
        rows |= dict(zip(gradient.arriving, self.weights, strict=False))
        last = dict(zip(program.states, self.weights[len(self.given) :], strict=True))
        row_results, constant_results, first = run_schedule(
            schedule,
            dict(zip(program.parameters, self.parameters, strict=True)),
            rows,
            [last[state] for state in gradient.carried],
            self.sizes,
            self.steps,
            self.reset,
            self.reverse,
        )
        found = dict(zip(gradient.carried, first, strict=True))
        constants = dict(zip(schedule.constant_results, constant_results, strict=True))
        found |= {parameter: constants[v] for parameter, v in gradient.parameters.items()}
        if gradient.input is not None:
            found[program.input] = dict(zip(schedule.row_results, row_results, strict=True))[gradient.input]
        assert set(gradient.parameters) == {p for p in wanted if p in program.parameters}
        assert (gradient.input is not None) == (program.input in wanted)
        for variable in wanted:
            assert found[variable].shape == self.expected[variable].shape
            np.testing.assert_allclose(
                found[variable], self.expected[variable], rtol=1e-9, atol=1e-10, err_msg=variable.name
            )
        return gradient


def passed(made, **options):
    return plan(trace(made, **options)).program


def nothing(program):
    """The storage mode that computes everything again from the input, the entering states and the masks."""
    return ()


def everything(program):
    return [program.input, *program.states, *program.parameters]


def some(draw, variables):
    variables = list(variables)
    return draw.sample(variables, draw.randrange(len(variables) + 1))


def check_in_many_ways(program, seed, sizes=SIZES):
    """Check all storage modes, with random choices of wanted, stored and traced variables, direction and resets."""
    draw = random.Random(seed)
    case = Case(plan(program), seed, sizes=sizes)
    for stored in (nothing, products_stored):
        case.check(everything(case.program), stored(case.program))
    for traced in (False, True):
        case = Case(
            plan(program, traced=traced),
            seed + 1,
            reverse=draw.random() < 0.5,
            reset=draw.random() < 0.5,
            batch=BATCH_SIZES[0] + draw.randrange(2),
            sizes=sizes,
        )
        varying = sorted(case.program.varying(), key=lambda v: v.name)
        case.check(some(draw, everything(case.program)), some(draw, varying))
        case.check(some(draw, everything(case.program)), some(draw, varying))
