"""Models of too many parts, or of parts with wrong settings."""

import json

from tests.model.museum.exhibits import changed, closed, exhibit, exhibits
from tests.program.written import program

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
exhibits(
    "last step",
    {
        "settings of no truth values": {"batch_first": 1, "bidirectional": False},
        "a setting too many": {"batch_first": False, "bidirectional": False, "steps": 2},
        "a setting too few": {"batch_first": False},
    },
    lambda settings: closed({}, f'{_HEAD}{{"kind":"LastStep","settings":{json.dumps(settings)}}}{_TAIL}', b""),
)
