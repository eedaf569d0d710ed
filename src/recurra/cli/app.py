"""The command line application. Each command imports what it needs, torch above all, when it runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from recurra.cli import series, text
from recurra.cli.bench import bench
from recurra.cli.cells import cells
from recurra.cli.check import check
from recurra.cli.compare import compare
from recurra.cli.console import message_of
from recurra.cli.explain import explain
from recurra.cli.export import export, inspect
from recurra.cli.look import look
from recurra.cli.processes import tell
from recurra.cli.report import report
from recurra.version import __version__

app = typer.Typer(
    name="recurra",
    help="Recurrent networks from their textbook equations.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(text.app, name="text")
app.add_typer(series.app, name="series")
app.command()(export)
app.command()(inspect)
app.command()(explain)
app.command()(cells)
app.command()(check)
app.command()(bench)
app.command()(look)
app.command()(report)
app.command()(compare)


def run(argv: Sequence[str] | None) -> int:
    """Run a command and return its exit code; see :func:`recurra.cli.main`."""
    if hasattr(sys.stdout, "reconfigure"):  # so that a terminal shows the number of a character that it cannot show
        sys.stdout.reconfigure(errors="backslashreplace")
    command = typer.main.get_command(app)
    try:
        arguments = sys.argv[1:] if argv is None else list(argv)
        whole = ["recurra", *arguments]
        result = command.main(args=arguments, prog_name="recurra", standalone_mode=False, obj=whole)
    except typer.Abort:
        return 130
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else 1
    except Exception as error:
        message = message_of(error)
        if message is None:
            raise
        if message:
            tell(message)
        return 2
    return result if isinstance(result, int) else 0


def _version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command()
def demo(
    html: Annotated[
        Path | None, typer.Option(metavar="HTML", help="Page to write; by default recurra-demo.html.")
    ] = None,
) -> None:
    """Show a language model, shapes, a forecast and races beside torch; about a minute, and a page at the end."""
    from recurra.cli.demo import demo as command

    command(html)


@app.command()
def doctor() -> None:
    """Say what is installed, what this machine offers, and which engines can run here."""
    from recurra.cli.doctor import doctor as command

    command()
