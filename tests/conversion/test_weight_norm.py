"""Weights in the two forms of torch's weight normalisation, multiplied out."""

import numpy as np
import pytest
import torch

from recurra.errors import RecurraError
from recurra.runtime import convert

X = np.linspace(-1, 1, 18, dtype=np.float32).reshape(6, 1, 3)


def new_names(module, name, dim):
    return torch.nn.utils.parametrizations.weight_norm(module, name, dim)


@pytest.mark.filterwarnings("ignore:.*weight_norm.*is deprecated:FutureWarning")
@pytest.mark.parametrize("dim", [0, 1, None])
@pytest.mark.parametrize("normalise", [torch.nn.utils.weight_norm, new_names], ids=["old", "new"])
def test_products(normalise, dim):
    torch.manual_seed(0)
    module = torch.nn.ModuleDict({"rnn": torch.nn.GRU(3, 4, bidirectional=True), "head": torch.nn.Linear(8, 2)})
    for name in ("weight_hh_l0", "weight_ih_l0_reverse"):
        normalise(module["rnn"], name, dim=dim)
    normalise(module["head"], "weight", dim=dim)
    source = module.state_dict()
    assert "rnn.weight_hh_l0" not in source
    for value in source.values():
        value.copy_(torch.randn_like(value))
    model = convert(source, names="rnn", output="head")
    expected = module["head"](module["rnn"](torch.from_numpy(X))[0])
    np.testing.assert_allclose(model(X)[0], expected.detach(), rtol=0, atol=1e-5)


def test_lengths_that_do_not_fit():
    source = {"weight_ih_l0": np.ones((4, 3)), "weight_hh_l0_v": np.ones((4, 4))}
    for shape in ((3, 1), (4,), (4, 1, 1)):
        with pytest.raises(RecurraError, match=r"weight_hh_l0 is weight-normalised: lengths .* do not fit"):
            convert({**source, "weight_hh_l0_g": np.ones(shape)})
