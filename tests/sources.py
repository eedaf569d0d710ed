"""The sources as syntax trees: files, modules and imports."""

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "recurra"
FILES = tuple(sorted(SOURCE.rglob("*.py")))
NATIVE_FILES = tuple(sorted(p for p in (ROOT / "native").rglob("*") if p.suffix in (".cpp", ".h", ".inl", ".def")))


def module_of(path):
    """The dotted name of a file's module; a package is its `__init__.py`."""
    return ".".join(("recurra", *path.relative_to(SOURCE).with_suffix("").parts)).removesuffix(".__init__")


def part_of(module):
    """The top-level module or package that a module belongs to; empty for recurra itself."""
    return module.partition(".")[2].partition(".")[0]


MODULES = {module_of(path) for path in (*FILES, *SOURCE.rglob("*.pyi"))}


@cache
def tree_of(path):
    return ast.parse(path.read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Import:
    """A module that another imports, at its head or inside of a function.

    Attributes:
        module: the dotted name; one of recurra's own is the module itself, however it is written.
        for_types: whether only type checkers see it.
    """

    module: str
    for_types: bool


def imports_of(tree, modules=MODULES):
    """All imports of a module, those of function bodies included."""
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    return [Import(name, id(node) in for_types) for node in ast.walk(tree) for name in _imported(node, modules)]


def _imported(node, modules):
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute"
        inner = [f"{node.module}.{alias.name}" for alias in node.names]
        return [name if name in modules else node.module for name in inner]
    return []
