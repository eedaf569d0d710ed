"""Modules of torch.nn, accelerated ones and whole models, against the modules themselves."""

import pytest
import torch
from torch import nn

import recurra
from recurra import cells
from recurra.nn import Recurrent

LAYERS = [
    nn.RNN(3, 5, 2, nonlinearity="relu", bidirectional=True),
    nn.RNN(3, 5, bias=False),
    nn.LSTM(3, 5, 3, bidirectional=True, batch_first=True),
    nn.LSTM(3, 5, 2, proj_size=2, bias=False),
    nn.GRU(3, 5, 2, dropout=0.5),
]


def parameters_of(explanation):
    return {
        row.name: row.numbers for part in explanation.parts for layer in part.stack.layers for row in layer.parameters
    }


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported")
@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_layers_of_torch(layer):
    x = torch.randn(2, 7, 3)
    output, last = layer(x)
    explanation = recurra.explain(layer, x)
    rows = {row.name: row for row in explanation.parts[0].stack.sequences}
    assert parameters_of(explanation) == {name: str(tuple(p.shape)) for name, p in layer.state_dict().items()}
    assert explanation.parameter_count == sum(p.numel() for p in layer.parameters())
    assert rows["output"].numbers == str(tuple(output.shape))
    for name, state in zip(("h_n", "c_n"), last if isinstance(last, tuple) else (last,), strict=False):
        assert rows[name].numbers == str(tuple(state.shape))
    assert explanation.title == f"torch.nn.{layer}"
    assert ("relu" in str(explanation).partition("equations")[2]) == (getattr(layer, "nonlinearity", "") == "relu")


@pytest.mark.parametrize(
    "cell", [nn.RNNCell(3, 5, nonlinearity="relu"), nn.LSTMCell(3, 5, bias=False), nn.GRUCell(3, 5)], ids=str
)
def test_cells_of_torch(cell):
    explanation = recurra.explain(cell, (torch.zeros(2, 3),))
    assert parameters_of(explanation) == {name: str(tuple(p.shape)) for name, p in cell.state_dict().items()}
    rows = {row.name: row.numbers for row in explanation.parts[0].stack.layers[0].variables}
    assert rows["h'"] == "(2, 5)"


def test_subclasses_of_torch_s_layers():
    class Own(nn.LSTM):
        pass

    assert parameters_of(recurra.explain(Own(3, 4)))["weight_ih_l0"] == "(16, 3)"
    assert "lstm" in recurra.explain(Own(3, 4)).to_svg()


def test_a_parametrized_layer_has_its_own_name():
    layer = nn.utils.parametrizations.weight_norm(nn.LSTM(3, 4), "weight_hh_l0")
    assert recurra.explain(layer, torch.zeros(5, 2, 3)).title == "torch.nn.LSTM(3, 4)"


def test_the_same_facts_before_and_after_accelerate():
    layer, x = nn.GRU(3, 5, 2, bidirectional=True), torch.randn(7, 2, 3)
    before = recurra.explain(layer, x)
    recurra.accelerate(layer)
    after = recurra.explain(layer, x)
    assert [row.numbers for row in before.rows] == [row.numbers for row in after.rows]
    assert before.parts[0].stack.kept == after.parts[0].stack.kept
    assert "torch.nn runs it" in str(before)
    assert "accelerated: recurra runs it" in str(after)


class Captioner(nn.Module):
    """A model with layers and cells, called out of the order in which they were made."""

    def __init__(self):
        super().__init__()
        self.never = nn.GRU(2, 3)
        self.step = nn.LSTMCell(8, 6)
        self.embed = nn.Embedding(9, 4)
        self.drop = nn.Dropout(0.5)
        self.norm = nn.BatchNorm1d(8)
        self.encode = nn.ModuleDict({"layers": Recurrent(cells.mgu, 4, 4, bidirectional=True, batch_first=True)})
        self.register_buffer("count", torch.zeros(()))

    def forward(self, tokens, scale=1.0):
        self.count += 1
        output, _ = self.encode["layers"](self.drop(self.embed(tokens)) * scale * torch.rand(()))
        state = None
        for step in output.unbind(1):
            state = self.step(self.norm(step), state)
        return state[0]


def test_a_model_is_explained_by_its_parts_in_the_order_of_their_calls():
    model, tokens = Captioner(), torch.randint(0, 9, (3, 5))
    explanation = recurra.explain(model, (tokens, 2.0))
    assert [(part.name, part.arrives, part.leaves) for part in explanation.parts] == [
        ("encode.layers", "(3, 5, 4)", "(3, 5, 8), (2, 3, 4)"),
        ("step", "(3, 8)", "(3, 6), (3, 6)"),
        ("never", "", ""),
    ]
    text = str(explanation)
    assert "called 5 times in this run" in text
    assert "not called in this run" in text
    assert explanation.parts[0].stack.form.seq_len == 5
    assert "encode.layers" in explanation.to_svg()
    assert "encode.layers" in explanation.to_html()


def test_a_run_leaves_a_model_as_it_was():
    model, tokens = Captioner(), torch.randint(0, 9, (3, 5))
    model.drop.eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    random = torch.get_rng_state()
    recurra.explain(model, tokens)
    assert [module.training for module in model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_failed_run_leaves_a_model_as_it_was():
    model = Captioner()
    modes = [module.training for module in model.modules()]
    with pytest.raises(IndexError):
        recurra.explain(model, torch.full((3, 5), 99))
    assert [module.training for module in model.modules()] == modes
    assert not any(module._forward_hooks for module in model.modules())


def test_a_model_without_an_input_has_sizes_alone():
    explanation = recurra.explain(Captioner())
    assert [part.name for part in explanation.parts] == ["never", "step", "encode.layers"]
    assert {part.arrives for part in explanation.parts} == {""}
    assert "(batch, 6)" in str(explanation)


def test_equal_parts_of_a_model_stand_there_once():
    model = nn.ModuleList([nn.GRU(4, 4), nn.GRU(4, 4), nn.GRU(4, 5)])
    text = str(recurra.explain(model))
    assert text.count("torch.nn.GRU(4, 4)") == 1
    assert "0, 1: torch.nn.GRU(4, 4)" in text
