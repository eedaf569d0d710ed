"""accelerate inside other libraries' recurrent models gives the same forecasts and embeddings.

`make compat` installs the libraries, and runs these tests.
"""

import logging

import numpy as np
import pytest
import torch
from torch import nn

import recurra
from recurra.nn import acceleration

pytestmark = [pytest.mark.compat, pytest.mark.filterwarnings("ignore")]  # warnings of the libraries' own

CLOSE = {"rtol": 1e-5, "atol": 1e-5}
QUIET = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}


@pytest.fixture(autouse=True)
def _quiet(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # some write where they are started
    for name in ("pytorch_lightning", "lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)


def waves(count, length):
    """Seasonal series around zero: (count, length)."""
    steps = np.arange(length)
    rows = [np.sin(2 * np.pi * (steps + 3 * k) / 12) * (1 + k / count) + 0.01 * steps for k in range(count)]
    return (np.stack(rows) + 0.1 * np.random.default_rng(0).standard_normal((count, length))).astype(np.float32)


def callback(package):
    """The Lightning callback of docs/accelerate.md, for models that a library makes."""

    class Accelerate(package.Callback):
        def setup(self, trainer, pl_module, stage):
            recurra.accelerate(pl_module)

    return Accelerate()


def lightning():
    """Lightning under either of its names."""
    try:
        import pytorch_lightning
    except ModuleNotFoundError:
        import lightning.pytorch as pytorch_lightning
    return pytorch_lightning


# ---- Lightning ----


def test_a_lightning_module():
    package = lightning()

    class Forecaster(package.LightningModule):
        def __init__(self):
            super().__init__()
            self.rnn, self.head = nn.GRU(1, 16, num_layers=2, dropout=0.1, batch_first=True), nn.Linear(16, 1)

        def training_step(self, batch, _):
            (rows,) = batch
            return nn.functional.mse_loss(self.head(self.rnn(rows[:, :-1])[0]), rows[:, 1:])

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), 0.01)

    trained = []
    for callbacks in ([], [callback(package)]):
        package.seed_everything(0, verbose=False)
        model = Forecaster()
        loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.tensor(waves(16, 40))[..., None]), 8)
        trainer = package.Trainer(accelerator="cpu", max_epochs=3, callbacks=callbacks, **QUIET)
        trainer.fit(model, loader)
        assert len(acceleration(model).replaced) == len(callbacks)
        trained.append(model.state_dict())
    assert trained[0].keys() == trained[1].keys()
    for name, value in trained[0].items():
        torch.testing.assert_close(trained[1][name], value, rtol=1e-4, atol=1e-4)


# ---- neuralforecast ----


def neural_forecasts(kind, **options):
    """Forecasts of a trained model before and after ``accelerate``, and the replaced modules."""
    import neuralforecast
    import pandas

    series = waves(6, 96)
    frame = pandas.DataFrame(
        {
            "unique_id": np.repeat(np.arange(6), 96),
            "ds": np.tile(np.arange(96), 6),
            "y": series.reshape(-1),
        }
    )
    model = getattr(neuralforecast.models, kind)(
        h=12, input_size=24, max_steps=5, accelerator="cpu", **QUIET, **options
    )
    forecast = neuralforecast.NeuralForecast(models=[model], freq=1)
    forecast.fit(frame)
    before = forecast.predict()[kind].to_numpy()
    (model,) = forecast.models
    report = acceleration(recurra.accelerate(model))
    return before, forecast.predict()[kind].to_numpy(), report


@pytest.mark.parametrize(
    ("kind", "options", "layers"),
    [
        ("LSTM", {}, 1),
        ("LSTM", {"recurrent": True}, 1),
        ("GRU", {}, 1),
        ("GRU", {"recurrent": True}, 1),
        ("RNN", {}, 1),
        ("DilatedRNN", {"cell_type": "GRU"}, 4),
        ("DilatedRNN", {"cell_type": "LSTM"}, 4),
    ],
    ids=str,
)
def test_neuralforecast(kind, options, layers):
    before, after, report = neural_forecasts(kind, **options)
    assert len(report.replaced) == layers
    assert not report.left
    np.testing.assert_allclose(after, before, **CLOSE)


