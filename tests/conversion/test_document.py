"""docs/convert.md's code that saves a model of Keras; the code of the others runs with that of all pages."""

import numpy as np
import pytest

import recurra
from tests.pages import blocks


@pytest.mark.compat
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword")  # Keras' variables
def test_saving_from_keras(tmp_path, monkeypatch):
    import keras

    monkeypatch.chdir(tmp_path)
    names = {}
    [block] = [source for source in blocks("docs/convert.md", "python") if source.startswith("import keras\n")]
    exec(block, names)
    trained = names["trained"]
    ids = np.array([[3, 5, 7]])
    model = recurra.convert("trained.keras")
    np.testing.assert_allclose(model(ids)[0], keras.ops.convert_to_numpy(trained(ids)), rtol=0, atol=1e-5)
    arguments = {"embedding": "words", "names": ["both", "top"], "output": "out", "merge_mode": "sum"}
    model = recurra.convert("trained.weights.h5", batch_first=True, **arguments)
    assert model(ids)[0].shape == (1, 3, 30)
