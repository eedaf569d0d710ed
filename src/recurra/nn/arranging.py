"""The arrangement of a layer, from the arguments that users give."""

from __future__ import annotations

from collections.abc import Sequence

from recurra.model.arrangement import Arrangement
from recurra.nn.checks import as_int, check_flags, check_proj, check_sizes


def hidden_sizes_of(given: int | Sequence[int], num_layers: int) -> tuple[int, ...] | int:
    """The hidden size as a layer keeps it: a number, or a tuple where a list or tuple gives one for each layer.

    Args:
        given: the argument ``hidden_size``.
        num_layers: the argument ``num_layers``; 1, the default, stands for as many as there are sizes.

    Raises:
        TypeError: a size is no whole number.
        ValueError: there are no sizes, or not as many as layers.
    """
    if not isinstance(given, (list, tuple)):
        return given  # type: ignore[return-value]
    sizes = tuple(as_int("hidden_size", size, "an int, or an int for each layer") for size in given)
    if not sizes:
        raise ValueError("hidden_size must have a size for at least one layer; got none")
    if num_layers not in (1, len(sizes)):
        raise ValueError(
            f"hidden_size has {len(sizes)} sizes, one for each layer, and num_layers is {num_layers}: leave num_layers "
            "out, or give as many sizes"
        )
    return sizes


def arrangement_of(
    input_size: int,
    hidden_size: int | tuple[int, ...],
    num_layers: int,
    proj_size: object,
    *,
    bidirectional: bool,
    merge_mode: str,
    residual: bool,
    tie_directions: bool,
    learn_initial_state: bool,
) -> Arrangement:
    """The arrangement of a layer's scans, with checked sizes; the arguments are those of ``Recurrent``.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: a size is out of range, or the options do not go together.
    """
    by_layer = isinstance(hidden_size, tuple)
    for size in hidden_size if isinstance(hidden_size, tuple) else (hidden_size,):
        check_sizes(input_size, size, num_layers)
        check_proj(proj_size, size)
    sizes = hidden_size if isinstance(hidden_size, tuple) else (hidden_size,) * num_layers
    check_flags(residual=residual, tie_directions=tie_directions, learn_initial_state=learn_initial_state)
    made = Arrangement(sizes, bool(bidirectional), merge_mode, residual, tie_directions, learn_initial_state, by_layer)
    if made.problem is not None:
        raise ValueError(made.problem)
    return made
