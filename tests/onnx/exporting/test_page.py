"""What docs/onnx.md says of opsets."""

from recurra.onnx.exporting.assembly import NEWEST, OLDEST
from tests.pages import ROOT


def test_the_opsets_are_those_of_the_page():
    text = (ROOT / "docs" / "onnx.md").read_text(encoding="utf-8")
    assert f"those of opset {OLDEST}," in text
    assert f"up to {NEWEST}." in text
