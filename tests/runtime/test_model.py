import threading

import numpy as np
import pytest

import recurra
from recurra import cells, runtime
from recurra.errors import RecurraError
from recurra.model import Description, Part, write
from recurra.runtime import FileFormatError, Model
from recurra.vocabulary import Vocabulary
from tests.cells.representatives import ZOO
from tests.runtime.models import (
    cell_part,
    described,
    embedding,
    language_model,
    layer,
    linear,
    lstm,
    model,
    same,
    stack,
)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm_by_hand(weights, x, h, c):
    outputs = []
    for x_t in x:
        z = x_t @ weights["weight_ih_l0"].T + weights["bias_ih_l0"] + h @ weights["weight_hh_l0"].T
        i, f, g, o = np.split(z + weights["bias_hh_l0"], 4, -1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs), h, c


def test_an_lstm_is_its_equations():
    made = described(lstm(5, 7), dtype=np.float64)
    x = np.random.default_rng(1).standard_normal((6, 3, 5))
    output, (h, c) = Model(made)(x)
    weights = {name: weight.values() for name, weight in made.weights.items()}
    expected, h_n, c_n = lstm_by_hand(weights, x, np.zeros((3, 7)), np.zeros((3, 7)))
    assert output.dtype == np.float64
    np.testing.assert_allclose(output, expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(h[0], h_n, rtol=0, atol=1e-12)
    np.testing.assert_allclose(c[0], c_n, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ZOO)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_every_cell_agrees_with_the_reference_engine(name, bidirectional):
    hidden = 5
    made = model(
        layer(cells.all()[name], hidden, hidden, num_layers=2, bidirectional=bidirectional)
        if not (name == "antisymmetric_rnn" and bidirectional)
        else layer(cells.all()[name], hidden, hidden, bidirectional=True)
    )
    x = np.random.default_rng(2).standard_normal((7, 3, hidden)).astype(np.float32)
    output, state = made(x, lengths=[7, 2, 5])
    with recurra.engine("reference"):
        expected, expected_state = made(x, lengths=[7, 2, 5])
    np.testing.assert_allclose(output, expected, rtol=1e-5, atol=1e-5)
    for value, wanted in zip(made.layout.nest.flatten(state), made.layout.nest.flatten(expected_state), strict=True):
        np.testing.assert_allclose(value, wanted, rtol=1e-5, atol=1e-5)


def test_lengths_are_sequences_by_themselves():
    made = model(lstm(4, 6, num_layers=2, bidirectional=True))
    random = np.random.default_rng(3)
    x = random.standard_normal((5, 4, 4)).astype(np.float32)
    first = tuple(random.standard_normal((4, 4, 6)).astype(np.float32) for _ in range(2))
    lengths = [3, 0, 5, 1]
    output, state = made(x, first, lengths=np.array(lengths))
    for b, length in enumerate(lengths):
        assert not output[length:, b].any()
        begin = tuple(value[:, b : b + 1] for value in first)
        if length == 0:
            assert same(tuple(value[:, b : b + 1] for value in state), begin)
            continue
        alone, ends = made(x[:length, b : b + 1], begin)
        assert same(alone, output[:length, b : b + 1])
        assert same(ends, tuple(np.ascontiguousarray(value[:, b : b + 1]) for value in state))


def test_all_lengths_zero():
    made = model(stack(lstm(4, 6), linear(6, 2)))
    output, (h, c) = made(np.ones((5, 2, 4), np.float32), lengths=[0, 0])
    assert output.shape == (5, 2, 2)
    assert not output.any()
    assert not h.any()
    assert not c.any()


def test_batch_first_and_unbatched():
    plain, swapped = model(lstm(4, 6)), model(lstm(4, 6, batch_first=True))
    x = np.random.default_rng(4).standard_normal((5, 3, 4)).astype(np.float32)
    output, state = plain(x)
    other, other_state = swapped(x.swapaxes(0, 1))
    assert same(np.ascontiguousarray(other.swapaxes(0, 1)), output)
    assert same(other_state, state)
    alone, (h, c) = plain(x[:, 1])
    assert same(alone, np.ascontiguousarray(output[:, 1]))
    assert h.shape == c.shape == (1, 6)
    again, _ = plain(x[:, 1], (h, c))
    assert not same(again, alone)


def test_a_state_goes_on():
    made = model(language_model())
    ids = np.random.default_rng(5).integers(0, 11, (8, 2))
    whole, last = made(ids)
    first, state = made(ids[:3])
    second, state = made(ids[3:], state)
    assert same(np.concatenate([first, second]), whole)
    assert same(state, last)


def test_several_recurrent_parts_have_nested_states():
    gru = layer(cells.gru, 6, 5, kind="GRU")
    made = model(stack(lstm(4, 6), stack(gru, linear(5, 5)), Part("Dropout", {"p": 0.5}), lstm(5, 3)))
    output, state = made(np.ones((2, 3, 4), np.float32))
    assert output.shape == (2, 3, 3)
    (h, c), g, (h2, c2) = state
    assert h.shape == c.shape == (1, 3, 6)
    assert g.shape == (1, 3, 5)
    assert h2.shape == c2.shape == (1, 3, 3)
    again, _ = made(np.ones((2, 3, 4), np.float32), (None, g, (h2, c2)))
    assert again.shape == output.shape
    with pytest.raises(RecurraError, match="one for each of 3 recurrent parts; got 2"):
        made(np.ones((2, 3, 4)), (None, g))


def test_a_cell_takes_a_step():
    made = model(cell_part(cells.lstm, 4, 6))
    x = np.random.default_rng(6).standard_normal((3, 4)).astype(np.float32)
    output, (h, c) = made(x)
    assert same(output, h)
    assert c.shape == (3, 6)
    alone, (h1, _) = made(x[0], (h[1], c[1]))
    assert alone.shape == h1.shape == (6,)


def test_without_recurrent_parts():
    made = model(stack(linear(4, 3), Part("ReLU")))
    output, state = made(np.ones((2, 1, 4)))
    assert output.shape == (2, 1, 3)
    assert state == ()


def test_no_steps_and_no_sequences():
    made = model(stack(lstm(4, 6), linear(6, 2)))
    output, (h, _) = made(np.zeros((0, 3, 4)))
    assert output.shape == (0, 3, 2)
    assert not h.any()
    output, (h, _) = made(np.zeros((3, 0, 4)))
    assert output.shape == (3, 0, 2)
    assert h.shape == (1, 0, 6)


def test_any_memory_layout_and_dtype_of_input():
    made = model(lstm(4, 6))
    x = np.random.default_rng(7).standard_normal((5, 3, 4)).astype(np.float32)
    expected, state = made(x)
    wide = np.zeros((5, 3, 8), np.float32)
    wide[..., ::2] = x
    for other in (np.asfortranarray(x), wide[..., ::2], x.astype(np.float64), x[::-1][::-1], x.tolist()):
        output, last = made(other)
        assert same(output, expected)
        assert same(last, state)


@pytest.mark.parametrize(
    ("x", "state", "lengths", "message"),
    [
        (np.ones((5, 3, 3)), None, None, r"\(seq_len, batch, input_size=4\); got \(5, 3, 3\): the last dimension is 3"),
        (np.ones(4), None, None, r"\(seq_len, batch, input_size=4\), or without batch; got \(4,\)"),
        (np.ones((5, 3, 4)), np.ones((1, 3, 6)), None, r"a tuple, \(h, c\); got ndarray"),
        (
            np.ones((5, 3, 4)),
            (np.ones((1, 2, 6)), None),
            None,
            r"state h must be numbers .*batch=3.*got float64 \(1, 2",
        ),
        (np.ones((5, 3, 4)), None, [1, 2], r"lengths must be \(batch=3,\)"),
        (np.ones((5, 3, 4)), None, [1, 2, 6], "from 0 to the input's 5 steps; got 1 … 6"),
        (np.ones((5, 3, 4)), None, [1, 2, -1], "got -1 … 2"),
        (np.ones((5, 3, 4)), None, [1.0, 2, 3], "whole numbers"),
    ],
)
def test_bad_input_names_the_dimensions(x, state, lengths, message):
    with pytest.raises(ValueError, match=message):
        model(lstm(4, 6))(x, state, lengths)


def test_bad_tokens():
    made = model(language_model())
    with pytest.raises(IndexError, match=r"tokens must be 0 … 10; got 3 … 11"):
        made(np.array([[3], [11]]))
    with pytest.raises(IndexError, match="got -1"):
        made(np.array([[-1]]))
    with pytest.raises(TypeError, match="whole numbers; got float64"):
        made(np.array([[1.0]]))
    with pytest.raises(TypeError, match="must be numbers"):
        model(lstm(4, 6))(np.array([[["a"] * 4]]))


def test_parts_that_do_not_fit_are_refused():
    with pytest.raises(
        FileFormatError, match=r"1 \(Linear\) takes 5 features, and 0 \(LSTM\), the part before it, gives 6"
    ):
        model(stack(lstm(4, 6), linear(5, 2)))
    with pytest.raises(FileFormatError, match=r"1 \(Embedding\) must be the first part"):
        model(stack(linear(4, 6), embedding(3, 4)))
    with pytest.raises(FileFormatError, match="agree in batch_first"):
        model(stack(lstm(4, 6), lstm(6, 6, batch_first=True)))


def test_files_and_threads(tmp_path):
    path = tmp_path / "model.safetensors"
    write(described(language_model()), path)
    made = runtime.load(path)
    made.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()
    ids = np.random.default_rng(8).integers(0, 11, (20, 4))
    expected, _ = made(ids)
    results = []
    threads = [threading.Thread(target=lambda: results.append(made(ids)[0])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(same(result, expected) for result in results)
    assert "Embedding → LSTM → Linear; 1,508 weights, float32" in repr(made)


def test_nothing_to_compute_leaves_the_input_alone():
    made = model(Part("Dropout", {"p": 0.5}))
    x = np.ones((3, 2, 4), np.float32)
    output, _ = made(x, lengths=[1, 3])
    assert x.all()
    assert not output[1:, 0].any()
    assert not np.shares_memory(made(x)[0], x)


def test_a_vocabulary_fits_the_embedding():
    made = described(language_model())
    words = Vocabulary("char", ["<unk>", "a"])
    with pytest.raises(FileFormatError, match="a vocabulary of 2 tokens needs an Embedding of as many"):
        Description(made.root, made.weights, {"vocabulary": words})


def test_tied_weights_stay_tied(tmp_path):
    root = stack(embedding(5, 4), lstm(4, 4), linear(4, 5, bias=False))
    made = described(root)
    tied = Description(root, {**made.weights, "2.weight": made.weights["0.weight"]})
    write(tied, tmp_path / "tied")
    write(made, tmp_path / "not")
    assert (tmp_path / "tied").stat().st_size < (tmp_path / "not").stat().st_size
    loaded = runtime.load(tmp_path / "tied")
    assert loaded.description.weights["2.weight"] is loaded.description.weights["0.weight"]
    assert same(loaded([[1], [2]])[0], Model(tied)([[1], [2]])[0])


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_numbers_that_lie_at_odd_places(engine):
    """Arrays may be fields of records, reversed, or one byte off alignment."""
    made = model(lstm(3, 4))
    numbers = np.random.default_rng(0).standard_normal((5, 2, 3)).astype(np.float32)
    records = np.zeros((5, 2), [("x", "f4", (3,)), ("ok", "i1")])
    records["x"] = numbers
    shifted = np.frombuffer(b"\0" + numbers.tobytes(), np.float32, offset=1).reshape(numbers.shape)
    with recurra.engine(engine):
        for x in (records["x"], shifted, records["x"][::-1], records["x"][:, ::-1], shifted[::-1, ::-1]):
            assert same(made(x)[0], made(np.ascontiguousarray(x))[0])
            stream, other = made.stream(2), made.stream(2)
            assert same(stream.feed(x), other.feed(np.ascontiguousarray(x)))
            streams = made.streams()
            ids = streams.join(2)
            assert same(streams.step(ids, x[0]), made(x)[0][0])


def test_what_takes_no_lengths_says_so():
    with pytest.raises(RecurraError, match="an input without batch takes no lengths"):
        model(lstm(3, 4))(np.zeros((5, 3)), None, [5])
    with pytest.raises(RecurraError, match="a model of a cell takes no lengths"):
        model(cell_part(cells.gru, 3, 4))(np.zeros((2, 3)), None, [5, 5])
    with pytest.raises(RecurraError, match=r"lengths must be \(batch=2,\); got \(3,\)"):
        model(lstm(3, 4))(np.zeros((5, 2, 3)), None, [5, 5, 5])
    with pytest.raises(RecurraError, match="from 0 to the input's 5 steps"):
        model(lstm(3, 4))(np.zeros((5, 2, 3)), None, [5, 6])


def test_lists_of_different_lengths():
    with pytest.raises(RecurraError, match="lists of lists of the same length"):
        model(lstm(3, 4))([[1.0, 2.0, 3.0], [1.0]])
    with pytest.raises(RecurraError, match="lengths must be an array, or lists of lists of the same length"):
        model(lstm(3, 4))(np.zeros((5, 2, 3)), None, [[1], [1, 2]])
    with pytest.raises(RecurraError, match="state h must be an array"):
        model(lstm(3, 4))(np.zeros((5, 2, 3)), ([[1], [1, 2]], None))
    with pytest.raises(RecurraError, match="rows must be an array"):
        model(lstm(3, 4)).stream(2).reset([[0], [0, 1]])
    with pytest.raises(RecurraError, match="ids must be an array"):
        model(lstm(3, 4)).streams().step([[0], [0, 1]], np.zeros((2, 3)))


def test_a_state_where_there_is_none():
    made = model(Part("Tanh"))
    assert made(np.zeros((5, 2, 3)), ())[1] == ()
    for state in (5, np.zeros(0), (np.zeros(2),)):
        with pytest.raises(RecurraError, match="the model has no recurrent part: its state is None, or an empty tuple"):
            made(np.zeros((5, 2, 3)), state)
    with pytest.raises(RecurraError, match=r"must have features in its last dimension; got \(5, 2, 0\)"):
        made(np.zeros((5, 2, 0)))


def test_lengths_of_no_sequences():
    output, _ = model(lstm(3, 4))(np.zeros((5, 0, 3)), None, [])
    assert output.shape == (5, 0, 4)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\x03\x04" + bytes(20), "a zip archive"),
        (b"\x80\x02}q\x00." + bytes(20), "a pickle, which could run anything"),
        (b"\x08\x08\x12\x07recurra" + bytes(20), r"perhaps an ONNX model \(recurra.onnx.load\)"),
        (b"\x89HDF\r\n\x1a\n" + bytes(20), "an HDF5 file"),
        (b"\x93NUMPY\x01\x00" + bytes(20), "a single array of numpy"),
    ],
)
def test_files_of_other_formats_are_named(content, message, tmp_path):
    (tmp_path / "m").write_bytes(content)
    with pytest.raises(FileFormatError, match=message):
        runtime.load(tmp_path / "m")


def test_what_stands_behind_an_end_is_no_token():
    made = model(language_model())
    tokens = np.array([[1, 2], [3, -1], [4, 99]])
    output, state = made(tokens, None, [3, 1])
    expected, expected_state = made(np.where(tokens < 0, 0, tokens % 11), None, [3, 1])
    assert same(output, expected)
    with pytest.raises(IndexError):
        made(tokens, None, [3, 2])
