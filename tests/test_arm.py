"""The tests that `make arm` runs on an emulated processor exist, and need no torch."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SELECTED = (ROOT / "tools/arm/tests").read_text().split()


def imported_with(path, seen):
    """The modules that a file of tests imports when it is collected, directly or through other files of tests."""
    for node in ast.parse(path.read_text()).body:
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for name in names:
            if name in seen:
                continue
            seen.add(name)
            other = ROOT / f"{name.replace('.', '/')}.py"
            if other.is_file():
                imported_with(other, seen)
    return seen


@pytest.mark.parametrize("name", SELECTED)
def test_selected_files_are_there_and_need_no_torch(name):
    selected = ROOT / name
    files = [selected] if selected.is_file() else sorted(selected.rglob("test_*.py"))
    assert files
    for path in files:
        assert "torch" not in {module.split(".")[0] for module in imported_with(path, set())}, path


def test_what_is_left_out_is_there():
    left_out = [
        word.removeprefix("--deselect=").split("::")
        for word in (ROOT / "tools/arm/pytest.ini").read_text().split()
        if word.startswith("--deselect=")
    ]
    assert left_out
    for path, test in left_out:
        assert f"def {test}(" in (ROOT / path).read_text()
