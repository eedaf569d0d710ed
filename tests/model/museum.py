"""A museum of broken and malicious files, all built here; none of them is a model."""

import io
import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np

from recurra import cells
from recurra.graph.file import graph_contents
from recurra.model.file import GRAPH_KEY, KEY, contents_of
from recurra.model.safetensors import MAX_HEADER, MAX_TENSORS, pack
from recurra.model.vocabulary import MAX_CHARACTERS, MAX_MERGES, MAX_WORDS
from recurra.program import serial
from recurra.series import recipe as recipes
from recurra.series import rules
from recurra.series.autoregressive.recipe import AutoregressiveRecipe
from recurra.series.frequency import Frequency
from recurra.series.table_format import TableFormat
from recurra.vocabulary import Vocabulary
from tests.graph.graphs import recurrent_graph
from tests.program.written import equation, program, variable
from tests.runtime import forecasters as runtimes
from tests.runtime.forecasters import recipe
from tests.runtime.models import described, embedding, layer, linear, lstm, stack

EXHIBITS: dict[str, Callable[[], bytes]] = {}


def exhibit(name):
    """Register the file that a function builds as an exhibit."""

    def put(build):
        EXHIBITS[name] = build
        return build

    return put


def exhibits(kind, items, build):
    """Register an exhibit for each item: its name, and the argument from which `build` makes the file."""
    for name, item in items.items():
        EXHIBITS[f"{kind}: {name}"] = lambda item=item: build(item)


# ---- tools ----


def bytes_of(description):
    """The bytes of a model's file."""
    return b"".join(bytes(piece) for piece in pack(*contents_of(description)))


def framed(text, body=b""):
    """A file with this header, a text of JSON or an object that becomes one."""
    text = text if isinstance(text, bytes) else json.dumps(text).encode()
    return struct.pack("<Q", len(text)) + text + body


def opened(data):
    """The header, the description and the numbers of a file."""
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    return header, json.loads(header["__metadata__"][KEY]), data[8 + length :]


def closed(header, description, body):
    """The file with this header, description and numbers."""
    header["__metadata__"] = {KEY: description if isinstance(description, str) else json.dumps(description)}
    return framed(header, body)


def small():
    """A small, valid model."""
    return bytes_of(described(stack(lstm(2, 3), linear(3, 1))))


def spoken():
    """A language model."""
    made = described(stack(embedding(3, 2), lstm(2, 2), linear(2, 3)))
    return bytes_of(type(made)(made.root, made.weights, {"vocabulary": Vocabulary("char", ["<unk>", "a", "b"])}))


TABLE = TableFormat(
    frequency=Frequency("D"),
    targets=("load",),
    time="day",
    ids=("place",),
    known=("promo", "price"),
    past=("rain",),
    static=("region",),
    time_kind="text",
    time_pattern="%Y-%m-%d",
    whole_ids=(False,),
    known_categories=((), ()),
    static_categories=(("north", "south"),),
    trained_ids=("a", "b"),
)
RECIPE = recipe(
    "D", periods=(7,), known=("promo", "price"), past=("rain",), categories=(2,), least=0.0, naive="last value",
    gain=0.25, coverage=(0.8, 0.9), left_out=40, transform=None, table=TABLE,
)  # fmt: skip


def forecaster():
    """A forecaster of two members."""
    return bytes_of(runtimes.forecaster(RECIPE))


def before_annotations(data, vocabulary):
    """The file of a model in the form from before the vocabulary was one of many annotations."""
    header, description, body = opened(data)
    del description["annotations"]
    description["vocabulary"] = vocabulary
    return closed(header, description, body)


