"""`recurra export` and `recurra inspect`: what goes into production, and what a model file holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recurra.errors import RunError

if TYPE_CHECKING:
    from recurra.model import Description

Source = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a training, or a file of recurra.save.")]


def export(
    run: Source,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="A file for recurra.runtime.load.")] = None,
    weights: Annotated[str, typer.Option(help="f32: as they are; bf16: half the size; int8: a quarter.")] = "f32",
    onnx: Annotated[Path | None, typer.Option(metavar="FILE", help="A file for ONNX runtimes.")] = None,
    lengths: Annotated[bool, typer.Option("--lengths", help="ONNX: with an input for the sequences' lengths.")] = False,
) -> None:
    """Write a trained model to one file that runs without torch; narrower weights are compared with its own."""
    from recurra.tasks import export as task

    if out is None and onnx is None:
        raise RunError("say where to: --out FILE for recurra.runtime, --onnx FILE for ONNX runtimes")
    description = task.load_description(run)
    if out is not None:
        made = task.export(description, weights, out)
        _report(task.source_of(run), out, description, made)
    if onnx is not None:
        from recurra.onnx import export as export_onnx

        export_onnx(description if out is None else made, onnx, lengths=lengths)
        print(f"{onnx}  {_size(onnx)}")


def _report(source: Path, out: Path, before: Description, after: Description) -> None:
    from recurra.tasks.export import compare

    print(f"{out}  {_size(out)}  (was {_size(source)})")
    if before is after:
        return
    found = compare(before, after)
    print(f"error         largest {found.largest:.2g}, root mean square {found.relative:.2%} of the output's")
    if found.bits is not None:
        print(f"bits per token {found.bits[0]:.4f} → {found.bits[1]:.4f}, of text that the model wrote")
    if found.microseconds is not None:
        print(f"a step        {found.microseconds[0]:.1f} µs → {found.microseconds[1]:.1f} µs, one sequence")


def _size(path: Path) -> str:
    size = float(path.stat().st_size)
    for unit in ("B", "kB", "MB"):
        if size < 1000 or unit == "MB":
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.2f} {unit}"


def inspect(
    file: Source,
    programs: Annotated[bool, typer.Option("--programs", help="With the equations of every cell.")] = False,
) -> None:
    """Show what a model file holds: its parts, their weights, and the equations of its cells."""
    from recurra.model import KINDS
    from recurra.tasks.export import load_description

    description = load_description(file)
    for name, part in description.root.walk():
        depth = name.count(".") + (1 if name else 0)
        shown = ", ".join(f"{k}={v}" for k, v in part.settings.items() if k not in ("program", "init"))
        print(f"{'  ' * depth}{name.rpartition('.')[2] + ': ' if name else ''}{part.kind}({shown})")
        for weight in KINDS[part.kind].weights(part):
            stored = description.weights[f"{name}.{weight}" if name else weight]
            print(f"{'  ' * (depth + 1)}{weight}  {stored.dtype} {stored.shape}")
        if programs and "program" in part.settings:
            print("\n".join("  " * (depth + 1) + line for line in str(part.program).splitlines()))
    distinct = {id(weight): weight for weight in description.weights.values()}.values()
    print(f"{sum(weight.data.size for weight in distinct):,} weights")
    if description.vocabulary is not None:
        print(f"a vocabulary of {len(description.vocabulary):,} tokens ({description.vocabulary.level})")
