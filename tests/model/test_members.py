"""Several models in one: what an ensemble, and an encoder with its decoder, may hold."""

import numpy as np
import pytest

from recurra import cells, runtime
from recurra.errors import FileFormatError
from recurra.model import Description, Part, Weight, read, write
from recurra.model.members import chains
from recurra.model.quantize import quantize
from recurra.runtime import Model
from recurra.vocabulary import Vocabulary
from tests.runtime.forecasters import ensemble, pair
from tests.runtime.models import cell_part, described, embedding, layer, linear, lstm, same, stack


def both(encoder, decoder):
    return Part("EncoderDecoder", {}, (("encoder", encoder), ("decoder", decoder)))


def test_members_are_models_by_themselves(tmp_path):
    """Each member has the weights under its own names; a file keeps them all."""
    parts = [stack(lstm(2, 3), linear(3, 1)), Part("Tanh"), pair(4, 3, 2)]
    made = described(ensemble(*parts))
    write(made, tmp_path / "m")
    members = read(tmp_path / "m").members()
    assert [member.root for member in members] == parts
    x = np.random.default_rng(0).standard_normal((5, 2, 2)).astype(np.float32)
    first = Description(parts[0], {n[2:]: weight for n, weight in made.weights.items() if n.startswith("0.")})
    assert same(Model(members[0])(x), Model(first)(x))
    encoder, decoder = members[2].members()
    assert (encoder.root, decoder.root) == tuple(part for _, part in parts[2].children)
    assert encoder.members() == []
    assert [name for name, _ in chains(made.root)] == ["0", "1", "2.encoder", "2.decoder"]


def test_several_models_do_not_run_as_one(tmp_path):
    write(described(ensemble(lstm(2, 3), lstm(2, 3))), tmp_path / "m")
    with pytest.raises(FileFormatError, match=r"m: it holds 2 models \(Ensemble\), which do not run as one"):
        runtime.load(tmp_path / "m")
    with pytest.raises(FileFormatError, match="which do not run as one"):
        _ = described(pair(2, 2, 1)).interface


def test_tied_and_quantized_members():
    made = described(ensemble(linear(3, 2), linear(3, 2)))
    tied = Description(made.root, {name: made.weights[f"0{name[1:]}"] for name in made.weights})
    one, other = quantize(tied, "int8").members()
    assert one.weights["weight"] is other.weights["weight"]
    assert one.weights["weight"].dtype == "int8"


@pytest.mark.parametrize("cell", [cells.lstm, cells.gru, cells.mgu])
def test_a_decoder_goes_on_from_an_encoder(cell):
    """Of the same weights, an encoder and a decoder are one run over all steps."""
    part = layer(cell, 3, 3, num_layers=2)
    made = described(both(part, part))
    weights = {
        f"{one}.{name}": made.weights[f"encoder.{name}"]
        for one in ("encoder", "decoder")
        for name in (name.partition(".")[2] for name in made.weights if name.startswith("encoder."))
    }
    encoder, decoder = map(Model, Description(made.root, weights).members())
    x = np.random.default_rng(1).standard_normal((7, 2, 3)).astype(np.float32)
    whole, last = encoder(x)
    _, state = encoder(x[:4])
    output, end = decoder(x[4:], state)
    np.testing.assert_array_equal(output, whole[4:])
    np.testing.assert_array_equal(
        np.stack(list(decoder.layout.nest.flatten(end))), np.stack(list(encoder.layout.nest.flatten(last)))
    )


@pytest.mark.parametrize(
    ("root", "message"),
    [
        (Part("Ensemble"), r"the model \(Ensemble\): its parts must be its members 0, 1, …"),
        (Part("Ensemble", {}, (("a", linear(1, 1)),)), "its members 0, 1, …"),
        (Part("Ensemble", {"count": 1}), "settings missing"),
        (ensemble(ensemble(linear(1, 1))), r"0 \(Ensemble\) cannot be a part of the model \(Ensemble\)"),
        (ensemble(stack(pair(1, 1, 1))), r"0.0 \(EncoderDecoder\) cannot be a part of 0 \(Stack\)"),
        (stack(ensemble(linear(1, 1))), r"0 \(Ensemble\) cannot be a part of the model \(Stack\)"),
        (both(pair(1, 1, 1), lstm(1, 1)), r"encoder \(EncoderDecoder\) cannot be a part"),
        (ensemble(stack(linear(2, 1), linear(2, 1))), r"0.1 \(Linear\) takes 2 features"),
        (Part("EncoderDecoder"), "its parts must be encoder and decoder"),
        (Part("EncoderDecoder", {}, (("decoder", lstm(1, 2)), ("encoder", lstm(1, 2)))), "encoder and decoder"),
        (both(lstm(1, 2), lstm(1, 3)), "have the states of its encoder"),
        (both(lstm(1, 2), layer(cells.gru, 1, 2)), "have the states of its encoder"),
        (both(lstm(1, 2), lstm(1, 2, num_layers=2)), "have the states of its encoder"),
        (both(linear(1, 2), linear(1, 2)), "its decoder must be recurrent"),
        (both(cell_part(cells.gru, 1, 2), cell_part(cells.gru, 1, 2)), "a layer or layers, not a cell"),
        (both(lstm(1, 2), lstm(1, 2, batch_first=True)), "agree in batch_first"),
    ],
)
def test_what_does_not_fit_is_refused(root, message):
    with pytest.raises(FileFormatError, match=message):
        described(root)


def test_models_of_one_dtype():
    made = described(ensemble(linear(1, 1), linear(1, 1)))
    weights = {**made.weights, "1.bias": Weight.of(np.zeros(1))}
    with pytest.raises(FileFormatError, match=r"1.bias is float64"):
        Description(made.root, weights)


def test_several_models_have_no_vocabulary():
    made = described(ensemble(stack(embedding(3, 2)), stack(embedding(3, 2))))
    with pytest.raises(FileFormatError, match="a vocabulary needs a model that runs by itself"):
        Description(made.root, made.weights, {"vocabulary": Vocabulary("char", ["<unk>", "a", "b"])})
