"""Rooms stay small: how long a file and a function of the sources may be."""

import ast

import pytest

from tests.sources import FILES, NATIVE_FILES, ROOT, tree_of

LONGEST_FILE, LONGEST_FUNCTION = 450, 75


@pytest.mark.parametrize("path", [*FILES, *NATIVE_FILES], ids=lambda path: str(path.relative_to(ROOT)))
def test_files(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_functions(path):
    for node in ast.walk(tree_of(path)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            lines = node.end_lineno - node.lineno + 1
            assert lines <= LONGEST_FUNCTION, f"{node.name}: {lines} lines"
