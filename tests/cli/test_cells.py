"""`recurra cells`: the table, one cell, own cells, JSON."""

import json

from recurra import cells
from recurra.compiler import trace

OWN = """
import recurra

@recurra.cell(init={"b": 1.0})
def leaky(x, h, *, W, U, b, rate=0.1):
    return (1 - rate) * h + rate * recurra.tanh(x @ W + h @ U + b)
"""


def test_the_table_has_every_cell(call):
    code, out, err = call("cells")
    assert (code, err) == (0, "")
    rows = {line.split()[0]: line for line in out.splitlines()[1:] if line}
    assert set(cells.all()) <= set(rows)
    assert "Gers & Schmidhuber 2000" in rows["peephole_lstm"]
    assert rows["lstm"].endswith("4*hidden*(input + hidden + 2)")
    facts = json.loads(call("cells", "--json")[1])
    assert [each["name"] for each in facts] == sorted(cells.all())
    assert all(str(each["products"]) in rows[each["name"]].split() for each in facts)


def test_one_cell(call):
    code, out, _ = call("cells", "Mgu")
    assert code == 0
    assert str(trace(cells.mgu)) in out
    assert "Zhou et al. 2016" in out
    assert "2*hidden*(input + hidden + 1)" in out
    assert "2 in each step of the loop over time, 1 outside of it" in out
    facts = json.loads(call("cells", "mgu", "--json")[1])
    assert (facts["name"], facts["products"], facts["equations"]) == ("mgu", 2, str(trace(cells.mgu)))


def test_an_own_cell(call, tmp_path):
    path = tmp_path / "own.py"
    path.write_text(OWN)
    code, out, _ = call("cells", f"{path}:leaky")
    assert code == 0
    assert "options     rate=0.1" in out
    assert "init        b=1.0" in out


def test_a_wrong_name_is_refused(call):
    code, out, err = call("cells", "lstn")
    assert (code, out) == (2, "")
    assert "did you mean lstm" in err
