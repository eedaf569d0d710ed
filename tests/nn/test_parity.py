"""The layers and cells give torch.nn's outputs, final states and gradients, over random configurations."""

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.nn.support import CELLS, LAYERS, assert_same, gradients, pair, tensors, their_packing

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")

LAYOUTS = ("contiguous", "transposed", "strided", "expanded")
SIZES = st.integers(1, 9)
SEEDS = st.integers(0, 2**31 - 1)
DTYPES = st.sampled_from([torch.float64, torch.float32])


def examples(count):
    return settings(max_examples=count, suppress_health_check=list(HealthCheck))


@st.composite
def constructors(draw, name):
    """Keyword arguments of a layer, in every valid combination."""
    arguments = {
        "input_size": draw(SIZES),
        "hidden_size": draw(SIZES),
        "num_layers": draw(st.integers(1, 3)),
        "bias": draw(st.booleans()),
        "batch_first": draw(st.booleans()),
        "bidirectional": draw(st.booleans()),
        "dtype": draw(DTYPES),
    }
    if arguments["num_layers"] > 1:
        arguments["dropout"] = draw(st.sampled_from([0.0, 0.0, 0.3, 1.0]))
    if name == "RNN":
        arguments["nonlinearity"] = draw(st.sampled_from(["tanh", "relu"]))
    if name == "LSTM" and arguments["hidden_size"] > 1 and draw(st.booleans()):
        arguments["proj_size"] = draw(st.integers(1, arguments["hidden_size"] - 1))
    return arguments


@st.composite
def inputs(draw):
    return {
        "time": draw(st.integers(1, 7)),
        "batch": draw(st.sampled_from([0, 1, 2, 3, 5, 7, None])),  # None: without a batch dimension
        "layout": draw(st.sampled_from(LAYOUTS)),
        "state": draw(st.sampled_from([None, "contiguous", "expanded", "transposed"])),
        "loss": draw(st.sampled_from(["all", "output", "state"])),
        "training": draw(st.booleans()),
        "seed": draw(SEEDS),
    }


def laid_out(shape, layout, dtype):
    """A leaf, and a view of it that has `shape` in the requested layout."""
    if layout == "transposed" and len(shape) > 1:
        leaf = torch.randn(shape[1], shape[0], *shape[2:], dtype=dtype)
        return leaf, lambda leaf: leaf.transpose(0, 1)
    if layout == "strided":
        leaf = torch.randn(*shape[:-1], 2 * shape[-1], dtype=dtype)
        return leaf, lambda leaf: leaf[..., ::2]
    if layout == "expanded":
        leaf = torch.randn(*shape[:-2], 1, shape[-1], dtype=dtype)
        return leaf, lambda leaf: leaf.expand(shape)
    return torch.randn(shape, dtype=dtype), lambda leaf: leaf


def state_sizes(module, name):
    sizes = [getattr(module, "proj_size", 0) or module.hidden_size]
    return [*sizes, module.hidden_size] if name.startswith("LSTM") else sizes


def make_states(module, name, prefix, layout, dtype):
    if layout is None:
        return []
    return [laid_out((*prefix, size), layout, dtype) for size in state_sizes(module, name)]


def compare(name, module, reference, x, states, *, wrap=lambda x: x, loss="all", training=True, seed=0):
    """Run both modules on the same numbers, and compare all results and gradients."""
    results = []
    for layer in (module, reference):
        layer.train(training)
        leaves = [leaf.detach().clone().requires_grad_() for leaf, _ in (x, *states)]
        views = [view(leaf) for leaf, (_, view) in zip(leaves, (x, *states), strict=True)]
        hx = None if not states else tuple(views[1:]) if name.startswith("LSTM") else views[1]
        torch.manual_seed(seed)
        result = layer(wrap(views[0]), hx)
        chosen = {"all": result, "output": result[0], "state": result[-1]}[loss]
        results.append((result, gradients(chosen, [*leaves, *layer.parameters()], seed)))
    (result, grads), (expected, expected_grads) = results
    assert_same(result, expected, "result")
    names = ["x", *(f"state {k}" for k in range(len(states))), *(name for name, _ in reference.named_parameters())]
    for what, grad, expected_grad in zip(names, grads, expected_grads, strict=True):
        assert_same(grad, expected_grad, f"gradient of {what}")


def batch_shape(time, batch, module):
    if batch is None:
        return (time,)
    return (batch, time) if module.batch_first else (time, batch)


@pytest.mark.slow
@pytest.mark.parametrize("name", LAYERS)
def test_layer(name):
    @examples(300)
    @given(constructors(name), inputs())
    def check(arguments, case):
        module, reference = pair(name, **arguments, seed=case["seed"])
        shape = (*batch_shape(case["time"], case["batch"], reference), arguments["input_size"])
        x = laid_out(shape, case["layout"], arguments["dtype"])
        directions = 1 + arguments["bidirectional"]
        prefix = (directions * arguments["num_layers"], *([] if case["batch"] is None else [case["batch"]]))
        states = make_states(reference, name, prefix, case["state"], arguments["dtype"])
        how = {key: case[key] for key in ("loss", "training", "seed")}
        compare(name, module, reference, x, states, **how)

    check()


