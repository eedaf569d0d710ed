"""torch's transforms of layers: compile, export, vmap, grad, jvp, functional_call, autocast, the gradient checks."""

import io

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck
from torch.func import functional_call, grad, jvp, stack_module_state, vmap

from tests.nn.support import CELLS, LAYERS, assert_same, gradients, ours, pair, tensors, their_packing

pytestmark = pytest.mark.filterwarnings(
    "ignore:LSTM with projections is not supported with oneDNN",
    "ignore::DeprecationWarning:torch",
    "ignore::FutureWarning:torch",
    "ignore:The given buffer is not writable:UserWarning:torch",  # torch 2.10's own, when it loads what it exported
)

F, H, T, B = 3, 4, 5, 2
VARIANTS = [
    ("RNN", {}),
    ("RNN", {"nonlinearity": "relu", "num_layers": 2, "bidirectional": True}),
    ("LSTM", {}),
    ("LSTM", {"num_layers": 2, "bidirectional": True, "proj_size": 2, "batch_first": True}),
    ("GRU", {}),
    ("GRU", {"num_layers": 2, "bidirectional": True}),
]
EVERYTHING = VARIANTS + [(name, {}) for name in CELLS]
over_variants = pytest.mark.parametrize(("name", "kwargs"), VARIANTS, ids=str)
over_everything = pytest.mark.parametrize(("name", "kwargs"), EVERYTHING, ids=str)


def make(name, kwargs, dtype=torch.float64, seed=0):
    torch.manual_seed(seed)
    return getattr(ours, name)(F, H, **kwargs, dtype=dtype)


def arguments(name, kwargs, dtype=torch.float64, time=T, batch=B):
    """An input and states that require gradients; the state in the form that the class takes."""
    generator = torch.Generator().manual_seed(1)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=dtype).requires_grad_()

    if name in CELLS:
        x, prefix = draw(batch, F), (batch,)
    else:
        x = draw(*((batch, time) if kwargs.get("batch_first") else (time, batch)), F)
        prefix = ((1 + kwargs.get("bidirectional", False)) * kwargs.get("num_layers", 1), batch)
    h, c = draw(*prefix, kwargs.get("proj_size", H)), draw(*prefix, H)
    return x, ((h, c) if name.startswith("LSTM") else h)


def leaves_of(module, x, state):
    return [x, *tensors(state), *module.parameters()]


@pytest.fixture
def fresh_compiler():
    torch.compiler.reset()
    yield
    torch.compiler.reset()


@over_everything
@pytest.mark.usefixtures("fresh_compiler")
def test_compile_in_one_graph(name, kwargs):
    module, (x, state) = make(name, kwargs), arguments(name, kwargs)
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    expected, actual = module(x, state), compiled(x, state)
    assert_same(actual, expected)
    leaves = leaves_of(module, x, state)
    assert_same(list(gradients(actual, leaves)), list(gradients(expected, leaves)))
    assert_same(compiled(x), module(x))


@pytest.mark.usefixtures("fresh_compiler")
def test_compile_with_inductor_inside_a_model():
    model = torch.nn.Sequential(torch.nn.Linear(F, F), make("LSTM", {}, torch.float32))
    x = torch.randn(T, B, F, requires_grad=True)
    compiled = torch.compile(model, fullgraph=True)
    expected, actual = model(x), compiled(x)
    assert_same(actual, expected)
    leaves = [x, *model.parameters()]
    assert_same(list(gradients(actual, leaves)), list(gradients(expected, leaves)))


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.usefixtures("fresh_compiler")
def test_compiled_code_is_not_made_anew_for_each_length(name):
    module = make(name, {})
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager", dynamic=True)
    with torch.no_grad():
        compiled(torch.randn(5, 6, F, dtype=torch.float64))  # no two sizes alike
        with torch.compiler.set_stance("fail_on_recompile"):
            for time, batch in ((9, 6), (12, 7), (8, 2)):
                x = torch.randn(time, batch, F, dtype=torch.float64)
                assert_same(compiled(x), module(x))


def through_a_file(program):
    file = io.BytesIO()
    torch.export.save(program, file)
    file.seek(0)
    return torch.export.load(file)


