"""The reference of the commands, as Markdown, from the command line's own help."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from recurra.cli.app import app


def commands_page() -> str:
    """A section for each command: its usage, its help, its arguments and options."""
    root = typer.main.get_command(app)
    return "\n\n".join(_section(context) for context in _contexts(root, "recurra", None))


def _contexts(command: Any, name: str, parent: Any) -> Iterator[Any]:
    """The contexts of all commands that do something, in the order of ``--help``."""
    context = command.context_class(command, info_name=name, parent=parent)
    if not hasattr(command, "commands"):
        yield context
    for inner in getattr(command, "commands", {}):
        yield from _contexts(command.commands[inner], inner, context)


def _section(context: Any) -> str:
    command, path = context.command, context.command_path
    usage = " ".join([path, *command.collect_usage_pieces(context)])
    records = [parameter.get_help_record(context) for parameter in command.get_params(context)]
    rows = [f"| `{_cell(name)}` | {_cell(_escaped(text))} |" for name, text in filter(None, records)]
    table = ["| option | meaning |", "|---|---|", *rows]
    return "\n".join([f"## {path}", "", f"```text\n{usage}\n```", "", _escaped(command.help or ""), "", *table])


def _escaped(text: str) -> str:
    """Plain text as Markdown."""
    for special in "\\`*_<[":
        text = text.replace(special, f"\\{special}")
    return " ".join(text.split())


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
