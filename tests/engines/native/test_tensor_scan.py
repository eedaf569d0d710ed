"""TensorScan: the reference engine's numbers and ``Kernel.run``'s bits on every kind of batch, and refused calls."""

import random
from dataclasses import replace

import pytest
import torch

from recurra import _native
from recurra.compiler import trace
from recurra.engines import Result, Wishes
from recurra.engines.native import torch_calls
from recurra.engines.native.kernel import _as_numpy
from recurra.engines.native.kernel import _tensors as tensors_of
from tests.cells.representatives import CELLS, EVEN, zoneout_rnn
from tests.engines.native.cases import ENGINE, LAYOUTS, Case, laid_out, random_options
from tests.engines.native.layers import assert_equal
from tests.random_cells import random_program


@pytest.fixture(autouse=True, scope="module")
def _tensors():
    assert torch_calls.reads_tensors(torch)


class TensorCase(Case):
    """A case whose native call is TensorScan's; it is compared with the call on addresses and strides.

    Args:
        layer_states: whether states are (1, batch, size).
        zeros: whether first states are None, for zeros.
        is_cell: whether x, of one step, lacks the dimension of steps.
    """

    def __init__(self, program, seed=0, *, layer_states=False, zeros=False, is_cell=False, **options):
        super().__init__(program, seed, library=torch, **options)
        self.layer_states, self.zeros, self.is_cell = layer_states and not is_cell, zeros, is_cell
        if zeros:
            self.exact = replace(self.exact, states=[torch.zeros_like(state) for state in self.exact.states])
            self.call = replace(self.call, states=[torch.zeros_like(state) for state in self.call.states])

    def scan(self, kernel, *wishes):
        call = self.call
        double = self.dtype == "float64"
        return torch_calls.scan_of(kernel, call.sizes, double, call.reverse, self.layer_states, *wishes)

    def rows(self, value):
        return value[0] if self.is_cell and value is not None else value

    def inner(self, state):
        return state[0] if self.layer_states and state is not None else state

    def outer(self, state):
        return state[None] if self.layer_states and state is not None else state

    @property
    def others(self):
        states = [None] * len(self.call.states) if self.zeros else [self.outer(state) for state in self.call.states]
        return (*states, *self.call.parameters)

    @property
    def batch(self):
        """The arguments that describe the batch: batch sizes and resets."""
        sizes, reset = self.call.batch_sizes, self.rows(self.call.reset)
        if sizes is None:
            return None, reset
        apart = torch.full((len(sizes), 2), -1, dtype=torch.int64)
        apart[:, 0] = torch.tensor(sizes, dtype=torch.int64)
        return apart[:, 0], reset

    def forward(self, scan, threads=1, prepared=None):
        masks = [self.rows(mask) for mask in self.call.masks]
        return scan.forward(self.rows(self.call.x), self.others, masks, *self.batch, threads, prepared)

    def run_forward(self, kernel):
        count = len(self.call.states)
        kept, output, *values = self.forward(self.scan(kernel))
        assert kept is None
        if self.is_cell:
            output, values[count:] = output[None], [value[None] for value in values[count:]]
        traced = {
            name: value != 0 if variable.kind == "bool" else value
            for (name, variable), value in zip(self.plan.traced, values[count:], strict=True)
        }
        mine = Result(output, tuple(self.inner(value) for value in values[:count]), traced)
        other = tensors_of(kernel.forward(_as_numpy(self.call)))
        assert_equal([mine.output, *mine.states], [other.output, *other.states])
        prepared = kernel.pack(self.call.parameters, self.call.sizes, self.dtype)
        assert_equal(self.forward(self.scan(kernel), 2, prepared)[1:], self.forward(self.scan(kernel))[1:])
        return mine

    def run_backward(self, kernel, wishes, arriving, last):
        wanted, given = wishes.wanted, wishes.given
        count, offered = len(last), iter(arriving)
        scan = self.scan(kernel, wishes)
        kept, output, *_ = self.forward(scan)
        saved = (self.rows(self.call.x), *self.others, output, kept, *(self.rows(mask) for mask in self.call.masks))
        every = [self.rows(next(offered)) if is_given else None for is_given in given]
        gradients = (every[0], *(self.outer(value) for value in last), *every[1:])
        dx, *found = scan.backward(wanted, saved, gradients, *self.batch, 2)
        mine = [dx if dx is None or not self.is_cell else dx[None], *map(self.inner, found[:count]), *found[count:]]
        result, gradients = kernel.forward(_as_numpy(self.call), wishes), [*arriving, *last]
        arrays = [g if g is None else g.numpy() for g in gradients]
        found = kernel.backward(_as_numpy(self.call), result, wishes, arrays[: len(arriving)], arrays[len(arriving) :])
        other = [g if g is None else torch.from_numpy(g) for g in found]
        pairs = [(a, b) for a, b in zip(mine, other, strict=True) if a is not None]
        assert_equal([a for a, _ in pairs], [b for _, b in pairs])
        for is_wanted, value in zip(wanted, mine, strict=True):
            assert is_wanted or value is None
        return mine

    def check_backward(self, wanted=None, **wishes):
        """Gradients are checked; a state that is not passed needs none."""
        wanted = [True] * len(self.program.sources) if wanted is None else wanted
        states = range(1, 1 + len(self.program.states))
        wanted = [value and not (self.zeros and number in states) for number, value in enumerate(wanted)]
        return super().check_backward(wanted, **wishes)


