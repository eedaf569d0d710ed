"""Packing and padding: torch's results and refusals, and the cases that torch gets wrong."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.utils.rnn import PackedSequence

from recurra.nn import GRU, pack_padded_sequence
from tests.nn.support import assert_same, ours, their_packing

CLEAN = (TypeError, ValueError, RuntimeError)


def ramp(*shape, dtype=torch.float32):
    """Every element another number."""
    return torch.arange(1, 1 + torch.Size(shape).numel(), dtype=dtype).reshape(shape)


def sequences(lengths, *trailing):
    return [ramp(length, *trailing) + 100 * row for row, length in enumerate(lengths)]


@settings(max_examples=150)
@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=6),
    st.sampled_from([(), (2,), (2, 3)]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.integers(0, 3),
)
def test_same_as_torch(lengths, trailing, batch_first, presorted, as_tensor, extra):
    if presorted:
        lengths = sorted(lengths, reverse=True)
    rows = sequences(lengths, *trailing)
    padded = {module: module.pad_sequence(rows, batch_first, 9.0) for module in (ours, their_packing)}
    assert_same(padded[ours], padded[their_packing])
    given_lengths = torch.tensor(lengths) if as_tensor else lengths
    x, total = padded[their_packing], max(lengths) + extra
    packs = {module: module.pack_padded_sequence(x, given_lengths, batch_first, presorted) for module in padded}
    assert_same(packs[ours], packs[their_packing])
    for module in padded:  # each takes what the other packed
        for pack in packs.values():
            back, back_lengths = module.pad_packed_sequence(pack, batch_first, -1.0, total)
            wanted, wanted_lengths = their_packing.pad_packed_sequence(packs[their_packing], batch_first, -1.0, total)
            assert_same(back, wanted)
            assert torch.equal(back_lengths, wanted_lengths)
            assert back_lengths.dtype is torch.int64
            for mine, row in zip(module.unpack_sequence(pack), rows, strict=True):
                assert_same(mine, row)
    assert_same(ours.pack_sequence(rows, presorted), their_packing.pack_sequence(rows, presorted))
    for mine, row in zip(ours.unpad_sequence(x, torch.tensor(lengths), batch_first), rows, strict=True):
        assert_same(mine, row)


def test_packed_sequence_is_torch_s():
    pack = ours.pack_sequence(sequences([3, 1, 2], 2), enforce_sorted=False)
    assert isinstance(pack, their_packing.PackedSequence)
    assert issubclass(ours.PackedSequence, their_packing.PackedSequence)
    data, batch_sizes, sorted_indices, unsorted_indices = pack
    rebuilt = ours.PackedSequence(data, batch_sizes, sorted_indices, unsorted_indices)
    assert_same(rebuilt, pack)
    assert rebuilt.to(torch.float64).data.dtype is torch.float64
    assert rebuilt.double().data.dtype is torch.float64
    assert not rebuilt.is_cuda


@pytest.mark.parametrize("padding_side", ["left", "right"])
def test_pad_sequence_sides(padding_side):
    rows = sequences([2, 0, 3], 2)
    wanted = their_packing.pad_sequence(rows, True, -1.0, padding_side)
    assert_same(ours.pad_sequence(iter(rows), True, -1.0, padding_side), wanted)


def test_invert_permutation():
    permutation = torch.tensor([2, 0, 3, 1])
    assert torch.equal(ours.invert_permutation(permutation)[permutation], torch.arange(4))
    assert ours.invert_permutation(None) is None


REFUSED = [
    ("unsorted", lambda m: m.pack_padded_sequence(ramp(5, 3, 2), [3, 5, 2])),
    ("unsorted tensor", lambda m: m.pack_padded_sequence(ramp(5, 3, 2), torch.tensor([3, 5, 2]))),
    ("zero length", lambda m: m.pack_padded_sequence(ramp(5, 3, 2), [5, 3, 0])),
    ("zero length, unsorted", lambda m: m.pack_padded_sequence(ramp(5, 3, 2), [5, 0, 3], enforce_sorted=False)),
    ("negative length", lambda m: m.pack_padded_sequence(ramp(5, 3, 2), [5, 3, -1])),
    ("negative length, unsorted", lambda m: m.pack_padded_sequence(ramp(5, 3, 2), [-1, 5, 3], enforce_sorted=False)),
    ("too few lengths", lambda m: m.pack_padded_sequence(ramp(5, 3, 2), [5, 3])),
    ("too many lengths", lambda m: m.pack_padded_sequence(ramp(5, 3, 2), [5, 3, 2, 1])),
    ("too few lengths, batch_first", lambda m: m.pack_padded_sequence(ramp(3, 5, 2), [5, 3], batch_first=True)),
    ("no lengths", lambda m: m.pack_padded_sequence(ramp(5, 3, 2), [])),
    ("lengths of two dimensions", lambda m: m.pack_padded_sequence(ramp(5, 3, 2), torch.tensor([[5, 3, 2]]))),
    ("lengths none", lambda m: m.pack_padded_sequence(ramp(5, 3, 2), None)),
    ("lengths of strings", lambda m: m.pack_padded_sequence(ramp(5, 3, 2), ["5", "3", "2"])),
    ("empty batch", lambda m: m.pack_padded_sequence(ramp(5, 0, 2), [])),
    ("no time", lambda m: m.pack_padded_sequence(ramp(0, 3, 2), [1, 1, 1])),
    ("pack a zero-length member", lambda m: m.pack_sequence(sequences([3, 0], 2))),
    ("pack unsorted members", lambda m: m.pack_sequence(sequences([1, 3], 2))),
    ("pack nothing", lambda m: m.pack_sequence([])),
    ("pad nothing", lambda m: m.pad_sequence([])),
    ("pad different features", lambda m: m.pad_sequence([ramp(3, 2), ramp(2, 4)])),
    ("pad an integer", lambda m: m.pad_sequence(3)),
    ("unknown side", lambda m: m.pad_sequence(sequences([3, 2], 2), padding_side="mid")),
    ("total too short", lambda m: m.pad_packed_sequence(m.pack_sequence(sequences([5, 2], 2)), total_length=3)),
    ("unpad with too few lengths", lambda m: m.unpad_sequence(ramp(5, 3, 2), torch.tensor([5, 2]))),
]


@pytest.mark.parametrize(("what", "call"), REFUSED, ids=[row[0] for row in REFUSED])
def test_refused_with_the_exception_of_torch(what, call):
    with pytest.raises(Exception) as expected:  # noqa: PT011, whatever torch raises
        call(their_packing)
    with pytest.raises(expected.type if issubclass(expected.type, CLEAN) else CLEAN) as refused:
        call(ours)
    assert str(refused.value).strip()


WRONG_TYPES = [
    lambda m: m.pack_padded_sequence([[1.0]], [1]),
    lambda m: m.pack_padded_sequence(ramp(5), [5]),
    lambda m: m.pad_packed_sequence(ramp(3, 2)),
]


@pytest.mark.parametrize("call", WRONG_TYPES)
def test_wrong_types_are_said_so(call):
    with pytest.raises(CLEAN, match=r"(?i)tensor|PackedSequence|dimension|batch"):
        call(ours)


@pytest.mark.parametrize("enforce_sorted", [True, False])
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("as_tensor", [True, False])
def test_a_length_beyond_the_input_names_the_row(enforce_sorted, batch_first, as_tensor):
    """torch packs rows that do not exist."""
    lengths = [9, 4, 2] if enforce_sorted else [4, 9, 2]
    x = ramp(3, 5, 2) if batch_first else ramp(5, 3, 2)
    row = lengths.index(9)
    with pytest.raises((ValueError, RuntimeError), match=rf"(?s)(?=.*\b{row}\b)(?=.*\b9\b)(?=.*\b5\b)"):
        ours.pack_padded_sequence(x, torch.tensor(lengths) if as_tensor else lengths, batch_first, enforce_sorted)


def test_the_message_for_unsorted_lengths_names_the_remedy():
    with pytest.raises(RuntimeError, match="enforce_sorted=False"):
        ours.pack_padded_sequence(ramp(5, 3, 2), [3, 5, 2])


@pytest.mark.parametrize("batch_first", [True, False])
def test_unpad_sequence_leaves_its_argument_alone(batch_first):
    """torch transposes it in place."""
    x = ramp(3, 5, 2) if batch_first else ramp(5, 3, 2)
    before, stride = x.clone(), x.stride()
    rows = ours.unpad_sequence(x, torch.tensor([5, 2, 1]), batch_first)
    assert x.stride() == stride
    assert torch.equal(x, before)
    assert [row.shape for row in rows] == [(5, 2), (2, 2), (1, 2)]


def test_unpad_sequence_takes_a_list_of_lengths():
    assert [len(row) for row in ours.unpad_sequence(ramp(5, 3, 2), [5, 2, 1])] == [5, 2, 1]


MALFORMED = [
    ("negative", [3, -1], 2),
    ("increasing", [1, 2], 3),
    ("increasing later", [3, 1, 2], 6),
    ("zero", [2, 0], 2),
    ("more than the data", [3, 3, 3], 6),
    ("less than the data", [2, 1], 6),
    ("beyond any memory", [2**62, 1], 6),
]


@pytest.mark.parametrize(("what", "batch_sizes", "rows"), MALFORMED, ids=[row[0] for row in MALFORMED])
def test_malformed_packed_sequences(what, batch_sizes, rows):
    """torch never checks batch_sizes; a negative one crashes the process."""
    pack = their_packing.PackedSequence(ramp(rows, 2), torch.tensor(batch_sizes))
    with pytest.raises((ValueError, RuntimeError), match="batch_sizes"):
        ours.pad_packed_sequence(pack)
    for name in ("RNN", "LSTM", "GRU"):
        with pytest.raises((ValueError, RuntimeError), match="batch_sizes"):
            getattr(ours, name)(2, 3)(pack)


@pytest.mark.parametrize("indices", [[0, 1], [0, 0, 1], [0, 1, 7], [0, 1, -9]])
def test_malformed_indices(indices):
    good = their_packing.pack_sequence(sequences([3, 2, 1], 2))
    indices = torch.tensor(indices)
    pack = their_packing.PackedSequence(good.data, good.batch_sizes, indices, indices)
    for call in (ours.pad_packed_sequence, ours.GRU(2, 3)):
        with pytest.raises((ValueError, RuntimeError, IndexError)):
            call(pack)


def test_orders_that_do_not_undo_each_other_are_refused():
    packed = pack_padded_sequence(torch.randn(4, 3, 2), [2, 4, 3], enforce_sorted=False)
    GRU(2, 3)(packed)
    wrong = PackedSequence(packed.data, packed.batch_sizes, packed.sorted_indices, torch.tensor([0, 1, 2]))
    with pytest.raises(ValueError, match="packed unsorted_indices do not undo sorted_indices"):
        GRU(2, 3)(wrong)


def test_lengths_without_end_are_refused():
    with pytest.raises(ValueError, match="lengths must be whole numbers; got inf"):
        pack_padded_sequence(torch.randn(4, 1, 2), [float("inf")])


def test_lengths_may_be_floats_that_are_whole_numbers():
    x, mask = torch.randn(5, 3, 2), torch.tensor([[1.0] * 5, [1, 1, 1, 0, 0], [1, 0, 0, 0, 0]])
    for lengths in (mask.sum(1), mask.sum(1).double(), mask.half().sum(1)):
        packed = pack_padded_sequence(x, lengths)
        assert packed.batch_sizes.tolist() == [3, 2, 2, 1, 1]
        assert [len(each) for each in ours.unpad_sequence(x, lengths)] == [5, 3, 1]
    with pytest.raises(ValueError, match=r"lengths must be whole numbers; got 2\.5"):
        pack_padded_sequence(x, torch.tensor([5, 2.5, 1]))
