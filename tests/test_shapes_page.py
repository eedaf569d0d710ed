"""The tutorial docs/shapes.md works as it is written, and prints what it shows."""

import re

from tests.pages import ROOT

PAGE = ROOT / "docs" / "shapes.md"
BLOCKS = re.findall(r"^```(python|text)\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)


def test_the_tutorial(tmp_path, capsys):
    names, shown = {}, []
    for kind, text in BLOCKS:
        if kind == "python":
            file = tmp_path / f"block{len(shown)}.py"  # a cell's equations are read from its file
            file.write_text(text, encoding="utf-8")
            exec(compile(text, file, "exec"), names)
            shown.append(("text", capsys.readouterr().out))
    assert shown == [block for block in BLOCKS if block[0] == "text"]


def test_every_block_has_its_output():
    assert [kind for kind, _ in BLOCKS] == ["python", "text"] * (len(BLOCKS) // 2)
    assert len(BLOCKS) > 20
