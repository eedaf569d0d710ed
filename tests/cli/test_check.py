"""`recurra check`: text, JSON, exit codes."""

import json

OWN = """
import recurra

@recurra.cell
def leaky(x, h, *, W, U, b):
    return 0.9 * h + 0.1 * recurra.tanh(x @ W + h @ U + b)

@recurra.cell
def broken(x, h, *, W, U):
    return recurra.tanh(x @ W) / h + h @ U
"""


def test_a_sound_cell(call, tmp_path):
    path = tmp_path / "own.py"
    path.write_text(OWN)
    options = ("--input-size", 3, "--hidden-size", 4, "--batch", 2, "--seq", 3, "--seconds", 0.01)
    code, out, err = call("check", f"{path}:leaky", *options)
    assert (code, err) == (0, "")
    assert "leaky is sound" in out
    assert "seq_len=3, batch=2, 3 → 4" in out


def test_a_cell_that_is_not_sound(call, tmp_path):
    path = tmp_path / "own.py"
    path.write_text(OWN)
    code, out, _ = call("check", f"{path}:broken", "--seconds", 0, "--json")
    assert code == 1
    facts = json.loads(out)
    assert not facts["is_sound"]
    assert [each["name"] for each in facts["properties"] if not each["holds"]] == ["finite"]


def test_a_wrong_name_is_refused(call):
    code, out, err = call("check", "lstn")
    assert (code, out) == (2, "")
    assert "did you mean lstm" in err
