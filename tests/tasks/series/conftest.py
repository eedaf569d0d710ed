"""A forecaster that all tests read; its training is as short as one can be."""

import pytest

from recurra import Forecaster
from tests.tasks.series.tables import one_series, two_shops

SHORT = 0.003  # minutes


@pytest.fixture(scope="session")
def trained():
    """Trained on a single series of months."""
    return Forecaster(horizon=6, minutes=SHORT).fit(one_series())


@pytest.fixture(scope="session")
def of_shops():
    """Trained on two shops, with a promotion that is known ahead."""
    return Forecaster(horizon=6, known="promo", id="shop", target="sales", minutes=SHORT).fit(two_shops())
