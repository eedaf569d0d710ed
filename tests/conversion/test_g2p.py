"""The encoder and the decoder of g2p_en, a trained model of English spelling; `make compat` installs it."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import recurra
from recurra.runtime import convert

pytestmark = pytest.mark.compat

WORDS = ["recurrent", "activationist", "xylophone", "pneumonia", "a", "supercalifragilisticexpialidocious"]
LETTERS = ["<pad>", "<unk>", "</s>", *"abcdefghijklmnopqrstuvwxyz"]
START, END = 2, 3  # among the decoder's tokens


@pytest.fixture(scope="module")
def path():
    """The path of its weights; the package is not imported, as it would download dictionaries."""
    spec = importlib.util.find_spec("g2p_en")
    return Path(spec.submodule_search_locations[0]) / "checkpoint20.npz"


@pytest.fixture(scope="module")
def weights(path):
    with np.load(path) as file:
        return {name: file[name].astype(np.float64) for name in file.files}


def gru_step(weights, side, token, h):
    """A step of g2p_en's GRU, in float64."""
    x = weights[f"{side}_emb"][[token]]
    a = x @ weights[f"{side}_w_ih"].T + weights[f"{side}_b_ih"]
    b = h @ weights[f"{side}_w_hh"].T + weights[f"{side}_b_hh"]
    r, z = np.split(1 / (1 + np.exp(-(a + b)[:, :512])), 2, -1)
    n = np.tanh(a[:, 512:] + r * b[:, 512:])
    return (1 - z) * n + z * h


def head(weights, h):
    return h @ weights["fc_w"].T + weights["fc_b"]


def encoded(weights, word):
    """The tokens of a word, and the state after each."""
    tokens, states = [LETTERS.index(letter) for letter in word] + [LETTERS.index("</s>")], []
    h = np.zeros((1, 256))
    for token in tokens:
        h = gru_step(weights, "enc", token, h)
        states.append(h[0])
    return np.array(tokens), np.stack(states)


@pytest.mark.parametrize("engine", ["native", "reference"])
@pytest.mark.parametrize("word", WORDS)
def test_encoder_and_decoder(path, weights, word, engine):
    encoder = convert(path, names="enc_", embedding="enc_emb")
    decoder = convert(path, cell="gru", names="dec_", embedding="dec_emb", output="fc_")
    tokens, expected = encoded(weights, word)
    with recurra.engine(engine):
        output, state = encoder(tokens[:, None])
        np.testing.assert_allclose(output[:, 0], expected, rtol=0, atol=1e-5)
        h, token, length = expected[-1:], START, 0
        while token != END and length < 20:
            stepped = gru_step(weights, "dec", token, state[0])
            logits, state = decoder(np.array([[token]]), state)
            np.testing.assert_allclose(state[0], stepped, rtol=0, atol=1e-5)
            np.testing.assert_allclose(logits[0], head(weights, stepped), rtol=0, atol=1e-5)
            h = gru_step(weights, "dec", token, h)
            np.testing.assert_allclose(state[0], h, rtol=0, atol=1e-5)
            token, length = int(logits.argmax()), length + 1
            assert token == head(weights, h).argmax()


def test_a_stream_and_a_file(path, weights, tmp_path):
    convert(path, names="enc_", embedding="enc_emb").save(tmp_path / "encoder.safetensors")
    stream = recurra.runtime.load(tmp_path / "encoder.safetensors").stream()
    tokens, expected = encoded(weights, "streaming")
    for token, state in zip(tokens, expected, strict=True):
        np.testing.assert_allclose(np.ravel(stream.step(token)), state, rtol=0, atol=1e-5)
