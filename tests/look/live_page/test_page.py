"""The page is one file that holds its cells and its first settings as data."""

import json
import re
import subprocess
import sys

import pytest

from recurra import cells
from recurra.look.layer_sizes import LayerSizes
from recurra.look.live_page import live_page
from tests.look.live_page.own_cells import halves
from tests.page.elements import Elements


def data_of(html):
    return json.loads(re.search(r'<script type="application/json"[^>]*>(.*?)</script>', html, re.S)[1])


def test_the_first_settings_and_the_zoo():
    data = data_of(live_page(LayerSizes(cells.gru, 7, 8, num_layers=3, bias=False, batch_first=True, batch=2)))
    assert data["start"] == {
        "cell": "gru", "input_size": 7, "hidden_size": 8, "num_layers": 3, "proj_size": 0, "batch": 2, "seq_len": 5,
        "bidirectional": False, "batch_first": True, "bias": False, "unbatched": False,
    }  # fmt: skip
    assert {each["key"] for each in data["cells"]} == set(cells.all())


@pytest.mark.parametrize("given", [None, [cells.mgu], [halves, cells.mgu]])
def test_the_first_cell_is_always_among_them(given):
    data = data_of(live_page(LayerSizes(halves, 7, 8), given))
    assert data["start"]["cell"] == "halves"
    wanted = {"halves", *(cells.all() if given is None else ["mgu"])}
    assert {each["key"] for each in data["cells"]} == wanted
    assert data["cells"][0]["group"] == "your own"


def test_one_small_file_without_addresses():
    html = live_page(LayerSizes(cells.lstm, 10, 20))
    assert len(html.encode()) < 400_000
    assert not re.search(r"(?:src|href)=|https?://|@import|url\((?!#)", html)
    names = [attrs["name"] for tag, attrs in Elements(html).found if tag in ("input", "select")]
    assert names == [
        "cell", "input_size", "hidden_size", "num_layers", "proj_size", "batch", "seq_len",
        "bidirectional", "batch_first", "bias", "unbatched",
    ]  # fmt: skip


def test_no_torch_is_needed():
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from recurra import cells\n"
        "from recurra.look.layer_sizes import LayerSizes\n"
        "from recurra.look.live_page import live_page\n"
        "print(len(live_page(LayerSizes(cells.lstm, 10, 20))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 10_000