def entry(dtype="F32", shape=(1,), offsets=(0, 4)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def with_entry(**parts):
    """A file with one array, whose entry in the header is changed."""
    return framed({"a": {**entry(), **parts}}, bytes(4))


def changed(path, value, make=small):
    """A model whose description is changed in one place; ``REMOVED`` removes the field."""
    header, description, body = opened(make())
    target = description
    for key in path[:-1]:
        target = target[key]
    if value is REMOVED:
        del target[path[-1]]
    else:
        target[path[-1]] = value
    return closed(header, description, body)


REMOVED = object()
LSTM = ("model", "parts", 0, 1)
LINEAR = ("model", "parts", 1, 1)


def of_program(content, hidden=4, weights=None, **settings):
    """A layer whose program is written by hand; weights are empty unless their shapes are given."""
    header, description, body = opened(small())
    part = description["model"]["parts"][0][1]
    part["settings"].update(input_size=4, hidden_size=hidden, **settings)
    description.update(programs=[content], model=part)
    part["kind"] = "Recurrent"
    return closed(*arrays(weights or {}, description))


def arrays(shapes, description):
    """The header, the description and the numbers of a model with these weights."""
    header, at = {}, 0
    for name, shape in shapes.items():
        size = 4 * int(np.prod(shape))
        header[name] = entry("F32", shape, (at, at + size))
        at += size
    return header, description, bytes(at)


# ---- no safetensors file ----


@exhibit("empty")
def _():
    return b""


@exhibit("pickle that ends the process")
def _():
    class Evil:
        def __reduce__(self):
            return os._exit, (1,)

    return pickle.dumps(Evil())


@exhibit("torch's own file, a zip of a pickle")
def _():
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"weight": 1}))
    return made.getvalue()


exhibits(
    "start",
    {
        "a few bytes": b"\x08\x00\x00",
        "a length of 2**63": struct.pack("<Q", 2**63) + b"{}",
        "a length of 2**64 - 1": b"\xff" * 16,
        "a length one beyond the cap": struct.pack("<Q", MAX_HEADER + 1) + bytes(100),
        "a length beyond the end": struct.pack("<Q", 100) + b"{}",
        "an empty header": struct.pack("<Q", 0),
    },
    lambda data: data,
)
exhibits(
    "header",
    {
        "no JSON": b"{what}",
        "cut": b'{"a":{"dtype":"F32",',
        "a list": b"[]",
        "a space first": b" {}",
        "a byte order mark": b"\xef\xbb\xbf{}",
        "no UTF-8": b'{"\xff":1}',
        "an overlong code of UTF-8": b'{"\xc0\x80":1}',
        "two objects": b"{}{}",
        "NaN": b'{"a":NaN}',
        "an array that occurs twice": b'{"a":%s,"a":%s}' % ((json.dumps(entry()).encode(),) * 2),
        "metadata that occurs twice": b'{"__metadata__":{},"__metadata__":{}}',
        "a key that occurs twice in an array": b'{"a":{"dtype":"F32","shape":[1],"shape":[1],"data_offsets":[0,4]}}',
        "metadata of numbers": b'{"__metadata__":{"a":1}}',
        "metadata that is a list": b'{"__metadata__":["a"]}',
        "an array that is a list": b'{"a":[]}',
        "nested 100,000 deep": b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        "objects 100,000 deep": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        "a number of a million digits": b'{"a":' + b"9" * 1_000_000 + b"}",
        "an exponent of a million digits": b'{"a":1e' + b"9" * 1_000_000 + b"}",
        "four million spaces": b"{" + b" " * (MAX_HEADER - 1),
        "a text of four million bytes": b'{"a":"' + b"x" * (MAX_HEADER - 20) + b'"}',
        "a text that takes four bytes for each character": b'{"a":"\xf0\x9f\x98\x80' + b"x" * (MAX_HEADER - 24) + b'"}',
        "as many items as can be": b'{"a":[' + b"0," * (serial.MAX_ITEMS - 2) + b"0]}",
        "as many lists as can be": b'{"a":[' + b"[]," * (serial.MAX_LISTS - 1) + b"0]}",
        "as many keys as can be": ("{" + ",".join(f'"{n}":0' for n in range(serial.MAX_KEYS - 1)) + "}").encode(),
        "as many objects as can be": b'{"a":[' + b"{}," * (serial.MAX_OBJECTS - 2) + b"0]}",
        "more items": b'{"a":[' + b"0," * (serial.MAX_ITEMS + 1) + b"0]}",
    },
    framed,
)


