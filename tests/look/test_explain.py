import pytest
import torch

import recurra
from recurra import cells
from recurra.nn import GRU, LSTM, GRUCell, Recurrent


def test_a_layer_s_shapes_in_numbers():
    layer = LSTM(10, 20, num_layers=2, bidirectional=True)
    rows = {row.name: row for row in recurra.explain(layer, torch.zeros(5, 3, 10)).rows}
    assert rows["input"].numbers == "(5, 3, 10)"
    assert rows["output"].numbers == "(5, 3, 40)"
    assert rows["c_0, c_n"].numbers == "(4, 3, 20)"
    assert rows["weight_hh"].numbers == "(80, 20)"
    assert rows["i"].shape == "(batch, hidden)"


def test_the_numbers_are_those_of_a_run():
    layer = Recurrent(cells.peephole_lstm, 4, 6, batch_first=True)
    x = torch.randn(3, 7, 4)
    output, state, trace = layer(x, return_trace=True)
    rows = {row.name: row for row in recurra.explain(layer, x).rows}
    assert rows["input"].numbers == str(tuple(x.shape))
    assert rows["output"].numbers == str(tuple(output.shape))
    for name, last in zip("hc", state, strict=True):
        assert rows[f"{name}_0, {name}_n"].numbers == str(tuple(last.shape))
    for name in trace.names:
        row = rows.get(name + "'", rows[name])
        assert row.numbers == f"(batch, {trace[name].shape[-1]})"
    for name, parameter in layer.named_parameters():
        assert rows[name.removesuffix("_l0")].numbers == f"({', '.join(map(str, parameter.shape))})"


def test_projection_and_bias_are_seen():
    rows = {row.name: row for row in recurra.explain(LSTM(4, 6, proj_size=2, bias=False)).rows}
    assert rows["weight_hr"].numbers == "(2, 6)"
    assert rows["h"].numbers == "(batch, 2)"
    assert "bias_ih" not in rows


def test_cells_and_modules_of_one_step():
    assert "scalar" in str(recurra.explain(cells.fast_rnn))
    assert "(batch, 5)" in str(recurra.explain(GRUCell(3, 5)))
    assert "in every step" in str(recurra.explain(GRU(3, 5)))


def test_what_is_no_cell():
    with pytest.raises(TypeError, match="not Linear"):
        recurra.explain(torch.nn.Linear(1, 2))
    with pytest.raises(TypeError, match="not a PackedSequence"):
        recurra.explain(GRU(3, 5), recurra.nn.pack_sequence([torch.zeros(2, 3)]))
    with pytest.raises(ValueError, match="give a layer"):
        recurra.explain(cells.gru, torch.zeros(1, 1, 1))
