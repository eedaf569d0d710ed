"""Descriptions survive writing and reading, and a file that would be refused is not written."""

import json
import os
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra import cells
from recurra.errors import FileFormatError
from recurra.model import Description, Part, Weight, cost, read, write
from recurra.model.file_errors import refusing
from recurra.model.kinds import KINDS, NUMBER, PROGRAM, Role, kinds_of
from recurra.model.serial import MAX_DEPTH, MAX_PARTS, from_text, to_text
from recurra.program import from_json
from recurra.vocabulary import Vocabulary
from tests.program.written import equation, program, variable
from tests.runtime.models import cell_part, described, embedding, layer, linear, lstm, stack

NAMES = st.text(min_size=1, max_size=10).filter(lambda name: name.isprintable() and "." not in name)
LEAVES = st.sampled_from(
    [
        lstm(2, 3, num_layers=2, bidirectional=True, dropout=0.25),
        layer(cells.layer_norm_lstm, 2, 4, init={"b": -0.0}),
        cell_part(cells.mgu, 0, 3),
        embedding(3, 2),
        linear(4, 1),
        Part("LayerNorm", {"features": 3, "eps": 1e-5, "elementwise_affine": True, "bias": False}),
        Part("Hardtanh", {"min_val": -1, "max_val": 5e-324}),
        Part("ELU", {"alpha": 1.7976931348623157e308}),
    ]
)
FITTING = st.sampled_from(
    [
        lstm(3, 3, num_layers=2),
        layer(cells.layer_norm_lstm, 3, 3, init={"b": -0.0}),
        linear(3, 3),
        Part("LayerNorm", {"features": 3, "eps": 1e-5, "elementwise_affine": True, "bias": False}),
        Part("Dropout", {"p": 0.5}),
        Part("Tanh"),
    ]
)


def trees(leaves):
    """Trees of nested containers of these parts."""
    return st.recursive(
        leaves,
        lambda parts: st.builds(
            lambda kind, children: Part(kind, {}, tuple(children.items())),
            st.sampled_from(["Sequential", "Stack"]),
            st.dictionaries(NAMES, parts, max_size=3),
        ),
        max_leaves=8,
    )


TOKENS = st.lists(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5, unique=True)
WORDS = st.lists(st.text(min_size=1, max_size=5).filter(lambda text: text.split() == [text]), max_size=5, unique=True)
VOCABULARIES = st.one_of(
    st.none(),
    TOKENS.map(lambda tokens: Vocabulary("char", ["<unk>", *tokens])),
    WORDS.map(lambda words: Vocabulary("word", ["<unk>", *words, "<eos>"])),
    st.just(Vocabulary("byte")),
    st.lists(st.tuples(st.integers(0, 255), st.integers(0, 255)), max_size=5, unique=True).map(
        lambda merges: Vocabulary("bpe", merges=[*merges, *([(256, merges[0][1])] if merges else [])])
    ),
)


def noted(vocabulary):
    """The annotations of a model with this vocabulary, or with none."""
    return {} if vocabulary is None else {"vocabulary": vocabulary}


@settings(max_examples=150)
@given(trees(LEAVES), st.dictionaries(st.text(max_size=5), st.text(max_size=5)), VOCABULARIES)
def test_round_trip(root, tied, vocabulary):
    text = to_text(root, tied, noted(vocabulary))
    found, names, annotations = from_text(text)
    assert found == root
    assert names == tied
    assert annotations.keys() == noted(vocabulary).keys()
    assert annotations.get("vocabulary") == vocabulary
    assert to_text(found, names, annotations) == text


@settings(max_examples=40)
@given(trees(FITTING), VOCABULARIES)
def test_files_round_trip(tmp_path_factory, root, vocabulary):
    path = tmp_path_factory.mktemp("files") / "file"
    if vocabulary is not None:
        root = stack(embedding(len(vocabulary), 3), root)
    made = described(root)
    write(Description(root, made.weights, noted(vocabulary)), path)
    found = read(path)
    assert found.root == root
    assert found.vocabulary == vocabulary
    assert found.weights.keys() == made.weights.keys()
    for name, weight in made.weights.items():
        np.testing.assert_array_equal(found.weights[name].data, weight.data)


def nested(depth):
    part = Part("Tanh")
    for _ in range(depth):
        part = Part("Stack", {}, (("0", part),))
    return part


def named(name):
    return Part("Stack", {}, ((name, Part("Tanh")),))


