"""Sequences of length zero in a packed batch, which torch refuses: accepted with `allow_empty=True`."""

import pytest
import torch

from tests.nn.support import LAYERS, assert_same, ours, pair, tensors, their_packing

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")

CASES = [([5, 3, 0], True), ([4, 0, 0], True), ([0, 5, 3], False), ([2, 0, 4, 0, 3], False), ([3, 2, 1], True)]
VARIANTS = [
    ("RNN", {}),
    ("LSTM", {}),
    ("GRU", {}),
    ("RNN", {"num_layers": 2, "bidirectional": True, "nonlinearity": "relu"}),
    ("LSTM", {"num_layers": 2, "bidirectional": True, "proj_size": 2}),
    ("GRU", {"num_layers": 2, "bidirectional": True, "bias": False}),
]
F, H = 3, 4

over_cases = pytest.mark.parametrize(("lengths", "enforce_sorted"), CASES, ids=str)


def without_empty(value, lengths, dim):
    return value.index_select(dim, torch.tensor([row for row, length in enumerate(lengths) if length]))


@over_cases
@pytest.mark.parametrize("batch_first", [False, True])
def test_pack_and_back(lengths, enforce_sorted, batch_first):
    rows = [torch.randn(length, F) for length in lengths]
    padded = their_packing.pad_sequence(rows, batch_first=batch_first)
    options = {"enforce_sorted": enforce_sorted, "allow_empty": True}
    for pack in (
        ours.pack_padded_sequence(padded, lengths, batch_first, **options),
        ours.pack_padded_sequence(padded, torch.tensor(lengths), batch_first, **options),
        ours.pack_sequence(rows, **options),
    ):
        assert pack.data.shape == (sum(lengths), F)
        back, back_lengths = ours.pad_packed_sequence(pack, batch_first)
        assert_same(back, padded)
        assert back_lengths.tolist() == lengths
        longer, _ = ours.pad_packed_sequence(pack, batch_first, -1.0, max(lengths) + 2)
        kept = longer if batch_first else longer.transpose(0, 1)
        for row, length in enumerate(lengths):
            assert_same(kept[row, :length], rows[row])
            assert (kept[row, length:] == -1.0).all()
        for mine, row in zip(ours.unpack_sequence(pack), rows, strict=True):
            assert_same(mine, row)


@pytest.mark.parametrize(("lengths", "enforce_sorted"), [([5, 3, 1], True), ([1, 5, 3], False)])
def test_without_empty_rows_the_option_changes_nothing(lengths, enforce_sorted):
    x = torch.randn(5, 3, F)
    options = {"enforce_sorted": enforce_sorted}
    pack, expected = (
        ours.pack_padded_sequence(x, lengths, **options, allow_empty=True),
        their_packing.pack_padded_sequence(x, lengths, **options),
    )
    assert_same(pack.data, expected.data)
    assert torch.equal(pack.batch_sizes, expected.batch_sizes)


def test_a_negative_length_is_refused_all_the_same():
    with pytest.raises((ValueError, RuntimeError)):
        ours.pack_padded_sequence(torch.randn(5, 2, F), [5, -1], allow_empty=True)


@over_cases
@pytest.mark.parametrize(("name", "kwargs"), VARIANTS, ids=str)
@pytest.mark.parametrize("given_state", [False, True])
def test_layers(name, kwargs, lengths, enforce_sorted, given_state):
    """Rows with steps get the results of torch on a batch of these alone; the others keep their state."""
    torch.manual_seed(0)
    kwargs = {**kwargs, "dtype": torch.float64}
    module, reference = pair(name, F, H, **kwargs)
    directions, layers = 1 + kwargs.get("bidirectional", False), kwargs.get("num_layers", 1)
    sizes = [kwargs.get("proj_size", H), H] if name == "LSTM" else [H]
    x = torch.randn(max(lengths), len(lengths), F, dtype=torch.float64, requires_grad=True)
    start = [torch.zeros(directions * layers, len(lengths), size, dtype=torch.float64) for size in sizes]
    if given_state:
        start = [torch.randn_like(state).requires_grad_() for state in start]
    as_hx = (lambda states: tuple(states)) if name == "LSTM" else (lambda states: states[0])

    pack = ours.pack_padded_sequence(x, lengths, enforce_sorted=enforce_sorted, allow_empty=True)
    output, state = module(pack, as_hx(start) if given_state else None)
    padded, output_lengths = ours.pad_packed_sequence(output)
    assert output_lengths.tolist() == lengths
    assert padded.shape == (max(lengths), len(lengths), directions * sizes[0])

    full = [length for length in lengths if length]
    alone = their_packing.pack_padded_sequence(without_empty(x, lengths, 1), full, enforce_sorted=enforce_sorted)
    expected, expected_state = reference(alone, as_hx([without_empty(s, lengths, 1) for s in start]))
    expected_padded, _ = their_packing.pad_packed_sequence(expected)
    assert_same(without_empty(padded, lengths, 1), expected_padded)
    for mine, wanted, initial in zip(tensors(state), tensors(expected_state), start, strict=True):
        assert_same(without_empty(mine, lengths, 1), wanted)
        for row, length in enumerate(lengths):
            if not length:
                assert torch.equal(mine[:, row], initial[:, row])
                assert not padded[:, row].any()

    leaves = [x, *(start if given_state else [])]
    grads = torch.autograd.grad(total(padded, state), [*leaves, *module.parameters()])
    wanted = torch.autograd.grad(
        total(expected_padded, expected_state), [*leaves, *reference.parameters()], materialize_grads=True
    )
    for grad, expected_grad in zip(grads[1 + len(leaves[1:]) :], wanted[len(leaves) :], strict=True):
        assert_same(grad, expected_grad, "weights")
    assert_same(grads[0], wanted[0], "x")
    if given_state:
        for grad, expected_grad in zip(grads[1 : len(leaves)], wanted[1 : len(leaves)], strict=True):
            for row, length in enumerate(lengths):
                # an unchanged state passes its gradient on unchanged
                kept = expected_grad[:, row] if length else torch.full_like(grad[:, row], 0.5)
                assert_same(grad[:, row], kept, f"state of row {row}")


def total(padded, state):
    return padded.square().sum() + 0.5 * sum(part.sum() for part in tensors(state))


@pytest.mark.parametrize("name", LAYERS)
def test_a_state_for_fewer_rows_is_refused(name):
    """An empty row is a row: its state must be given."""
    pack = ours.pack_padded_sequence(torch.randn(5, 3, F), [5, 3, 0], allow_empty=True)
    h = torch.zeros(1, 2, H)
    with pytest.raises(RuntimeError, match="batch"):
        getattr(ours, name)(F, H)(pack, (h, h) if name == "LSTM" else h)