def options_of(draw, **fixed):
    """A random kind of batch in random layouts."""
    options = {
        **random_options(draw.randrange(10**9)),
        "layer_states": draw.random() < 0.5,
        "zeros": draw.random() < 0.3,
    }
    del options["library"]
    if draw.random() < 0.25:
        options.update(is_cell=True, dense=(1, draw.choice([1, 2, 5])))
    return {**options, **fixed}


def wishes(case, draw):
    wanted = [draw.random() < 0.6 for _ in case.program.sources]
    given = [draw.random() < 0.8, *(v.kind == "real" and draw.random() < 0.7 for _, v in case.plan.traced)]
    lasts = [draw.random() < 0.6 for _ in case.program.states]
    return {"wanted": wanted, "given": given, "lasts": lasts, "store": draw.random() < 0.5}


@pytest.mark.parametrize("seed", range(40))
def test_random_programs(seed):
    draw = random.Random(seed)
    program = random_program(seed, differentiable=True)
    for variant in range(3):
        case = TensorCase(program, seed, traced=variant > 0, **options_of(draw))
        case.check_forward()
        case.check_backward(**(wishes(case, draw) if variant else {"store": seed % 2 == 0}))


@pytest.mark.parametrize("name", CELLS)
def test_cells(name):
    draw = random.Random(name)
    for seed in range(6):
        hidden = draw.choice([2, 18, 34] if name in EVEN else [1, 3, 17, 65])
        width = hidden if name == "intersection" else draw.choice([1, 3, 17])
        dtype = "float32" if seed == 5 else "float64"
        options = options_of(draw, hidden=hidden, width=width, dtype=dtype, spread=hidden**-0.5)
        case = TensorCase(trace(CELLS[name]), seed, traced=seed % 2 == 1, **options)
        case.check_forward()
        case.check_backward(**(wishes(case, draw) if seed > 2 else {"store": seed == 1}))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("per_sequence", [False, True])
def test_masks(layout, per_sequence):
    """A mask for each sequence is a view that all steps share."""
    draw = random.Random(f"{layout} {per_sequence}")
    for seed in range(5):
        options = options_of(draw, is_cell=False, dense=(draw.choice([1, 4]), draw.choice([1, 3])))
        case = TensorCase(trace(zoneout_rnn), seed, traced=True, **options)
        for call in (case.exact, case.call):
            for number, mask in enumerate(call.masks):
                call.masks[number] = mask[:1].expand(mask.shape) if per_sequence else laid_out(mask, layout, torch)
        if layout == "expanded" and not per_sequence:
            case.exact = replace(case.exact, masks=[mask.double() for mask in case.call.masks])
        case.check_forward()
        case.check_backward()


