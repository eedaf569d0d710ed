"""A module's configuration cannot change after its construction."""

import pytest

from tests.nn.support import ours


def test_a_change_of_the_configuration_is_refused():
    layer = ours.RNN(5, 4)
    with pytest.raises(
        AttributeError, match="RNN was made with hidden_size=4, which cannot become 5: make another one"
    ):
        layer.hidden_size = 5
    layer.hidden_size, layer.batch_first = 4, True
    with pytest.raises(AttributeError, match="nonlinearity='tanh', which cannot become 'relu'"):
        ours.RNNCell(5, 4).nonlinearity = "relu"
