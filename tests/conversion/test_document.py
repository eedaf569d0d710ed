"""docs/convert.md's code that saves weights from Keras; the code of the others runs with that of all pages."""

import numpy as np
import pytest

import recurra
from tests.pages import blocks


@pytest.mark.compat
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword")  # Keras' variables
def test_saving_from_keras(tmp_path, monkeypatch):
    import keras

    monkeypatch.chdir(tmp_path)
    names = {"np": np}
    [block] = [source for source in blocks("docs/convert.md", "python") if source.startswith("import keras\n")]
    exec(block, names)
    trained = names["trained"]
    table, both, gru, dense = (layer.name for layer in trained.layers)  # numbered, if other layers were made before
    model = recurra.convert("keras.npz", embedding=table, names=[both, gru], output=dense, batch_first=True)
    output, _ = model(np.array([[3, 5, 7]]))
    expected = keras.ops.convert_to_numpy(trained(np.array([[3, 5, 7]])))
    np.testing.assert_allclose(output, expected, rtol=0, atol=1e-5)
