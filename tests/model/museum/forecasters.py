"""Forecasters whose recipe or network is wrong."""

import json
from dataclasses import replace

from recurra import cells
from recurra.series import recipe as recipes
from recurra.series import rules
from recurra.series.autoregressive.recipe import AutoregressiveRecipe
from recurra.series.frequency import Frequency
from recurra.series.table_format import TableFormat
from tests.model.museum.exhibits import REMOVED, bytes_of, changed, closed, exhibit, exhibits, opened
from tests.runtime import forecasters as runtimes
from tests.runtime.forecasters import recipe
from tests.runtime.models import described, embedding, layer, linear, stack

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


def annotated(data, annotations):
    """The file with other annotations."""
    header, description, body = opened(data)
    return closed(header, {**description, "annotations": annotations}, body)


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
