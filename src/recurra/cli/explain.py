"""`recurra explain`: the shapes of a layer of any cell, or of the model of a file, as text, page, drawing or JSON."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recurra.cli.cell_names import cell_of, is_model
from recurra.errors import EquationError, RecurraError, RunError
from recurra.files import write_atomically

if TYPE_CHECKING:
    from recurra.look import Explanation, LayerSizes

_HELP = "A cell by name (lstm, gru, mgu …), one of your own as FILE.py:NAME, or a model: a file or a run's folder."
TargetName = Annotated[str | None, typer.Argument(metavar="CELL", help=_HELP)]
InputSize = Annotated[int | None, typer.Option(min=1, help="Features of the input. Default 10.", show_default=False)]
HiddenSize = Annotated[int | None, typer.Option(min=1, help="Features of the hidden state. Default 20.")]
LayerCount = Annotated[int | None, typer.Option(min=1, max=1000, help="Layers on top of each other. Default 1.")]
Batch = Annotated[int, typer.Option(min=1, help="Sequences in the batch.")]
Seq = Annotated[int, typer.Option(min=1, help="Steps of a sequence.")]
Bidirectional = Annotated[
    bool, typer.Option("--bidirectional", help="Each layer also from the last step to the first.")
]
BatchFirst = Annotated[bool, typer.Option("--batch-first", help="Input and output are (batch, seq_len, features).")]
ProjSize = Annotated[int | None, typer.Option(min=0, help="Features of a projected hidden state. Default 0: none.")]
NoBias = Annotated[bool, typer.Option("--no-bias", help="Without the parameters that are only ever added.")]
Html = Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page; of a cell one with controls.")]
Svg = Annotated[Path | None, typer.Option(metavar="FILE", help="Write the drawing.")]
Json = Annotated[bool, typer.Option("--json", help="Print all facts as JSON.")]
MistakeName = Annotated[
    str | None,
    typer.Option("--mistake", metavar="NAME", help="Explain a mistake that a message names; list: all names."),
]

# Options by the names that LayerSizes has for them.
_OPTIONS = {
    "input_size": "--input-size",
    "hidden_size": "--hidden-size",
    "num_layers": "--num-layers",
    "proj_size": "--proj-size",
    "seq_len": "--seq",
}


def explain(
    cell: TargetName = None,
    input_size: InputSize = None,
    hidden_size: HiddenSize = None,
    num_layers: LayerCount = None,
    batch: Batch = 3,
    seq: Seq = 5,
    bidirectional: Bidirectional = False,
    batch_first: BatchFirst = False,
    proj_size: ProjSize = None,
    no_bias: NoBias = False,
    html: Html = None,
    svg: Svg = None,
    as_json: Json = False,
    mistake: MistakeName = None,
) -> None:
    """Explain every shape of a recurrent layer: what each variable is, where it comes from, what it costs."""
    if mistake is not None:
        if cell is not None or html is not None or svg is not None or as_json:
            raise RunError("--mistake NAME stands alone, without CELL, --html, --svg and --json")
        _explain_mistake(mistake)
        return
    from recurra.look import explain as explained

    if html is not None and svg is not None and html.resolve() == svg.resolve():
        raise RunError(f"--html and --svg are one file, {html}: name two")
    if cell is None:
        raise RunError("say what to explain: a cell, such as lstm; FILE.py:NAME; or the file of a model")
    sizes: LayerSizes | None = None
    if is_model(cell):
        given = (input_size, hidden_size, num_layers, proj_size, bidirectional, batch_first, no_bias)
        if any(value not in (None, False) for value in given):
            raise RunError(f"{cell} is a model with sizes of its own: of the sizes it takes --batch and --seq alone")
        explanation = _of_model(cell, batch, seq)
    else:
        sizes = _sizes(
            cell,
            input_size=10 if input_size is None else input_size,
            hidden_size=20 if hidden_size is None else hidden_size,
            num_layers=1 if num_layers is None else num_layers,
            bidirectional=bidirectional,
            batch_first=batch_first,
            proj_size=proj_size or 0,
            bias=not no_bias,
            batch=batch,
            seq_len=seq,
        )
        explanation = explained(sizes)
    if html is not None:
        _write(html, _page(explanation, sizes))
    if svg is not None:
        _write(svg, explanation.to_svg())
    if as_json:
        print(json.dumps(explanation.to_dict(), ensure_ascii=False, indent=2))
    elif html is None and svg is None:
        print(explanation)


def _explain_mistake(name: str) -> None:
    from recurra.mistakes.page import listing, mistake

    print(listing() if name == "list" else mistake(name))


def _sizes(name: str, **sizes: int | bool) -> LayerSizes:
    """The sizes of a cell's layer.

    Raises:
        RecurraError: there is no such cell, or the sizes do not fit; the message names the option.
    """
    from recurra.look import LayerSizes

    cell = cell_of(name)
    try:
        return LayerSizes(cell, **sizes)  # type: ignore[arg-type]
    except RecurraError as error:
        names = "|".join(_OPTIONS)
        message = re.sub(rf"\b({names})\b", lambda found: _OPTIONS[found[1]], str(error))
        raise (EquationError if isinstance(error, EquationError) else RunError)(message) from None


def _of_model(name: str, batch: int, steps: int) -> Explanation:
    """The explanation of the model of a file or a run's folder, for a batch of these lengths."""
    from recurra.look.batch_form import BatchForm
    from recurra.look.described import explained_description
    from recurra.tasks.export import load_description, source_of

    return explained_description(load_description(source_of(Path(name))), BatchForm(batch, steps))


def _page(explanation: Explanation, sizes: LayerSizes | None) -> str:
    """The page with controls of a layer; the page of facts of a model."""
    from recurra.look.live_page import live_page

    return explanation.to_html() if sizes is None else live_page(sizes)


def _write(path: Path, text: str) -> None:
    if not path.absolute().parent.is_dir():
        raise RunError(f"there is no folder {path.absolute().parent} to write {path.name} to")
    try:
        write_atomically(path, text.encode())
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error.strerror or error}") from None
    print(path)
