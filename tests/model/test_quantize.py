import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra import cell, heads
from recurra.errors import FileFormatError
from recurra.model import Description, Weight, read, write
from recurra.model.quantize import quantize, quantized
from recurra.runtime import Model
from tests.runtime.models import cell_part, described, language_model, linear, lstm, same, stack


def bfloat16_by_hand(value):
    """The nearer of the two bfloat16 around a float32; of two equally near ones, the even one."""
    bits = int(np.float32(value).view(np.uint32))
    low, high = bits >> 16, (bits >> 16) + 1
    below, above = ((bits - (low << 16)), ((high << 16) - bits))
    return low if below < above or (below == above and low % 2 == 0) else high


@settings(max_examples=200)
@given(value=st.floats(width=32, allow_nan=False, min_value=-(2.0**120), max_value=2.0**120))
def test_bfloat16_is_the_nearest(value):
    made = described(linear(1, 1))
    made.weights["weight"].data[:] = value
    assert int(quantize(made, "bf16").weights["weight"].data[0, 0]) == bfloat16_by_hand(value)


def test_special_numbers_in_bfloat16():
    made = described(linear(5, 1))
    made.weights["weight"].data[0] = [np.nan, np.inf, -np.inf, -0.0, np.float32(3.4e38)]
    values = quantize(made, "bf16").weights["weight"].values()[0]
    assert np.isnan(values[0])
    assert values[1:].tolist() == [np.inf, -np.inf, 0, np.inf]
    assert np.signbit(values[3])


@settings(max_examples=50)
@given(rows=st.integers(1, 9), columns=st.integers(1, 30), seed=st.integers(0, 1000), size=st.floats(1e-20, 1e20))
def test_int8_is_within_half_a_step(rows, columns, seed, size):
    made = described(linear(columns, rows), seed)
    made.weights["weight"].data[:] *= np.float32(size)
    weight = quantize(made, "int8").weights["weight"]
    assert weight.dtype == "int8"
    assert abs(weight.data.astype(int)).max() <= 127
    original = made.weights["weight"].data
    step = np.abs(original).max(1, keepdims=True) / 127
    assert (np.abs(weight.values() - original) <= step * 0.5001).all()
    largest = np.abs(original).argmax(1)
    picked = weight.values()[np.arange(rows), largest] / original[np.arange(rows), largest]
    np.testing.assert_allclose(picked, 1, rtol=3e-7)


@pytest.mark.parametrize("kind", ["bf16", "int8"])
def test_a_narrow_model_is_the_model_of_its_numbers(kind, tmp_path):
    made = quantize(described(language_model()), kind)
    assert {name for name, weight in made.weights.items() if weight.dtype == "float32"} == {
        name for name in made.weights if "bias" in name
    }
    write(made, tmp_path / "m")
    ids = np.random.default_rng(0).integers(0, 11, (5, 2))
    output, state = Model(read(tmp_path / "m"))(ids)
    wide = Description(made.root, {name: type(w).of(np.array(w.values())) for name, w in made.weights.items()})
    expected, last = Model(wide)(ids)
    assert same(output, expected)
    assert same(state, last)
    full, _ = Model(described(language_model()))(ids)
    assert 0 < np.abs(output - full).max() < 0.1


def test_zero_rows_and_tied_weights():
    made = described(linear(4, 3, bias=False))
    made.weights["weight"].data[1] = 0
    weight = quantize(made, "int8").weights["weight"]
    assert weight.scale[1] == 1
    assert not weight.values()[1].any()
    root = stack(linear(4, 4, bias=False), linear(4, 4, bias=False))
    first = described(root).weights["0.weight"]
    tied = quantize(Description(root, {"0.weight": first, "1.weight": first}), "bf16")
    assert tied.weights["0.weight"] is tied.weights["1.weight"]


def test_what_cannot_be_quantized():
    with pytest.raises(FileFormatError, match="is float64"):
        quantize(described(lstm(2, 3), dtype=np.float64), "bf16")
    with pytest.raises(FileFormatError, match="bf16 or int8, not 'fp4'"):
        quantize(described(lstm(2, 3)), "fp4")
    made = described(linear(2, 2))
    made.weights["weight"].data[0, 0] = np.inf
    with pytest.raises(FileFormatError, match="weight weight holds numbers that are not finite"):
        quantize(made, "int8")


