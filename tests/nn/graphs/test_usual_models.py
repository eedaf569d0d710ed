"""Models as people write them: what torch.export would fix, or record wrongly, stays free in the saved graph."""

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import recurra
from recurra.errors import FileFormatError
from tests.nn.graphs.saved import check, saved


class Tagger(nn.Module):
    """Packed sequences whose lengths are an input."""

    def __init__(self, kind=nn.LSTM, enforce_sorted=False, batch_first=True, whole=False, own=None):
        super().__init__()
        self.embedding, self.out = nn.Embedding(20, 5, padding_idx=0), nn.Linear(8, 3)
        self.rnn = kind(5, 4, num_layers=2, bidirectional=True, batch_first=batch_first)
        self.pack, self.pad = (own.pack_padded_sequence, own.pad_packed_sequence) if own else (
            pack_padded_sequence, pad_packed_sequence,
        )  # fmt: skip
        self.batch_first, self.enforce_sorted, self.whole = batch_first, enforce_sorted, whole

    def forward(self, tokens, lengths):
        x = self.embedding(tokens)
        packed = self.pack(x, lengths, batch_first=self.batch_first, enforce_sorted=self.enforce_sorted)
        y, last = self.rnn(packed)
        total = x.size(1 if self.batch_first else 0) if self.whole else None
        y, counts = self.pad(y, batch_first=self.batch_first, padding_value=-1.0, total_length=total)
        return self.out(y), counts, *(last if isinstance(last, tuple) else (last,))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"enforce_sorted": True},
        {"whole": True, "kind": nn.GRU},
        {"batch_first": False, "kind": nn.RNN},
        {"kind": recurra.nn.GRU, "own": recurra.nn},
    ],
)
def test_lengths_of_packed_sequences_are_an_input(options, tmp_path):
    module = Tagger(**options)

    def call(lengths, steps):
        if module.enforce_sorted:
            lengths = sorted(lengths, reverse=True)
        tokens = torch.randint(1, 20, (len(lengths), steps))
        return (tokens if module.batch_first else tokens.T.contiguous()), torch.tensor(lengths)

    model = saved(module, call([4, 7, 2], 7), tmp_path)
    check(model, module, *call([3, 9, 1, 5], 9))
    check(model, module, *call([3, 4, 1], 8))  # shorter than their padding


class Masked(nn.Module):
    """Lengths that follow from the tokens, packed data that a layer norm changes, and the last states alone."""

    def __init__(self):
        super().__init__()
        self.embedding, self.norm = nn.Embedding(20, 5, padding_idx=0), nn.LayerNorm(5)
        self.rnn = nn.GRU(5, 4, batch_first=True)

    def forward(self, tokens):
        lengths = tokens.ne(0).sum(1)
        packed = pack_padded_sequence(self.embedding(tokens), lengths.cpu(), batch_first=True, enforce_sorted=False)
        packed = packed._replace(data=torch.relu(self.norm(packed.data)))
        return self.rnn(packed)[1]


def test_packed_data_that_is_changed_row_by_row(tmp_path):
    module = Masked()
    tokens = torch.tensor([[3, 4, 0, 0], [5, 6, 7, 8], [9, 0, 0, 0]])
    model = saved(module, tokens, tmp_path)
    check(model, module, torch.cat([tokens, tokens.flip(0)]))


class Unpacked(nn.Module):
    """A sum over the rows of packed data, of which a graph has more."""

    def forward(self, x, lengths):
        return pack_padded_sequence(x, lengths, enforce_sorted=False).data.mean(0)


def test_a_sum_over_packed_rows_is_refused(tmp_path):
    with pytest.raises(FileFormatError, match="is not the module's"):
        saved(Unpacked(), (torch.randn(3, 2, 1), torch.tensor([1, 3])), tmp_path)


