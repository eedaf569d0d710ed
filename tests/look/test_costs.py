"""Multiply-adds against a count of every product, and kept bytes against those that autograd's nodes hold."""

import itertools

import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence

import recurra
from recurra import cells
from recurra.nn import LSTM, Recurrent, RecurrentCell
from tests.cells.representatives import ZOO
from tests.look.written import squared, zoned_out


def held(output, module, x):
    """The bytes that the graph of an output holds, without parameters and input: those of its nodes' tensors."""
    other = {tensor.untyped_storage().data_ptr() for tensor in (*module.parameters(), x)}
    storages, nodes, waiting = {}, set(), [output.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in nodes:
            continue
        nodes.add(node)
        tensors = [
            *getattr(node, "saved_tensors", ()),
            *(getattr(node, n) for n in dir(node) if n.startswith("_saved_")),
        ]
        tensors.append(getattr(getattr(node, "output", None), "_output", None))
        for tensor in tensors:
            if isinstance(tensor, torch.Tensor):
                storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        waiting += [function for function, _ in node.next_functions]
    return sum(count for place, count in storages.items() if place not in other)


FORMS = ("dense", "batch_first", "packed", "unbatched")
CASES = [
    (cell, form, {"num_layers": layers, "bidirectional": bidirectional, "dropout": dropout, **more})
    for cell, form, layers, bidirectional, dropout, more in itertools.product(
        ("lstm", "gru", "layer_norm_lstm"), FORMS, (1, 3), (False, True), (0.0, 0.5), ({}, {"checkpoint": 2})
    )
    if layers > 1 or not dropout
] + [(cell, "dense", {"num_layers": 2}) for cell in ZOO]


def run(layer, form):
    """An input of a layer in a form, its data, and the data of the output of a call."""
    shape = {"dense": (7, 4, 6), "batch_first": (4, 7, 6), "packed": (7, 4, 6), "unbatched": (7, 6)}[form]
    x = torch.randn(shape)
    if form == "packed":
        x = pack_padded_sequence(x, [7, 5, 5, 2])
        return x, x.data, layer(x)[0].data
    return x, x, layer(x)[0]


@pytest.mark.parametrize(("name", "form", "options"), CASES)
def test_kept_bytes_are_those_that_the_graph_holds(name, form, options):
    layer = Recurrent(cells.all()[name], 6, 8, batch_first=form == "batch_first", **options)
    x, data, output = run(layer, form)
    assert recurra.explain(layer, x).parts[0].stack.kept == held(output, layer, data)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_kept_bytes_of_projections_masks_and_gradients_of_the_input(dtype):
    x = torch.randn(7, 4, 6, dtype=dtype, requires_grad=True)
    for layer in (LSTM(6, 8, 2, proj_size=3, bidirectional=True), Recurrent(zoned_out, 6, 8, 2)):
        layer = layer.to(dtype)
        assert recurra.explain(layer, x).parts[0].stack.kept == held(layer(x)[0], layer, x)


def test_kept_bytes_of_a_cell():
    for cell in (cells.lstm, cells.gru, cells.min_gru):
        module, x = RecurrentCell(cell, 6, 8), torch.randn(4, 6)
        state = module(x)
        assert recurra.explain(module, x).parts[0].stack.kept == held(
            state[0] if cell is cells.lstm else state, module, x
        )


def test_large_batches_keep_no_products():
    layer, x = LSTM(4, 256), torch.zeros(40, 256, 4)
    assert recurra.explain(layer, x).parts[0].stack.kept == held(layer(x)[0], layer, x)


def test_multiply_adds_are_counted_by_hand():
    layer = LSTM(10, 20, 2, bidirectional=True, proj_size=5)
    stack = recurra.explain(layer, torch.zeros(7, 3, 10)).parts[0].stack
    first, second = 80 * 10 + 80 * 5 + 5 * 20, 80 * 10 + 80 * 5 + 5 * 20
    assert [each.multiplications for each in stack.layers] == [first, first, second, second]
    assert stack.call_multiplications == 7 * 3 * 2 * (first + second)


def test_products_of_parameters_count_once_a_call():
    stack = recurra.explain(Recurrent(squared, 3, 4), torch.zeros(7, 2, 3)).parts[0].stack
    assert stack.multiplications == 3 * 4 + 4 * 4
    assert stack.call_multiplications == 14 * (3 * 4 + 4 * 4) + 4 * 4 * 4


def test_without_a_batch_bytes_are_not_known():
    stack = recurra.explain(LSTM(3, 4)).parts[0].stack
    assert stack.kept is None
    assert stack.call_multiplications is None
    assert stack.multiplications == 16 * 3 + 16 * 4