@exhibit("header: as many arrays as can be, the last one wrong")
def _():
    header = {f"a{n}": entry(shape=(0,), offsets=(0, 0)) for n in range(MAX_TENSORS - 1)}
    return framed({**header, "z": entry()})


@exhibit("header: more arrays")
def _():
    return framed({f"a{n}": entry(shape=(0,), offsets=(0, 0)) for n in range(MAX_TENSORS + 2)})


exhibits(
    "array",
    {
        "an unknown dtype": {"dtype": "U8"},
        "a dtype that is a list": {"dtype": ["F32"]},
        "a wrong dtype for its bytes": {"dtype": "F64"},
        "a field too many": {"file": "other.bin"},
        "a shape that is a number": {"shape": 1},
        "a shape of 2**63": {"shape": [2**63]},
        "a shape whose product wraps to 1 in 64 bits": {"shape": [2**32, 2**32, 1]},
        "a shape of nothing times 2**62": {"shape": [2**62, 2**62, 0], "data_offsets": [0, 0]},
        "a shape of nothing that numpy cannot have": {"shape": [2**61, 0], "data_offsets": [0, 0]},
        "a negative size": {"shape": [-1]},
        "two negative sizes": {"shape": [-1, -1]},
        "a size that is a float": {"shape": [1.0]},
        "a size that is true": {"shape": [True]},
        "nine dimensions": {"shape": [1] * 9},
        "a million dimensions": {"shape": [1] * 200_000},
        "offsets swapped": {"data_offsets": [4, 0]},
        "a negative offset": {"data_offsets": [-4, 0]},
        "an offset beyond the file": {"data_offsets": [4, 8]},
        "an offset of 2**63": {"data_offsets": [2**63, 2**63 + 4]},
        "a float as offset": {"data_offsets": [0, 4.0]},
        "one offset": {"data_offsets": [4]},
    },
    lambda parts: with_entry(**parts),
)
exhibits(
    "arrays",
    {
        "that overlap": ({"a": entry(), "b": entry(offsets=(2, 6))}, 6),
        "in the same place": ({"a": entry(), "b": entry()}, 4),
        "with a hole": ({"a": entry(), "b": entry(offsets=(8, 12))}, 12),
        "with a hole ahead": ({"a": entry(offsets=(4, 8))}, 8),
        "with bytes behind": ({"a": entry()}, 8),
        "without their bytes": ({"a": entry()}, 0),
        "of no name": ({"": entry()}, 4),
        "of a name that clears the screen": ({"\x1b[2J\x1b]0;owned\x07": entry()}, 4),
        "of a name of two lines": ({"a\nERROR: all is well": entry()}, 4),
        "of a name that turns text around": ({"a\u202e": entry()}, 4),
        "of a name of half a character": ({"\ud800": entry()}, 4),
        "of a name of a million characters": ({"a" * 1_000_000: entry()}, 4),
        "of no model": ({"a": entry()}, 4),
        "of one layer of ten thousand": ({"weight_ih_l9999": entry(), "weight_hh_l0": entry(offsets=(4, 8))}, 8),
        "of a projection from nothing": (
            {
                "weight_ih_l0": entry(shape=(4, 1), offsets=(0, 16)),
                "weight_hh_l0": entry(shape=(4, 1), offsets=(16, 32)),
                "weight_hr_l0": entry(shape=(1, 0), offsets=(32, 32)),
            },
            32,
        ),
        "of a layer that is no matrix": ({"weight_ih_l0": entry(), "weight_hh_l0": entry(offsets=(4, 8))}, 8),
    },
    lambda made: framed(made[0], bytes(made[1])),
)

