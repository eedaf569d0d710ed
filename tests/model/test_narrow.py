import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.errors import FileFormatError
from recurra.model import Description, read, write
from recurra.model.narrow import narrow
from recurra.runtime import Model
from tests.runtime.models import described, language_model, linear, lstm, same, stack


def bfloat16_by_hand(value):
    """The nearer of the two bfloat16 around a float32; the even one of two that are as near."""
    bits = int(np.float32(value).view(np.uint32))
    low, high = bits >> 16, (bits >> 16) + 1
    below, above = ((bits - (low << 16)), ((high << 16) - bits))
    return low if below < above or (below == above and low % 2 == 0) else high


@settings(max_examples=200, deadline=None)
@given(value=st.floats(width=32, allow_nan=False, min_value=-(2.0**120), max_value=2.0**120))
def test_bfloat16_is_the_nearest(value):
    made = described(linear(1, 1))
    made.weights["weight"].data[:] = value
    assert int(narrow(made, "bf16").weights["weight"].data[0, 0]) == bfloat16_by_hand(value)


def test_special_numbers_in_bfloat16():
    made = described(linear(5, 1))
    made.weights["weight"].data[0] = [np.nan, np.inf, -np.inf, -0.0, np.float32(3.4e38)]
    values = narrow(made, "bf16").weights["weight"].values()[0]
    assert np.isnan(values[0])
    assert values[1:].tolist() == [np.inf, -np.inf, 0, np.inf]
    assert np.signbit(values[3])


@settings(max_examples=50, deadline=None)
@given(rows=st.integers(1, 9), columns=st.integers(1, 30), seed=st.integers(0, 1000), size=st.floats(1e-20, 1e20))
def test_int8_is_within_half_a_step(rows, columns, seed, size):
    made = described(linear(columns, rows), seed)
    made.weights["weight"].data[:] *= np.float32(size)
    weight = narrow(made, "int8").weights["weight"]
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
    made = narrow(described(language_model()), kind)
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
    weight = narrow(made, "int8").weights["weight"]
    assert weight.scale[1] == 1
    assert not weight.values()[1].any()
    root = stack(linear(4, 4, bias=False), linear(4, 4, bias=False))
    first = described(root).weights["0.weight"]
    tied = narrow(Description(root, {"0.weight": first, "1.weight": first}), "bf16")
    assert tied.weights["0.weight"] is tied.weights["1.weight"]


def test_what_cannot_be_narrowed():
    with pytest.raises(FileFormatError, match="is float64"):
        narrow(described(lstm(2, 3), dtype=np.float64), "bf16")
    with pytest.raises(FileFormatError, match="bf16 or int8, not 'fp4'"):
        narrow(described(lstm(2, 3)), "fp4")
    made = described(linear(2, 2))
    made.weights["weight"].data[0, 0] = np.inf
    with pytest.raises(FileFormatError, match="weight weight: it holds numbers that are not finite"):
        narrow(made, "int8")
