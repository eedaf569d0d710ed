"""The caps in docs/files.md are those of the code."""

import re
from pathlib import Path

from recurra.cells import adaptive_softmax
from recurra.graph import serial as graphs
from recurra.model import content, cost, safetensors, serial, setting_rules, vocabulary
from recurra.program import serial as programs
from recurra.runtime.forecasting import model as forecasting
from recurra.series import recipe, rules
from recurra.series.autoregressive import recipe as autoregressive
from recurra.vocabulary import byte_pairs
from tests.model import museum

PAGE = (Path(__file__).parents[2] / "docs" / "files.md").read_text(encoding="utf-8")
CAPS = {
    "bytes of the header": [safetensors.MAX_HEADER],
    "items, keys, objects and lists of a text of JSON": [
        programs.MAX_ITEMS,
        programs.MAX_KEYS,
        programs.MAX_OBJECTS,
        programs.MAX_LISTS,
    ],
    "characters of a whole number": [programs.MAX_DIGITS],
    "arrays": [safetensors.MAX_TENSORS],
    "characters of an array's name": [safetensors.MAX_NAME],
    "dimensions of an array": [safetensors.MAX_DIMENSIONS],
    "parts": [serial.MAX_PARTS],
    "parts in parts": [serial.MAX_DEPTH],
    "programs": [serial.MAX_PROGRAMS],
    "nodes of a graph": [graphs.MAX_NODES],
    "graphs in graphs": [graphs.MAX_DEPTH],
    "characters of a value's name; of an attribute": [graphs.MAX_NAME, graphs.MAX_TEXT],
    "numbers of an attribute": [graphs.MAX_LIST],
    "characters, words or merges of a vocabulary": [
        vocabulary.MAX_CHARACTERS,
        vocabulary.MAX_WORDS,
        vocabulary.MAX_MERGES,
    ],
    "bytes of a token": [byte_pairs.LONGEST_PIECE],
    "characters of a name of a part": [content.MAX_NAME],
    "known inputs, past inputs and static columns of a forecaster, each": [rules.MAX_COLUMNS],
    "characters of an input's name": [rules.MAX_NAME],
    "categories of a static column": [rules.MAX_CATEGORIES],
    "steps of a forecaster's horizon; of its context or a period": [rules.MAX_HORIZON, rules.MAX_STEPS],
    "periods, levels and members of a forecaster": [recipe.MAX_PERIODS, recipe.MAX_LEVELS, recipe.MAX_MEMBERS],
    "reference forecasts": [recipe.MAX_ROW],
    "lags of an autoregressive forecaster, and features of a step": [
        autoregressive.MAX_LAGS,
        autoregressive.MAX_INPUTS,
    ],
    "numbers of a forecaster's window": [forecasting.MAX_NUMBERS],
    "equations, variables and operands of all programs together": [
        programs.MAX_EQUATIONS,
        programs.MAX_VARIABLES,
        programs.MAX_OPERANDS,
    ],
    "sizes that differ in all programs together": [programs.MAX_SIZES],
    "states of a program": [programs.MAX_STATES],
    "inputs of a program": [programs.MAX_INPUTS],
    "layers of a part": [setting_rules.MAX_LAYERS],
    "clusters of an adaptive softmax": [adaptive_softmax.MAX_CUTOFFS],
    "variables of all layers and directions, each with its own": [cost.MAX_VARIABLES],
    "numbers that one step computes with": [cost.FREE, cost.TIMES],
    "multiplications of one step, and once per call": [cost.MAX_MULTIPLICATIONS],
    "heads, and columns transposed, of a step": [cost.MAX_PIECES],
}


def test_caps():
    rows = dict(
        re.findall(r"^\| (.+?) \| (.+?) \|$", PAGE.partition("| cap | at most |")[2].partition("\n\n")[0], re.M)
    )
    found = {name: [int(n.replace(",", "")) for n in re.findall(r"\d[\d,]*\d|\d", text)] for name, text in rows.items()}
    found.pop("---", None)
    assert found == CAPS


def test_how_many_exhibits_there_are():
    assert f"a museum of {len(museum.EXHIBITS)} broken" in PAGE
