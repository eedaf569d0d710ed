"""Names in docstrings and signatures as links: classes are found by the place of their definition or by name alone."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path
from typing import Any

import recurra

# The modules that the reference describes. A name of several is described in the first.
PUBLIC = (
    "recurra",
    "recurra.nn",
    "recurra.runtime",
    "recurra.look",
    "recurra.onnx",
    "recurra.model",
    "recurra.errors",
    "recurra.compiler",
    "recurra.tasks",
)
# Types of others, for which the site has no page.
_OTHERS = frozenset(
    {"collections", "contextlib", "nn", "np", "numpy", "onnx", "os", "pandas", "pathlib", "torch", "typing"}
)


def public_names() -> dict[str, str]:
    """Where the reference describes a name, by the place of its definition and, for exceptions, by the name alone."""
    found: dict[str, str] = {}
    for module in reversed(PUBLIC):
        loaded = importlib.import_module(module)
        for name in getattr(loaded, "__all__", dir(loaded)):
            value = getattr(loaded, name)
            place = getattr(value, "__module__", None)
            if isinstance(place, str) and place.startswith("recurra") and hasattr(value, "__qualname__"):
                found[f"{place}.{value.__qualname__}"] = found[name] = f"{module}.{name}"
    return found


def names_of_sources() -> frozenset[str]:
    """The names of classes and types that any file of recurra defines or imports: signatures spell types by these."""
    found: set[str] = set()
    for path in Path(recurra.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                found.add(node.name)
            elif isinstance(node, ast.ImportFrom):
                found.update(alias.asname or alias.name for alias in node.names)
            elif isinstance(node, ast.Assign):
                found.update(target.id for target in node.targets if isinstance(target, ast.Name))
    return frozenset(found)


class References:
    """The answers to Sphinx where it does not find a name itself."""

    def __init__(self) -> None:
        self._names = public_names()
        self._types = names_of_sources()

    def resolve(self, app: Any, env: Any, node: Any, contents: Any) -> Any:
        """A link to the public name, or plain text for a type without a page; the event ``missing-reference``."""
        if node.get("refdomain") != "py":
            return None
        target = node["reftarget"]
        public = self._names.get(target) or self._names.get(target.rpartition(".")[2])
        if public and (public == target or target.startswith("recurra") or "." not in target):
            domain = env.get_domain("py")
            found = domain.resolve_xref(env, node["refdoc"], app.builder, "obj", public, node, contents)
            if found is not None:
                return found
        is_type = node["reftype"] in ("class", "exc", "obj")
        known = target in self._types or target.partition(".")[0] in _OTHERS or _exists(target)
        return contents if is_type and known else None


def _exists(target: str) -> bool:
    """Whether a dotted name is a class or a type inside of recurra, which the reference does not describe."""
    module, _, name = target.rpartition(".")
    if not module.startswith("recurra"):
        return False
    try:
        return hasattr(importlib.import_module(module), name)
    except ImportError:
        return False


def setup(app: Any) -> dict[str, bool]:
    """Join Sphinx."""
    app.connect("missing-reference", References().resolve)
    return {"parallel_read_safe": True}
