"""The backward pass of a program gives the gradients that torch's autograd finds from the forward pass."""

import inspect
import random

import numpy as np
import pytest
import torch

import recurra
from recurra import cell, cells
from recurra.compiler import plan, products_stored, trace
from recurra.compiler.derivatives import RULES, UNDIFFERENTIABLE
from recurra.compiler.differentiate import differentiate
from recurra.engines import Call
from recurra.engines.reference import ReferenceKernel
from recurra.program import HIDDEN, Sizes, depending
from tests.cells.representatives import CELLS, OWN, ZOO, zoneout_rnn
from tests.random_cells import random_program
from tests.schedules import STAGES, check_schedule, compute, run_schedule

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


@pytest.mark.parametrize("seed", range(160))
def test_random_cells(seed):
    check_in_many_ways(random_program(seed, differentiable=seed % 2 == 0), seed)


@pytest.mark.parametrize("seed", range(20))
def test_random_cells_projected(seed):
    check_in_many_ways(trace(projectable(seed), projected=True), seed)


def projectable(seed):
    draw = random.Random(seed)

    @cell
    def randomly(x, h, c, *, W, U, V, b):
        smooth = [recurra.sigmoid, recurra.tanh, recurra.sin, recurra.softplus, recurra.softmax]
        a = draw.choice(smooth)(x @ W + h @ U + b)
        d = draw.choice(smooth)(c * a + h @ V)
        return recurra.tanh(d) * a, a * c + d

    return randomly


@pytest.mark.parametrize("name", ZOO)
@pytest.mark.parametrize("seed", [0, 1])
def test_the_zoo(name, seed):
    check_in_many_ways(trace(ZOO[name]), seed)


@pytest.mark.parametrize("name", ["lstm", "peephole_lstm", "layer_norm_lstm"])
def test_the_zoo_projected(name):
    check_in_many_ways(trace(cells.all()[name], projected=True), 0)


@pytest.mark.parametrize("name", [*OWN, "zoneout_rnn"])
def test_cells_of_tests(name):
    made = OWN.get(name, zoneout_rnn)
    width = 4 if name == "intersection" else 3
    check_in_many_ways(trace(made), 0, SIZES._replace(input=width))


def unary(f):
    """An operation on a vector, on a scalar of each row, and on two constants."""
    return [lambda a, b, p, s: f(a), lambda a, b, p, s: a * f(recurra.sum(b)), lambda a, b, p, s: a * f(p) + f(s)]


def binary(f):
    """An operation on two vectors, and with each kind of scalar, constant and number on either side."""
    kinds = [
        lambda a, b, p, s: (a, b),
        lambda a, b, p, s: (a, p),
        lambda a, b, p, s: (a, s),
        lambda a, b, p, s: (a, recurra.sum(b)),
        lambda a, b, p, s: (a, 1.0),
        lambda a, b, p, s: (p, s),
        lambda a, b, p, s: (recurra.max(a), s),
        lambda a, b, p, s: (a, a),
    ]
    pairs = [lambda *v, k=k: k(*v) for k in kinds] + [lambda *v, k=k: k(*v)[::-1] for k in kinds]
    return [lambda *v, k=k: v[0] * 0.5 + f(*k(*v)) for k in pairs]


def along(f):
    """A reduction of the rows and of the columns of a matrix, as a vector and as a matrix."""
    return [
        lambda a, b, p, s, M: square(a, M) + a @ (M * f(M * M, axis=0)) + b * f(M, axis=1),
        lambda a, b, p, s, M: square(a, M) + a @ (M * f(s * M, axis=-1, keepdims=True) - f(M, axis=0, keepdims=True)),
        lambda a, b, p, s, M: square(a, M) + a * f(M) + f(p, axis=0, keepdims=True) * a,
    ]


def square(a, *matrices):
    """A term that makes matrices (hidden, hidden)."""
    return sum(0.1 * a * (a @ M) for M in matrices)


