"""The tests have the layout of the sources: a folder for each folder, a package each, and helpers apart from tests."""

import ast

import pytest

from tests.sources import ROOT, SOURCE

TESTS = ROOT / "tests"
FILES = sorted(TESTS.rglob("*.py"))

# Source folders whose tests lie in another folder, and why.
ELSEWHERE = {
    "engines/reference": ("engines", "test_reference.py"),  # one file for one engine
    "engines/vendor": ("engines", "test_vendor.py"),
    "bench/peers": ("bench", "test_peers.py"),
    "graph/operators": ("onnx/loading", "test_operators.py"),
    "conversion/keras_graphs/rules": ("conversion/keras_graphs", "test_*.py"),
    "nn/graphs/rules": ("nn/graphs", "test_*.py"),
}


def folders(root):
    """Folders with modules in them, and not those that hold an ``__init__.py`` and other folders alone."""
    return sorted({path.parent.relative_to(root) for path in root.rglob("*.py") if path.name != "__init__.py"})


@pytest.mark.parametrize("folder", folders(SOURCE), ids=str)
def test_each_folder_of_the_sources_has_tests(folder):
    place, pattern = ELSEWHERE.get(folder.as_posix(), (folder, "test_*.py"))
    assert list((TESTS / place).glob(pattern))


@pytest.mark.parametrize("folder", folders(TESTS), ids=str)
def test_each_folder_of_tests_is_a_package(folder):
    assert (TESTS / folder / "__init__.py").exists()


def test_tests_import_helpers_and_no_tests():
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module.partition(".")[0] == "tests":
                names = [*node.module.split("."), *(alias.name for alias in node.names)]
                assert not any(name.startswith("test_") for name in names), f"{path.name} imports from {node.module}"
