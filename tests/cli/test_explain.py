"""`recurra explain`: cells by name, own cells, models; text, JSON, drawing and page; refusals in one line."""

import json

import pytest
import torch

import recurra
from recurra import cells
from recurra.look import LayerSizes
from tests.cells.representatives import ZOO
from tests.cli.refusals import everything, refused

OWN = """
import recurra
from recurra.cells import lstm

@recurra.cell
def leaky(x, h, *, W, U, b):
    return 0.9 * h + 0.1 * recurra.tanh(x @ W + h @ U + b)
"""


@pytest.fixture
def own(tmp_path):
    path = tmp_path / "own.py"
    path.write_text(OWN)
    return path


SIZES = ("--input-size", 10, "--hidden-size", 20, "--num-layers", 2, "--batch", 3, "--seq", 5, "--bidirectional")


def test_a_cell_by_name(call):
    code, out, err = call("explain", "lstm", *SIZES)
    assert (code, err) == (0, "")
    assert out.startswith("recurra.nn.LSTM(10, 20, num_layers=2, bidirectional=True)\n")
    sizes = LayerSizes(cells.lstm, 10, 20, 2, True, batch=3, seq_len=5)
    assert out == f"{recurra.explain(sizes)}\n"


def test_every_option_reaches_the_layer(call):
    code, out, _ = call("explain", "LSTM", "--batch-first", "--proj-size", 4, "--no-bias", "--batch", 7, "--seq", 2)
    assert code == 0
    assert out.startswith("recurra.nn.LSTM(10, 20, bias=False, batch_first=True, proj_size=4)\n")
    assert "(7, 2, 10)" in out


@pytest.mark.parametrize("name", ZOO)
def test_the_whole_zoo(call, name):
    code, out, _ = call("explain", name.replace("_", "-"), "--json")
    assert code == 0
    [part] = json.loads(out)["parts"]
    assert part["cell"] == name
    assert part["sequences"][0]["shape"] == [5, 3, 10]


def test_own_cells(call, own):
    for name in (f"{own}:leaky", own):
        code, out, _ = call("explain", name, "--hidden-size", 6)
        assert code == 0
        assert out.startswith("recurra.nn.Recurrent(leaky, 10, 6)\n")
    assert call("explain", f"{own}:lstm")[1].startswith("recurra.nn.LSTM(10, 20)\n")


def test_a_model_s_file(call, tmp_path):
    path = tmp_path / "model.safetensors"
    recurra.save(recurra.nn.Stack(torch.nn.Embedding(9, 4), recurra.nn.GRU(4, 6)), path)
    code, out, _ = call("explain", path, "--batch", 2, "--seq", 8)
    assert code == 0
    assert "(8, 2, 4)" in out
    refused(call("explain", path, "--hidden-size", 3), "a model with sizes of its own")


def test_drawing_and_page_are_written(call, tmp_path):
    svg, page = tmp_path / "lstm.svg", tmp_path / "lstm.html"
    code, out, _ = call("explain", "lstm", *SIZES, "--svg", svg, "--html", page)
    assert code == 0
    assert sorted(out.split()) == sorted([str(svg), str(page)])
    assert svg.read_text().startswith("<svg")
    assert "LSTM" in page.read_text(encoding="utf-8")


REFUSED = [
    ((), "say what to explain"),
    (("lstn",), "there is no cell 'lstn': did you mean lstm"),
    (("zzz",), "known are antisymmetric_rnn"),
    (("lstm", "--proj-size", 20), "--proj-size must be smaller than --hidden-size=20; got 20"),
    (("gru", "--proj-size", 3), "--proj-size: cell 'gru' cannot have a projected hidden state"),
    (("lstm", "--hidden-size", 0), "--hidden-size"),
    (("lstm", "--num-layers", 1001), "--num-layers"),
    (("lstm", "--batch", -1), "--batch"),
    (("lstm", "--svg", "{folder}/none/drawing.svg"), "there is no folder"),
    (("{folder}/none.py",), "there is no such file"),
    (("{folder}/none.safetensors",), "there is no such model"),
    (("{folder}/own.py:leeky",), "has no cell 'leeky': did you mean leaky?"),
    (("{folder}/other.py:bare",), "'bare' is a plain function: write @recurra.cell above its def"),
    (("{folder}/other.py:sizes",), "'sizes' is a tuple, not a cell"),
    (("{folder}/other.py:Kind",), "'Kind' is a Kind, not a cell"),
    (("{folder}/broken.py",), "cannot be run: ZeroDivisionError"),
    (("{folder}/ends.py:name",), "cannot be run: SystemExit"),
    (("lstm", "--html", "{folder}/one.html", "--svg", "{folder}/one.html"), "--html and --svg are one file"),
    (("{folder}/empty.py",), "has no cell"),
    (("{folder}/empty.py:name",), "has no cell"),
    (("{folder}",), "there is no such model"),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED, ids=[" ".join(map(str, row[0])) for row in REFUSED])
def test_refusals(call, own, tmp_path, arguments, message):
    (tmp_path / "broken.py").write_text("1 / 0\n")
    (tmp_path / "empty.py").write_text("")
    (tmp_path / "other.py").write_text("def bare(x, h): return h\nsizes = 1, 2\nclass Kind: pass\n")
    (tmp_path / "ends.py").write_text("raise SystemExit(3)\n")
    before = everything(tmp_path)
    refused(call("explain", *(str(each).format(folder=tmp_path) for each in arguments)), message)
    assert everything(tmp_path) == before