ALONE = {
    "add": binary(lambda a, b: a + b),
    "subtract": binary(lambda a, b: a - b),
    "multiply": binary(lambda a, b: a * b),
    "divide": binary(lambda a, b: a / b),
    "power": [
        *binary(lambda a, b: a**b),
        *(f for exponent in (2, 3, 0, 0.5, -1, 1.5, 1) for f in unary(lambda a, e=exponent: a**e)),
        *(f for base in (0.0, 2.0, -2.0) for f in unary(lambda a, base=base: base**a)),
    ],
    "negative": unary(lambda a: -a),
    **{
        name: unary(getattr(recurra, name))
        for name in ("sigmoid", "tanh", "relu", "exp", "log", "softplus", "sqrt", "abs", "sin", "cos", "erf")
    },
    "minimum": binary(recurra.minimum),
    "maximum": binary(recurra.maximum),
    "clip": [
        lambda a, b, p, s: recurra.clip(a, b, 1.0),
        lambda a, b, p, s: recurra.clip(a, -1.0, b),
        lambda a, b, p, s: recurra.clip(a, b, p),
        lambda a, b, p, s: recurra.clip(a, s, recurra.sum(b)),
        lambda a, b, p, s: recurra.clip(a, a, b),
        lambda a, b, p, s: a * recurra.clip(p, s, p),
        *unary(lambda a: recurra.clip(a, -0.5, 0.5)),
        *unary(lambda a: recurra.clip(a, 0.5, -0.5)),
    ],
    "where": [
        *binary(lambda a, b: recurra.where(a > b, a, b)),
        *binary(lambda a, b: recurra.where(a == b, b, 2.0)),
        *binary(lambda a, b: recurra.where(a != b, b, a)),
    ],
    "product": [
        lambda a, b, p, s, M, N: square(a, M, N) + a @ (M @ N),
        lambda a, b, p, s, M, N: square(a, M, N) + a + (p @ M) @ N,
        lambda a, b, p, s, M: square(a, M) + (a @ M) @ (s * M - recurra.eye()),
        lambda a, b, p, s, M: a * (recurra.heads(a, 2) @ M),
        lambda a, b, p, s, M: recurra.tanh(recurra.heads(a, 2)) @ (M * M) + a * (recurra.heads(b, 2) @ M),
    ],
    "transpose": [
        lambda a, b, p, s, M, N: square(a, M, N) + a @ (M.T - M @ N.T),
        lambda a, b, p, s, M, N: square(a, M, N) + a @ (M * N.T).T,
    ],
    "split": [
        lambda a, b, p, s, M: recurra.split(a, 2)[0] @ M + a,
        lambda a, b, p, s: recurra.concat(*recurra.split(a, 2)[::-1]) * recurra.concat(*recurra.split(p, 4)[::-1]),
        lambda a, b, p, s, M, N: (
            square(a, M, N) + a @ recurra.concat(recurra.split(M @ N, 2)[1], recurra.split(N, 2)[1])
        ),
    ],
    "concat": [
        lambda a, b, p, s, M: recurra.concat(a, p, b) @ M + a,
        lambda a, b, p, s, M: recurra.concat(p, p, a) @ M + a,
        lambda a, b, p, s, M, N: square(a, M, N) + a @ (recurra.concat(M, N) @ recurra.concat(M, N).T),
    ],
    "partition": [lambda a, b, p, s, M, N: (a @ M) * (a @ N) + square(a, M, N) + a @ (M * N)],
    "heads": [lambda a, b, p, s, M: a @ (recurra.heads(p, 2).T @ recurra.heads(s * p, 2) @ M) + a],
    "mean": [lambda a, b, p, s: a * recurra.mean(b) + recurra.mean(p), lambda a, b, p, s: recurra.mean(a) - b],
    "sum": [lambda a, b, p, s: a * recurra.sum(b) + recurra.sum(p), lambda a, b, p, s: recurra.sum(a) - b],
    "max": [lambda a, b, p, s: a * recurra.max(b) + recurra.max(p), lambda a, b, p, s: recurra.max(a) - b],
    "sum_along": along(recurra.sum),
    "mean_along": along(recurra.mean),
    "max_along": along(recurra.max),
    "broadcast": [
        lambda a, b, p, s, M: square(a, M) + a @ (M / p[:, None] - recurra.tanh(p[:, None] * p)) + b,
        lambda a, b, p, s, M: square(a, M) + a @ (p[None, :] * M + recurra.maximum(M, p)) + b,
        lambda a, b, p, s, M: square(a, M) + a @ recurra.where(p > 0, M, p[:, None]) + b,
    ],
    "cumsum": [lambda a, b, p, s: recurra.cumsum(a * b) + recurra.cumsum(p)],
    "scalar": [lambda a, b, p, s: s * a],
}


