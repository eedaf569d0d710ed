"""Annotations survive writing and reading, files from before them are read, and a model must fit them."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra import runtime
from recurra.errors import FileFormatError
from recurra.model import Column, Description, Part, Scaling, Series, annotations, read, series, write
from recurra.model.annotations import ANNOTATIONS
from recurra.model.quantize import quantize
from recurra.model.serial import from_text, to_text
from recurra.vocabulary import Vocabulary
from tests.model import museum
from tests.runtime.models import described, embedding, linear, lstm, stack

NAMES = st.text(min_size=1, max_size=8).filter(str.isprintable)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
STEPS = st.integers(1, series.MAX_STEPS)


@st.composite
def all_series(draw):
    names = draw(st.lists(NAMES, min_size=3, max_size=6, unique=True))
    time, key, *columns = names
    roles = ["target", *draw(st.lists(st.sampled_from(["target", "past", "future"]), min_size=3, max_size=3))]
    made = tuple(Column(name, role) for name, role in zip(columns, roles, strict=False))
    scaling = None
    if draw(st.booleans()):
        known = draw(st.one_of(st.none(), st.lists(NAMES, min_size=1, max_size=3, unique=True)))
        shape = (1 if known is None else len(known), len(made))
        numbers = st.lists(NUMBERS, min_size=shape[0] * shape[1], max_size=shape[0] * shape[1])
        positive = numbers.map(lambda values: np.maximum(np.abs(values), 5e-324))
        scaling = Scaling(np.reshape(draw(numbers), shape), np.reshape(draw(positive), shape), known)
    levels = draw(st.lists(st.floats(0, 1, exclude_min=True, exclude_max=True), max_size=4, unique=True))
    return Series(
        made,
        draw(STEPS),
        draw(st.one_of(st.none(), STEPS)),
        draw(st.one_of(st.none(), NAMES)),
        draw(st.one_of(st.none(), STEPS)),
        tuple(sorted(levels)),
        scaling,
        draw(st.sampled_from([None, time])),
        key,
    )


def load_and_heat(**others):
    return Series((Column("load", "target"), Column("heat", "future")), 24, **others)


@settings(max_examples=100)
@given(all_series())
def test_series_round_trip(noted):
    text = to_text(Part("Tanh"), {}, {"series": noted})
    _, _, found = from_text(text)
    assert found.keys() == {"series"}
    assert to_text(Part("Tanh"), {}, found) == text
    back = found["series"]
    for name in ("columns", "horizon", "context", "frequency", "period", "quantiles", "time_column", "series_column"):
        assert getattr(back, name) == getattr(noted, name)
    if noted.scaling is None:
        assert back.scaling is None
    else:
        np.testing.assert_array_equal(back.scaling.offset, noted.scaling.offset)
        np.testing.assert_array_equal(back.scaling.scale, noted.scaling.scale)
        assert back.scaling.series == noted.scaling.series


def test_annotations_come_back_with_the_model(tmp_path):
    made = described(stack(lstm(2, 3), linear(3, 1)))
    noted = load_and_heat(scaling=Scaling([1, 2], [3, 4]), frequency="h", period=24)
    write(quantize(Description(made.root, made.weights, {"series": noted}), "int8"), tmp_path / "m")
    model = runtime.load(tmp_path / "m")
    assert model.annotations.keys() == {"series"}
    assert model.vocabulary is None
    found = model.annotations["series"]
    assert isinstance(found, Series)
    assert found.targets == ("load",)
    assert found.scaling.offset.tolist() == [[1, 2]]
    assert (found.frequency, found.period, found.horizon) == ("h", 24, 24)
    model.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "m").read_bytes()


@pytest.mark.parametrize("level", ["char", "word", None])
def test_files_from_before_annotations_are_read(level, tmp_path):
    """Such files have the vocabulary, or null, as a field of its own."""
    tokens = {"char": "ab", "word": "a <eos>"}
    vocabulary = None if level is None else {"level": level, "tokens": tokens[level]}
    (tmp_path / "m").write_bytes(museum.before_annotations(museum.spoken(), vocabulary))
    found = read(tmp_path / "m")
    if level is None:
        assert found.annotations == {}
        assert found.vocabulary is None
    else:
        assert found.annotations.keys() == {"vocabulary"}
        assert found.vocabulary.tokens == ("<unk>", *(tokens[level] if level == "char" else ("a", "<eos>")))
        assert runtime.load(tmp_path / "m").vocabulary.level == level
    write(found, tmp_path / "again")
    _, description, _ = museum.opened((tmp_path / "again").read_bytes())
    assert description["annotations"] == ({} if level is None else {"vocabulary": vocabulary})
    assert "vocabulary" not in description


def test_what_the_museum_damages_is_read_whole(tmp_path):
    (tmp_path / "m").write_bytes(museum.forecaster())
    assert read(tmp_path / "m").annotations["series"].scaling.series == ("north", "south")


def test_an_unknown_annotation_is_refused_by_name(tmp_path):
    made = described(linear(2, 1))
    known = ", ".join(sorted(ANNOTATIONS))
    with pytest.raises(FileFormatError, match=f"annotation 'licence' is not known; known are {known}"):
        Description(made.root, made.weights, {"licence": "mine"})
    (tmp_path / "m").write_bytes(museum.changed(("annotations", "licence"), {}))
    with pytest.raises(FileFormatError, match="annotation 'licence' is not known"):
        read(tmp_path / "m")


def test_an_annotation_is_of_its_class():
    made = described(linear(2, 1))
    with pytest.raises(TypeError, match=r"series must be a recurra\.model\.series\.Series, not dict"):
        Description(made.root, made.weights, {"series": {}})


@pytest.mark.parametrize(
    ("root", "message"),
    [
        (linear(3, 1), "2 columns need a model of as many features; it takes 3"),
        (stack(Part("Tanh"), lstm(1, 2)), "it takes 1"),
        (stack(embedding(5, 2), lstm(2, 2)), "it takes tokens"),
    ],
)
def test_what_series_need_of_a_model(root, message):
    made = described(root)
    with pytest.raises(FileFormatError, match=message):
        Description(made.root, made.weights, {"series": load_and_heat()})
    for fits in (Part("Tanh"), linear(2, 1), stack(Part("Tanh"), lstm(2, 1))):
        made = described(fits)
        Description(made.root, made.weights, {"series": load_and_heat()})


def test_every_annotation_has_a_summary():
    words = Vocabulary("word", ["<unk>", "a", "<eos>"])
    summaries = {"vocabulary": (words, "a vocabulary of 3 tokens (word)")}
    summaries["series"] = (load_and_heat(frequency="h"), "time series of 2 columns (forecast: load), frequency h")
    assert {name: row.summary(summaries[name][0]) for name, row in annotations.ANNOTATIONS.items()} == {
        name: text for name, (_, text) in summaries.items()
    }


def test_as_large_a_scaling_as_can_be_is_read_and_no_larger():
    count = series.MAX_SCALES // 2
    names = [f"{n:x}" for n in range(count + 1)]
    scaling = Scaling(np.zeros((count, 2)), np.ones((count, 2)), names[:-1])
    noted = load_and_heat(scaling=scaling, series_column="place")
    _, _, found = from_text(to_text(Part("Tanh"), {}, {"series": noted}))
    assert found["series"].scaling.offset.shape == (count, 2)
    with pytest.raises(FileFormatError, match="at most 20000"):
        Scaling(np.zeros((count + 1, 2)), np.ones((count + 1, 2)), names)


def test_a_scaling_is_not_changed_afterwards():
    offset = np.zeros(2)
    scaling = Scaling(offset, [1, 1])
    offset[:] = 5
    assert scaling.offset.tolist() == [[0, 0]]
    with pytest.raises(ValueError, match="read-only"):
        scaling.scale[0, 0] = 2


def test_the_fields_of_a_file_are_those_of_the_class():
    """A field that is added to the class must be written and read."""
    content = series.to_content(load_and_heat())
    assert json.loads(json.dumps(content)) == content
    for name in content:
        with pytest.raises(FileFormatError, match=rf"fields missing: \['{name}'\]"):
            series.from_content({key: value for key, value in content.items() if key != name})
