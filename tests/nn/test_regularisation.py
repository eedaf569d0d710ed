"""Zoneout and recurrent dropout, beside loops in plain torch that draw the same masks; modes, seeds, files, streams."""

import copy
import pickle

import numpy as np
import onnxruntime
import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence

import recurra
from recurra import bernoulli, cell, cells, tanh
from recurra.nn import GRU, LSTM, RNN, Recurrent, RecurrentCell, frozen

T, B, F, H = 6, 3, 4, 5
D = torch.float64


def seeded(seed, call, *args, **options):
    torch.manual_seed(seed)
    return call(*args, **options)


def lstm_loop(layer, x, *, on_h=None, on_g=None, zoned=None):
    """An LSTM layer, with masks (B, H) on h in products and on the candidate, and (T, B, H) for zoned states."""
    w, u, b, v = layer.weight_ih_l0, layer.weight_hh_l0, layer.bias_ih_l0, layer.bias_hh_l0
    h, c = x.new_zeros(x.shape[1], H), x.new_zeros(x.shape[1], H)
    outputs = []
    for t, row in enumerate(x):
        i, f, g, o = (row @ w.T + b + (h if on_h is None else h * on_h) @ u.T + v).chunk(4, 1)
        g = torch.tanh(g) if on_g is None else torch.tanh(g) * on_g
        new_c = torch.sigmoid(f) * c + torch.sigmoid(i) * g
        new_h = torch.sigmoid(o) * torch.tanh(new_c)
        if zoned is not None:
            new_h, new_c = (
                torch.lerp(new, old, m[t]) for new, old, m in zip((new_h, new_c), (h, c), zoned, strict=True)
            )
        h, c = new_h, new_c
        outputs.append(h)
    return torch.stack(outputs), (h, c)


def compare(layer, x, expected, seed=1):
    """Compare a call, and the gradients of its parameters and its input, with a loop."""
    x = x.clone().requires_grad_()
    output, last = seeded(seed, layer, x)
    reference, ends = expected(x)
    for a, b in zip((output, *last), (reference, *ends), strict=True):
        torch.testing.assert_close(a, b.view_as(a))
    weight = torch.randn_like(output)
    inputs = [x, *layer.parameters()]
    ours = torch.autograd.grad((output * weight).sum(), inputs)
    theirs = torch.autograd.grad((reference * weight).sum(), inputs)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b)


@pytest.fixture
def x():
    return seeded(0, torch.randn, T, B, F, dtype=D)


@pytest.mark.parametrize("given", [0.3, {"h": 0.2, "c": 0.5}])
def test_zoneout_in_training(given, x):
    layer = seeded(0, LSTM, F, H, zoneout=given, dtype=D)
    p = given if isinstance(given, dict) else dict.fromkeys("hc", given)
    torch.manual_seed(1)
    masks = [torch.empty(T, B, H, dtype=D).bernoulli_(p[name]) for name in "hc"]
    assert all(0 < mask.mean() < 1 for mask in masks)
    compare(layer, x, lambda x: lstm_loop(layer, x, zoned=masks))


def test_zoneout_in_evaluation_is_the_expectation(x):
    layer = seeded(0, LSTM, F, H, zoneout={"h": 0.2, "c": 0.5}, dtype=D).eval()
    means = [torch.full((T, B, H), p, dtype=D) for p in (0.2, 0.5)]
    compare(layer, x, lambda x: lstm_loop(layer, x, zoned=means))


def test_recurrent_dropout_of_the_state(x):
    layer = seeded(0, LSTM, F, H, recurrent_dropout=0.4, dtype=D)
    mask = seeded(1, lambda: torch.empty(B, H, dtype=D).bernoulli_(0.6) / 0.6)
    assert 0 < (mask == 0).sum() < mask.numel()
    compare(layer, x, lambda x: lstm_loop(layer, x, on_h=mask))


def test_recurrent_dropout_of_the_candidate(x):
    layer = seeded(0, LSTM, F, H, recurrent_dropout={"g": 0.4}, dtype=D)
    mask = seeded(1, lambda: torch.empty(B, H, dtype=D).bernoulli_(0.6) / 0.6)
    compare(layer, x, lambda x: lstm_loop(layer, x, on_g=mask))