# ---- descriptions ----

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
MEMBER = ("model", "parts", 0, 1)
exhibits(
    "forecaster: models",
    {
        "no members": (("model", "parts"), []),
        "members without a part": (("model", "parts"), REMOVED),
        "a member of another name": (("model", "parts", 0, 0), "2"),
        "an ensemble in an ensemble": ((*MEMBER, "kind"), "Ensemble"),
        "a stack in an ensemble": ((*MEMBER, "kind"), "Stack"),
        "an ensemble that is a stack": (("model", "kind"), "Stack"),
        "an ensemble that is an encoder": (("model", "kind"), "EncoderDecoder"),
        "an encoder without its decoder": ((*MEMBER, "parts", 1), REMOVED),
        "a decoder without its encoder": ((*MEMBER, "parts", 0), REMOVED),
        "a decoder of another name": ((*MEMBER, "parts", 1, 0), "head"),
        "a decoder of more layers": ((*MEMBER, "parts", 1, 1, "parts", 0, 1, "settings", "num_layers"), 2),
        "a decoder that is an encoder's layer": ((*MEMBER, "parts", 1, 1, "kind"), "LSTM"),
        "a setting of an ensemble": (("model", "settings"), {"members": 2}),
        "more members than the model has": (("annotations", "forecaster", "members"), 3),
        "fewer levels than outputs": (("annotations", "forecaster", "levels"), [0.5]),
    },
    lambda item: changed(*item, forecaster),
)
exhibits(
    "forecaster",
    {
        "a field missing": (("context",), REMOVED),
        "a field too many": (("holidays",), []),
        "a frequency that is a text": (("frequency",), "D"),
        "an unknown frequency": (("frequency", "name"), "fortnight"),
        "a frequency of no steps": (("frequency", "name"), "0D"),
        "a frequency without end": (("frequency", "name"), "9" * 4000 + "D"),
        "an unknown zone": (("frequency", "zone"), "../../etc/passwd"),
        "an anchor of 2**63": (("frequency", "anchor"), 2**63),
        "a horizon of 0": (("horizon",), 0),
        "a horizon that is true": (("horizon",), True),
        "a horizon that is a float": (("horizon",), 3.0),
        "a horizon without end": (("horizon",), 10**18),
        "a horizon of other quantiles": (("horizon",), 4),
        "a context of -1": (("context",), -1),
        "a context without end": (("context",), rules.MAX_STEPS + 1),
        "periods that are a number": (("periods",), 7),
        "a period of 0": (("periods",), [0]),
        "a period in a list": (("periods",), [[7]]),
        "more periods than can be": (("periods",), [7] * (recipes.MAX_PERIODS + 1)),
        "periods without weights": (("periods",), []),
        "a logarithm that is 1": (("logarithm",), 1),
        "a least value that is a text": (("least",), "0"),
        "a known input that is a number": (("known", 0), 1),
        "a known input that is half a character": (("known", 0), "\ud800"),
        "a known input without its centre": (("known",), ["promo"]),
        "an input of many characters": (("past", 0), "x" * (rules.MAX_NAME + 1)),
        "inputs without end": (("known",), ["x"] * (rules.MAX_COLUMNS + 1)),
        "a centre that is null": (("centers", 0), None),
        "a spread of 0": (("spreads", 0), 0),
        "a spread too many": (("spreads",), [1, 1, 1, 1]),
        "categories without end": (("categories", 0), rules.MAX_CATEGORIES + 1),
        "more categories than the networks know": (("categories", 0), 3),
        "no category": (("categories", 0), 0),
        "levels without a median": (("levels",), [0.1, 0.9]),
        "levels that descend": (("levels",), [0.9, 0.5, 0.1]),
        "a level of 1": (("levels", 10), 1),
        "a level that is a text": (("levels", 0), "0.05"),
        "weights that are no rows": (("reference_weights",), [1, 1, 1]),
        "weights of rows of other lengths": (("reference_weights", 0), [1]),
        "weights of another number of references": (("reference_weights",), [[1]] * 3),
        "weights of too few groups": (("reference_weights", 2), REMOVED),
        "weights that are null": (("reference_weights",), None),
        "linear weights of other lags": (("linear_weights",), [0.5]),
        "linear weights without those of the blend": (("linear_weights",), [0.1] * 7),
        "blend weights that are true": (("blend_weights",), [True]),
        "a linear memory without end": (("linear_memory",), rules.MAX_STEPS + 1),
        "a quantile that is true": (("reference_quantiles", 0, 0), True),
        "a quantile of 20 digits too many": (("reference_quantiles", 0, 0), 10**21),
        "a row of quantiles too few": (("reference_quantiles", 0), REMOVED),
        "a network weight of 2": (("network_weight",), 2),
        "a negative width": (("widths", 0), -1),
        "a width too few": (("widths", 0), REMOVED),
        "members that are a list": (("members",), [2]),
        "a naive forecast that is a list": (("naive",), ["last value"]),
        "a gain that is a text": (("gain",), "0"),
        "a coverage of 2": (("coverage", 0), 2),
        "figures of -1 values": (("left_out",), -1),
        "a table that is a list": (("table",), []),
        "a table without a field": (("table", "ids"), REMOVED),
        "a table of two targets of one name": (("table", "targets"), ["load", "load"]),
        "a table of unknown times": (("table", "time_kind"), ["text"]),
    },
    lambda item: changed(("annotations", "forecaster", *item[0]), item[1], forecaster),
)


