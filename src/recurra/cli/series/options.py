"""The options that several commands on tables of time series have, and what they mean as settings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recurra import cells
from recurra.errors import RunError
from recurra.series.likelihoods import LIKELIHOODS
from recurra.tasks.series.models import MODELS, AnySettings, make_settings
from recurra.tasks.series.table_settings import ON_GAP, TableSettings

if TYPE_CHECKING:
    from recurra.tasks.series.opening import OpenedTable

LISTED = "NAME,…"
TimeOption = Annotated[str | None, typer.Option(metavar="NAME", help="Column of times.")]
TargetOption = Annotated[str | None, typer.Option(metavar=LISTED, help="Column to forecast; several: a series each.")]
IdOption = Annotated[str | None, typer.Option("--id", metavar=LISTED, help="Column that tells series apart.")]
FreqOption = Annotated[str | None, typer.Option(help="Step between times: MS, ME, W, D, B, h, 15min …")]
TimeFormatOption = Annotated[str | None, typer.Option(metavar="PATTERN", help="Of times, such as %d/%m/%Y.")]
ZoneOption = Annotated[str | None, typer.Option(help="Zone of times that have none, such as Europe/Berlin.")]
KnownOption = Annotated[str | None, typer.Option(metavar=LISTED, help="Inputs known ahead, such as promotions.")]
PastOption = Annotated[str | None, typer.Option(metavar=LISTED, help="Inputs known up to the present.")]
StaticOption = Annotated[str | None, typer.Option(metavar=LISTED, help="Categories of a series, such as its region.")]
GapOption = Annotated[str, typer.Option(help=f"Missing rows and values: {', '.join(ON_GAP)}.")]
HorizonOption = Annotated[int | None, typer.Option(help="Steps to forecast; by default one season.")]
ModelOption = Annotated[str, typer.Option(help=f"One of {', '.join(MODELS)} (which draws sample paths).")]
LikelihoodOption = Annotated[
    str | None, typer.Option(help=f"Of the model autoregressive: {', '.join(LIKELIHOODS)}; by default by the data.")
]
CellOption = Annotated[str | None, typer.Option(help=f"One of {', '.join(cells.all())}; by default the model's.")]
HiddenOption = Annotated[int | None, typer.Option(help="Units of each network; by default the model's.")]
MembersOption = Annotated[int | None, typer.Option(help="Networks; each leaves out a block of time.")]
StepsOption = Annotated[int | None, typer.Option(help="Updates of the training; by default the data say how many.")]
SeedOption = Annotated[int, typer.Option(help="Of all that is drawn.")]
MinutesOption = Annotated[float | None, typer.Option(help="Stop after so long; by default the data say when.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]
PlotOption = Annotated[Path | None, typer.Option("--plot", metavar="HTML", help="Draw it, too.")]
TABLE = ("time", "target", "id", "freq", "time_format", "zone", "known", "past", "static", "on_gap")
MODEL = ("horizon", "model", "likelihood", "cell", "hidden", "members", "steps", "seed", "minutes")


def table_settings(options: Mapping[str, Any]) -> TableSettings:
    """The settings of a table, from options by the names of their parameters.

    Raises:
        RunError: an option is refused.
    """
    from recurra.series.columns import NamedColumns

    named = NamedColumns(
        options["time"],
        listed(options["target"]),
        listed(options["id"]),
        listed(options["known"]),
        listed(options["past"]),
        listed(options["static"]),
    )
    settings = TableSettings(named, options["freq"], options["time_format"], options["zone"], options["on_gap"])
    settings.check()
    return settings


def series_settings(options: Mapping[str, Any], opened: OpenedTable | None = None) -> AnySettings:
    """The settings of networks and training that options give, by the names of their parameters.

    Args:
        options: the options.
        opened: the table, which says the horizon where no option does.

    Raises:
        RunError: a setting is out of range, or is not of the model.
    """
    horizon = options["horizon"]
    if horizon is None:
        horizon = 1 if opened is None else opened.usual_horizon
    return make_settings(horizon, **{name: options[name] for name in MODEL if name != "horizon"})


def listed(text: str | None) -> tuple[str, ...]:
    """The names in an option, with commas between."""
    return () if text is None else tuple(name.strip() for name in text.split(",") if name.strip())


def intervals(text: str | None) -> list[float] | None:
    """The intervals of --level in per cent; None where it is not given.

    Raises:
        RunError: they are not numbers.
    """
    if text is None:
        return None
    try:
        return [float(part.strip().removesuffix("%")) for part in text.split(",")]
    except ValueError:
        raise RunError(f"--level must be per cents with commas between them, such as 80,90; got {text!r}") from None


def given(context: typer.Context, names: tuple[str, ...]) -> list[str]:
    """The options among these parameters that stand on the command line, as they are written there."""
    sources = {name: context.get_parameter_source(name) for name in names}
    return [
        f"--{name.replace('_', '-')}"
        for name, source in sources.items()
        if source is not None and source.name == "COMMANDLINE"
    ]
