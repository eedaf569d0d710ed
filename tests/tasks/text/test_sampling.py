"""Sampling: greedy, by temperature, among the likeliest; steps give the same as whole sequences."""

from dataclasses import replace

import pytest
import torch

from recurra.errors import RunError
from recurra.tasks.text.language_model import TokenModel
from recurra.tasks.text.sampling import SamplingSettings, check_prompt, sample
from recurra.tasks.text.settings import ModelSettings
from recurra.vocabulary import Vocabulary

CHARACTERS = Vocabulary.of("abcde \n", "char")
WORDS = Vocabulary.of("a b c d\n", "word")
SETTINGS = SamplingSettings(length=30, seed=3)


def model_of(vocabulary: Vocabulary, cell: str = "lstm") -> TokenModel:
    torch.manual_seed(4)
    model = TokenModel(len(vocabulary), ModelSettings(cell, hidden=9, layers=2))
    torch.nn.init.normal_(model.output.weight, std=3.0)
    return model


def text_of(model: TokenModel, vocabulary: Vocabulary, prompt: str, settings: SamplingSettings) -> str:
    return "".join(sample(model, vocabulary, prompt, settings))


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_greedy_is_the_argmax_of_the_whole_sequence(cell: str) -> None:
    model = model_of(CHARACTERS, cell)
    text = text_of(model, CHARACTERS, "ab", replace(SETTINGS, temperature=0.0))
    ids = torch.tensor([CHARACTERS.start, *CHARACTERS.encode("ab" + text)])
    with torch.no_grad():
        logits = model(ids.unsqueeze(1))[0][2:-1, 0, 1:]
    assert logits.argmax(-1).add(1).tolist() == ids[3:].tolist()
    assert len(text) == 30
    assert text == text_of(model, CHARACTERS, "ab", replace(SETTINGS, temperature=1.0, top_k=1, seed=None))
    assert text == text_of(model, CHARACTERS, "ab", replace(SETTINGS, temperature=1e-300))


def test_seeds() -> None:
    model = model_of(CHARACTERS)
    first, again = (text_of(model, CHARACTERS, "", SETTINGS) for _ in range(2))
    assert first == again
    assert first != text_of(model, CHARACTERS, "", replace(SETTINGS, seed=5))
    unseeded = {text_of(model, CHARACTERS, "", replace(SETTINGS, temperature=5.0, seed=None)) for _ in range(3)}
    assert len(unseeded) == 3


def test_never_draws_the_unknown() -> None:
    model = model_of(CHARACTERS)
    with torch.no_grad():
        model.output.bias[0] = 100.0
    for temperature in (0.0, 1.0, 1e9):
        assert "<unk>" not in text_of(model, CHARACTERS, "", replace(SETTINGS, temperature=temperature))


def test_words_are_separated() -> None:
    text = text_of(model_of(WORDS), WORDS, "a b", replace(SETTINGS, temperature=3.0, length=200))
    assert text[0] in " \n"
    assert set(text.split()) == {"a", "b", "c", "d"}
    assert not any(line.endswith(" ") or line.startswith(" ") for line in text.split("\n")[1:])
    assert text_of(model_of(WORDS), WORDS, "a b ", SETTINGS)[0] != " "


def test_prompts() -> None:
    assert check_prompt(CHARACTERS, "") == []
    with pytest.raises(RunError, match=r"'\\xe9' \(U\+00E9\)"):
        check_prompt(CHARACTERS, "abcé")
    with pytest.raises(RunError, match="and 3 more"):
        check_prompt(CHARACTERS, "fghijklm")
    assert check_prompt(WORDS, "a xyz b") == ["xyz"]
    assert len(text_of(model_of(WORDS), WORDS, "xyz\n", SETTINGS)) > 0


@pytest.mark.parametrize(
    "change",
    [
        {"length": 0},
        {"length": -5},
        {"temperature": -0.1},
        {"temperature": float("nan")},
        {"temperature": float("inf")},
        {"top_k": -1},
        {"seed": -1},
        {"seed": 2**64},
    ],
)
def test_refused(change: dict[str, object]) -> None:
    with pytest.raises(RunError, match="--"):
        replace(SETTINGS, **change).check()
