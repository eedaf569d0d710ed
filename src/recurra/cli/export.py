"""`recurra export` writes a model file for production; `recurra inspect` shows the content of one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recurra.cli.graph_file import export_graph, graph_in, lines_of
from recurra.errors import RunError
from recurra.model import write

if TYPE_CHECKING:
    from recurra.tasks.export import Comparison

ModelPath = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a training, or a file of recurra.save.")]


def export(
    run: ModelPath,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="A file for recurra.runtime.load.")] = None,
    weights: Annotated[str, typer.Option(help="as-is; bf16: half the size; int8: a quarter.")] = "as-is",
    compute: Annotated[
        str | None,
        typer.Option(metavar="PRECISION", help="float32; bf16: products of bfloat16 where that is faster; int8."),
    ] = None,
    sample: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Input to compare on: .npy, or .npz with x and other inputs.")
    ] = None,
    onnx: Annotated[Path | None, typer.Option(metavar="FILE", help="A file for ONNX runtimes.")] = None,
    lengths: Annotated[bool, typer.Option("--lengths", help="ONNX: with an input for the sequences' lengths.")] = False,
) -> None:
    """Write a trained model to one file that runs without torch; narrower numbers are compared with its own."""
    from recurra.tasks import export as task

    if out is None and onnx is None:
        raise RunError("say where to: --out FILE for recurra.runtime, --onnx FILE for ONNX runtimes")
    if out is not None and onnx is not None and out.absolute() == onnx.absolute():
        raise RunError(f"--out and --onnx cannot be the same file, {out}")
    if lengths and onnx is None:
        raise RunError("--lengths is for --onnx FILE; recurra.runtime always takes lengths")
    if compute is not None and out is None:
        raise RunError("--compute is for --out FILE: ONNX runtimes compute as they are told")
    if sample is not None and weights == task.WEIGHTS[0] and compute != "int8":
        raise RunError("--sample is what narrower numbers are compared on: --weights bf16 or int8, --compute int8")
    source = task.source_of(run)
    for target in (out, onnx):
        if target is not None:
            task.check_target(target)
    graph = graph_in(source)
    if graph is not None:
        if lengths or compute is not None:
            raise RunError(f"{source} holds a graph: --compute and --lengths are for models of layers")
        size = source.stat().st_size
        comparison = export_graph(graph, source, out, onnx, weights, sample)
        for target in filter(None, (out, onnx)):
            print(f"{target}  {_size(target.stat().st_size)}  (was {_size(size)})")
        if comparison is not None:
            _report(comparison)
        return
    description = task.load_description(source)
    size = source.stat().st_size
    exported = task.with_weights(description, weights)
    if compute is not None:
        exported = task.with_compute(exported, compute)
    is_narrower = weights != task.WEIGHTS[0] or compute == "int8"
    comparison = task.compare(description, exported, sample) if is_narrower else None
    if out is not None:
        write(exported, out)
        print(f"{out}  {_size(out.stat().st_size)}  (was {_size(size)})")
    if onnx is not None:
        from recurra.onnx import export as export_onnx

        export_onnx(exported, onnx, lengths=lengths)
        print(f"{onnx}  {_size(onnx.stat().st_size)}")
    if comparison is not None:
        _report(comparison)


def _report(comparison: Comparison) -> None:
    error = f"largest {comparison.largest:.2g}, root mean square {comparison.relative:.2%} of the output's"
    print(f"error         {error}, on {comparison.sample}")
    if comparison.bits is not None:
        print(f"bits per token {comparison.bits[0]:.4f} → {comparison.bits[1]:.4f}, of {comparison.sample}")
    if comparison.microseconds is not None:
        print(f"a step        {comparison.microseconds[0]:.1f} µs → {comparison.microseconds[1]:.1f} µs, one sequence")


def _size(count: int) -> str:
    """A number of bytes in MB, kB or B."""
    for unit, size in (("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.2f} {unit}"
    return f"{count} B"


def inspect(
    file: ModelPath,
    programs: Annotated[bool, typer.Option("--programs", help="With the equations of every cell.")] = False,
) -> None:
    """Show what a model file holds: its parts, their weights, and the equations of its cells."""
    from recurra.model.annotations import ANNOTATIONS
    from recurra.model.kinds import KINDS, is_recurrent
    from recurra.tasks.export import load_description

    graph = graph_in(file)
    if graph is not None:
        print("\n".join(lines_of(graph)))
        return
    description = load_description(file)
    for name, part in description.root.walk():
        depth = name.count(".") + (1 if name else 0)
        shown = ", ".join(f"{k}={v}" for k, v in part.settings.items() if k not in ("program", "init"))
        print(f"{'  ' * depth}{name.rpartition('.')[2] + ': ' if name else ''}{part.kind}({shown})")
        for weight in KINDS[part.kind].weights(part):
            stored = description.weights[f"{name}.{weight}" if name else weight]
            print(f"{'  ' * (depth + 1)}{weight}  {stored.dtype} {stored.shape}")
        if programs and is_recurrent(part):
            print("\n".join("  " * (depth + 1) + line for line in str(part.program).splitlines()))
    distinct = {id(weight): weight for weight in description.weights.values()}.values()
    print(f"{sum(weight.data.size for weight in distinct):,} weights")
    for name, value in description.annotations.items():
        print(ANNOTATIONS[name].summary(value))