def test_one_mask_serves_all_gates_of_a_gru(x):
    """As Keras does, though with one mask for all gates: r * h is dropped as h is, and h stays in the convex sum."""
    layer = seeded(0, Recurrent, cells.gru_reset_before, F, H, recurrent_dropout=0.4, dtype=D)
    mask = seeded(1, lambda: torch.empty(B, H, dtype=D).bernoulli_(0.6) / 0.6)
    w = {name.removesuffix("_l0"): value for name, value in layer.named_parameters()}

    def loop(x):
        h, outputs = x.new_zeros(B, H), []
        for row in x:
            seen = h * mask
            r = torch.sigmoid(row @ w["W_r"] + seen @ w["U_r"] + w["b_r"])
            z = torch.sigmoid(row @ w["W_z"] + seen @ w["U_z"] + w["b_z"])
            n = torch.tanh(row @ w["W_n"] + (r * seen) @ w["U_n"] + w["b_n"])
            h = z * h + (1 - z) * n
            outputs.append(h)
        return torch.stack(outputs), [h]

    compare(layer, x, loop)


def test_evaluation_is_the_plain_layer_to_the_bit(x):
    layer = LSTM(F, H, 2, recurrent_dropout=0.4, weight_drop=0.3, bidirectional=True, dtype=D)
    plain = LSTM(F, H, 2, bidirectional=True, dtype=D)
    plain.load_state_dict(layer.state_dict())
    before = torch.get_rng_state()
    assert torch.equal(layer.eval()(x)[0], plain(x)[0])
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(layer.train()(x)[0], plain(x)[0])
    with frozen(layer.eval()):
        assert torch.equal(layer(x)[0], plain(x)[0])


@pytest.mark.parametrize("options", [{"zoneout": 0.3}, {"recurrent_dropout": 0.3}, {"weight_drop": 0.3}])
@pytest.mark.parametrize("make", [RNN, LSTM, GRU])
def test_seeds_repeat_a_call_and_masks_differ_between_layers_directions_and_calls(make, options, x):
    layer = make(F, H, 2, bidirectional=True, **options)
    x = x.float()
    first = seeded(1, layer, x)[0]
    assert torch.equal(seeded(1, layer, x)[0], first)
    assert not torch.equal(layer(x)[0], first)


def test_gradients_by_finite_differences(x):
    layer = seeded(0, Recurrent, cells.mgu, F, H, zoneout=0.3, recurrent_dropout=0.3, dtype=D)
    names, values = zip(*layer.named_parameters(), strict=True)

    def call(x, *values):
        torch.manual_seed(1)
        return torch.func.functional_call(layer, dict(zip(names, values, strict=True)), (x,))[0]

    assert torch.autograd.gradcheck(call, (x.requires_grad_(), *values))


@pytest.mark.parametrize("name", ["native", "reference"])
def test_engines_agree(name, x):
    layer = seeded(0, Recurrent, cells.peephole_lstm, F, H, 2, zoneout=0.2, recurrent_dropout=0.3, dtype=D)
    expected = seeded(1, layer, x)[0]
    with recurra.engine(name):
        torch.testing.assert_close(seeded(1, layer, x)[0], expected)


@pytest.mark.parametrize("options", [{"recurrent_dropout": 0.4}, {"zoneout": 1.0}])
def test_packed_sequences_have_one_mask_each(options, x):
    layer = seeded(0, LSTM, F, H, dtype=D, **options)
    lengths = [6, 4, 2]
    padded = seeded(1, layer, x)[0]
    packed, _ = seeded(1, layer, pack_padded_sequence(x, lengths))
    rows = pack_padded_sequence(padded, lengths)
    torch.testing.assert_close(packed.data, rows.data)


def test_all_zoned_out_is_the_first_state(x):
    layer = LSTM(F, H, zoneout=1.0, dtype=D)
    first = torch.randn(1, B, H, dtype=D), torch.randn(1, B, H, dtype=D)
    output, last = layer(x, first)
    assert torch.equal(output, first[0].expand(T, B, H))
    assert all(torch.equal(a, b) for a, b in zip(last, first, strict=True))


def test_a_checkpointed_call_has_the_same_masks(x):
    options = {"zoneout": 0.3, "recurrent_dropout": 0.3, "dtype": D}
    layer, saving = LSTM(F, H, 2, **options), LSTM(F, H, 2, checkpoint=2, **options)
    saving.load_state_dict(layer.state_dict())
    found = [
        torch.autograd.grad(seeded(1, each, x)[0].square().sum(), list(each.parameters())) for each in (layer, saving)
    ]
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b)


def test_a_reset_comes_before_zoneout(x):
    layer = LSTM(F, H, zoneout=1.0, dtype=D)
    first = torch.randn(1, B, H, dtype=D), torch.randn(1, B, H, dtype=D)
    reset = torch.zeros(T, B, dtype=torch.bool)
    reset[3] = True
    output, _ = layer(x, first, reset=reset)
    assert torch.equal(output[:3], first[0].expand(3, B, H))
    assert not output[3:].any()