@pytest.mark.parametrize("given_state", [False, True])
@over_variants
def test_export_with_any_length_and_batch(name, kwargs, given_state):
    module = make(name, kwargs).eval()
    x, state = arguments(name, kwargs)
    time, batch = torch.export.Dim("time", min=2, max=64), torch.export.Dim("batch", min=2, max=64)
    dynamic = [{0: batch, 1: time} if kwargs.get("batch_first") else {0: time, 1: batch}]
    if given_state:
        dynamic.append(({1: batch}, {1: batch}) if name == "LSTM" else {1: batch})
    sample = (x.detach(), *([torch.utils._pytree.tree_map(torch.Tensor.detach, state)] if given_state else []))
    program = torch.export.export(module, sample, dynamic_shapes=tuple(dynamic), strict=False)
    for loaded in (program, through_a_file(program)):
        run = loaded.module()
        for t, b in ((T, B), (2, 7), (11, 3)):
            other, other_state = arguments(name, kwargs, time=t, batch=b)
            inputs = (other.detach(), *([other_state] if given_state else []))
            assert_same(run(*inputs), module(*inputs))


@over_everything
def test_vmap_over_inputs(name, kwargs):
    module = make(name, kwargs)
    xs = torch.stack([arguments(name, kwargs)[0] * scale for scale in (1.0, -0.5, 0.3)])
    actual = vmap(module)(xs)
    for row, x in enumerate(xs):
        for mine, wanted in zip(tensors(actual), tensors(module(x)), strict=True):
            assert_same(mine[row], wanted)


@over_everything
def test_vmap_over_an_ensemble_of_weights(name, kwargs):
    models = [make(name, kwargs, seed=seed) for seed in range(3)]
    weights, buffers = stack_module_state(models)
    x, state = (torch.utils._pytree.tree_map(torch.Tensor.detach, a) for a in arguments(name, kwargs))
    actual = vmap(lambda w: functional_call(models[0], (w, buffers), (x, state)))(weights)
    for row, model in enumerate(models):
        for mine, wanted in zip(tensors(actual), tensors(model(x, state)), strict=True):
            assert_same(mine[row], wanted)


def loss_of(module, weights, x):
    return sum(part.square().sum() for part in tensors(functional_call(module, weights, (x,))))


@over_everything
def test_func_grad_and_per_sample_gradients(name, kwargs):
    module, (x, _) = make(name, kwargs), arguments(name, kwargs)
    weights = {key: value.detach() for key, value in module.named_parameters()}
    actual = grad(lambda w: loss_of(module, w, x.detach()))(weights)
    expected = torch.autograd.grad(sum(p.square().sum() for p in tensors(module(x))), list(module.parameters()))
    assert_same([actual[key] for key in weights], list(expected))
    samples = torch.stack([x.detach() * scale for scale in (1.0, 2.0, -0.3)])
    each = vmap(grad(lambda w, sample: loss_of(module, w, sample)), in_dims=(None, 0))(weights, samples)
    for row, sample in enumerate(samples):
        wanted = grad(lambda w, sample=sample: loss_of(module, w, sample))(weights)
        for key in weights:
            assert_same(each[key][row], wanted[key], key)


@over_everything
def test_jvp(name, kwargs):
    """The derivative along a direction, by forward mode, against the transposed product of reverse mode."""
    module, (x, state) = make(name, kwargs), arguments(name, kwargs)
    x, state = x.detach(), torch.utils._pytree.tree_map(torch.Tensor.detach, state)
    weights = {key: value.detach() for key, value in module.named_parameters()}

    def call(weights, x):
        return torch.cat([part.flatten() for part in tensors(functional_call(module, weights, (x, state)))])

    tangents = {key: torch.randn_like(value) for key, value in weights.items()}, torch.randn_like(x)
    value, tangent = jvp(call, (weights, x), tangents)
    assert_same(value, call(weights, x))
    direction = torch.randn_like(value)
    weight_grads, x_grad = grad(lambda w, x: call(w, x) @ direction, argnums=(0, 1))(weights, x)
    expected = (x_grad * tangents[1]).sum() + sum((weight_grads[key] * tangents[0][key]).sum() for key in weights)
    assert_same(tangent @ direction, expected)


