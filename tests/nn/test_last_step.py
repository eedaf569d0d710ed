"""The last step of each sequence: in torch, packed, in files, streams and ONNX, with lengths."""

import onnxruntime
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

import recurra
from recurra.errors import FileFormatError, RecurraError
from tests.nn.support import assert_same, ours

LENGTHS = [3, 7, 1]


def classifier(batch_first=False, bidirectional=False):
    layer = ours.GRU(3, 4, batch_first=batch_first, bidirectional=bidirectional)
    return ours.Stack(
        layer, ours.LastStep(batch_first, bidirectional), nn.LayerNorm(layer.output_size),
        nn.Linear(layer.output_size, 2), nn.LogSoftmax(-1),
    ).eval()  # fmt: skip


def alone(model, x, lengths):
    """The outputs for x, (T, batch, 3), sequence by sequence."""
    return torch.stack([model(x[:length, row])[0] for row, length in enumerate(lengths)])


@pytest.mark.parametrize("bidirectional", [False, True])
def test_it_is_the_last_state(bidirectional):
    layer, x = ours.LSTM(3, 4, bidirectional=bidirectional), torch.randn(7, 3, 3)
    last = ours.LastStep(bidirectional=bidirectional)
    packed = pack_padded_sequence(x, torch.tensor(LENGTHS), enforce_sorted=False)
    for given in (x, packed, x[:, 0]):
        output, (h, _) = layer(given)
        assert_same([last(output)], [torch.cat(list(h), -1)])
    by_batch = ours.LastStep(True, bidirectional)(layer(x)[0].transpose(0, 1))
    assert_same([by_batch], [last(layer(x)[0])])


def test_empty_packed_sequences_have_zeros():
    layer, x = ours.GRU(3, 4), torch.randn(5, 3, 3)
    packed = ours.pack_padded_sequence(x, [2, 0, 5], enforce_sorted=False, allow_empty=True)
    output, h = layer(packed)
    assert_same([ours.LastStep()(output)], [h[0]])


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_files_with_lengths_and_onnx(batch_first, bidirectional, tmp_path):
    model, x = classifier(batch_first, bidirectional), torch.randn(7, 3, 3)
    given = x.transpose(0, 1).contiguous() if batch_first else x
    recurra.save(model, tmp_path / "model.safetensors")
    loaded = recurra.runtime.load(tmp_path / "model.safetensors")
    assert repr(recurra.load(tmp_path / "model.safetensors")) == repr(model)
    expected = alone(model, x, [7] * 3), alone(model, x, LENGTHS)
    recurra.onnx.export(model, tmp_path / "model.onnx", lengths=True)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    assert session.get_outputs()[0].shape == ["batch", 2]
    for lengths, wanted in zip(([7] * 3, LENGTHS), expected, strict=True):
        found, _ = loaded(given.numpy(), lengths=lengths)
        arguments = {"x": given.numpy(), "lengths": torch.tensor(lengths).numpy()}
        (written,) = session.run(["output"], arguments)
        assert_same([torch.from_numpy(found), torch.from_numpy(written)], [wanted, wanted])
    one, _ = loaded(x[:, 0].numpy())
    assert_same([torch.from_numpy(one)], [expected[0][0]])
    recurra.onnx.export(model, tmp_path / "plain.onnx")
    (written,) = onnxruntime.InferenceSession(tmp_path / "plain.onnx").run(["output"], {"x": given.numpy()})
    assert_same([torch.from_numpy(written)], [expected[0]])


def test_a_stream_gives_the_result_so_far(tmp_path):
    model, x = classifier(), torch.randn(6, 2, 3)
    recurra.save(model, tmp_path / "m")
    loaded = recurra.runtime.load(tmp_path / "m")
    stream = loaded.stream(2)
    for t in range(4):
        step, whole = stream.step(x[t].numpy()), loaded(x[: t + 1].numpy())[0]
        assert (step == whole).all()
    assert (stream.feed(x[4:].numpy()) == loaded(x.numpy())[0]).all()
    recurra.save(classifier(bidirectional=True), tmp_path / "both")
    with pytest.raises(RecurraError, match="bidirectional"):
        recurra.runtime.load(tmp_path / "both").stream()


def test_pooling_over_a_whole_sequence(tmp_path):
    model = ours.Stack(ours.Conv1d(3, 4, 3), nn.ReLU(), ours.RunningMean(4), ours.LastStep(), nn.Linear(4, 2)).eval()
    x = torch.randn(9, 2, 3)
    expected = model[4](model[0](x)[0].relu().mean(0))
    recurra.save(model, tmp_path / "m")
    assert_same([model(x)[0], torch.from_numpy(recurra.runtime.load(tmp_path / "m")(x.numpy())[0])], [expected] * 2)


def test_refusals(tmp_path):
    with pytest.raises(
        FileFormatError, match=r"1 \(LastStep\) and 0 \(GRU\)|0 \(GRU\) and 1 \(LastStep\) must agree in"
    ):
        recurra.save(ours.Stack(ours.GRU(3, 4, batch_first=True), ours.LastStep()), tmp_path / "m")
    with pytest.raises(FileFormatError, match=r"2 \(GRU\) takes the steps of sequences, and 1 \(LastStep\), before it"):
        recurra.save(ours.Stack(ours.GRU(3, 4), ours.LastStep(), ours.GRU(4, 4)), tmp_path / "m")
    with pytest.raises(ValueError, match=r"LastStep takes \(seq_len, batch, features\).*; got \(3,\)"):
        ours.LastStep()(torch.randn(3))
    with pytest.raises(ValueError, match="bidirectional needs an even number of features; got 3"):
        ours.LastStep(bidirectional=True)(torch.randn(2, 3))
    with pytest.raises(TypeError, match="batch_first should be of type bool"):
        ours.LastStep(1)
