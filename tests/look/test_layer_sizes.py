import pytest

import recurra
from recurra import cells
from recurra.errors import EquationError, RecurraError
from recurra.look.layer_sizes import LayerSizes
from recurra.nn import Recurrent

# The others compute with h as with a vector of the size `hidden`.
PROJECTED = {
    "cfc", "coupled_lstm", "layer_norm_lstm", "lmu", "lstm", "mc_lstm", "multiplicative_lstm", "nas", "on_lstm",
    "original_lstm", "peephole_lstm", "ran", "res_lstm", "rnn", "scrn", "slstm", "time_lstm_1", "time_lstm_2",
    "time_lstm_3", "wmc_lstm",
}  # fmt: skip
HIDDEN = {"clockwork_rnn": 8}  # 6 units are no four modules


@recurra.cell
def remembers_input(x, h, last, *, W, U):
    n = recurra.tanh(x @ W + h @ U + last @ W)
    return n, x


@recurra.cell
def halves(x, h, *, W):
    a, b = recurra.split(x @ W + h, 2)
    return recurra.concat(b, a)


@pytest.mark.parametrize("name", sorted(cells.all()))
@pytest.mark.parametrize("options", [{}, {"num_layers": 3, "bidirectional": True}, {"proj_size": 2, "bias": False}])
def test_sizes_are_those_of_a_layer(name, options):
    if "proj_size" in options and name not in PROJECTED:
        with pytest.raises(EquationError, match=f"proj_size: cell '{name}' cannot have a projected hidden state"):
            LayerSizes(cells.all()[name], 5, 6, **options)
        return
    hidden = HIDDEN.get(name, 6)
    width = 2 * hidden if name == "gru_d" else 5  # its states have the input's size, so that layers must give it too
    sizes = LayerSizes(cells.all()[name], width, hidden, **options)
    layer = Recurrent(cells.all()[name], width, hidden, **options)
    assert sizes.output_size == layer.output_size
    assert sizes.state_sizes() == layer.state_sizes
    names = [p.name + place.suffix for place in sizes.places for p in sizes.program.parameters]
    assert names == [name for name, _ in layer.named_parameters()]
    widths = [p.width(place.sizes) for place in sizes.places for p in sizes.program.parameters]
    assert widths == [parameter.numel() for parameter in layer.parameters()]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input_size": 0}, "input_size must be at least 1; got 0"),
        ({"num_layers": 0}, "num_layers must be at least 1; got 0"),
        ({"proj_size": 6}, "proj_size must be smaller than hidden_size=6; got 6"),
        ({"batch": -1}, "batch must be at least 0; got -1"),
        ({"seq_len": 0}, "seq_len must be at least 1; got 0"),
    ],
)
def test_numbers_out_of_range(options, message):
    with pytest.raises(RecurraError, match=message):
        LayerSizes(**{"cell": cells.lstm, "input_size": 5, "hidden_size": 6, **options})


@pytest.mark.parametrize(("name", "value"), [("bias", 1), ("hidden_size", 2.0), ("num_layers", None), ("cell", "lstm")])
def test_values_of_another_type(name, value):
    with pytest.raises(TypeError, match=f"{name} must be"):
        LayerSizes(**{"cell": cells.lstm, "input_size": 5, "hidden_size": 6, name: value})


def test_cells_that_the_sizes_do_not_fit():
    with pytest.raises(EquationError, match="num_layers"):
        LayerSizes(remembers_input, 5, 6, num_layers=2)
    with pytest.raises(EquationError, match="not a whole number"):
        LayerSizes(halves, 5, 7)
    assert LayerSizes(remembers_input, 6, 6, num_layers=2).state_sizes() == (6, 6)
