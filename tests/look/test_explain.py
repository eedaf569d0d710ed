"""Shapes, names, counts and forms of explanations of cells and layers, against the modules themselves."""

import json
import xml.etree.ElementTree

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence

import recurra
from recurra import cells
from recurra.errors import RecurraError
from recurra.look import LayerSizes
from recurra.nn import GRU, LSTM, GRUCell, Recurrent, RecurrentCell, Stack, WeightDrop
from tests.cells.representatives import ZOO
from tests.look.written import gated, hidden_output, no_state


def rows_of(explanation, layer=0):
    stack = explanation.parts[0].stack
    return {
        row.name: row for row in (*stack.sequences, *stack.layers[layer].variables, *stack.layers[layer].parameters)
    }


def test_a_layer_s_shapes_in_numbers():
    rows = rows_of(recurra.explain(LSTM(10, 20, num_layers=2, bidirectional=True), torch.zeros(5, 3, 10)))
    assert rows["input"].numbers == "(5, 3, 10)"
    assert rows["output"].numbers == "(5, 3, 40)"
    assert rows["output"].shape == "(seq_len, batch, 2*hidden)"
    assert rows["c_0"].numbers == rows["c_n"].numbers == "(4, 3, 20)"
    assert rows["weight_hh_l0"].numbers == "(80, 20)"
    assert rows["i"].shape == "(batch, hidden)"
    assert rows["f"].meaning == "forget gate: how much of c is kept"


@pytest.mark.parametrize("options", [{}, {"batch_first": True}, {"num_layers": 3, "bidirectional": True}])
def test_the_numbers_are_those_of_a_run(options):
    layer = Recurrent(cells.peephole_lstm, 4, 6, **options)
    x = torch.randn(3, 7, 4)
    output, state, trace = layer(x, return_trace=True)
    explanation = recurra.explain(layer, x)
    rows = rows_of(explanation)
    assert rows["input"].numbers == str(tuple(x.shape))
    assert rows["output"].numbers == str(tuple(output.shape))
    for name, last in zip("hc", state, strict=True):
        assert rows[f"{name}_0"].numbers == rows[f"{name}_n"].numbers == str(tuple(last.shape))
    batch = 3 if layer.batch_first else 7
    for name in trace.names:
        row = rows.get(name + "'", rows[name])
        assert row.numbers == f"({batch}, {trace[name, 0, 0].shape[-1]})"
    shapes = {
        row.name: (row.numbers, row.count) for part in explanation.parts[0].stack.layers for row in part.parameters
    }
    assert shapes == {name: (str(tuple(p.shape)), p.numel()) for name, p in layer.named_parameters()}
    assert explanation.parameter_count == sum(p.numel() for p in layer.parameters())


def test_upper_layers_read_the_layer_below():
    explanation = recurra.explain(LSTM(10, 20, num_layers=3, bidirectional=True), torch.zeros(5, 3, 10))
    row = rows_of(explanation, layer=3)["x"]
    assert (row.numbers, row.shape) == ("(3, 40)", "(batch, 2*hidden)")
    assert row.origin == "output of layer 0 at this step, forward beside backward"
    assert rows_of(explanation, layer=3)["h"].origin == "h' of step t+1; at the last step h_0[3]"
    assert rows_of(explanation, layer=4)["weight_ih_l2"].shape == "(4*hidden, 2*hidden)"


def test_projection_and_bias_are_seen():
    rows = rows_of(recurra.explain(LSTM(4, 6, proj_size=2, bias=False)))
    assert rows["weight_hr_l0"].numbers == "(2, 6)"
    assert rows["h"].numbers == "(batch, 2)"
    assert rows["h''"].meaning.startswith("new hidden state, projected")
    assert "bias_ih_l0" not in rows


def test_packed_sequences():
    packed = pack_padded_sequence(torch.randn(5, 3, 4), [2, 5, 4], enforce_sorted=False)
    layer = GRU(4, 6)
    output, h_n = layer(packed)
    rows = rows_of(recurra.explain(layer, packed))
    assert rows["input"].numbers == str(tuple(packed.data.shape))
    assert rows["output"].numbers == str(tuple(output.data.shape))
    assert rows["h_n"].numbers == str(tuple(h_n.shape))
    assert rows["n"].numbers == "(batch_sizes[t], 6)"
    text = " ".join(str(recurra.explain(layer, packed)).split())
    assert "input.data[0:3]" in text
    assert "sequences 1, 2, 0 (sorted_indices)" in text


