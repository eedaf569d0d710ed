"""``check``: of a cell whether its equations are sound, and what they cost; of a model whether it is fed as meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

from recurra import cells
from recurra.equations import Cell

if TYPE_CHECKING:
    from torch import Tensor, nn

    from recurra.look.cell_check.result import CellCheck
    from recurra.look.input_check import Inspection


@overload
def check(
    target: Cell | str,
    *,
    input_size: int = ...,
    hidden_size: int = ...,
    batch: int = ...,
    seq_len: int = ...,
    seconds: float = ...,
    seed: int = ...,
    sizes: Mapping[str, Any] | None = ...,
    **options: Any,
) -> CellCheck: ...


@overload
def check(
    target: nn.Module, x: Any, state: Any = None, *, lengths: Tensor | Sequence[int] | None = None
) -> Inspection: ...


def check(target: Cell | str | nn.Module, x: Any = None, state: Any = None, **settings: Any) -> CellCheck | Inspection:
    """Check a cell, ``print(recurra.check(cell))``; or a layer with its input, ``print(recurra.check(layer, x))``.

    **A cell** is traced. Then all engines that can run it are compared, at random sizes and in float64; gradients are
    compared with torch's own and with finite differences; packed sequences with each alone; a saved file that runs
    step by step with the whole sequence. The result says what the equations cost and why: the products in each step,
    what leaves the loop over time, the bytes kept in training, the share of the time in the loop; and how fast a layer
    is beside an LSTM of the same size. It ends with a verdict in one sentence; ``.is_sound`` is True or False. It takes
    a few seconds.

    **A module** runs once as a copy, without gradients. The result says how each recurrent layer in it reads its input,
    then which mistakes the shapes, the numbers and the settings suggest. It guesses: each line is a question to ask,
    and a mistake that leaves no trace in shapes and numbers is not found.

    Args:
        target: a cell, or the name of one in ``recurra.cells``; or a layer of ``recurra.nn`` or ``torch.nn``, or any
            model with such layers inside.
        x: a module's input, as it would be given in a call. A cell takes none.
        state: a module's state, as in a call. Default None.
        **settings: of a module ``lengths``, the length of each sequence of a padded batch, (batch,); default None: all
            steps count. Of a cell ``input_size`` and ``hidden_size``, the sizes at which it is timed, default 128 and
            256, or the nearest that its equations fit; ``batch`` and ``seq_len``, default 32 and 100; ``seconds``, the
            time for measuring speed, default 3, 0 to leave that out; ``seed`` of the random numbers, default 0;
            ``sizes`` and values for the cell's options, as a layer takes them.

    Returns:
        A ``CellCheck`` of a cell, an ``Inspection`` of a module; ``str()`` prints either.

    Raises:
        TypeError: the target is neither; or a setting that it does not have.
        ValueError: a cell gets an input, has no state, or a setting is out of range.
    """
    if isinstance(target, str):
        if target not in cells.all():
            raise ValueError(f"recurra.cells has no cell {target!r}; recurra.cells.all() gives all by name")
        target = cells.all()[target]
    if isinstance(target, Cell):
        if x is not None or state is not None:
            raise ValueError("check(cell) takes no input: it draws its own; check(layer, x) checks an input")
        from recurra.look.cell_check.check import check_cell

        return check_cell(target, **settings)
    import torch

    from recurra.look.input_check import check_input

    if not isinstance(target, torch.nn.Module):  # for callers without types
        raise TypeError(f"check takes a cell, or a torch.nn.Module and its input; not a {type(target).__name__}")
    if x is None:
        raise TypeError("check(module, x) needs the module's input")
    return check_input(target, x, state, **settings)