def int8(rows):
    return quantized(Weight.of(np.asarray(rows, np.float32)), "int8")


def test_bfloat16_is_rounded_as_torch_rounds():
    torch = pytest.importorskip("torch")
    bits = np.arange(0, 2**32, 65_521 * 3, dtype=np.uint32)
    halves = np.array([0x3F808000, 0x3F818000, 0x3F807FFF, 0x3F808001, 0x7F7FFFFF, 0, 1, 0x8000, 0x18000], np.uint32)
    values = np.concatenate([bits, halves, halves | 0x80000000]).view(np.float32)[:, None]
    values = values[~np.isnan(values[:, 0])]
    expected = torch.from_numpy(values).to(torch.bfloat16).view(torch.int16).numpy().view(np.uint16)
    np.testing.assert_array_equal(quantized(Weight.of(values), "bf16").data, expected)


def test_nan_in_bfloat16_keeps_its_sign():
    values = np.array([[0x7F800001, 0xFFFFFFFF, 0x7FFFFFFF, 0xFF800001]], np.uint32).view(np.float32)
    made = quantized(Weight.of(values), "bf16").values()
    assert np.isnan(made).all()
    assert np.signbit(made).tolist() == [[False, True, False, True]]


def test_int8_rounds_to_the_nearest_and_of_two_to_the_even():
    made = int8([[127, 0.5, 1.5, 2.5, -0.5, -1.5], [254, 1, 3, 5, -127, -254]])
    assert made.data.tolist() == [[127, 0, 2, 2, 0, -2], [127, 0, 2, 2, -64, -127]]
    assert made.scale.tolist() == [1, 2]


@pytest.mark.parametrize("size", [0.0, -0.0, 1e-45, 1e-44, 1.2e-38, 1.0, 3e38, float(np.finfo(np.float32).max)])
def test_int8_of_rows_of_any_size(size):
    made = int8([[size, -size, size / 2, 0]])
    assert (made.scale > 0).all()
    if size < 1.4e-43:
        assert np.abs(made.values()).max() <= 2 * size, "of denormals the scale itself is rough"
    else:
        np.testing.assert_allclose(made.values()[0, :2], [size, -size], rtol=1e-6)
        np.testing.assert_allclose(made.values()[0, 2], size / 2, rtol=1e-2)


def test_int8_of_three_dimensions_has_scales_of_the_first():
    @cell
    def headed(x, h, *, W, R):
        h = x @ W + heads(h, 2) @ R
        return h

    blocks = np.stack([np.eye(4), 100 * np.eye(4)]).astype(np.float32)
    weights = {"W": Weight.of(np.ones((3, 8), np.float32)), "R": Weight.of(blocks)}
    made = quantize(Description(cell_part(headed, 3, 8), weights), "int8").weights["R"]
    np.testing.assert_array_equal(made.scale, np.float32([1, 100]) / np.float32(127))
    np.testing.assert_allclose(made.values(), blocks, rtol=1e-6)


@pytest.mark.parametrize("kind", ["bf16", "int8"])
@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0), (2, 0, 3)])
def test_weights_without_numbers(kind, shape):
    assert quantized(Weight.of(np.zeros(shape, np.float32)), kind).values().shape == shape


@pytest.mark.parametrize("kind", ["bf16", "int8"])
def test_what_is_narrow_stays(kind):
    once = quantize(described(language_model()), kind)
    twice = quantize(once, kind)
    assert all(twice.weights[name] is weight for name, weight in once.weights.items())


def test_from_float16_and_from_one_to_the_other():
    half = Weight.of(np.random.default_rng(0).standard_normal((5, 7)).astype(np.float16))
    for kind, other in (("bf16", "int8"), ("int8", "bf16")):
        made = quantized(half, kind)
        assert same(made.values(), quantized(Weight.of(half.values()), kind).values())
        assert same(quantized(made, other).values(), quantized(Weight.of(made.values()), other).values())