@exhibit("forecaster: an infinite centre")
def _():
    header, description, body = opened(forecaster())
    description["annotations"]["forecaster"]["centers"][0] = 1e300
    return closed(header, json.dumps(description).replace("1e+300", "1e999"), body)


STEPS = AutoregressiveRecipe(
    Frequency("D"), 3, 5, (1, 7), "student-t", True, (2,), ("promo",), (0.5,), (2.0,),
    least=0.0, naive="last value", gain=0.25, coverage=(0.8, 0.9), left_out=40,
    table=replace(TABLE, known=("promo",), past=(), known_categories=((),)),
)  # fmt: skip


def autoregressive():
    """An autoregressive forecaster."""
    return bytes_of(runtimes.autoregressive(STEPS))


exhibits(
    "autoregressive",
    {
        "a field missing": (("context",), REMOVED),
        "a field too many": (("members",), 3),
        "a frequency of other features": (("frequency", "name"), "h"),
        "a horizon without end": (("horizon",), rules.MAX_HORIZON + 1),
        "a context without end": (("context",), rules.MAX_STEPS + 1),
        "a window without end": (("lags",), [1, rules.MAX_STEPS] * 40),
        "no lags": (("lags",), []),
        "lags that descend": (("lags",), [1, 7, 3]),
        "lags without the first": (("lags",), [2, 7]),
        "an unknown likelihood": (("likelihood",), "cauchy"),
        "a likelihood in a list": (("likelihood",), ["normal"]),
        "a likelihood of other parameters": (("likelihood",), "normal"),
        "counts that are centred": (("likelihood",), "poisson"),
        "categories that the network does not know": (("categories", 0), 3),
        "categories without end": (("categories", 0), rules.MAX_CATEGORIES + 1),
        "a known input without its mean": (("known_means",), []),
        "a scale of 0": (("known_scales", 0), 0),
        "a gain that is a text": (("gain",), "0"),
        "a table that is a list": (("table",), []),
    },
    lambda item: changed(("annotations", "autoregressive", *item[0]), item[1], autoregressive),
)
exhibits(
    "autoregressive: networks",
    {
        "an ensemble": lambda: runtimes.ensemble(runtimes.pair(12, 12, 3)),
        "a vocabulary": lambda: stack(embedding(12, 4), linear(4, 3)),
        "one that reads backward": lambda: stack(layer(cells.gru, STEPS.inputs, 4, bidirectional=True), linear(8, 3)),
        "one with the batch first": lambda: stack(layer(cells.gru, STEPS.inputs, 4, batch_first=True), linear(4, 3)),
    },
    lambda root: annotated(bytes_of(described(root())), {"autoregressive": STEPS.to_content()}),
)


