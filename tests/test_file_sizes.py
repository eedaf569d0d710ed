"""Rooms stay small: the longest permitted file and function of the sources."""

import ast

from tests.sources import FILES, NATIVE_FILES, ROOT, tree_of

LONGEST_FILE, LONGEST_FUNCTION = 450, 75


def test_files():
    lines = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in (*FILES, *NATIVE_FILES)
    }
    assert {name: count for name, count in lines.items() if count > LONGEST_FILE} == {}


def test_functions():
    lines = {
        f"{path.relative_to(ROOT)}: {node.name}": node.end_lineno - node.lineno + 1
        for path in FILES
        for node in ast.walk(tree_of(path))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }
    assert {name: count for name, count in lines.items() if count > LONGEST_FUNCTION} == {}