def test_unbatched_input():
    layer, x = GRU(4, 6, bidirectional=True), torch.randn(5, 4)
    output, h_n = layer(x)
    rows = rows_of(recurra.explain(layer, x))
    assert rows["output"].numbers == str(tuple(output.shape))
    assert rows["h_n"].numbers == str(tuple(h_n.shape))
    assert rows["n"].numbers == "(6,)"


def test_states_are_checked_as_the_layer_checks_them():
    layer = LSTM(4, 6)
    h, c = torch.zeros(1, 3, 6), torch.zeros(1, 3, 6)
    assert recurra.explain(layer, (torch.zeros(5, 3, 4), (h, c))).parts[0].stack.form.batch == 3
    with pytest.raises(RuntimeError, match="batch is 3"):
        recurra.explain(layer, (torch.zeros(5, 2, 4), (h, c)))
    with pytest.raises(TypeError, match="give them as a tuple"):
        recurra.explain(layer, (torch.zeros(5, 3, 4), h))
    with pytest.raises(TypeError, match="got 3 values"):
        recurra.explain(layer, (torch.zeros(5, 3, 4), h, c))
    with pytest.raises(RuntimeError, match="the last dimension is 5"):
        recurra.explain(layer, torch.zeros(5, 3, 5))


def test_cells_and_modules_of_one_step():
    assert "scalar" in str(recurra.explain(cells.fast_rnn))
    assert "(batch, 5)" in str(recurra.explain(GRUCell(3, 5)))
    assert "(7, 5)" in str(recurra.explain(GRUCell(3, 5), torch.zeros(7, 3)))
    assert "(5,)" in str(recurra.explain(RecurrentCell(cells.lstm, 3, 5), torch.zeros(3)))
    assert "in every step" in str(recurra.explain(GRU(3, 5)))
    assert recurra.explain(cells.gru).parameter_count is None


@pytest.mark.parametrize(
    "target", [gated, hidden_output, no_state, Recurrent(gated, 3, 4, 12), Recurrent(hidden_output, 3, 4)]
)
def test_own_cells_in_every_form(target):
    explanation = recurra.explain(target)
    assert max(len(line) for line in str(explanation).splitlines()) <= 100
    xml.etree.ElementTree.fromstring(explanation.to_svg())
    assert explanation.parts[0].stack.program.name in explanation.to_html()
    json.dumps(explanation.to_dict())


@pytest.mark.parametrize("name", sorted(cells.all()))
def test_the_zoo_fits_the_terminal(name):
    layers = 1 if name == "gru_d" else 7  # its states have the input's size
    sizes = LayerSizes(cells.all()[name], 100, 1024, layers, True, batch=1024, seq_len=512)
    _, *lines = str(recurra.explain(sizes)).splitlines()  # the first line is Python
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize("name", ZOO)
@pytest.mark.parametrize("batch", [3, 1024])
def test_layers_of_the_same_sizes_are_told_once(name, batch):
    sizes = LayerSizes(ZOO[name], 100, 1024, 7, True, batch=batch, seq_len=512)
    text = str(recurra.explain(sizes))
    assert len(text.splitlines()) < 150  # layers of the same sizes stand there once
    assert "layers 1 to 6" in text
    assert "… 10 more rows" in text


def test_a_layer_of_sizes_alone_is_explained_as_the_module():
    sizes = LayerSizes(cells.lstm, 10, 20, 2, bidirectional=True, batch=3, seq_len=5)
    of_sizes, of_module = (
        recurra.explain(sizes),
        recurra.explain(LSTM(10, 20, 2, bidirectional=True), torch.zeros(5, 3, 10)),
    )
    assert [row.numbers for row in of_sizes.rows] == [row.numbers for row in of_module.rows]
    assert of_sizes.parts[0].stack.kept == of_module.parts[0].stack.kept
    assert str(eval(sizes.python, {"recurra": recurra})) == of_module.title


@pytest.mark.parametrize(
    "sizes",
    [
        LayerSizes(cells.mgu, 3, 4, bias=False),
        LayerSizes(cells.rnn, 3, 4, 2, True, True),
        LayerSizes(cells.lstm, 3, 4, proj_size=2),
    ],
)
def test_the_python_line_makes_such_a_layer(sizes):
    layer = eval(sizes.python, {"recurra": recurra})
    assert [tuple(p.shape) for p in layer.parameters()] == [
        tuple(size.value(place.sizes) for size in parameter.shape)
        for place in sizes.places
        for parameter in sizes.program.parameters
    ]
    assert (layer.batch_first, layer.bidirectional) == (sizes.batch_first, sizes.bidirectional)