def annotated(data, annotations):
    """The file with other annotations."""
    header, description, body = opened(data)
    return closed(header, {**description, "annotations": annotations}, body)


_HEAD = '{"format":"recurra-model","version":1,"programs":[' + json.dumps(program()) + '],"model":'
_TAIL = ',"tied":{},"annotations":{}}'


@exhibit("parts: 40 deep")
def _():
    part = {"kind": "Tanh", "settings": {}}
    for _ in range(40):
        part = {"kind": "Stack", "settings": {}, "parts": [["0", part]]}
    return changed(("model",), part)


@exhibit("parts: 100,000 of them")
def _():
    parts = [[str(n), {"kind": "Tanh", "settings": {}}] for n in range(15_000)]
    return changed(("model", "parts"), parts)


@exhibit("parts: names that grow with each level")
def _():
    part = {"kind": "Tanh", "settings": {}}
    for _ in range(30):
        part = {"kind": "Stack", "settings": {}, "parts": [["n" * 100, part]]}
    return changed(("model",), part)


exhibits(
    "settings",
    {
        "a number of 400 digits": '{"kind":"ELU","settings":{"alpha":' + "9" * 400 + "}}",
        "a number of 20 digits": '{"kind":"ELU","settings":{"alpha":99999999999999999999}}',
        "an infinite number": '{"kind":"ELU","settings":{"alpha":1e999}}',
        "bounds that are swapped": '{"kind":"Hardtanh","settings":{"min_val":1,"max_val":-1}}',
        **{
            f"cutoffs {cutoffs}, divided by {factor}": (
                '{"kind":"AdaptiveSoftmax","settings":{"in_features":8,"n_classes":9,"head_bias":false,'
                f'"cutoffs":{cutoffs},"div_value":{factor}}}}}'
            )
            for cutoffs, factor in (
                ("[]", 4),
                ("3", 4),
                ("[[3]]", 4),
                ("[5,3]", 4),
                ("[3,9]", 4),
                ("[3,5]", 4),
                ("[3]", 1e300),
                ("[3]", 0),
            )
        },
        "a negative epsilon": '{"kind":"RMSNorm","settings":{"features":1,"eps":-1,"elementwise_affine":false}}',
        "a cell without units": (
            '{"kind":"RNNCell","settings":{"input_size":1,"hidden_size":0,"bias":true,"init":{},"program":0}}'
        ),
        "an axis that is no feature": '{"kind":"Softmax","settings":{"dim":0}}',
        "padding beyond the tokens": (
            '{"kind":"Embedding","settings":{"num_embeddings":1,"embedding_dim":1,"padding_idx":1}}'
        ),
    },
    lambda part: closed({}, _HEAD + part + _TAIL, b""),
)

# ---- weights ----


def weights(change):
    """A model whose arrays are changed."""
    header, description, body = opened(bytes_of(described(linear(2, 3))))
    made = {name: each for name, each in header.items() if name != "__metadata__"}
    body = change(made) or body
    return closed(made, description, body)


exhibits(
    "weights",
    {
        "one missing": lambda made: (made.pop("bias"), made["weight"].update(data_offsets=[0, 24]), bytes(24))[-1],
        "one too many": lambda made: (made.update(other=entry(offsets=(36, 40))), bytes(40))[-1],
        "of another shape": lambda made: made["weight"].update(shape=[3, 2][::-1]),
        "of another rank": lambda made: made["weight"].update(shape=[6]),
        "whole numbers": lambda made: made["weight"].update(dtype="I64", shape=[3, 1]),
        "of two precisions": lambda made: (
            made["weight"].update(dtype="F64", data_offsets=[0, 48]),
            made["bias"].update(data_offsets=[48, 60]),
            bytes(60),
        )[-1],
        "int8 without a scale": lambda made: (
            made["bias"].update(data_offsets=[0, 12]),
            made["weight"].update(dtype="I8", data_offsets=[12, 18]),
            bytes(18),
        )[-1],
        "int8 with too few scales": lambda made: (
            made["bias"].update(data_offsets=[0, 12]),
            made.update({"weight.scale": entry(shape=(2,), offsets=(12, 20))}),
            made["weight"].update(dtype="I8", data_offsets=[20, 26]),
            bytes(26),
        )[-1],
        "int8 with a scale of float64": lambda made: (
            made["bias"].update(data_offsets=[24, 36]),
            made.update({"weight.scale": entry("F64", (3,), (0, 24))}),
            made["weight"].update(dtype="I8", data_offsets=[36, 42]),
            bytes(42),
        )[-1],
    },
    weights,
)

