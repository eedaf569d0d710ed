"""docs/onnx.md, run as it is written."""

from recurra.onnx.exporting.assembly import NEWEST, OLDEST
from tests.pages import ROOT, blocks

PAGE = "docs/onnx.md"


def test_export_stream_load(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for number, block in enumerate(blocks(PAGE, "python")):
        exec(compile(block, f"{PAGE}, block {number}", "exec"), names)
    assert names["output"].shape == (100, 1, 4)
    assert names["h"].shape == (2, 1, 64)


def test_the_opsets_are_those_of_the_page():
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    assert f"those of opset {OLDEST}," in text
    assert f"up to {NEWEST}." in text
