"""Models whose description or vocabulary is wrong."""

import json

from recurra.model.file import KEY
from recurra.model.safetensors import MAX_HEADER
from recurra.model.vocabulary import MAX_CHARACTERS, MAX_MERGES, MAX_WORDS
from recurra.program import serial
from tests.model.museum.exhibits import LINEAR, LSTM, REMOVED, changed, closed, exhibits, framed, opened, spoken
from tests.program.written import program


def before_annotations(data, vocabulary):
    """The file of a model in the form from before the vocabulary was one of many annotations."""
    header, description, body = opened(data)
    del description["annotations"]
    description["vocabulary"] = vocabulary
    return closed(header, description, body)


exhibits(
    "description",
    {
        "no JSON": "{",
        "a list": "[]",
        "null": "null",
        "a key that occurs twice": '{"format":"recurra-model","format":"recurra-model"}',
        "nested 100,000 deep": "[" * 100_000,
        "a program": json.dumps(program()),
        "a text that takes four bytes for each character": '{"format":"\U0001f600' + "x" * (MAX_HEADER - 100) + '"}',
    },
    lambda text: framed(json.dumps({"__metadata__": {KEY: text}}, ensure_ascii=False).encode()),
)
exhibits(
    "description",
    {
        "another format": (("format",), "pickle"),
        "a later version": (("version",), 2),
        "a version that is true": (("version",), True),
        "a field missing": (("tied",), REMOVED),
        "a field too many": (("code",), "import os"),
        "programs that are an object": (("programs",), {}),
        "more programs than can be": (("programs",), [{}] * 1001),
        "a model that is a list": (("model",), []),
        "an unknown kind": ((*LINEAR, "kind"), "os.system"),
        "a kind that is a list": ((*LINEAR, "kind"), []),
        "a setting missing": ((*LINEAR, "settings", "bias"), REMOVED),
        "a setting too many": ((*LINEAR, "settings", "hook"), "print"),
        "settings that are a list": ((*LINEAR, "settings"), []),
        "a size of 0": ((*LINEAR, "settings", "in_features"), 0),
        "a size that is a float": ((*LINEAR, "settings", "in_features"), 3.0),
        "a size that is true": ((*LINEAR, "settings", "out_features"), True),
        "a size of 2**31": ((*LINEAR, "settings", "in_features"), 2**31),
        "sizes whose product wraps in 64 bits": ((*LSTM, "settings", "hidden_size"), 2**31 - 1),
        "a million layers": ((*LSTM, "settings", "num_layers"), 10**6),
        "as many layers as can be": ((*LSTM, "settings", "num_layers"), 1000),
        "a dropout that is infinite": ((*LSTM, "settings", "dropout"), 2.0),
        "a projection that the program has not": ((*LSTM, "settings", "proj_size"), 2),
        "first values that are texts": ((*LSTM, "settings", "init"), {"a": "b"}),
        "first values without end": ((*LSTM, "settings", "init"), {str(n): 0 for n in range(10_000)}),
        "a program that is not there": ((*LSTM, "settings", "program"), 1),
        "a program before the first": ((*LSTM, "settings", "program"), -1),
        "a program that is true": ((*LSTM, "settings", "program"), True),
        "parts of a part that has none": ((*LINEAR, "parts"), [["a", {"kind": "Tanh", "settings": {}}]]),
        "parts that are an object": (("model", "parts"), {}),
        "a part's name with a dot": (("model", "parts", 0, 0), "a.b"),
        "a part's name of two lines": (("model", "parts", 0, 0), "a\nb"),
        "a part's name that occurs twice": (("model", "parts", 0, 0), "1"),
        "no part's name": (("model", "parts", 0, 0), ""),
        "weights without their parts": (("model", "parts"), []),
        "weights tied to nothing": (("tied",), {"b": "a"}),
        "a weight tied to itself": (("tied",), {"0.weight_ih_l0": "0.weight_ih_l0"}),
        "weights tied in a ring": (("tied",), {"a": "b", "b": "a"}),
        "a weight tied to a list": (("tied",), {"a": []}),
        "annotations that are a list": (("annotations",), []),
        "no annotations": (("annotations",), REMOVED),
        "an unknown annotation": (("annotations", "licence"), {"text": "mine"}),
        "an unknown annotation whose name clears the screen": (("annotations", "\x1b[2J" * 1000), None),
        "as many annotations as can be": (("annotations",), {str(n): None for n in range(serial.MAX_KEYS // 2)}),
        "a vocabulary that is a list": (("annotations", "vocabulary"), []),
        "a vocabulary that is null": (("annotations", "vocabulary"), None),
        "a vocabulary of a model without tokens": (("annotations", "vocabulary"), {"level": "char", "tokens": "ab"}),
        "a vocabulary beside the annotations": (("vocabulary",), None),
    },
    lambda item: changed(*item),
)
exhibits(
    "vocabulary",
    {
        "of an unknown level": {"level": "bits", "tokens": "ab"},
        "with a level that is a list": {"level": ["char"], "tokens": "ab"},
        "of bytes, with tokens": {"level": "byte", "tokens": "ab"},
        "of byte pairs, with tokens": {"level": "bpe", "tokens": "ab"},
        "of byte pairs, without merges": {"level": "bpe"},
        "of characters, with merges": {"level": "char", "tokens": "ab", "merges": ""},
        "with merges that are a list": {"level": "bpe", "merges": [[1, 2]]},
        "with half a merge": {"level": "bpe", "merges": "97 98 99"},
        "with merges of letters": {"level": "bpe", "merges": "a b"},
        "with a merge of a huge number": {"level": "bpe", "merges": "97 " + "9" * 5000},
        "with a merge of a token that comes later": {"level": "bpe", "merges": "97 257 97 98"},
        "with a merge twice": {"level": "bpe", "merges": "97 98 97 98"},
        "with tokens that double in length": {
            "level": "bpe",
            "merges": "97 97 " + " ".join(f"{n} {n}" for n in range(256, 5000)),
        },
        "of more merges than can be": {"level": "bpe", "merges": " ".join(["97 98"] * (MAX_MERGES + 1))},
        "of as many merges as can be, one twice": {
            "level": "bpe",
            "merges": " ".join([*(f"{n // 256} {n % 256}" for n in range(MAX_MERGES - 1)), "1 1"]),
        },
        "with a token twice": {"level": "char", "tokens": "aa"},
        "with a list": {"level": "char", "tokens": ["a", "b"]},
        "with half a character": {"level": "char", "tokens": "a\ud800"},
        "without <eos>": {"level": "word", "tokens": "a b"},
        "with two lines in a word": {"level": "word", "tokens": "a\nb <eos>"},
        "with no tokens": {"level": "word", "tokens": ""},
        "of more words than can be": {"level": "word", "tokens": "<eos>" + " a" * MAX_WORDS},
        "of as many words as can be, one twice": {
            "level": "word",
            "tokens": " ".join(["<eos>", *(f"{n:x}" for n in range(MAX_WORDS - 2)), "1"]),
        },
        "of as many characters as can be, one twice": {
            "level": "char",
            "tokens": "".join(map(chr, range(0x10000, 0x10000 + MAX_CHARACTERS - 1))) + "\U00010000",
        },
    },
    lambda item: changed(("annotations", "vocabulary"), item, spoken),
)
exhibits(
    "a file before annotations",
    {
        "with a list as vocabulary": [],
        "with a vocabulary of another size": {"level": "char", "tokens": "abc"},
        "with a vocabulary without a level": {"tokens": "ab"},
    },
    lambda item: before_annotations(spoken(), item),
)
