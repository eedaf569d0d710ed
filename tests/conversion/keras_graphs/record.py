"""Records what Keras writes of the models in networks.py, and what it computes, into recorded.py.

Run ``KERAS_BACKEND=torch python -m tests.conversion.keras_graphs.record FOLDER`` in the environment of `make compat`.
"""

import base64
import json
import sys
import tempfile
import textwrap
import zlib
from pathlib import Path

import numpy as np

from recurra.conversion.files import read_arrays
from tests.conversion.keras_graphs.networks import NETWORKS
from tests.conversion.weights import waves

# Settings that change nothing when a model is used.
_UNREAD = ("initializer", "regularizer", "constraint", "shared_object_id", "registered_name", "build_config",
           "compile_config", "trainable", "seed", "module", "quantization_config")  # fmt: skip


def assign(model):
    """Give a model weights that ``weight_of`` gives again."""
    for number, weight in enumerate(model.weights):
        if "seed" not in weight.path:
            weight.assign(weight_of(number, tuple(weight.shape), "variance" in weight.path))


def weight_of(number, shape, positive):
    """A weight of a model, by its number; a variance is positive."""
    values = (waves(shape, 3 * number + 1) * 0.7).astype(np.float32)
    return values + 1 if positive else values


def computed(model, inputs):
    """The outputs of a model of Keras, in order."""
    import keras

    given = [keras.ops.convert_to_tensor(each) for each in inputs]
    return [
        keras.ops.convert_to_numpy(each) for each in keras.tree.flatten(model(given if len(given) > 1 else given[0]))
    ]


def _stripped(node):
    if isinstance(node, dict):
        return {key: _stripped(value) for key, value in node.items() if not any(word in key for word in _UNREAD)}
    return [_stripped(each) for each in node] if isinstance(node, list) else node


def recorded(made, inputs, folder):
    """The record of a model: its configuration, the numbers of its weights by name, its outputs."""
    import keras

    model = made(keras)
    assign(model)
    path = Path(folder) / "model.keras"
    model.save(path)
    arrays, _, config = read_arrays(path)
    weights = {}
    for name, array in arrays.items():
        for number, weight in enumerate(model.weights):
            positive = "variance" in weight.path
            shape = tuple(weight.shape)
            if shape == array.shape and np.array_equal(array, weight_of(number, shape, positive)):
                weights[name] = [number, list(shape), positive]
    assert len(weights) == len(arrays)
    outputs = [
        [list(each.shape), [float(f"{x:.7g}") for x in each.ravel().tolist()]] for each in computed(model, inputs)
    ]
    return {"config": _stripped(config), "weights": weights, "outputs": outputs}


def main():
    import keras

    found = {}
    for name, made, inputs in NETWORKS:
        with tempfile.TemporaryDirectory() as folder:
            keras.utils.clear_session()
            found[name] = recorded(made, inputs, folder)
    text = base64.b85encode(zlib.compress(json.dumps(found, separators=(",", ":")).encode(), 9)).decode()
    lines = "\n".join(textwrap.wrap(text, 116))
    Path(sys.argv[1], "recorded.py").write_text(
        f'"""Models of networks.py as Keras {keras.__version__} wrote them; record.py makes this file."""\n\n'
        "import base64\nimport json\nimport zlib\n\n\ndef records():\n"
        '    """The record of each model, by name."""\n'
        '    return json.loads(zlib.decompress(base64.b85decode(_PACKED.replace("\\n", ""))))\n\n\n'
        f'_PACKED = """\n{lines}\n"""\n',
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
