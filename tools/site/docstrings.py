"""Docstrings as recurra writes them: what stands before a colon is a type in the section ``Args:`` alone."""

from __future__ import annotations

from typing import Any

from sphinx.ext import napoleon

_process = napoleon._process_docstring


def _of_a_value(app: Any, what: str, *rest: Any) -> None:
    """Read the docstring of a property or attribute as that of a function: no type stands before a colon."""
    _process(app, "method" if what in ("attribute", "data", "property") else what, *rest)


def _whole(self: Any, preprocess_types: bool = False) -> list[tuple[str, str, list[str]]]:
    """The section ``Returns:`` as one text."""
    return [("", "", self._dedent(self._consume_to_next_section()))]


def setup(app: Any) -> dict[str, bool]:
    """Join Sphinx."""
    napoleon._process_docstring = _of_a_value
    napoleon.GoogleDocstring._consume_returns_section = _whole
    app.setup_extension("sphinx.ext.napoleon")
    return {"parallel_read_safe": True}
