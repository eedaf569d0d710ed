"""Every cell of the zoo, by its name, in the networks of texts and of series: they run, and every weight learns."""

import pytest
import torch

from recurra import cells
from recurra.errors import RunError
from recurra.series.autoregressive.recipe import AutoregressiveRecipe
from recurra.series.frequency import Frequency
from recurra.tasks.series.autoregressive.network import make_network
from recurra.tasks.series.autoregressive.settings import AutoregressiveSettings
from recurra.tasks.series.job import make_member
from recurra.tasks.series.settings import SeriesSettings
from recurra.tasks.text.settings import ModelSettings
from recurra.tasks.text.token_model import build

EVERY_CELL = pytest.mark.parametrize("name", cells.all())
AS_WIDE_AS_THE_INPUT = ("gru_d",)  # some of its states are


def check(module, *inputs):
    output = module(*inputs)
    output = output[0] if isinstance(output, tuple) else output
    output.square().sum().backward()
    assert output.isfinite().all()
    assert all(weight.grad.isfinite().all() for weight in module.parameters() if weight.requires_grad)


@EVERY_CELL
@pytest.mark.parametrize(
    "settings", [{"layers": 2}, {"embedding": 4}, {"embedding": 4, "tied": True, "variational": True}], ids=str
)
def test_texts(name, settings):
    check(build(7, ModelSettings(name, hidden=8, **settings)), torch.randint(0, 7, (4, 3)))


@EVERY_CELL
def test_forecasters(name):
    settings = SeriesSettings(2, cell=name, hidden=8)
    if name in AS_WIDE_AS_THE_INPUT:
        with pytest.raises(RunError, match="as wide as its input, which is 3 for the encoder and 2 for the decoder"):
            make_member(3, 2, 5, settings)
    else:
        check(make_member(3, 2, 5, settings), torch.randn(4, 3, 3), torch.randn(2, 3, 2))


@EVERY_CELL
def test_sample_paths(name):
    recipe = AutoregressiveRecipe(Frequency("h"), 6, 24, (1, 24), "poisson", False)
    network = make_network(recipe, AutoregressiveSettings(6, cell=name, hidden=8, layers=1))
    check(network, torch.randn(4, 3, recipe.inputs))