@pytest.mark.slow
@pytest.mark.parametrize("name", LAYERS)
def test_packed(name):
    @examples(120)
    @given(constructors(name), inputs(), st.lists(st.integers(1, 7), min_size=1, max_size=7), st.booleans())
    def check(arguments, case, lengths, presorted):
        if presorted:
            lengths = sorted(lengths, reverse=True)
        module, reference = pair(name, **arguments, seed=case["seed"])
        shape = (*batch_shape(max(lengths), len(lengths), reference), arguments["input_size"])
        x = laid_out(shape, case["layout"], arguments["dtype"])
        prefix = ((1 + arguments["bidirectional"]) * arguments["num_layers"], len(lengths))
        states = make_states(reference, name, prefix, case["state"], arguments["dtype"])

        def pack(x):
            return their_packing.pack_padded_sequence(
                x, lengths, batch_first=arguments["batch_first"], enforce_sorted=presorted
            )

        compare(
            name,
            module,
            reference,
            x,
            states,
            wrap=pack,
            loss=case["loss"],
            training=case["training"],
            seed=case["seed"],
        )

    check()


@pytest.mark.slow
@pytest.mark.parametrize("name", CELLS)
def test_cell(name):
    @examples(80)
    @given(SIZES, SIZES, st.booleans(), DTYPES, st.sampled_from(["tanh", "relu"]), inputs())
    def check(input_size, hidden_size, bias, dtype, nonlinearity, case):
        options = {"nonlinearity": nonlinearity} if name == "RNNCell" else {}
        module, reference = pair(name, input_size, hidden_size, bias=bias, dtype=dtype, seed=case["seed"], **options)
        prefix = () if case["batch"] is None else (case["batch"],)
        layout = case["layout"] if prefix else "contiguous"
        x = laid_out((*prefix, input_size), layout, dtype)
        states = make_states(
            reference, name, prefix, case["state"] if prefix or not case["state"] else "contiguous", dtype
        )
        results = []
        for cell in (module, reference):
            leaves = [leaf.detach().clone().requires_grad_() for leaf, _ in (x, *states)]
            views = [view(leaf) for leaf, (_, view) in zip(leaves, (x, *states), strict=True)]
            hx = None if not states else tuple(views[1:]) if name == "LSTMCell" else views[1]
            result = cell(views[0], hx)
            results.append((result, gradients(result, [*leaves, *cell.parameters()], case["seed"])))
        (result, grads), (expected, expected_grads) = results
        assert_same(result, expected, "result")
        assert_same(list(grads), list(expected_grads), "gradients")

    check()


@pytest.mark.parametrize("name", LAYERS)
def test_bfloat16_is_the_float32_computation_rounded(name):
    torch.manual_seed(7)
    module, reference = pair(name, 5, 9, num_layers=2, bidirectional=True, dtype=torch.bfloat16)
    reference.float()
    x = torch.randn(6, 3, 5, dtype=torch.bfloat16, requires_grad=True)
    exact = x.detach().float().requires_grad_()
    result, expected = module(x), reference(exact)
    leaves, exact_leaves = [x, *module.parameters()], [exact, *reference.parameters()]
    for actual, wanted in zip(tensors(result), tensors(expected), strict=True):
        assert actual.dtype is torch.bfloat16
        torch.testing.assert_close(actual.float(), wanted, rtol=2e-2, atol=2e-2)
    for actual, wanted in zip(gradients(result, leaves), gradients(expected, exact_leaves), strict=True):
        assert actual.dtype is torch.bfloat16
        assert (actual.float() - wanted).norm() <= 0.05 * wanted.norm() + 0.02


@pytest.mark.parametrize("name", LAYERS)
def test_batch_first_moves_the_batch_of_the_output_but_not_of_the_state(name):
    module, reference = pair(name, 3, 5, 2, batch_first=True)
    x = torch.randn(4, 6, 3)
    output, state = module(x)
    expected, expected_state = reference(x)
    assert output.shape == expected.shape == (4, 6, 5)
    assert [s.shape for s in tensors(state)] == [s.shape for s in tensors(expected_state)]
    reference.batch_first = module.batch_first = False
    assert module(x)[0].is_contiguous()


@pytest.mark.parametrize("name", LAYERS)
def test_arguments_have_torch_names(name):
    module, reference = pair(name, 3, 4)
    x, h = torch.randn(5, 2, 3), torch.randn(1, 2, 4)
    hx = (h, h) if name == "LSTM" else h
    expected = reference(input=x, hx=hx)
    assert_same(module(input=x, hx=hx), expected)
    assert_same(module(x, hx=hx), expected)
    assert_same(module(x, hx), expected)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("name", LAYERS)
def test_sizes_that_are_no_whole_vectors(name, batch_first):
    """Odd sizes, one step, one sequence; transposed input where the batch comes first."""
    for width in (1, 3, 17):
        for hidden in (1, 3, 17, 129):
            layer, reference = pair(name, width, hidden, batch_first=batch_first)
            for shape in ((1, 1), (1, 4), (5, 1), (5, 4)):
                x = torch.randn(*shape, width, requires_grad=True)
                found = [
                    [m(x)[0], *torch.autograd.grad(m(x)[0].sum(), [x, *m.parameters()])] for m in (layer, reference)
                ]
                for mine, other in zip(*found, strict=True):
                    torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-4)


def test_an_empty_batch():
    layer, _ = pair("LSTM", 3, 5)
    x = torch.randn(4, 0, 3, requires_grad=True)
    output, (h, c) = layer(x)
    assert output.shape == (4, 0, 5)
    assert h.shape == c.shape == (1, 0, 5)
    (output.sum() + h.sum()).backward()
    assert x.grad.shape == x.shape
    assert all(bool((p.grad == 0).all()) for p in layer.parameters())
