"""Short runs to report on: of a text, of a table, and of a table with inputs that are known ahead."""

from recurra.cli import main
from recurra.tasks.text.demo import threads
from tests.tasks.series.tables import csv_of, one_series, two_shops

TEXT = "the cat sat on the mat\nthe dog sat on the log\n" * 40
TINY = ("--seq-len", "16", "--batch-size", "4", "--epochs", "2", "--lr", "0.02", "--eval-every", "10")
SHORT = ("--minutes", "0.002", "--horizon", "6")


def make_runs(folder):
    """Make the runs ``lstm`` and ``gru`` of a text, ``direct`` and ``paths`` of a table, and ``known`` of two shops."""
    (folder / "text.txt").write_text(TEXT)
    (folder / "sales.csv").write_text(csv_of(one_series()))
    (folder / "shops.csv").write_text(csv_of(two_shops()))
    with threads(1):
        for cell, hidden in (("lstm", "12"), ("gru", "8")):
            text = ["text", "train", str(folder / "text.txt"), "--out", str(folder / cell), "--cell", cell]
            assert main([*text, "--hidden", hidden, *TINY]) == 0
        table = ["series", "train", str(folder / "sales.csv"), *SHORT]
        assert main([*table, "--out", str(folder / "direct")]) == 0
        assert main([*table, "--out", str(folder / "paths"), "--model", "autoregressive", "--hidden", "8"]) == 0
        shops = ["series", "train", str(folder / "shops.csv"), "--out", str(folder / "known"), *SHORT]
        assert main([*shops, "--known", "promo", "--id", "shop", "--target", "sales"]) == 0
    return folder
