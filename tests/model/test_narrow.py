"""Models rounded to bfloat16 and int8: which weights, to which numbers, and what is refused."""

import numpy as np
import pytest

from recurra import cell, cells, heads
from recurra.compiler import trace
from recurra.errors import FileFormatError, RecurraError
from recurra.model import Description, Part, Weight, read, weights_of, write
from recurra.model.narrow import narrow
from recurra.runtime import Model

SIZES = {"num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0, "bidirectional": False, "proj_size": 0}


def description(dtype=np.float32, **given):
    """An embedding, a layer and a linear map that shares the embedding's table."""
    layer = {"input_size": 6, "hidden_size": 6, "program": trace(cells.lstm), "init": {}, **SIZES}
    parts = (
        ("table", Part("Embedding", {"num_embeddings": 11, "embedding_dim": 6, "padding_idx": None})),
        ("layer", Part("Recurrent", layer)),
        ("head", Part("Linear", {"in_features": 6, "out_features": 11, "bias": True})),
    )
    root = Part("Stack", {}, parts)
    draw = np.random.default_rng(0)
    weights = {
        name: Weight.of(np.asarray(given.get(name, draw.standard_normal(shape)), dtype))
        for name, shape in weights_of(root).items()
    }
    weights["head.weight"] = weights["table.weight"]
    return Description(root, weights)


def table(rows):
    """A description whose table begins with these rows."""
    values = np.zeros((11, 6), np.float32)
    rows = np.asarray(rows, np.float32)
    values[: rows.shape[0], : rows.shape[1]] = rows
    return description(**{"table.weight": values})


@pytest.mark.parametrize(("to", "dtype"), [("bf16", "bfloat16"), ("int8", "int8")])
def test_matrices_are_rounded_and_vectors_stay(to, dtype):
    model = description()
    made = narrow(model, to)
    assert made.root is model.root
    assert list(made.weights) == list(model.weights)
    for name, weight in model.weights.items():
        assert made.weights[name].shape == weight.shape
        assert made.weights[name].dtype == (dtype if len(weight.shape) > 1 else "float32")
        if len(weight.shape) == 1:
            assert made.weights[name] is weight
    assert {made.weights[name].dtype for name in ("table.weight", "layer.weight_hh_l0", "head.weight")} == {dtype}
    assert made.weights["head.weight"] is made.weights["table.weight"], "tied weights stay one"


def test_bfloat16_is_rounded_as_torch_rounds():
    torch = pytest.importorskip("torch")
    bits = np.arange(0, 2**32, 65_521 * 3, dtype=np.uint32)
    halves = np.array([0x3F808000, 0x3F818000, 0x3F807FFF, 0x3F808001, 0x7F7FFFFF, 0x80000000, 1, 0x8000], np.uint32)
    values = np.concatenate([bits, halves, halves | 0x80000000])
    values = np.resize(values, (len(values) // 6, 6)).view(np.float32)
    values[np.isnan(values)] = 0
    part = Part("Embedding", {"num_embeddings": len(values), "embedding_dim": 6, "padding_idx": None})
    made = narrow(Description(part, {"weight": Weight.of(values)}), "bf16").weights["weight"]
    expected = torch.from_numpy(values).to(torch.bfloat16).view(torch.int16).numpy().view(np.uint16)
    np.testing.assert_array_equal(made.data, expected)


def test_bfloat16_keeps_what_is_not_finite():
    nans = np.array([[0x7F800001, 0xFFFFFFFF, 0x7FFFFFFF, 0x7FC00000]], np.uint32).view(np.float32)
    made = narrow(table([*nans, [np.inf, -np.inf, np.nan, -0.0]]), "bf16").weights["table.weight"].values()
    assert np.isnan(made[0, :4]).all()
    np.testing.assert_array_equal(np.signbit(made[0, :4]), np.signbit(nans[0]))
    np.testing.assert_array_equal(made[1, :4], [np.inf, -np.inf, np.nan, 0])
    assert np.signbit(made[1, 3])


def test_int8_has_a_scale_for_each_row():
    model = description()
    for name in ("table.weight", "layer.weight_ih_l0"):
        values, made = model.weights[name].values(), narrow(model, "int8").weights[name]
        scale = np.abs(values).max(1) / np.float32(127)
        np.testing.assert_array_equal(made.scale, scale)
        np.testing.assert_array_equal(np.abs(made.data).max(1), 127)
        assert np.abs(made.values() - values).max() <= 0.5001 * scale.max()
        assert (np.abs(made.values() - values) <= 0.5001 * scale[:, None]).all()


def test_int8_rounds_to_the_nearest_and_of_two_to_the_even():
    made = narrow(table([[127, 0.5, 1.5, 2.5, -0.5, -1.5], [254, 1, 3, 5, -127, -254]]), "int8")
    np.testing.assert_array_equal(made.weights["table.weight"].data[0], [127, 0, 2, 2, 0, -2])
    np.testing.assert_array_equal(made.weights["table.weight"].data[1], [127, 0, 2, 2, -64, -127])


@pytest.mark.parametrize("size", [0.0, -0.0, 1e-45, 1e-44, 1.2e-38, 1.0, 3e38, float(np.finfo(np.float32).max)])
def test_int8_of_rows_of_any_size(size):
    made = narrow(table([[size, -size, size / 2, 0]]), "int8").weights["table.weight"]
    assert made.scale is not None
    assert (made.scale > 0).all()
    if size < 1.4e-43:
        assert np.abs(made.values()[0]).max() <= 2 * size, "of denormals the scale itself is rough"
    else:
        np.testing.assert_allclose(made.values()[0, :2], [size, -size], rtol=1e-6)
        np.testing.assert_allclose(made.values()[0, 2], size / 2, rtol=1e-2)
    np.testing.assert_array_equal(made.values()[1:], 0)


def test_int8_of_a_weight_with_three_dimensions_has_scales_of_the_first():
    @cell
    def headed(x, h, *, W, R):
        h = x @ W + heads(h, 2) @ R
        return h

    blocks = np.stack([np.eye(4), 100 * np.eye(4)]).astype(np.float32)
    settings = {"input_size": 3, "hidden_size": 8, "bias": True, "init": {}, "program": trace(headed)}
    weights = {"W": Weight.of(np.ones((3, 8), np.float32)), "R": Weight.of(blocks)}
    made = narrow(Description(Part("RecurrentCell", settings), weights), "int8").weights["R"]
    np.testing.assert_array_equal(made.scale, np.float32([1, 100]) / np.float32(127))
    np.testing.assert_allclose(made.values(), blocks, rtol=1e-6)


@pytest.mark.parametrize("to", ["bf16", "int8"])
def test_weights_without_numbers(to):
    part = Part("RNNCell", {"input_size": 0, "hidden_size": 2, "bias": False, "init": {}, "program": trace(cells.rnn)})
    weights = {name: Weight.of(np.ones(shape, np.float32)) for name, shape in weights_of(part).items()}
    assert narrow(Description(part, weights), to).weights["weight_ih"].shape == (2, 0)


@pytest.mark.parametrize("to", ["bf16", "int8"])
def test_what_is_narrow_stays(to):
    once = narrow(description(), to)
    twice = narrow(once, to)
    assert all(twice.weights[name] is weight for name, weight in once.weights.items())


def test_from_float16_and_from_one_to_the_other():
    half = description(np.float16)
    for to in ("bf16", "int8"):
        made = narrow(half, to).weights["table.weight"]
        single = description(**{name: weight.values() for name, weight in half.weights.items()})
        np.testing.assert_array_equal(made.values(), narrow(single, to).weights["table.weight"].values())
    both = narrow(narrow(description(), "bf16"), "int8").weights["table.weight"]
    assert both.dtype == "int8"
    assert narrow(narrow(description(), "int8"), "bf16").weights["table.weight"].dtype == "bfloat16"


@pytest.mark.parametrize("to", ["bf16", "int8"])
def test_a_file_holds_them_and_a_model_runs_with_them(tmp_path, to):
    made = narrow(description(), to)
    write(made, tmp_path / "model.safetensors")
    back = read(tmp_path / "model.safetensors")
    for name, weight in made.weights.items():
        np.testing.assert_array_equal(back.weights[name].values(), weight.values())
    assert back.weights["head.weight"] is back.weights["table.weight"]
    wide = Description(made.root, {name: Weight.of(weight.values()) for name, weight in made.weights.items()})
    ids = np.arange(10).reshape(5, 2)
    np.testing.assert_array_equal(Model(back)(ids)[0], Model(wide)(ids)[0])


@pytest.mark.parametrize("to", ["bf16", "int8"])
def test_float64_is_refused(to):
    with pytest.raises(FileFormatError, match=r"^weight table\.weight is float64: only models of float32 or less"):
        narrow(description(np.float64), to)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_int8_of_numbers_that_are_not_finite_is_refused(number):
    with pytest.raises(FileFormatError, match=r"^weight table\.weight has numbers that are not finite: int8 cannot"):
        narrow(table([[number]]), "int8")


def test_other_widths_are_refused():
    with pytest.raises(RecurraError, match="weights can be made bf16 or int8, not 'int4'"):
        narrow(description(), "int4")