@pytest.mark.parametrize("kind", [{"dense": (0, 3)}, {"dense": (4, 0)}, {"dense": (0, 0)}, {"steps": (), "batch": 3}])
@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize("name", ["lstm", "gru", "res_lstm", "block_slstm"])
def test_nothing_to_run(kind, zeros, name):
    """Without steps, the last states are the first, and gradients of parameters are zeros."""
    if zeros and "steps" in kind:
        kind = {"steps": (0,)}  # the batch is that of the first step
    case = TensorCase(trace(CELLS[name]), 0, traced=True, zeros=zeros, reset=True, **kind)
    kernel = ENGINE.build(case.plan)
    result = case.run_forward(kernel)
    assert_equal(result.states, case.call.states)
    ends = [torch.ones_like(state) for state in case.call.states]
    given = [True, *(v.kind == "real" for _, v in case.plan.traced)]
    rows = [result.output, *(value for value in result.traced.values() if value.is_floating_point())]
    wanted = [True, *(not zeros for _ in ends), *(True for _ in case.call.parameters)]
    for store in (False, True):
        _, *found = case.run_backward(kernel, Wishes(tuple(wanted), tuple(given), store), rows, ends)
        if not zeros:
            assert_equal(found[: len(ends)], ends)
        assert_equal(found[len(ends) :], [torch.zeros_like(parameter) for parameter in case.call.parameters])


@pytest.mark.parametrize("zeros", [False, True])
def test_sequences_without_steps(zeros):
    """The states determine the number of sequences; without states, the first step does."""
    batch = {} if zeros else {"batch": 7}
    case = TensorCase(trace(CELLS["lstm"]), 3, zeros=zeros, reset=True, reverse=True, **batch)
    case.check_forward()
    case.check_backward()


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_many_rows(name):
    for steps in ((33,) * 9, (70, 69, 50, 3, 3, 1), (1,) * 300):
        case = TensorCase(trace(CELLS[name]), 0, steps=steps, hidden=34, width=9, layer_states=True, spread=0.17)
        case.check_forward()
        case.check_backward()


def test_the_same_number_arriving_everywhere():
    case = TensorCase(trace(CELLS["lstm"]), 0, dense=(5, 3), traced=True)
    kernel, count = ENGINE.build(case.plan), len(case.program.sources)
    given = (True, *(v.kind == "real" for _, v in case.plan.traced))
    scan = case.scan(kernel, Wishes((True,) * count, given))
    kept, output, *values = case.forward(scan)
    saved = (case.call.x, *case.others, output, kept)
    one = torch.tensor(3.0, dtype=torch.float64)

    def found(gradients):
        return scan.backward([True] * count, saved, gradients, None, None, 1)

    spelled = found([torch.full_like(value, 3.0) for value in (output, *values)])
    assert_equal(found([one.expand(value.shape) for value in (output, *values)]), spelled)
    ends = [torch.full_like(value, 3.0) for value in values[:2]]
    zeros = [torch.zeros_like(value) for value in values[2:]]
    assert_equal(
        found([one.expand(output.shape), *ends, *(None for _ in zeros)]),
        found([spelled[0].new_full(output.shape, 3.0), *ends, *zeros]),
    )


# ---- arguments that do not fit ----


