"""Layers that are put together in every way, explained."""

import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import recurra
from tests.arrangements import ARRANGEMENTS, F, make

T, B = 5, 3


def states_by_name(layer, last):
    """What the names of last states in an explanation stand for."""
    names = [state.name for state in layer.program.states]
    states = dict(zip(names, last if len(names) > 1 else [last], strict=True))
    found = {f"{name}_n": state for name, state in states.items()}
    if isinstance(layer.hidden_size, tuple):
        found |= {f"{name}_n[{k}]": level for name, state in states.items() for k, level in enumerate(state)}
    return found


@pytest.mark.parametrize("name", ARRANGEMENTS)
def test_shapes_parameters_and_relations(name):
    layer = make(name)
    x = torch.randn(T, B, F, dtype=torch.float64)
    (part,) = recurra.explain(layer, x).parts
    output, last = layer(x)
    stack, values = part.stack, {"output": output, **states_by_name(layer, last), "torch": torch, "batch": B}
    shapes = {row.name: row.numbers for row in stack.sequences if row.name in values}
    assert shapes == {row: str(tuple(values[row].shape)) for row in shapes}
    assert sum(row.endswith("]") for row in shapes) == len(values) - 3 - len(layer.program.states)
    counted = sum(each.parameter_count for each in stack.layers)
    assert counted + stack.sizes.learned_count == sum(weight.numel() for weight in layer.parameters())
    assert any("learned first states" in note for note in stack.notes) == layer.learn_initial_state
    names = {parameter.name for each in stack.layers for parameter in each.parameters}
    assert names == {weight for weight, _ in layer.named_parameters() if "_0_l" not in weight}
    for equality in stack.relations.equalities:
        assert torch.equal(eval(equality.left, values), eval(equality.right, values)), str(equality)
    in_output = [row for row in stack.relations.rows if row.equality]
    is_state = layer.merge_mode == "concat" and not (layer._adds_input and layer._adds_input[-1])
    assert bool(in_output) == is_state


@pytest.mark.parametrize("name", ["sizes, both", "residual but first", "learned", "tied"])
def test_relations_of_packed_sequences(name):
    layer = make(name)
    packed = pack_padded_sequence(torch.randn(T, B, F, dtype=torch.float64), [3, 5, 2], enforce_sorted=False)
    (part,) = recurra.explain(layer, packed).parts
    output, last = layer(packed)
    padded, lengths = pad_packed_sequence(output)
    for b in range(B):
        values = {"output": output, "padded": padded, "lengths": lengths, "b": b, "torch": torch}
        values |= states_by_name(layer, last)
        for equality in part.stack.relations.equalities:
            assert torch.equal(eval(equality.left, values), eval(equality.right, values)), str(equality)


@pytest.mark.parametrize("name", ARRANGEMENTS)
def test_a_file_is_explained_as_its_module(name, tmp_path):
    layer = make(name)
    recurra.save(layer, tmp_path / "model.safetensors")
    (of_file,), (of_module,) = recurra.explain(tmp_path / "model.safetensors").parts, recurra.explain(layer).parts
    assert of_file.stack.layers == of_module.stack.layers
    assert of_file.stack.relations == of_module.stack.relations
    assert of_file.stack.notes == of_module.stack.notes
    shown = " ".join(str(recurra.explain(layer)).split())
    for words, is_there in [
        ("plus its input", layer.residual),
        ("backward: the same weights", layer.tie_directions),
        ("learned by default", layer.learn_initial_state),
        ("the mean of forward", layer.merge_mode == "ave"),
    ]:
        assert (words in shown) == is_there, words


def test_states_that_do_not_fit_are_refused_as_the_layer_refuses_them():
    layer = make("sizes")
    x = torch.randn(T, B, F, dtype=torch.float64)
    h = tuple(torch.zeros(1, B, size, dtype=torch.float64) for size in (4, 4))
    messages = []
    for call in (lambda: layer(x, (h, h)), lambda: recurra.explain(layer, (x, (h, h)))):
        with pytest.raises(RuntimeError, match=r"h_0\[1\] must be .* hidden_size=3") as caught:
            call()
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


@pytest.mark.parametrize("name", ["learned, both", "sizes, both", "residual but first", "mul", "everything"])
def test_gates_are_those_of_the_layer(name):
    layer = make(name)
    x, marks = torch.randn(T, B, F, dtype=torch.float64), torch.zeros(T, B, dtype=torch.bool)
    marks[2] = True
    _, last = layer(x)
    for state in (None, last):
        for reset in (None, marks):
            trace = layer(x, state, reset=reset, return_trace=True)[2]
            seen = recurra.look.gates(layer, x, state, reset=reset, sequence=1)
            for key, value in trace.items():
                torch.testing.assert_close(torch.as_tensor(seen.values[key]), value[:, 1], rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["learned, both", "everything"])
def test_gradients_reach_through_what_is_added_and_merged(name):
    layer = make(name)
    x = torch.randn(T, B, F, dtype=torch.float64)
    seen = recurra.look.gates(layer, x, sequence=1, loss=lambda output: output.pow(2).sum())
    model = recurra.nn.Stack(layer)
    of_model = recurra.look.gates(model, x, sequence=1, loss=lambda result: result[0][:, 1].pow(2).sum())
    trace = layer(x, return_trace=True)[2]
    layer(x)[0][:, 1].pow(2).sum().backward()
    assert set(seen.gradients) == set(trace)
    for key in trace:
        assert seen.gradients[key].any()
        torch.testing.assert_close(seen.gradients[key], of_model.gradients[key])