class Restarting(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = recurra.nn.Recurrent(recurra.cells.layer_norm_lstm, 3, 4, num_layers=2, bidirectional=True)

    def forward(self, x, reset):
        y, (h, c) = self.rnn(x, reset=reset)
        return y, h, c


def test_resets_are_an_input(tmp_path):
    module = Restarting()
    model = saved(module, (torch.randn(5, 2, 3), torch.rand(5, 2) > 0.5), tmp_path)
    check(model, module, torch.randn(9, 3, 3), torch.rand(9, 3) > 0.5)


@pytest.mark.parametrize("enforce_sorted", [True, False])
def test_resets_beside_packed_sequences(enforce_sorted, tmp_path):
    class Module(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = recurra.nn.GRU(3, 4, 2)

        def forward(self, x, lengths, reset):
            packed = pack_padded_sequence(x, lengths, enforce_sorted=enforce_sorted)
            output, _ = self.rnn(packed, reset=reset[: packed.batch_sizes.shape[0]])
            return pad_packed_sequence(output)[0]

    module = Module()
    example = torch.randn(7, 3, 3), torch.tensor([7, 5, 2]), torch.rand(7, 3) > 0.6
    other = [8, 5, 5, 2] if enforce_sorted else [2, 8, 5, 5]
    model = saved(module, example, tmp_path)
    check(model, module, torch.randn(9, 4, 3), torch.tensor(other), torch.rand(9, 4) > 0.6)


class Bag(nn.Module):
    def __init__(self, **options):
        super().__init__()
        self.bag = nn.EmbeddingBag(10, 4, **options)

    def forward(self, tokens, offsets=None, factors=None):
        return self.bag(tokens, offsets, factors)


@pytest.mark.parametrize("options", [{}, {"padding_idx": 2}, {"include_last_offset": True}], ids=str)
@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_bags_of_embeddings(mode, options, tmp_path):
    module = Bag(mode=mode, **options).eval()
    has_end = "include_last_offset" in options
    tokens = torch.randint(0, 10, (20,))
    tokens[5:11] = 2  # a bag of padding alone, where that is padding
    model = saved(module, (torch.randint(0, 10, (12,)), torch.tensor([0, 4, 9, 12])), tmp_path)
    check(model, module, tokens, torch.tensor([0, 0, 5, 11, 11, 20 if has_end else 17]))  # two bags are empty
    if not has_end:
        model = saved(module, torch.randint(0, 10, (3, 5)), tmp_path)
        check(model, module, tokens.reshape(4, 5))
    if mode == "sum":
        example = torch.randint(0, 10, (12,)), torch.tensor([0, 4, 9, 12]), torch.rand(12)
        check(saved(module, example, tmp_path), module, tokens, torch.tensor([0, 3, 20]), torch.rand(20))


def _of(function):
    class Plain(nn.Module):
        def forward(self, *arguments):
            return function(*arguments)

    return Plain()


SIGNAL, IMAGE = (torch.randn(1, 3, 10), torch.randn(2, 3, 17)), (torch.randn(1, 3, 10, 9), torch.randn(2, 3, 17, 8))

# A module, an example, and a call with other sizes.
CASES = {
    "a convolution, pooling and a layer": (
        nn.Sequential(nn.Conv1d(3, 4, 3, padding=1), nn.BatchNorm1d(4), nn.MaxPool1d(3, 2, padding=1)), *SIGNAL,
    ),
    "adaptive pooling to four": (nn.Sequential(nn.AdaptiveAvgPool1d(4), nn.Tanh()), *SIGNAL),
    "adaptive pooling to the largest of six windows": (nn.AdaptiveMaxPool2d((3, 2)), *IMAGE),
    "adaptive pooling of one dimension": (nn.AdaptiveAvgPool2d((3, None)), *IMAGE),
    "dimensions joined before a free one": (_of(lambda x: x.flatten(0, 1).unsqueeze(0) * 2), *SIGNAL),
    "a dimension that pooling leaves one of": (
        _of(lambda x: functional.max_pool2d(x[:, :, :4], (4, 1)).squeeze(2).permute(2, 0, 1)), *IMAGE,
    ),
    "interpolation": (
        _of(lambda x: torch.cat([
            functional.interpolate(x, size=(9, 4), mode=mode) for mode in ("nearest-exact", "bicubic", "area")
        ])), *IMAGE,
    ),
    "windows": (_of(lambda x: functional.unfold(x, (2, 3), stride=(2, 1), padding=1)), *IMAGE),
    "windows that overlap, added": (
        _of(lambda x: functional.fold(
            functional.unfold(x, (1, 4), stride=(1, 2), padding=(0, 1)), (1, x.size(3)), (1, 4), stride=(1, 2),
            padding=(0, 1),
        )), torch.randn(1, 3, 1, 10), torch.randn(2, 3, 1, 17),
    ),
    "parts from free places": (_of(lambda x: x.narrow(2, x.size(2) - 3, 3)), *SIGNAL),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_sizes_stay_free(name, tmp_path):
    module, example, other = CASES[name]
    check(saved(module, example, tmp_path), module, other)


class Assigning(nn.Module):
    def forward(self, x):
        y = x.clone()
        y[y < 0] = 0
        y[:, :, ::2] *= 2
        return y


def test_assignments_to_chosen_elements(tmp_path):
    module = Assigning()
    check(saved(module, SIGNAL[0], tmp_path), module, SIGNAL[1])


def test_what_follows_from_parameters_alone_is_computed(tmp_path):
    module = nn.utils.parametrizations.orthogonal(nn.Linear(4, 4))  # a matrix exponential of its weight
    check(saved(module, torch.randn(2, 4), tmp_path), module, torch.randn(3, 4))
