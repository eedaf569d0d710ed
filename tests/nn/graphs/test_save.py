"""``recurra.save(…, example=…)``: the file's graph computes what the module computes, at other sizes too."""

import numpy as np
import pytest
import torch
from torch import nn

import recurra
from recurra.errors import FileFormatError
from recurra.graph.table import domains, rows
from recurra.nn.graphs import rules  # noqa: F401  (fills the table)
from recurra.nn.graphs.table import TABLE
from tests.nn.graphs.saved import check, saved


class Detector(nn.Module):
    """Convolution, LSTM of torch.nn with states in and out, the last step."""

    def __init__(self):
        super().__init__()
        self.conv, self.rnn, self.out = nn.Conv1d(1, 4, 3, stride=2), nn.LSTM(4, 5, batch_first=True), nn.Linear(5, 1)

    def forward(self, x, state):
        y, state = self.rnn(torch.relu(self.conv(x)).transpose(1, 2), state)
        return torch.sigmoid(self.out(y[:, -1])).squeeze(-1), state


class Reader(nn.Module):
    """Convolutions and pooling of images, a layer in two directions, log-probabilities by step; changes in place."""

    def __init__(self):
        super().__init__()
        self.seen = nn.Sequential(
            nn.Conv2d(1, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(inplace=True), nn.MaxPool2d(2),
            nn.AdaptiveAvgPool2d((1, None)),
        )  # fmt: skip
        self.rnn, self.out = recurra.nn.GRU(3, 4, bidirectional=True), nn.Linear(8, 5)
        self.seen[1].running_mean.uniform_(-1, 1)

    def forward(self, x):
        y, h = self.rnn(self.seen(x).squeeze(2).permute(2, 0, 1))
        return {"labels": self.out(y).log_softmax(-1), "last": torch.cat([h[-2], h[-1]], 1)}


class Scorer(nn.Module):
    """Tokens, residuals, attention over time with a mask, means, a variance, slices with free ends."""

    def __init__(self):
        super().__init__()
        self.tokens, self.places = nn.Embedding(9, 4), nn.Parameter(torch.randn(30, 4))
        self.rnn, self.norm = nn.GRU(4, 4, batch_first=True), nn.LayerNorm(4)
        self.heads = nn.MultiheadAttention(4, 2, batch_first=True)

    def forward(self, ids):
        mask = ids.ne(0)
        x = self.tokens(ids) + self.places[: ids.size(1)]
        x = self.norm(self.rnn(x)[0] + x)
        x = x + self.heads(x, x, x, need_weights=False)[0]
        weights = x.sum(-1).masked_fill(~mask, -1e9).softmax(1)
        pooled = torch.einsum("bt,btf->bf", weights, x)
        y = x.clone()
        y[:, 0] = 0
        return pooled, x.mean(1), x.amax(1), y[:, 1:].std(1), x.reshape(x.shape[0], -1), mask.sum(1)


def test_a_detector_of_one_frame_is_free_in_batch_and_time(tmp_path):
    module, state = Detector(), (torch.zeros(1, 1, 5), torch.zeros(1, 1, 5))
    model = saved(module, (torch.randn(1, 1, 16), state), tmp_path, output_names=["p", "h_out", "c_out"])
    check(model, module, torch.randn(3, 1, 40), (torch.randn(1, 3, 5), torch.randn(1, 3, 5)))
    assert type(module.rnn) is nn.LSTM
    stream = model.stream({"state_0": "h_out", "state_1": "c_out"}, batch=2)
    x = torch.randn(2, 1, 9)
    parts = [stream.step(x[..., n : n + 3].numpy()) for n in (0, 2, 4, 6)]
    whole = model(x, *np.zeros((2, 1, 2, 5), np.float32))[0]
    np.testing.assert_array_equal(parts[-1], whole)


def test_a_reader_of_images(tmp_path):
    module = Reader()
    model = saved(module, (torch.randn(1, 1, 4, 8),), tmp_path)
    assert [each.name for each in model.outputs] == ["labels", "last"]
    check(model, module, torch.randn(2, 1, 6, 12))


def test_a_scorer_of_tokens(tmp_path):
    module = Scorer()
    model = saved(module, {"ids": torch.randint(0, 9, (2, 6))}, tmp_path)
    check(model, module, torch.randint(0, 9, (3, 9)))


class Unsupported(nn.Module):
    def forward(self, x):
        y = torch.relu(x)
        return torch.linalg.det(y)


class Counting(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("count", torch.zeros(1))

    def forward(self, x):
        self.count += 1
        return x * self.count


def test_what_is_not_supported_is_named_with_its_line(tmp_path):
    with pytest.raises(FileFormatError, match=r"test_save\.py:\d+ `return torch\.linalg\.det\(y\)`"):
        saved(Unsupported(), (torch.randn(2, 2),), tmp_path)
    with pytest.raises(FileFormatError, match="changes its own count"):
        saved(Counting(), (torch.randn(2, 2),), tmp_path)
    with pytest.raises(FileFormatError, match=r"bfloat16 are not supported: convert the module, with \.float"):
        saved(nn.Linear(2, 2).bfloat16(), (torch.randn(2, 2).bfloat16(),), tmp_path)


def test_arguments_are_checked(tmp_path):
    path, module = tmp_path / "m.safetensors", nn.Linear(2, 2)
    with pytest.raises(TypeError, match="example must be a tensor, a tuple of arguments"):
        recurra.save(module, path, example=3)
    with pytest.raises(TypeError, match="need an example"):
        recurra.save(module, path, output_names=["y"])
    with pytest.raises(TypeError, match="takes no vocabulary"):
        recurra.save(module, path, example=torch.zeros(1, 2), annotations={"vocabulary": None})
    with pytest.raises(FileFormatError, match="output_names must be 1 different names"):
        recurra.save(module, path, example=torch.zeros(1, 2), output_names=["y", "z"])


def test_every_rule_is_of_an_operation_that_torch_has():
    for name in TABLE:
        space, operation, overload = name.split(".") if name.count(".") == 2 else ("builtin", name, "")
        if space != "builtin":
            assert hasattr(getattr(getattr(torch.ops, space), operation), overload), name


def test_the_operators_of_cells_are_recurras():
    assert domains()[-1] == "recurra"
    assert [row.name for row in rows("recurra")] == ["CellScan"]