@over_everything
def test_functional_call_uses_the_weights_given(name, kwargs):
    module, other = make(name, kwargs), make(name, kwargs, seed=5)
    x, state = arguments(name, kwargs)
    before = module(x, state)
    weights = {key: value.detach().clone().requires_grad_() for key, value in other.named_parameters()}
    actual, expected = functional_call(module, weights, (x, state)), other(x, state)
    assert_same(actual, expected)
    assert_same(list(gradients(actual, list(weights.values()))), list(gradients(expected, list(other.parameters()))))
    assert_same(module(x, state), before)


@pytest.mark.parametrize("name", LAYERS + CELLS)
def test_autocast_to_bfloat16(name):
    """All classes give bfloat16; torch's GRU and cells stay in float32."""
    module, (x, state) = make(name, {}, torch.float32), arguments(name, {}, torch.float32)
    expected = module(x, state)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        actual = module(x, state)
    leaves = leaves_of(module, x, state)
    for mine, wanted in zip(tensors(actual), tensors(expected), strict=True):
        assert mine.dtype is torch.bfloat16
        torch.testing.assert_close(mine.float(), wanted, rtol=3e-2, atol=3e-2)
    for mine, wanted in zip(gradients(actual, leaves), gradients(expected, leaves), strict=True):
        assert mine.dtype is torch.float32
        assert (mine - wanted).norm() <= 0.05 * wanted.norm() + 0.02


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
@over_everything
def test_without_gradients(name, kwargs, context):
    module, (x, state) = make(name, kwargs), arguments(name, kwargs)
    expected = module(x, state)
    with context():
        actual = module(x, state)
    assert all(part.grad_fn is None and not part.requires_grad for part in tensors(actual))
    assert_same(actual, expected)


def flat_call(module, state, pack=None):
    """A function of tensors alone, as the gradient checks need."""
    names = [key for key, _ in module.named_parameters()]
    count = len(tensors(state))

    def call(x, *rest):
        hx = tuple(rest[:count]) if isinstance(state, tuple) else rest[0]
        weights = dict(zip(names, rest[count:], strict=True))
        return tuple(tensors(functional_call(module, weights, (pack(x) if pack else x, hx))))

    return call


# relu has no derivative at zero, and no second one anywhere else
CHECKED = [(name, {k: v for k, v in kwargs.items() if k != "nonlinearity"}) for name, kwargs in EVERYTHING]


@pytest.mark.parametrize("packed", [False, True], ids=["padded", "packed"])
@pytest.mark.parametrize(("name", "kwargs"), CHECKED, ids=str)
def test_gradients_by_finite_differences(name, kwargs, packed):
    if packed and name in CELLS:
        kwargs = {"bias": False}
    module, (x, state) = make(name, kwargs), arguments(name, kwargs, time=3)
    pack = None
    if packed and name in LAYERS:

        def pack(x):
            return their_packing.pack_padded_sequence(x, [2, 3], kwargs.get("batch_first", False), enforce_sorted=False)

    call, leaves = flat_call(module, state, pack), leaves_of(module, x, state)
    assert gradcheck(call, leaves, fast_mode=True)
    assert gradgradcheck(call, leaves, fast_mode=True)


def test_gradient_penalty():
    """A loss that contains a gradient has the gradients that torch.nn's has."""
    (module, reference), results = pair("GRU", F, H, dtype=torch.float64), []
    x = torch.randn(T, B, F, dtype=torch.float64, requires_grad=True)
    for layer in (module, reference):
        (slope,) = torch.autograd.grad(layer(x)[0].sum(), x, create_graph=True)
        results.append(list(torch.autograd.grad(slope.square().sum(), list(layer.parameters()))))
    assert_same(*results)


@over_everything
def test_shapes_on_the_meta_device(name, kwargs):
    module, (x, state) = make(name, kwargs), arguments(name, kwargs)
    expected = module(x, state)
    actual = module.to("meta")(x.to("meta"), torch.utils._pytree.tree_map(lambda part: part.to("meta"), state))
    assert [(p.shape, p.dtype, p.is_meta) for p in tensors(actual)] == [
        (p.shape, p.dtype, True) for p in tensors(expected)
    ]