# ---- programs ----

HUGE = "999999999"
exhibits(
    "program",
    {
        "an unknown operation": program(equation("a", "import_os", "h")),
        "a call as a name": program(equation("__import__('os').system('x')", "tanh", "h")),
        "an operand that is not there": program(equation("a", "tanh", "nobody")),
        "a ring": program(equation("a", "tanh", "b"), equation("b", "tanh", "a")),
        "no state": program(states=(), next_states=(), output="x"),
        "a state of a projection that is not there": {
            **program(),
            "states": [variable("h", "proj")],
            "equations": [],
            "next_states": ["h"],
            "output": "x",
        },
        "more equations than can be": program(*[equation("a", "tanh", "h")] * (serial.MAX_EQUATIONS + 1)),
        "as many as can be, the last one wrong": program(
            *(equation(f"a{n}", "add", f"a{n - 1}" if n else "h", "h") for n in range(serial.MAX_EQUATIONS - 3)),
            equation("z", "tanh", "nobody"),
        ),
        "as many operands as can be": program(
            equation("c", "concat", *["h"] * (serial.MAX_OPERANDS - 2), shape=(f"{serial.MAX_OPERANDS - 3}*hidden",))
        ),
        "as many results as can be": program(
            equation([variable(f"s{n}", "hidden") for n in range(serial.MAX_VARIABLES - 3)], "split", "h")
        ),
        "as many sizes as can be, all of large factors": program(
            equation(
                [variable(f"s{n}", f"{999999000 + n}*hidden/{999999000 - n}") for n in range(serial.MAX_SIZES - 2)],
                "partition",
                "h",
            )
        ),
        "more names than can be": program(
            parameters=[variable(f"p{n}", "hidden") for n in range(serial.MAX_VARIABLES)]
        ),
        "texts of megabytes": program(name="x" * 3_000_000),
        "a size that is not whole": program(parameters=[variable("p", "hidden/3")]),
        "a size beyond 2**31": program(parameters=[variable("p", "999999999*hidden")]),
        "a matrix of 2**60": program(
            equation("I", "eye", shape=(HUGE, HUGE)), equation("J", "transpose", "I", shape=(HUGE, HUGE))
        ),
        "one number that becomes 2**29": program(
            *(
                equation(f"c{n}", "concat", *[f"c{n - 1}" if n else "p"] * 2, shape=(str(2 ** (n + 1)),))
                for n in range(29)
            ),
            equation("m", "mean", "c28", shape=()),
            equation("h'", "add", "h", "m"),
            parameters=[variable("p", "1")],
        ),
        "heads that are multiplied a million times": program(
            equation("y", "concat", *["h"] * 8192, shape=("8192*hidden",)),
            equation("H", "heads", "y", shape=("32768", "hidden/4"), count=32768),
            *(equation(f"q{n}", "product", "H", "R", shape=("32768",)) for n in range(100)),
            parameters=[variable("R", "32768", "hidden/4", "1")],
        ),
        "transposed in every step": program(
            equation("y", "concat", *["h"] * 8192, shape=("8192*hidden",)),
            *(
                made
                for n in range(100)
                for made in (
                    equation(f"H{n}", "heads", "y", shape=("1", "8192*hidden"), count=1),
                    equation(f"T{n}", "transpose", f"H{n}", shape=("8192*hidden", "1")),
                )
            ),
        ),
    },
    of_program,
)


