"""Every option has an effect, in each way that a call can run, or the log says that it has none."""

import inspect

import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence

import recurra
from recurra.nn import LSTM, Recurrent

T, B, F, H = 7, 3, 4, 5
LENGTHS = torch.tensor([7, 4, 2])


def of_packed(layer, x, **call):
    lengths = LENGTHS
    packed = pack_padded_sequence(x, lengths, batch_first=layer.batch_first)
    output, *rest = layer(packed, **call)
    return output.data, *rest


def by_engine(name):
    def way(layer, x, **call):
        with recurra.engine(name):
            return layer(x, **call)

    return way


def compiled(layer, x, **call):
    torch._dynamo.reset()  # its limit of compilations of a function counts those of all tests
    return torch.compile(layer, fullgraph=True, backend="aot_eager")(x, **call)


def exported(layer, x, **call):
    return torch.export.export(layer, (x,), call).module()(x, **call)


def mapped(layer, x, **call):
    output, last = torch.func.vmap(lambda one: layer(one, **call), randomness="different")(x.unsqueeze(0))
    return output[0], tuple(value[0] for value in last)


def in_autocast(layer, x, **call):
    with torch.autocast("cpu", torch.bfloat16):
        return layer(x, **call)


WAYS = {
    "direct": lambda layer, x, **call: layer(x, **call),
    "packed": of_packed,
    "reference": by_engine("reference"),
    "torch": by_engine("torch"),
    "compiled": compiled,
    "exported": exported,
    "vmap": mapped,
    "autocast": in_autocast,
}
COMMON = {"input_size": F, "hidden_size": H, "num_layers": 2}
# For each option of the constructor, another value and the part of a call that shows the effect.
OPTIONS = {
    "input_size": (F + 1, "error"),
    "hidden_size": (H + 1, "shape"),
    "num_layers": (3, "values"),
    "bias": (False, "values"),
    "batch_first": (True, "layout"),
    "dropout": (0.5, "values"),
    "bidirectional": (True, "shape"),
    "proj_size": (2, "shape"),
    "zoneout": (0.5, "values"),
    "recurrent_dropout": (0.5, "values"),
    "weight_drop": (0.5, "values"),
    "weight_norm": (True, "values"),
    "learn_initial_state": (True, "values"),
    "residual": (True, "values"),
    "tie_directions": (True, "values"),
    "merge_mode": ("ave", "shape"),
    "checkpoint": (3, "kept"),
    "dtype": (torch.float64, "dtype"),
    "device": ("meta", "error"),
}
# What an option needs beside it.
BESIDE = {key: {"bidirectional": True} for key in ("tie_directions", "merge_mode")}


def layer_of(**options):
    torch.manual_seed(0)
    layer = LSTM(**{**COMMON, **options})
    with torch.no_grad():  # the same numbers where both have a weight
        for name, weight in layer.named_parameters():
            if weight.device.type != "meta":
                generator = torch.Generator().manual_seed(sum(map(ord, name)))
                weight.copy_(torch.randn(weight.shape, generator=generator) / 2)
    return layer


def x_of(layer, length=T):
    torch.manual_seed(1)
    x = torch.randn(length, B, F, dtype=next(layer.parameters()).dtype)
    return x.transpose(0, 1).contiguous() if layer.batch_first else x


def result(way, layer, x):
    torch.manual_seed(2)
    output, (h, c) = WAYS[way](layer, x)[:2]
    return output, h, c


def kept(way, layer):
    """The number of elements that the graph of a call on a long sequence holds for the backward pass."""
    held = {}

    def pack(tensor):
        held[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        results = result(way, layer, x_of(layer, 200) if way != "packed" else x_of(layer))
    del results
    return sum(held.values())


def test_every_option_is_here():
    names = set(inspect.signature(Recurrent.__init__).parameters) | set(inspect.signature(LSTM.__init__).parameters)
    # An LSTM leaves no size open: tests/nn/test_free_sizes.py has the effect of `sizes`. That of `compute` depends on
    # the processor: tests/nn/test_compute.py has it.
    assert names - {"self", "cell", "options", "sizes", "compute"} == set(OPTIONS)
    assert set(inspect.signature(Recurrent.forward).parameters) == {
        "self",
        "x",
        "state",
        "reset",
        "return_trace",
        "inputs",
    }


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_of_the_constructor(option, way, caplog):
    value, shows = OPTIONS[option]
    beside = BESIDE.get(option, {})
    plain, other = layer_of(**beside), layer_of(**beside, **{option: value})
    if shows == "error":
        with pytest.raises(Exception, match=r"(?i)input_size|device|meta|same"):
            result(way, other, x_of(plain))
        return
    if way == "torch" and option in ("zoneout", "recurrent_dropout", "weight_norm"):
        with pytest.raises(recurra.EngineError, match="torch has no fused layer for these equations"):
            result(way, other, x_of(other))
        return
    if shows == "kept":
        if way == "vmap":
            with caplog.at_level("WARNING", "recurra"):
                recurra.nn.running.execute._log_checkpoint.cache_clear()
                result(way, other, x_of(other).requires_grad_())
            assert "checkpoint has no effect" in caplog.text
        elif way == "packed":
            other.checkpoint = 1  # of seven steps
            assert kept(way, other) != kept(way, plain)
        elif way == "exported":  # an exported program keeps what it was exported to keep
            node = next(n for n in torch.export.export(other, (x_of(other),)).graph.nodes if "scan" in n.name)
            assert node.args[-1] == value
        elif way != "autocast":
            assert kept(way, other) < kept(way, plain)
        return
    mine, theirs = result(way, other, x_of(other)), result(way, plain, x_of(plain))
    if shows == "shape":
        assert [v.shape for v in mine] != [v.shape for v in theirs]
    elif shows == "dtype":
        assert mine[0].dtype == value
    elif shows == "layout":
        same = mine[0] if way == "packed" else mine[0].transpose(0, 1)
        torch.testing.assert_close(same, theirs[0])
        torch.testing.assert_close(mine[1], theirs[1])  # states are not changed
    else:
        assert mine[0].shape == theirs[0].shape
        assert not torch.equal(mine[0], theirs[0])


@pytest.mark.parametrize("way", WAYS)
def test_a_reset(way):
    layer = layer_of()
    reset = torch.zeros(T, B, dtype=torch.bool)
    reset[1] = True
    if way == "torch":
        with pytest.raises(recurra.EngineError, match="reset="):
            WAYS[way](layer, x_of(layer), reset=reset)
        return
    with_resets, plain = WAYS[way](layer, x_of(layer), reset=reset)[0], WAYS[way](layer, x_of(layer))[0]
    assert torch.equal(with_resets[0], plain[0])
    assert not torch.equal(with_resets[-1], plain[-1])


@pytest.mark.parametrize("way", [way for way in WAYS if way not in ("vmap", "exported")])
def test_a_trace(way):
    layer = layer_of()
    if way == "torch":
        with pytest.raises(recurra.EngineError, match="show no variables"):
            WAYS[way](layer, x_of(layer), return_trace=True)
        return
    output, _, trace = WAYS[way](layer, x_of(layer), return_trace=True)
    traced = trace["h", 1, 0]
    torch.testing.assert_close(traced.data if way == "packed" else traced, output)


@pytest.mark.parametrize("way", WAYS)
def test_evaluation_drops_nothing(way):
    layer = layer_of(dropout=0.9).eval()
    torch.testing.assert_close(result(way, layer, x_of(layer))[0], result(way, layer_of(), x_of(layer))[0])