def test_dropped_weights_are_told():
    text = str(recurra.explain(WeightDrop(cells.lstm, 3, 4, weight_drop=0.3)))
    assert "weight_drop=0.3: dropped weights are kept in training too" in text


def test_files_and_models_of_the_runtime(tmp_path):
    model = Stack(torch.nn.Embedding(9, 4), LSTM(4, 6, 2), torch.nn.Linear(6, 9), GRU(9, 5, batch_first=False))
    path = tmp_path / "model.safetensors"
    recurra.save(model, path)
    for target in (path, str(path), recurra.runtime.load(path)):
        explanation = recurra.explain(target, np.zeros((7, 3), int))
        assert [(part.name, part.arrives, part.leaves) for part in explanation.parts] == [
            ("1", "(7, 3, 4)", "(7, 3, 6)"),
            ("3", "(7, 3, 9)", "(7, 3, 5)"),
        ]
        assert [part.stack.title for part in explanation.parts] == ["LSTM(4, 6, num_layers=2)", "GRU(9, 5)"]
    module = recurra.explain(model)
    assert explanation.parameter_count == module.parameter_count
    with pytest.raises(recurra.RecurraError, match="must be"):
        recurra.explain(path, np.zeros((7, 3, 2, 2), int))


def test_a_file_of_one_layer(tmp_path):
    path = tmp_path / "layer.safetensors"
    recurra.save(GRU(3, 5, bidirectional=True, batch_first=True), path)
    explanation = recurra.explain(path, np.zeros((2, 7, 3), np.float32))
    assert "GRU(3, 5, batch_first=True, bidirectional=True)" in str(explanation)
    assert rows_of(explanation)["output"].numbers == "(2, 7, 10)"


def test_the_facts_as_plain_data():
    facts = recurra.explain(LSTM(3, 4, 2), torch.zeros(5, 2, 3)).to_dict()
    assert json.loads(json.dumps(facts)) == facts
    [part] = facts["parts"]
    assert part["sequences"][0]["shape"] == [5, 2, 3]
    assert part["layers"][1]["parameters"][0]["pieces"] == {"[0:4]": "i", "[4:8]": "f", "[8:12]": "g", "[12:16]": "o"}
    assert part["states_and_output"]["rows"][1]["equality"] == "h_n[1] == output[-1]"


def test_pages_and_drawings_are_written(tmp_path):
    explanation = recurra.explain(LSTM(3, 4))
    for name, begin in (("page.html", "<!doctype html>"), ("drawing.svg", "<svg")):
        explanation.write(tmp_path / name)
        assert (tmp_path / name).read_text(encoding="utf-8").startswith(begin)
    with pytest.raises(ValueError, match=r"\.html or \.svg file, not to page\.pdf"):
        explanation.write(tmp_path / "page.pdf")


def test_what_cannot_be_explained(tmp_path):
    with pytest.raises(TypeError, match="not Linear, which has no recurrent part"):
        recurra.explain(torch.nn.Linear(1, 2))
    with pytest.raises(TypeError, match="not a int"):
        recurra.explain(3)
    with pytest.raises(ValueError, match="give a layer"):
        recurra.explain(cells.gru, torch.zeros(1, 1, 1))
    with pytest.raises(recurra.RecurraError, match="nothing"):
        recurra.explain(tmp_path / "nothing.safetensors")
    path = tmp_path / "linear.safetensors"
    recurra.save(torch.nn.Linear(1, 2), path)
    with pytest.raises(TypeError, match="recurrent part; this Linear has none"):
        recurra.explain(path)


def test_a_cell_has_no_time_loop_of_its_own():
    for target in (cells.lstm, torch.nn.LSTMCell(4, 6)):
        text = str(recurra.explain(target))
        assert "time loop" not in text
        assert "no state needed: a layer computes it for all steps at once" in text
    assert "before the time loop" in str(recurra.explain(LSTM(4, 6)))


def test_a_name_of_the_zoo_is_its_cell(tmp_path, monkeypatch):
    assert str(recurra.explain("gru")) == str(recurra.explain(cells.gru))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gru").write_bytes(b"")
    with pytest.raises(RecurraError):  # a file of that name comes first
        recurra.explain("gru")