@exhibit("program: products of parameters that take hours")
def _():
    size = "8192"
    names = [f"M{n}" for n in range(250)]
    made = [
        equation(name, "product", names[n - 1] if n else "I", "I", shape=(size, size)) for n, name in enumerate(names)
    ]
    return of_program(program(equation("I", "eye", shape=(size, size)), *made))


@exhibit("program: a thousand layers of a thousand equations")
def _():
    content = program(*(equation(f"a{n}", "tanh", "h") for n in range(1000)))
    return of_program(content, num_layers=1000)


@exhibit("program: two thousand parts of a thousand equations")
def _():
    content = program(*(equation(f"a{n}", "tanh", "h") for n in range(1000)))
    header, description, body = opened(of_program(content))
    part = description["model"]
    description["model"] = {"kind": "Stack", "settings": {}, "parts": [[str(n), part] for n in range(1900)]}
    return closed(header, description, body)


@exhibit("program: a state of 2**31 numbers")
def _():
    return of_program(program(), hidden=2**31 - 1)


@exhibit("program: a weight of a few numbers tied to thousands of others")
def _():
    header, description, body = opened(bytes_of(described(layer(cells.indrnn, 1000, 1000))))
    description["model"]["settings"]["num_layers"] = 1
    part = description["model"]
    names = [name for name in header if name != "__metadata__"]
    description["model"] = {"kind": "Stack", "settings": {}, "parts": [[str(n), part] for n in range(1000)]}
    description["tied"] = {f"{n}.{name}": f"0.{name}" for n in range(1, 1000) for name in names}
    return closed({f"0.{name}": header[name] for name in names}, description, body)


# ---- graphs of operators ----


def of_graph(change):
    """A file of a graph whose content is changed."""
    tensors, metadata = graph_contents(recurrent_graph())
    content = json.loads(metadata[GRAPH_KEY])
    change(content, content["graph"])
    return b"".join(bytes(piece) for piece in pack(tensors, {GRAPH_KEY: json.dumps(content)}))


def nested(depth):
    """A graph inside an attribute of a graph's node, and so on."""
    inner = {"inputs": [], "outputs": [], "nodes": [], "tensors": {}}
    for _ in range(depth):
        node = {"operator": "If", "inputs": ["x"], "outputs": ["q"], "attributes": {"then_branch": {"graph": inner}}}
        inner = {"inputs": [], "outputs": [], "nodes": [node], "tensors": {}}
    return inner["nodes"][0]


def many(count):
    """Nodes that compute one value after the other, and not the graph's output."""
    names = ["x", *(f"v{number}" for number in range(count))]
    return [{"operator": "Relu", "inputs": [a], "outputs": [b], "attributes": {}} for a, b in pairwise(names)]


exhibits(
    "graph",
    {
        "inside of a graph, a hundred times": lambda c, g: g["nodes"].append(nested(100)),
        "of many nodes, one after the other": lambda c, g: g.update(nodes=many(3000)),
        "a cell of a million units": lambda c, g: g["nodes"][0]["attributes"].update(sizes={"ints": [3, 10**6, 0]}),
        "a cell without a program": lambda c, g: g["nodes"][0]["attributes"].pop("program"),
        "a name of control characters": lambda c, g: g["nodes"][1].update(operator="\x1b[2J"),
        "an operator of another domain": lambda c, g: g["nodes"][1].update(domain="os.system"),
        "no nodes": lambda c, g: g.update(nodes=[]),
        "a list": lambda c, g: c.update(graph=[g]),
        "an attribute that is a huge number": lambda c, g: g["nodes"][1].update(attributes={"a": {"int": 10**400}}),
    },
    of_graph,
)
exhibits(
    "last step",
    {
        "settings of no truth values": {"batch_first": 1, "bidirectional": False},
        "a setting too many": {"batch_first": False, "bidirectional": False, "steps": 2},
        "a setting too few": {"batch_first": False},
    },
    lambda settings: closed({}, f'{_HEAD}{{"kind":"LastStep","settings":{json.dumps(settings)}}}{_TAIL}', b""),
)
