"""Convolutions and pooling over time: torch's numbers, lengths, chunks, files, streams and ONNX."""

import onnxruntime
import pytest
import torch
from torch import nn
from torch.nn.functional import pad
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import recurra
from tests.nn.support import assert_same, ours, tensors

BOTH = [(3, 1, True), (2, 3, True), (4, 2, True), (3, 1, False), (5, 2, False)]


def same_numbers(kernel_size, dilation, causal, bias=True):
    """torch's convolution over x, (T, batch, 3), and recurra's of the same weights."""
    theirs = nn.Conv1d(3, 4, kernel_size, dilation=dilation, bias=bias, padding=0 if causal else "same")
    left = (kernel_size - 1) * dilation if causal else 0
    return (lambda x: theirs(pad(x.permute(1, 2, 0), (left, 0))).permute(2, 0, 1)), ours.Conv1d.from_torch(
        theirs, causal
    )


@pytest.mark.parametrize(("kernel_size", "dilation", "causal"), BOTH)
def test_torchs_convolution(kernel_size, dilation, causal):
    reference, own = same_numbers(kernel_size, dilation, causal, bias=dilation == 1)
    results = []
    given = torch.randn(9, 2, 3)
    for call in (reference, lambda x: own(x)[0]):
        x = given.clone().requires_grad_()
        output = call(x)
        output.square().sum().backward()
        results.append([output, x.grad])
    assert_same(*results)
    assert own.output_size == 4


@pytest.mark.parametrize("layer", [
    ours.Conv1d(3, 4, 4, 2, causal=True), ours.Conv1d(3, 4, 3), ours.RunningMean(3), ours.RunningMax(3),
], ids=repr)  # fmt: skip
def test_lengths_are_those_of_the_sequences(layer):
    x, lengths = -torch.rand(7, 3, 3) - 1, [7, 4, 1]
    output, state = layer(pack_padded_sequence(x, torch.tensor(lengths)))
    padded, _ = pad_packed_sequence(output)
    for row, length in enumerate(lengths):
        alone, ends = layer(x[:length, row])
        assert_same([padded[:length, row]], [alone])
        assert_same([each[:, row] for each in tensors(state)], tensors(ends))


def test_running_means_and_maxima():
    x = torch.randn(6, 2, 3, requires_grad=True)
    for layer, pooled in ((ours.RunningMean(3), torch.mean), (ours.RunningMax(3), torch.amax)):
        output = layer(x)[0]
        assert_same([output], [torch.stack([pooled(x[: t + 1], 0) for t in range(6)])])
        assert_same([torch.autograd.grad(output[-1].square().sum(), x)[0]],
                    [torch.autograd.grad(pooled(x, 0).square().sum(), x)[0]])  # fmt: skip


def over_time():
    return (
        ours.Conv1d(3, 5, 3, 2, causal=True), nn.ReLU(), ours.LSTM(5, 4), ours.RunningMax(4), ours.RunningMean(4),
    )  # fmt: skip


def stack():
    return ours.Stack(*over_time(), nn.Linear(4, 2)).eval()


def in_chunks(layers, x, size):
    state, outputs = None, []
    for chunk in x.split(size):
        output, state = layers(chunk, state)
        outputs.append(output)
    return torch.cat(outputs)


def test_a_stack_in_files_streams_and_chunks(tmp_path):
    model, x = stack(), torch.randn(9, 2, 3)
    recurra.save(model, tmp_path / "model.safetensors")
    whole = model(x)[0].detach()
    assert_same([recurra.load(tmp_path / "model.safetensors")(x)[0]], [whole])
    loaded = recurra.runtime.load(tmp_path / "model.safetensors")
    expected, _ = loaded(x.numpy())
    assert_same([torch.from_numpy(expected)], [whole])
    own = ours.Stack(
        *over_time()
    ).eval()  # without torch's Linear, which rounds by the number of its rows on some processors
    for size in (1, 2, 4):
        assert torch.equal(in_chunks(own, x, size), own(x)[0])
        assert_same([in_chunks(model, x, size)], [whole])
    stream = loaded.stream(2)
    steps = [stream.step(step.numpy()).copy() for step in x]
    assert (torch.from_numpy(expected) == torch.stack([torch.from_numpy(step) for step in steps])).all()


@pytest.mark.parametrize("model", [stack(), ours.Stack(ours.Conv1d(3, 4, 5), nn.Tanh())], ids=["causal", "both sides"])
def test_onnx(model, tmp_path):
    recurra.onnx.export(model, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    x = torch.randn(8, 2, 3)
    name = session.get_inputs()[0].name
    (output,) = session.run([session.get_outputs()[0].name], {name: x.numpy()})
    assert_same([torch.from_numpy(output)], [model(x)[0]])


def test_explanations():
    text = str(recurra.explain(stack(), torch.randn(5, 2, 3)))
    assert "weight_l0  (5, 9)" in text
    assert "no parameters" in text
    assert "x_history" in text
    page = recurra.explain(ours.RunningMax(3), torch.randn(5, 2, 3)).to_html()
    assert "largest" in page


def test_initial_values_have_torchs_bound():
    conv = ours.Conv1d(3, 50, 5)
    bound = (3 * 5) ** -0.5
    assert 0.9 * bound < conv.weight_l0.abs().max() <= bound
    assert not conv.weight_l0_reverse[:, :3].any()
    assert not conv.bias_l0_reverse.any()
    assert repr(ours.Conv1d(3, 4, 2, causal=True)) == "Conv1d(3, 4, kernel_size=2, causal=True)"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ours.Conv1d(3, 4, 1), "kernel_size must be at least 2; got 1: for one step, torch.nn.Linear"),
        (lambda: ours.Conv1d(3, 4, 4), "kernel_size must be odd, .* got 4: causal=True takes any"),
        (lambda: ours.Conv1d(3, 4, 3, 0), "dilation must be positive; got 0"),
        (lambda: ours.Conv1d.from_torch(nn.Conv1d(3, 4, 3)), "padding must keep the length"),
        (
            lambda: ours.Conv1d.from_torch(nn.Conv1d(4, 4, 3, 2, 1)),
            "stride 1, one group and zeros outside; got stride=2",
        ),
    ],
)
def test_refusals(make, message):
    with pytest.raises(ValueError, match=message):
        make()