class Right:
    """A valid call, whose arguments can be replaced."""

    def __init__(self, **options):
        self.case = TensorCase(trace(zoneout_rnn), 0, traced=True, hidden=4, width=3, **options)
        kernel, self.count = ENGINE.build(self.case.plan), len(self.case.program.sources)
        given = (True, *(v.kind == "real" for _, v in self.case.plan.traced))
        self.scan = self.case.scan(kernel, Wishes((True,) * self.count, given))
        sizes, reset = self.case.batch
        self.arguments = {
            "x": self.case.call.x, "others": list(self.case.others), "masks": list(self.case.call.masks),
            "batch_sizes": sizes, "reset": reset,
        }  # fmt: skip
        kept, output, *values = self.forward()
        self.saved = [self.arguments["x"], *self.case.others, output, kept, *self.case.call.masks]
        self.gradients = [output, *(value if value.dtype is output.dtype else None for value in values)]

    def forward(self, **changes):
        arguments = {**self.arguments, **changes}
        return self.scan.forward(*arguments.values(), 1)

    def backward(self, **changes):
        usual = {"needed": [True] * self.count, "saved": self.saved, "gradients": self.gradients}
        batch = {name: self.arguments[name] for name in ("batch_sizes", "reset")}
        return self.scan.backward(*{**usual, **batch, **changes}.values(), 1)


def emptied(tensor):
    tensor = tensor.clone()
    tensor.untyped_storage().resize_(0)
    return tensor


STRANGE = {
    "another dtype": lambda t: t.to(torch.float32 if t.dtype is torch.float64 else torch.int32),
    "half precision": lambda t: t.to(torch.bfloat16),
    "on no device": lambda t: t.to("meta"),
    "sparse": lambda t: t.to_sparse(),
    "a number of numpy's": lambda t: t.numpy(),
    "a subclass": lambda t: t.as_subclass(type("Sub", (torch.Tensor,), {})),
    "negated when read": lambda t: torch.complex(t.double(), t.double()).conj().imag,
    "without its memory": emptied,
    "a text": lambda t: "text",
    "a longer last dimension": lambda t: torch.cat([t, t], -1),
    "fewer rows": lambda t: t[:-1],
    "one more dimension": lambda t: t[None],
    "no dimension": lambda t: t.flatten()[0],
}


@pytest.mark.parametrize("what", STRANGE)
@pytest.mark.parametrize("kind", [{"dense": (5, 2)}, {"steps": (4, 3, 1)}], ids=["dense", "packed"])
def test_strange_tensors_are_refused(kind, what):
    """A pass need not refuse a tensor that it does not read; then the result is the same as without it."""
    right = Right(reset=True, **kind)
    change, usual = STRANGE[what], right.backward()
    for name in ("x", "batch_sizes", "reset"):
        tensor = right.arguments[name]
        if tensor is not None and (what != "negated when read" or name == "x"):
            with pytest.raises(ValueError, match=r"x must|batch.sizes|reset|another shape"):
                right.forward(**{name: change(tensor)})
            if name != "x":
                with pytest.raises(ValueError, match=r"batch.sizes|reset"):
                    right.backward(**{name: change(tensor)})
    for name, message in (("others", "a parameter|a state|batch sizes"), ("masks", "a mask")):
        for number, tensor in enumerate(right.arguments[name]):
            with pytest.raises(ValueError, match=message):
                right.forward(**{name: exchanged(right.arguments[name], number, change(tensor))})
    for name in ("gradients", "saved"):
        values, refused = getattr(right, name), 0
        for number, tensor in enumerate(values):
            if tensor is None:
                continue
            try:
                found = right.backward(**{name: exchanged(values, number, change(tensor))})
            except ValueError:
                refused += 1
            else:
                assert_equal(found, usual)
        assert refused >= len(values) - 3


def exchanged(values, number, value):
    changed = list(values)
    changed[number] = value
    return changed


@pytest.mark.parametrize("change", [lambda values: values[:-1], lambda values: [*values, None], lambda _: []])
def test_too_few_or_too_many_tensors_are_refused(change):
    right = Right(dense=(5, 2))
    for name in ("others", "masks"):
        with pytest.raises(ValueError, match="not as many"):
            right.forward(**{name: change(right.arguments[name])})
    for name in ("saved", "gradients"):
        with pytest.raises(ValueError, match="not as many"):
            right.backward(**{name: change(getattr(right, name))})
    with pytest.raises(ValueError, match="not as many"):
        right.backward(needed=[True])
    with pytest.raises(TypeError):
        right.forward(others=None)