@pytest.mark.parametrize("option", ["recurrent_dropout", "weight_drop", "zoneout"])
def test_layers_that_are_put_together_otherwise(option, x):
    """Learned states, tied directions, residuals and merged outputs go with all regularisers, resets too."""
    arranged = {"bidirectional": True, "merge_mode": "sum", "residual": True, "tie_directions": True}
    options = {**arranged, "learn_initial_state": True, "dtype": D}
    layer = seeded(0, LSTM, H, H, 2, **{option: 0.4}, **options)
    plain = LSTM(H, H, 2, **options)
    plain.load_state_dict(layer.state_dict())
    x = torch.randn(T, B, H, dtype=D)
    reset = torch.zeros(T, B, dtype=torch.bool)
    reset[3] = True
    expected = plain(x, reset=reset)[0]
    assert not torch.equal(layer(x, reset=reset)[0], expected)
    assert torch.equal(seeded(1, layer, x, reset=reset)[0], seeded(1, layer, x, reset=reset)[0])
    assert torch.equal(layer.eval()(x, reset=reset)[0], expected) == (option != "zoneout")
    assert torch.equal(layer(x)[0], plain(x)[0]) == (option != "zoneout")


def test_sizes_for_each_layer(x):
    layer = seeded(0, Recurrent, cells.lstm, F, [H, 3], zoneout=0.4, recurrent_dropout=0.2, weight_norm=True, dtype=D)
    assert layer.weight_hh_gain_l1.shape == (4 * 3,)
    assert not torch.equal(layer(x)[0], layer(x)[0])
    assert torch.equal(layer.eval()(x)[0], layer(x)[0])


def test_copies_keep_the_options(x):
    layer = LSTM(F, H, zoneout=0.3, recurrent_dropout={"g": 0.2}, weight_drop=0.1, dtype=D)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(seeded(1, other, x)[0], seeded(1, layer, x)[0])
        assert repr(other) == repr(layer)
    assert repr(layer) == "LSTM(4, 5, zoneout=0.3, recurrent_dropout={'g': 0.2}, weight_drop=0.1)"