UNREADABLE = {
    "parts too deep": nested(MAX_DEPTH + 1),
    "parts too many": Part("Stack", {}, tuple((str(n), Part("Tanh")) for n in range(MAX_PARTS))),
    "a name with a dot": named("a.b"),
    "a name of two lines": named("a\nb"),
    "no name": named(""),
    "a long name": named("a" * 101),
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_what_would_not_be_read_is_not_written(what, tmp_path):
    path = tmp_path / "file"
    with pytest.raises(FileFormatError) as refused:
        write(Description(UNREADABLE[what], {}), path)
    assert str(refused.value).startswith(str(path))
    assert not list(tmp_path.iterdir())


def test_tokens_without_an_encoding_are_not_written(tmp_path):
    made = described(embedding(2, 1))
    with pytest.raises(FileFormatError, match="half of a character"):
        write(Description(made.root, made.weights, noted(Vocabulary("char", ["<unk>", "\ud800"]))), tmp_path / "file")


def test_a_failed_save_leaves_what_was_there(tmp_path):
    path = tmp_path / "file"
    write(described(linear(1, 1)), path)
    before = path.read_bytes()
    with pytest.raises(FileFormatError):
        write(Description(nested(40), {}), path)
    with pytest.raises(FileFormatError, match="cannot be written"):
        write(described(linear(1, 1)), tmp_path / "nowhere" / "file")
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


# ---- caps on the cost of using a model ----


def recurrent(content, **settings):
    return layer_of(from_json(json.dumps(content)), **settings)


def layer_of(made, input_size=4, hidden_size=4, **settings):
    part = lstm(input_size, hidden_size, **settings)
    return Part("Recurrent", {**part.settings, "program": made})


def wide(width):
    return program(
        equation("p'", "concat", *["p"] * 1000, shape=(f"{1000 * width}",)),
        equation("m", "mean", "p'", shape=()),
        equation("h'", "add", "h", "m"),
        parameters=[variable("p", str(width))],
    )


def test_a_model_may_take_as_much_as_its_file_gives():
    """A matrix widened a thousandfold is fine while it is small, or while other weights are large."""
    described(recurrent(wide(1000)))
    with pytest.raises(FileFormatError, match="numbers"):
        described(recurrent(wide(100_000)))
    assert cost.FREE + cost.TIMES * 100_000 < 1000 * 100_000
    described(stack(recurrent(wide(100_000)), linear(4, 400_000)))


def test_layers_count_each():
    content = program(*(equation(f"a{n}", "tanh", "h") for n in range(97)))  # with x, h and h' a hundred variables
    described(recurrent(content, num_layers=1000, bidirectional=True))
    with pytest.raises(FileFormatError, match="200100 variables"):
        described(stack(recurrent(content, num_layers=1000, bidirectional=True), recurrent(content, input_size=8)))


def test_the_size_of_a_state_is_that_of_all_layers():
    content = program(
        equation("c'", "add", "c", "x", shape=("input",)),
        states=("h", "c"),
        next_states=("h'", "c'"),
    )
    content["states"][1]["shape"] = ["input"]
    described(recurrent(content, num_layers=2))
    with pytest.raises(FileFormatError, match="size of a state differs"):
        described(recurrent(content, input_size=3, num_layers=2))


def test_every_number_is_one_that_float64_has():
    assert NUMBER.is_valid(2**53)
    assert not NUMBER.is_valid(10**400)
    assert not NUMBER.is_valid(True)
    assert not NUMBER.is_valid(float("nan"))


def test_weights_of_other_dtypes():
    with pytest.raises(FileFormatError, match="int32"):
        Weight.of(np.zeros(3, np.int32))
    weights = {name: Weight(w.data.astype("i8"), "int64") for name, w in described(linear(1, 1)).weights.items()}
    with pytest.raises(FileFormatError, match="int64"):
        Description(linear(1, 1), weights)


def test_every_kind_has_settings_of_its_own():
    for name, kind in KINDS.items():
        with pytest.raises(FileFormatError, match=r"settings missing|unknown"):
            Description(Part(name, {"other": 1, **dict.fromkeys(kind.settings)}), {})


def test_roles_are_what_settings_say():
    recurrent, layers = kinds_of("layer", "cell"), kinds_of("layer")
    assert {name for name, kind in KINDS.items() if PROGRAM in kind.settings.values()} == set(recurrent)
    assert {name for name, kind in KINDS.items() if "num_layers" in kind.settings} == set(layers)
    assert sorted(kinds_of(*get_args(Role))) == sorted(KINDS)
    assert kinds_of("container") == ("Sequential", "Stack", "Residual")
    assert kinds_of("models") == ("Ensemble", "EncoderDecoder")
    assert kinds_of("table") == ("Embedding",)
    assert kinds_of("nothing") == ("Dropout", "VariationalDropout", "Identity")


def test_refusals_name_the_file_in_one_line():
    for path in ("a\nb", "x" * 1000, os.fsdecode(b"\xff")):
        for error in (OSError(2, "No such file"), MemoryError(), ValueError("line\nbreak" * 100)):
            with pytest.raises(FileFormatError) as refused, refusing(path):
                raise error
            assert str(refused.value).isprintable()
            assert len(str(refused.value)) <= 300
    with pytest.raises(KeyError), refusing("file"):  # an error of the program is no error of the file
        raise KeyError("bug")


def test_a_projected_state_needs_a_size(tmp_path):
    """A projected state needs proj_size even if no parameter mentions it: a state without features cannot run."""
    content = program(next_states=("h",), output="x")
    content["states"] = [variable("h", "proj")]
    part = layer(cells.rnn, 4, 2)
    settings = {**part.settings, "program": from_json(json.dumps(content))}
    with pytest.raises(FileFormatError, match="proj_size does not fit its program"):
        Description(Part("Recurrent", settings), {})