@pytest.mark.parametrize("sizes", [(4, 3, 2), (4, 3), (4, 5, -1), (), (8,), (3, 4, 1), (1 << 62, 1 << 62, 1 << 62)])
def test_batch_sizes_that_do_not_fit_are_refused(sizes):
    right = Right(steps=(4, 3, 1))
    for call in (right.forward, right.backward):
        with pytest.raises(ValueError, match="batch sizes"):
            call(batch_sizes=torch.tensor(sizes, dtype=torch.int64))


def test_a_dense_batch_with_batch_sizes_is_refused():
    right = Right(dense=(5, 2))
    with pytest.raises(ValueError, match="x of another shape"):
        right.forward(batch_sizes=torch.tensor([2, 2, 2, 2, 2]))


def test_a_forward_pass_alone_has_no_backward_pass():
    case = TensorCase(trace(CELLS["lstm"]), 0, dense=(5, 3))
    scan = case.scan(ENGINE.build(case.plan))
    with pytest.raises(ValueError, match="no backward pass"):
        scan.backward([], [], [], None, None, 1)


def test_weights_prepared_for_another_kernel_are_refused():
    case, other = (TensorCase(trace(CELLS[name]), 0, dense=(5, 3)) for name in ("lstm", "gru"))
    prepared = ENGINE.build(other.plan).pack(other.call.parameters, other.call.sizes, "float64")
    with pytest.raises(ValueError, match="another kernel"):
        case.forward(case.scan(ENGINE.build(case.plan)), prepared=prepared)


def test_kernels_that_do_not_fit_together_are_refused():
    case = TensorCase(trace(CELLS["lstm"]), 0, dense=(5, 3))
    kernel, sizes = ENGINE.build(case.plan), case.call.sizes
    count = len(case.program.sources)
    plan = kernel.backward_of(Wishes((True,) * count))
    forward, single = (kernel.built_forward(sizes, double, plan.kept).kernel for double in (True, False))
    backward, single_backward = (kernel.built_backward(sizes, double, plan).kernel for double in (True, False))
    shapes = [list(parameter.shape) for parameter in case.call.parameters]
    groups = ("x", "output", "mask", "kept", "arriving")
    right = {
        "forward": forward, "backward": backward, "is_reverse": False, "layer_states": False,
        "parameter_shapes": shapes, "traced": 0, "rows": [(groups.index(g), n) for g, n in plan.rows],
        "constants": list(plan.constants), "carried": list(plan.carried),
        "entering": [number for _, number in plan.entering], "results": list(plan.results),
    }  # fmt: skip
    _native.TensorScan(*right.values())
    wrong = [
        {"forward": backward}, {"backward": forward}, {"backward": single_backward},
        {"forward": single}, {"backward": None}, {"parameter_shapes": shapes[:-1]},
        {"parameter_shapes": [[1], *shapes[1:]]}, {"traced": 1}, {"traced": -1}, {"traced": 1 << 40},
    ]  # fmt: skip
    for name in ("rows", "constants", "carried", "entering", "results"):
        values = right[name]
        wrong += [{name: values[:-1]}, {name: [*values, *values[:1]]}] if name != "entering" else [{name: []}]
        for number, value in enumerate(values):
            for strange in (-2, 7, 1 << 40, -(1 << 63)):
                changed = exchanged(values, number, (value[0], strange) if name == "rows" else strange)
                wrong.append({name: changed})
                if name == "rows":
                    wrong.append({name: exchanged(values, number, (strange, value[1]))})
    for change in wrong:
        with pytest.raises(ValueError, match=r"kernel|number|width|size|shape|gradient"):
            _native.TensorScan(*{**right, **change}.values())
