"""Several modules in one: encoders with their decoders, and ensembles; in torch, in files, and without torch."""

import numpy as np
import pytest
import torch
from torch import nn

import recurra
from recurra import cells, runtime
from recurra.errors import FileFormatError
from recurra.model import read
from recurra.nn import GRU, LSTM, EncoderDecoder, Ensemble, LSTMCell, Recurrent, Stack
from recurra.nn.parts import describe
from recurra.series.panel import make_panel
from recurra.series.windows import SeriesReader, network_quantiles
from tests.runtime.forecasters import features_of, panel_of, recipe


def pair(cell, past=4, future=3, hidden=6, outputs=2, **options):
    torch.manual_seed(past + future)
    decoder = Stack(Recurrent(cell, future, hidden, **options), nn.Dropout(0.1), nn.Linear(hidden, outputs))
    return EncoderDecoder(Recurrent(cell, past, hidden, **options), decoder).eval()


def test_a_decoder_begins_with_the_encoders_states():
    module = pair(cells.lstm)
    past, future = torch.randn(5, 2, 4), torch.randn(3, 2, 3)
    _, state = module.encoder(past)
    expected, _ = module.decoder(future, state)
    torch.testing.assert_close(module(past, future), expected, rtol=0, atol=0)
    assert not torch.allclose(module(past, future), module(past + 1, future))


def test_layers_of_torch_will_do():
    module = EncoderDecoder(nn.GRU(4, 6), Stack(nn.GRU(3, 6), nn.Linear(6, 2)))
    past, future = torch.randn(5, 2, 4), torch.randn(3, 2, 3)
    expected, _ = module.decoder(future, module.encoder(past)[1])
    torch.testing.assert_close(module(past, future), expected)
    module(past, future).sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in module.parameters())


def test_what_has_no_states_is_refused():
    with pytest.raises(TypeError, match="the encoder must be a recurrent layer or a Stack with some, not Linear"):
        EncoderDecoder(nn.Linear(2, 2), GRU(2, 2))
    with pytest.raises(TypeError, match="the decoder must be"):
        EncoderDecoder(GRU(2, 2), Stack(nn.Tanh()))


def test_an_ensemble_runs_every_member():
    members = [nn.Linear(3, 2), nn.Tanh(), GRU(3, 2)]
    ensemble, x = Ensemble(*members), torch.randn(4, 2, 3)
    first, second, (output, state) = ensemble(x)
    torch.testing.assert_close(first, members[0](x))
    torch.testing.assert_close(second, x.tanh())
    torch.testing.assert_close((output, state), members[2](x))
    assert next(iter(ensemble.state_dict())) == "0.weight"


@pytest.mark.parametrize("cell", [cells.gru, cells.lstm, cells.mgu, cells.peephole_lstm], ids=lambda cell: cell.name)
@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "batch_first": True}])
def test_saved_and_loaded(cell, options, tmp_path):
    """Loaded by torch to the bit, and run without torch to 1e-6."""
    module = Ensemble(pair(cell, **options), pair(cell, hidden=5, **options)).eval()
    recurra.save(module, tmp_path / "m")
    loaded = recurra.load(tmp_path / "m")
    assert repr(loaded) == repr(module)
    past, future = torch.randn(2, 5, 4), torch.randn(2, 3, 3)
    if not options:
        past, future = past.transpose(0, 1).contiguous(), future.transpose(0, 1).contiguous()
    with torch.no_grad():
        expected = module(past, future)
        for one, other in zip(expected, loaded(past, future), strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=0)
    for member, wanted in zip(read(tmp_path / "m").members(), expected, strict=True):
        encoder, decoder = map(runtime.Model, member.members())
        output, _ = decoder(future.numpy(), encoder(past.numpy())[1])
        np.testing.assert_allclose(output, wanted.numpy(), rtol=1e-6, atol=1e-6)
    for kind, part in (("Ensemble", loaded), ("EncoderDecoder", loaded[1])):
        assert type(part).__name__ == kind == describe(part).root.kind


def test_what_does_not_fit_is_not_saved(tmp_path):
    for module, message in (
        (EncoderDecoder(GRU(2, 3), GRU(2, 4)), "have the states of its encoder"),
        (EncoderDecoder(GRU(2, 3), LSTM(2, 3)), "have the states of its encoder"),
        (EncoderDecoder(LSTMCell(2, 3), LSTMCell(2, 3)), "a layer or layers, not a cell"),
        (Ensemble(), "its members 0, 1"),
        (Stack(Ensemble(GRU(2, 3))), "cannot be a part of"),
    ):
        with pytest.raises(FileFormatError, match=message):
            recurra.save(module, tmp_path / "m")

    class Changed(Ensemble):
        def forward(self, *inputs):
            return inputs

    with pytest.raises(FileFormatError, match="a forward of its own"):
        recurra.save(Changed(GRU(2, 3)), tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_a_forecaster_forecasts_what_its_torch_modules_do(tmp_path):
    made = recipe("MS", horizon=4, context=6, periods=(3,), members=3)
    sizes = features_of(made)
    module = Ensemble(*(pair(cells.gru, *sizes, outputs=len(made.levels)) for _ in range(3)))
    for number, member in enumerate(module):
        nn.init.normal_(member.decoder[2].weight, std=0.3 * (number + 1))
    recurra.save(module, tmp_path / "model.safetensors", annotations={"forecaster": made})
    panel = panel_of(made, 20, 31)
    reader = SeriesReader(panel, made)
    encoded = reader.encode(reader.ends())
    with torch.no_grad():
        outputs = module(torch.from_numpy(encoded.past), torch.from_numpy(encoded.future))
    mean = np.mean([network_quantiles(each.numpy(), made.median) for each in outputs], axis=0)
    model = runtime.load_forecaster(tmp_path)
    np.testing.assert_allclose(model.forecast(panel).quantiles, encoded.decode(mean, made), rtol=1e-6, atol=1e-6)
    assert len(model.forecast(make_panel([panel.target[0]], made.frequency)).quantiles) == 1