# ---- darts ----


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("block", [False, True], ids=["RNNModel", "BlockRNNModel"])
def test_darts(kind, block):
    from darts import TimeSeries
    from darts.models import BlockRNNModel, RNNModel

    shape = {"output_chunk_length": 6, "hidden_dim": 16} if block else {"training_length": 30, "hidden_dim": 16}
    model = (BlockRNNModel if block else RNNModel)(
        model=kind, input_chunk_length=24, n_epochs=2, n_rnn_layers=2, random_state=0, **shape,
        pl_trainer_kwargs={"accelerator": "cpu", "enable_progress_bar": False, "enable_model_summary": False},
    )  # fmt: skip
    series = [TimeSeries.from_values(values) for values in waves(4, 96)]
    model.fit(series)
    before = [each.values() for each in model.predict(n=12, series=series)]
    recurra.accelerate(model.model)
    assert [part.kind for part in acceleration(model.model).replaced] == [kind]
    after = [each.values() for each in model.predict(n=12, series=series)]
    np.testing.assert_allclose(after, before, **CLOSE)


def test_darts_trains_accelerated(tmp_path):
    """A callback accelerates the model from the start, or from the second fit on; darts saves and loads it."""
    from darts import TimeSeries
    from darts.models import RNNModel

    series = TimeSeries.from_values(waves(1, 96)[0])

    def fitted(*callbacks, epochs):
        options = {"accelerator": "cpu", "callbacks": [*callbacks], "enable_progress_bar": False}
        model = RNNModel(
            model="GRU", input_chunk_length=24, training_length=30, n_epochs=epochs, random_state=0,
            pl_trainer_kwargs=options,
        )  # fmt: skip
        return model.fit(series)

    as_before = fitted(epochs=3).predict(n=6).values()
    model = fitted(callback(lightning()), epochs=3)
    assert acceleration(model.model).replaced
    np.testing.assert_allclose(model.predict(n=6).values(), as_before, rtol=1e-4, atol=1e-4)

    model = fitted(epochs=2)
    recurra.accelerate(model.model)
    model.fit(series, epochs=1)
    assert acceleration(model.model).replaced
    model.save(str(tmp_path / "model.pt"))
    loaded = RNNModel.load(str(tmp_path / "model.pt"))
    np.testing.assert_allclose(loaded.predict(n=6, series=series).values(), model.predict(n=6).values(), **CLOSE)


# ---- gluonts ----


def test_gluonts():
    import pandas
    from gluonts.dataset.common import ListDataset
    from gluonts.torch import DeepAREstimator

    start = pandas.Period("2020-01-01", "D")
    data = ListDataset([{"start": start, "target": values} for values in waves(6, 96)], freq="D")
    torch.manual_seed(0)
    estimator = DeepAREstimator(
        freq="D", prediction_length=12, num_batches_per_epoch=5, hidden_size=16,
        trainer_kwargs={"max_epochs": 2, "accelerator": "cpu", "logger": False, "enable_progress_bar": False},
    )  # fmt: skip
    predictor = estimator.train(data)

    def forecasts():
        torch.manual_seed(0)
        return np.stack([forecast.samples for forecast in predictor.predict(data)])

    before = forecasts()
    recurra.accelerate(predictor.prediction_net)
    assert [part.kind for part in acceleration(predictor.prediction_net).replaced] == ["LSTM"]
    np.testing.assert_allclose(forecasts(), before, **CLOSE)


# ---- Resemblyzer ----


def test_resemblyzer():
    import resemblyzer

    encoder = resemblyzer.VoiceEncoder("cpu", verbose=False)
    sound = np.random.default_rng(0).standard_normal(5 * 16000).astype(np.float32) * 0.1
    sound *= np.sin(np.arange(sound.size) / 4000)
    before = encoder.embed_utterance(sound)
    recurra.accelerate(encoder)
    (layer,) = acceleration(encoder).replaced
    assert (layer.module.num_layers, layer.module.hidden_size) == (3, 256)
    np.testing.assert_allclose(encoder.embed_utterance(sound), before, **CLOSE)
    recurra.restore(encoder)
    np.testing.assert_array_equal(encoder.embed_utterance(sound), before)
