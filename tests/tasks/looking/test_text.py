"""A language model seen while it reads a text: the numbers of its own parts, and the pieces of the text."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import recurra
from recurra.errors import RunError
from recurra.tasks.looking.page import ViewChoice, facts_of, lines_of, page_of
from recurra.tasks.looking.text import look_at_text
from recurra.vocabulary import Vocabulary
from tests.look.seeing.loops import LOOPS, stacked

TEXT = 'the cat said "miau" (twice).\nThe dog sat.\n' * 3


def saved(path, vocabulary, *layers, hidden=6):
    torch.manual_seed(0)
    model = recurra.nn.Stack(nn.Embedding(len(vocabulary), 4), *layers, nn.Linear(hidden, len(vocabulary)))
    recurra.save(model, path, annotations={"vocabulary": vocabulary})
    return model


@pytest.fixture
def characters():
    return Vocabulary.of(TEXT, "char")


def test_gates_and_gradients_of_the_model(tmp_path, characters):
    first, second = recurra.nn.GRU(4, 5), recurra.nn.LSTM(5, 6)
    model = saved(tmp_path / "model.safetensors", characters, first, nn.Dropout(0.5), second)
    seen = look_at_text(tmp_path / "model.safetensors", TEXT)
    assert "".join(seen.gates.labels) == TEXT
    ids = torch.from_numpy(characters.encode(TEXT))
    read = torch.cat([torch.tensor([characters.start]), ids])
    below = LOOPS["GRU"](first, model[0](read))
    above = LOOPS["LSTM"](second, torch.stack(below["h"]))
    loss = functional.cross_entropy(model[4](torch.stack(above["h"]))[:-1], ids, reduction="sum")
    assert seen.layers == 2
    np.testing.assert_allclose(seen.gates["z", 0], stacked(below["z"])[1:], atol=1e-5)
    for name in "fc":
        np.testing.assert_allclose(seen.gates[name, 1], stacked(above[name])[1:], atol=1e-5)
    for layer, values in ((0, below["h"]), (1, above["c"])):
        expected = stacked(list(torch.autograd.grad(loss, values, retain_graph=True)))[1:]
        name = "h" if layer == 0 else "c"
        np.testing.assert_allclose(seen.gates.gradients[name, layer], expected, atol=1e-4)
    assert {unit.name for unit in seen.ranked["quotes"].units if unit.layer == 0} == {"h"}
    assert {unit.name for unit in seen.ranked["quotes"].units if unit.layer == 1} == {"c"}
    assert seen.reach.names == ("layer 0", "layer 1")


@pytest.mark.parametrize(
    ("level", "pieces"),
    [
        ("word", ["aé", " b", "\n", "\n", "  c", " \n", "d", ""]),
        ("byte", ["a", "", "é", " ", "b", "\n", "\n", " ", " ", "c", " ", "\n", "d"]),
        ("bpe", ["a", "", "é", " ", "b", "\n", "\n", " ", " ", "c", " ", "\n", "d"]),
        ("char", list("aé b\n\n  c \nd")),
    ],
)
def test_the_pieces_of_every_level_are_the_text(tmp_path, level, pieces):
    text = "aé b\n\n  c \nd"
    vocabulary = Vocabulary(level) if level in ("byte", "bpe") else Vocabulary.of(text, level)
    saved(tmp_path / "model", vocabulary, recurra.nn.GRU(4, 6))
    seen = look_at_text(tmp_path / "model", text)
    assert list(seen.gates.labels) == pieces
    assert seen.ranked is None  # too few steps
    page_of(seen, ViewChoice()).html()
    assert "too few steps to rank units" in lines_of(seen)


def test_unknown_words_are_noted(tmp_path):
    saved(tmp_path / "model", Vocabulary.of("the cat\n", "word"), recurra.nn.GRU(4, 6))
    seen = look_at_text(tmp_path / "model", "the dog sat\n")
    assert seen.notes == ("2 of 4 words are not in the vocabulary, and were read as <unk>",)


@pytest.mark.parametrize("options", [{"batch_first": True}, {"num_layers": 3}])
def test_other_layers(tmp_path, characters, options):
    saved(tmp_path / "model", characters, recurra.nn.GRU(4, 6, **options))
    seen = look_at_text(tmp_path / "model", TEXT)
    assert seen.layers == options.get("num_layers", 1)
    facts = facts_of(seen)
    assert facts["steps"] == len(TEXT)
    assert facts["reach"]["steps_back"].keys() == {f"layer {layer}" for layer in range(seen.layers)}


def test_long_texts_are_cut(tmp_path, characters, monkeypatch):
    monkeypatch.setattr("recurra.tasks.looking.text.MOST_TOKENS", 30)
    saved(tmp_path / "model", characters, recurra.nn.GRU(4, 6))
    seen = look_at_text(tmp_path / "model", TEXT)
    assert seen.gates.steps == 30
    assert "the first 30 were read" in seen.notes[0]


def test_what_is_refused(tmp_path, characters):
    saved(tmp_path / "model", characters, recurra.nn.GRU(4, 6))
    for text, wanted, message in (
        ("", None, "the text is empty"),
        ("the Zebra", None, r"does not know: 'Z', 'b', 'r'"),
        ("the 猫", None, "does not know: '猫'"),
        (TEXT, "colour", "--property must be one of quotes, brackets"),
        (TEXT, "comment", "nothing can be said of the property 'comment'"),
        ("the cat", "letter", "7 steps are too few"),
    ):
        with pytest.raises(RunError, match=message):
            look_at_text(tmp_path / "model", text, wanted)
    seen = look_at_text(tmp_path / "model", TEXT)
    for choice, message in (
        (ViewChoice(layer=1), "--layer must be from 0 to 0; got 1"),
        (ViewChoice(unit=6), "--unit must be from 0 to 5 in layer 0; got 6"),
        (ViewChoice(gates=("f",)), "layer 0 has no 'f'; it has r_x"),
    ):
        with pytest.raises(RunError, match=message):
            choice.check(seen)
