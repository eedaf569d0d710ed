"""Rows of a score: the tokens are those of the text, at every level, and the unknown ones are told from ``<unk>``."""

import math

import pytest

from recurra.nn.parts import describe
from recurra.runtime import Model, score
from recurra.tasks.text.scores import rows_of
from recurra.tasks.text.settings import ModelSettings
from recurra.tasks.text.token_model import build
from recurra.vocabulary import Vocabulary

TEXT = "a cäb,\n<unk> zoo"
VOCABULARIES = {
    "char": (Vocabulary.of("abc,\n", "char"), list(TEXT), set("ä<unk> zo")),
    "word": (Vocabulary.of("a b\n", "word"), ["a", "cäb,", "<eos>", "<unk>", "zoo", "<eos>"], {"cäb,", "zoo"}),
    "byte": (Vocabulary("byte"), [*"a c", "\\xc3", "\\xa4", *"b,\n<unk> zoo"], set()),
    "bpe": (
        Vocabulary("bpe", merges=[(0xC3, 0xA4), (ord("o"), ord("o")), (ord("z"), 257)]),
        [*"a cäb,\n<unk> ", "zoo"],
        set(),
    ),
}


@pytest.mark.parametrize("level", VOCABULARIES)
def test_rows(level: str) -> None:
    vocabulary, tokens, unknown = VOCABULARIES[level]
    model = Model(describe(build(len(vocabulary), ModelSettings(hidden=5)), {"vocabulary": vocabulary}))
    scored = score(model, TEXT)
    rows = list(rows_of(model, TEXT, scored))
    assert [row["token"] for row in rows] == tokens
    assert [row["position"] for row in rows] == list(range(len(tokens)))
    assert {row["token"] for row in rows if row["is_unknown"]} == unknown
    assert sum(row["is_unknown"] is True for row in rows) == scored.unknown.total
    assert [row["bits"] for row in rows] == pytest.approx((scored.nats / math.log(2)).tolist())
