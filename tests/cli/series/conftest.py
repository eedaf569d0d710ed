"""A table on disk and a run on it, which tests read."""

from pathlib import Path

import pytest

from recurra.cli import main
from tests.tasks.series.tables import csv_of, one_series, two_shops

TINY = ("--minutes", "0.002", "--horizon", "6")


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tables, and runs on them: ``run`` of a single series, ``shops`` with an input known ahead."""
    made = tmp_path_factory.mktemp("series")
    for name, table in (("sales", one_series()), ("shops", two_shops()), ("ahead", two_shops(60, 6))):
        (made / f"{name}.csv").write_text(csv_of(table))
    assert main(["series", "train", str(made / "sales.csv"), "--out", str(made / "run"), *TINY]) == 0
    shops = ["series", "train", str(made / "shops.csv"), "--out", str(made / "of shops"), *TINY, "--known", "promo"]
    assert main(shops) == 0
    return made