def test_files_streams_and_graphs(tmp_path):
    layer = seeded(0, LSTM, F, H, 2, zoneout={"c": 0.3}, recurrent_dropout=0.2)
    x = seeded(0, torch.randn, T, B, F)
    expected = layer.eval()(x)[0]
    recurra.save(layer, tmp_path / "model")
    loaded = recurra.load(tmp_path / "model")
    assert torch.equal(loaded(x)[0], expected)
    assert torch.equal(seeded(1, loaded.train(), x)[0], seeded(1, layer.train(), x)[0])
    layer.eval()
    model = recurra.runtime.load(tmp_path / "model")
    assert np.array_equal(model(x.numpy())[0], expected.detach().numpy())
    stream = model.stream(batch=B)
    steps = np.stack([stream.step(row) for row in x.numpy()])
    assert np.array_equal(steps, expected.detach().numpy())
    recurra.onnx.export(layer, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    output = session.run(None, {session.get_inputs()[0].name: x.numpy()})[0]
    np.testing.assert_allclose(output, expected.detach().numpy(), rtol=1e-5, atol=1e-6)


def test_own_cells_with_masks_give_the_same_bits_everywhere_in_evaluation(tmp_path):
    @cell
    def zoned(x, h, *, W, U):
        m = bernoulli(0.3)
        h = m * h + (1 - m) * tanh(x @ W + h @ U)
        return h

    layer = Recurrent(zoned, F, H).eval()
    x = torch.randn(T, B, F)
    output, _, trace = layer(x, return_trace=True)
    assert torch.equal(layer(x)[0], output)
    assert torch.equal(trace["m"], torch.full((T, B, H), 0.3))
    recurra.save(layer, tmp_path / "model")
    assert np.array_equal(recurra.runtime.load(tmp_path / "model")(x.numpy())[0], output.detach().numpy())
    one = RecurrentCell(zoned, F, H).eval()
    one.load_state_dict({name.removesuffix("_l0"): value for name, value in layer.state_dict().items()})
    assert torch.equal(one(x[0]), output[0])


def test_weight_norm_beside_torchs(x):
    layer = seeded(0, LSTM, F, H, 2, bidirectional=True, weight_norm=True, dtype=D)
    plain = seeded(0, LSTM, F, H, 2, bidirectional=True, dtype=D)
    names = [name for name, _ in plain.named_parameters()]
    assert [name for name, _ in layer.named_parameters() if "gain" not in name] == names
    with torch.no_grad():
        for name in names:
            getattr(plain, name).copy_(getattr(layer, name))
    torch.testing.assert_close(layer(x)[0], plain(x)[0])  # the gains begin as the norms
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            if "gain" in name:
                parameter.uniform_(0.5, 2)
    for name in [name for name in names if "hh" in name and "weight" in name]:
        torch.nn.utils.parametrizations.weight_norm(plain, name, dim=0)
        one = plain.parametrizations[name]
        with torch.no_grad():
            one.original0.copy_(getattr(layer, name.replace("_hh", "_hh_gain"))[:, None])
            one.original1.copy_(getattr(layer, name))
    output, expected = layer(x)[0], plain(x)[0]
    torch.testing.assert_close(output, expected)
    ours = torch.autograd.grad(output.square().sum(), list(layer.parameters()))
    theirs = dict(
        zip(
            dict(plain.named_parameters()),
            torch.autograd.grad(expected.square().sum(), list(plain.parameters())),
            strict=True,
        )
    )
    for (name, _), found in zip(layer.named_parameters(), ours, strict=True):
        full = name.replace("_gain", "")
        key = f"parametrizations.{full}.original{int('gain' not in name)}" if "weight_hh" in name else name
        torch.testing.assert_close(found, theirs[key].view_as(found), msg=name)


def test_weight_norm_of_named_matrices_by_the_units_of_their_products(x):
    layer = seeded(0, Recurrent, cells.gru_reset_before, F, H, weight_norm=["W_n", "U_n"], dtype=D)
    assert layer.W_n_gain_l0.shape == layer.U_n_gain_l0.shape == (H,)
    torch.testing.assert_close(layer.W_n_gain_l0, layer.W_n_l0.norm(dim=0))
    plain = Recurrent(cells.gru_reset_before, F, H, dtype=D)
    with torch.no_grad():
        layer.U_n_gain_l0.copy_(torch.arange(1, H + 1))
        weights = dict(layer.named_parameters())
        for name, parameter in plain.named_parameters():
            parameter.copy_(weights[name])
        plain.U_n_l0.copy_(plain.U_n_l0 / plain.U_n_l0.norm(dim=0) * torch.arange(1, H + 1))
    torch.testing.assert_close(layer(x)[0], plain(x)[0])


def test_weight_norm_in_files_and_streams(tmp_path):
    layer = seeded(0, LSTM, F, H, weight_norm=True, recurrent_dropout=0.2).eval()
    x = torch.randn(T, B, F)
    with torch.no_grad():
        layer.weight_hh_gain_l0.mul_(1.5)
    expected = layer(x)[0]
    recurra.save(layer, tmp_path / "model")
    assert torch.equal(recurra.load(tmp_path / "model")(x)[0], expected)
    model = recurra.runtime.load(tmp_path / "model")
    assert np.array_equal(model(x.numpy())[0], expected.detach().numpy())
    stream = model.stream(batch=B)
    assert np.array_equal(np.stack([stream.step(row) for row in x.numpy()]), expected.detach().numpy())


def test_wrong_arguments():
    for wrong in (-0.1, 1.5, True, "0.1", None, float("nan")):
        with pytest.raises(ValueError, match=r"zoneout must be a probability from 0 to 1"):
            LSTM(F, H, zoneout=wrong)
    with pytest.raises(ValueError, match=r"recurrent_dropout\['h'\] must be a probability from 0 to 1; got 2"):
        LSTM(F, H, recurrent_dropout={"h": 2})
    with pytest.raises(
        ValueError, match="cell 'lstm': zoneout names 'g', which the cell does not have; there are: h, c"
    ):
        LSTM(F, H, zoneout={"g": 0.1})
    with pytest.raises(ValueError, match=r"cell 'gru': recurrent_dropout names 'q', which .* there are: h, r_x,"):
        GRU(F, H, recurrent_dropout={"q": 0.1})
    with pytest.raises(ValueError, match=r"'indrnn': recurrent_dropout finds no product of h, .* with a matrix$"):
        Recurrent(cells.indrnn, F, H, recurrent_dropout=0.1)
    with pytest.raises(ValueError, match=r"'lstm': recurrent_dropout finds no product of c, .* can be dropped: a_i,"):
        LSTM(F, H, recurrent_dropout={"c": 0.1})
    with pytest.raises(AttributeError, match=r"LSTM was made with zoneout=0\.0, which cannot become 0.5"):
        LSTM(F, H).zoneout = 0.5
    with pytest.raises(ValueError, match="weight_drop and weight_norm exclude each other"):
        LSTM(F, H, weight_drop=0.1, weight_norm=True)
    with pytest.raises(
        ValueError, match=r"weight_norm names 'b_f', which is no matrix .* there are: W_f, U_f, W_n, U_n"
    ):
        Recurrent(cells.mgu, F, H, weight_norm=["b_f"])
    with pytest.raises(ValueError, match="cell 'indrnn' has no matrix that multiplies a state"):
        Recurrent(cells.indrnn, F, H, weight_norm=True)
    with pytest.raises(TypeError, match="weight_norm must be True, False, or a list of names of matrices; got 'U'"):
        LSTM(F, H, weight_norm="U")