# No gradient passes these; the terms beside them have gradients of their own.
STEPS = {"sign": unary(recurra.sign), "floor": unary(recurra.floor)}


def alone(f):
    """A cell whose first state is f of both states, two parameters, and as many matrices as f takes."""
    matrices = list(inspect.signature(f).parameters)[4:] if f.__code__.co_argcount > 4 else []

    def step(x, h, c, **parameters):
        s = recurra.scalar(parameters["s"])
        made = f(h, c, parameters["p"], s, *(parameters[name] for name in matrices))
        return made + x @ parameters["W"], c * parameters["p"] * s

    kinds = dict.fromkeys(("x", "h", "c"), inspect.Parameter.POSITIONAL_OR_KEYWORD)
    kinds |= dict.fromkeys(["W", "p", "s", *matrices], inspect.Parameter.KEYWORD_ONLY)
    step.__signature__ = inspect.Signature([inspect.Parameter(name, kind) for name, kind in kinds.items()])
    return cell(step)


def test_every_rule_has_a_test():
    assert set(ALONE) == set(RULES)
    assert set(STEPS) < set(UNDIFFERENTIABLE)


@pytest.mark.parametrize("operation", [*ALONE, *STEPS])
def test_an_operation_alone(operation):
    """Values lie on a grid, so that ties and kinks are hit; or are positive."""
    draw = random.Random(operation)
    for f in {**ALONE, **STEPS}[operation]:
        scheduled = plan(trace(alone(f)))
        for grid in ([-1.0, 0.0, 1.0], [0.5, 1.0, 2.0]):
            case = Case(scheduled, 0, grid=grid, steps=[9])
            for stored in (nothing, products_stored):
                case.check(everything(case.program), stored(case.program))
            case.check(some(draw, everything(case.program)), products_stored(case.program))


def operations(equations):
    return [equation.operation for equation in equations]


def all_equations(schedule):
    return [equation for stage in STAGES for equation in getattr(schedule, stage)]


def of(program, wanted, stored=(), given=None):
    given = (program.output,) if given is None else given
    gradient = differentiate(program, given=given, wanted=wanted, stored=stored)
    check_schedule(gradient.schedule)
    return gradient


def test_an_lstm_keeps_its_gates_and_has_one_product_in_its_loop():
    program = passed(cells.lstm)
    stored = products_stored(program)
    gradient = of(program, everything(program), stored)
    schedule = gradient.schedule
    assert [variable.name for variable in stored] == ["i", "f", "g", "o"]
    assert operations(schedule.step).count("product") == 1
    assert schedule.once == ()
    assert "product" not in operations(schedule.before)
    assert operations(schedule.after) == ["rows_sum", "outer", "product", "outer"]
    assert operations(schedule.finally_) == ["transpose", "transpose"]
    # Each gate's gradient is one multiplication by a factor that is known ahead of the loop.
    assert sorted(operations(schedule.step)) == ["add", "add", "concat", *["multiply"] * 6, "product"]
    assert [variable.name for variable in gradient.carried] == ["h", "c"]
    # Both biases have one gradient.
    by_name = {parameter.name: result for parameter, result in gradient.parameters.items()}
    assert by_name["bias_ih"] == by_name["bias_hh"]
    assert len(schedule.constant_results) == 3


