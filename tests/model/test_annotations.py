"""Annotations survive writing and reading, files from before them are read, and a model must fit them."""

import pytest

from recurra import runtime
from recurra.errors import FileFormatError
from recurra.model import Description, annotations, read, write
from recurra.model.annotations import ANNOTATIONS
from recurra.model.quantize import quantize
from recurra.series.autoregressive.recipe import AutoregressiveRecipe
from recurra.series.frequency import Frequency
from recurra.vocabulary import Vocabulary
from tests.model.museum import descriptions, forecasters
from tests.model.museum.exhibits import changed, opened, spoken
from tests.runtime.forecasters import forecaster, recipe
from tests.runtime.models import described, linear


def test_annotations_come_back_with_the_model(tmp_path):
    made = forecaster()
    write(quantize(made, "int8"), tmp_path / "m")
    model = runtime.load_forecaster(tmp_path / "m")
    assert model.description.annotations.keys() == {"forecaster"}
    assert model.description.vocabulary is None
    assert model.recipe == made.annotations["forecaster"]
    model.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "m").read_bytes()


@pytest.mark.parametrize("level", ["char", "word", None])
def test_files_from_before_annotations_are_read(level, tmp_path):
    """Such files have the vocabulary, or null, as a field of its own."""
    tokens = {"char": "ab", "word": "a <eos>"}
    vocabulary = None if level is None else {"level": level, "tokens": tokens[level]}
    (tmp_path / "m").write_bytes(descriptions.before_annotations(spoken(), vocabulary))
    found = read(tmp_path / "m")
    if level is None:
        assert found.annotations == {}
        assert found.vocabulary is None
    else:
        assert found.annotations.keys() == {"vocabulary"}
        assert found.vocabulary.tokens == ("<unk>", *(tokens[level] if level == "char" else ("a", "<eos>")))
        assert runtime.load(tmp_path / "m").vocabulary.level == level
    write(found, tmp_path / "again")
    _, description, _ = opened((tmp_path / "again").read_bytes())
    assert description["annotations"] == ({} if level is None else {"vocabulary": vocabulary})
    assert "vocabulary" not in description


def test_what_the_museum_damages_is_read_whole(tmp_path):
    (tmp_path / "m").write_bytes(forecasters.forecaster())
    assert runtime.load_forecaster(tmp_path / "m").recipe == forecasters.RECIPE
    (tmp_path / "m").write_bytes(forecasters.autoregressive())
    assert runtime.load_forecaster(tmp_path / "m").recipe == forecasters.STEPS


def test_an_unknown_annotation_is_refused_by_name(tmp_path):
    made = described(linear(2, 1))
    known = ", ".join(sorted(ANNOTATIONS))
    with pytest.raises(FileFormatError, match=f"annotation 'licence' is not known; known are {known}"):
        Description(made.root, made.weights, {"licence": "mine"})
    (tmp_path / "m").write_bytes(changed(("annotations", "licence"), {}))
    with pytest.raises(FileFormatError, match="annotation 'licence' is not known"):
        read(tmp_path / "m")


def test_an_annotation_is_of_its_class():
    made = described(linear(2, 1))
    with pytest.raises(TypeError, match=r"forecaster must be a recurra\.series\.recipe\.Recipe, not dict"):
        Description(made.root, made.weights, {"forecaster": {}})


def test_every_annotation_has_a_summary():
    words = Vocabulary("word", ["<unk>", "a", "<eos>"])
    summaries = {"vocabulary": (words, "a vocabulary of 3 tokens (word)")}
    summaries["forecaster"] = (recipe("15min"), "a forecaster of 3 steps (15min), 2 networks")
    steps = AutoregressiveRecipe(Frequency("h"), 6, 24, (1, 24), "poisson", False)
    summaries["autoregressive"] = (steps, "an autoregressive forecaster of 6 steps (h, poisson)")
    assert {name: row.summary(summaries[name][0]) for name, row in annotations.ANNOTATIONS.items()} == {
        name: text for name, (_, text) in summaries.items()
    }