PROGRAMS = {
    **{name: (lambda made=made: passed(made)) for name, made in {**cells.all(), **CELLS}.items()},
    "projected lstm": lambda: passed(cells.lstm, projected=True),
    **{f"random {seed}": (lambda seed=seed: plan(random_program(seed)).program) for seed in range(30)},
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_no_product_is_computed_again(name):
    program = PROGRAMS[name]()
    schedule = of(program, everything(program), products_stored(program)).schedule
    forward = {e.results[0] for e in program.equations if e.operation == "product"} & program.varying()
    assert not forward.intersection(v for e in all_equations(schedule) for v in e.results)
    # The products that are left multiply gradients: they depend on one that arrives from outside or from a later step.
    gradients = {v for v in (*schedule.rows, *schedule.states) if v.name.startswith("%")} - set(program.variables())
    known = depending(all_equations(schedule), gradients)
    for stage in ("before", "step", "after"):
        for equation in getattr(schedule, stage):
            assert equation.operation != "product" or equation.operands[0] in known


def test_frozen_parameters_leave_no_work_behind():
    program = passed(cells.lstm)
    schedule = of(program, [program.input]).schedule
    assert schedule.constant_results == schedule.finally_ == ()
    assert not {"outer", "rows_sum"}.intersection(operations(all_equations(schedule)))
    schedule = of(program, [program.parameters[0]]).schedule
    assert schedule.row_results == ()
    assert operations(schedule.after) == ["outer"]
    weight_hh_alone = of(program, [program.parameters[1]], products_stored(program)).schedule
    assert program.input not in weight_hh_alone.rows


def test_nothing_is_carried_for_what_stands_behind_the_loop():
    @cell(output="y")
    def readout(x, h, *, W, U, V):
        h = recurra.tanh(x @ W + h @ U)
        y = recurra.sigmoid(h @ V)
        return h

    program = passed(readout)
    V = program.parameters[2]
    gradient = of(program, [V], [*program.next_states, program.output])
    assert gradient.carried == gradient.schedule.states == gradient.schedule.step == ()
    assert gradient.schedule.rows == (*program.next_states, program.output, *gradient.arriving)
    assert operations(gradient.schedule.after) == ["outer"]
    Case(plan(trace(readout))).check([V], ())
    assert of(program, [V], given=()).schedule.rows == ()  # the output's gradient does not arrive


def test_only_states_that_matter_are_carried():
    @cell
    def apart(x, h, c, *, W, U, V):
        return recurra.tanh(x @ W + h @ U), recurra.tanh(x @ V + c)

    program = passed(apart)
    x, h, c, W, U, V = everything(program)
    assert of(program, [V]).carried == (c,)
    assert of(program, [W, U]).carried == of(program, [h]).carried == (h,)
    assert of(program, [x]).carried == (h, c)
    assert of(program, []).schedule.rows == ()
    for wanted in ([V], [W, U], [h], [c], [x]):
        Case(plan(trace(apart))).check(wanted, ())


def test_what_nothing_depends_on_has_a_zero_gradient():
    @cell
    def compared(x, h, c, *, W, U, p, s):
        on = recurra.where(recurra.scalar(s) > 0, 1.0, 2.0)
        return recurra.where(x @ W + h @ U > c * p, on, -on), recurra.where(c > h, 1.0, recurra.tanh(h))

    for traced in (False, True):
        case = Case(plan(trace(compared), traced=traced))
        gradient = case.check(everything(case.program), ())
        assert [state.name for state in gradient.carried] == ["h", "c"]
        for source in everything(case.program):
            case.check([source], ())


@pytest.mark.parametrize("chosen", [["A"], ["B"], ["x"], ["B", "D"], ["A", "B", "h"], ["R"], ["R", "S"], ["S", "x"]])
def test_of_matrices_side_by_side_only_the_wanted_ones_have_work(chosen):
    @cell
    def merged(x, h, *, A, B, D, U, R, S):
        a, b = x @ A + h @ U, recurra.tanh(x @ B) * (x @ D)
        c, d = recurra.split(recurra.heads(h, 2) @ recurra.concat(R, S), 2)
        return recurra.tanh(a * b + c * d + h * (recurra.heads(h, 2) @ R) + h * (recurra.heads(h, 2) @ S))

    case = Case(plan(trace(merged)))
    program = case.program
    wanted = [variable for variable in everything(program) if variable.name in chosen]
    for stored in (nothing, products_stored):
        schedule = case.check(wanted, stored(program)).schedule
    outers = [e for e in schedule.after if e.operation == "outer" and e.operands[0] == program.input]
    assert [e.results[0].shape[-1] for e in outers] == [HIDDEN] * len({"A", "B", "D"}.intersection(chosen))


def test_a_sum_of_outer_products_is_cut_only_where_a_product_needs_its_operand_whole():
    @cell
    def two(x, h, *, A, B):
        return recurra.tanh(x @ A) * recurra.sigmoid(x @ B) + 0.5 * h

    case = Case(plan(trace(two)))
    for wanted, width in ((["A", "B"], HIDDEN), (["x", "A", "B"], HIDDEN * 2)):
        named = [variable for variable in everything(case.program) if variable.name in wanted]
        after = case.check(named, products_stored(case.program)).schedule.after
        widths = {e.results[0].shape[-1] for e in after if e.operation == "outer"}
        assert widths == {width}


def test_states_may_change_places_and_inputs_become_states():
    @cell
    def queue(x, h, a, b, *, W, u):
        return u * b, h, a + x @ W

    for reverse in (False, True):
        case = Case(plan(trace(queue)), reverse=reverse, reset=True)
        for wanted in (everything(case.program), [case.program.states[1]], [case.program.input]):
            case.check(wanted, ())


def test_gradients_may_arrive_at_anything_and_twice():
    @cell
    def simple(x, h, *, W, U, b):
        return recurra.tanh(x @ W + h @ U + b)

    case = Case(plan(trace(simple)))
    program = case.program
    x, h, W, U, b = everything(program)
    given = (program.output, program.output, x, h, b, U)
    gradient = of(program, [x, h, W, U, b], given=given)
    assert [variable.shape for variable in gradient.arriving] == [variable.shape for variable in given]
    weights = [case.numbers.uniform(-1, 1, (12, *(size.value(SIZES) for size in v.shape))) for v in given]
    rows = case.rows | dict(zip(gradient.arriving, weights, strict=True))
    constants = dict(zip(program.parameters, case.parameters, strict=True))
    last = np.ones((4, 4))
    schedule = gradient.schedule
    (dx,), found, (dh,) = run_schedule(schedule, constants, rows, [last], SIZES, BATCH_SIZES)
    by_result = dict(zip(schedule.constant_results, found, strict=True))

    leaves = [torch.from_numpy(a).requires_grad_() for a in (case.x, *case.states, *case.parameters)]
    tx, state, tW, tU, tb = leaves
    loss, row = 0.0, 0
    for size in BATCH_SIZES:
        here = slice(row, row + size)
        row += size
        entering = state[:size]
        y = torch.tanh(tx[here] @ tW + entering @ tU + tb)
        values = [y, y, tx[here], entering, tb.expand(size, 4), tU.expand(size, 4, 4)]
        loss = loss + sum((v * torch.from_numpy(w[here])).sum() for v, w in zip(values, weights, strict=True))
        state = torch.cat([y, state[size:]])
    expected = torch.autograd.grad(loss + state.sum(), leaves)
    mine = [dx, dh, *(by_result[gradient.parameters[parameter]] for parameter in (W, U, b))]
    for a, e in zip(mine, expected, strict=True):
        np.testing.assert_allclose(a, e.numpy(), rtol=1e-11, atol=1e-12)


def test_what_is_no_variable_is_refused():
    program = passed(cells.gru_reset_before)
    other = passed(cells.lstm)
    with pytest.raises(ValueError, match="given: i is no real variable of gru_reset_before"):
        differentiate(program, given=[other.named()["i"]], wanted=[])
    with pytest.raises(ValueError, match="wanted: r is neither input, state nor parameter"):
        differentiate(program, given=[], wanted=[program.named()["r"]])
