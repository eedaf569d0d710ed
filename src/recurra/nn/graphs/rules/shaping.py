"""Operations that change shapes, join, cut and repeat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from recurra.engines.torch_internals import fixed_size
from recurra.nn.graphs.rules.elementwise import common_dtype
from recurra.nn.graphs.table import rule
from recurra.nn.graphs.writer import GraphSize, NodeWriter, Ref

_END = 2**63 - 1  # torch's "to the end"


def within(dim: int, count: int) -> int:
    """A dimension counted from the first one."""
    return dim + count if dim < 0 else dim


def moved(w: NodeWriter, x: str | Ref, order: Sequence[int]) -> Any:
    """Dimensions in another order; x itself where that is its own."""
    return w.node("Transpose", x, perm=tuple(order)) if list(order) != list(range(len(order))) else x


@rule("aten.view.default", "aten.reshape.default", "aten._unsafe_view.default")
def _view(w: NodeWriter, x: Ref, sizes: Sequence[GraphSize]) -> Any:
    result = w.result.shape
    fixed = [fixed_size(size) for size in result]
    if fixed.count(None) <= 1 and not any(size == 0 for size in fixed):  # the only free size follows from the others
        return w.node("Reshape", x, w.ints(*(-1 if size is None else size for size in fixed)))
    asked = [fixed[n] if fixed[n] is not None else size for n, size in enumerate(sizes)]
    return w.node("Reshape", x, w.shape(asked), allowzero=1)


@rule("aten.flatten.using_ints")
def _flatten(w: NodeWriter, x: Ref, start_dim: int = 0, end_dim: int = -1) -> Any:
    first, last = within(start_dim, x.ndim), within(end_dim, x.ndim)
    if x.ndim == 0:
        return w.node("Reshape", x, w.ints(1))
    if 0 in [x.size(dim) for dim in range(x.ndim)]:
        raise ValueError("a tensor of no elements cannot be flattened")
    after = [size_of(w, x, dim) for dim in range(last + 1, x.ndim)]
    return w.node("Reshape", x, w.shape([*(0,) * first, -1, *after]))


@rule("aten.unflatten.int")
def _unflatten(w: NodeWriter, x: Ref, dim: int, sizes: Sequence[GraphSize]) -> Any:
    place = within(dim, x.ndim)
    before = [0] * place  # copied
    after = [x.size(n) for n in range(place + 1, x.ndim)]
    inner = list(sizes)
    if None in after or any(isinstance(size, Ref) for size in inner):
        wanted = [size_of(w, x, n) for n in range(place)], [size_of(w, x, n) for n in range(place + 1, x.ndim)]
        return w.node("Reshape", x, w.shape([*wanted[0], *inner, *wanted[1]]), allowzero=1)
    return w.node("Reshape", x, w.ints(*before, *inner, *(size or 0 for size in after)))


def size_of(w: NodeWriter, x: Ref, dim: int) -> GraphSize:
    """A size of a tensor: a number, or a value of the graph."""
    fixed = x.size(dim)
    if fixed is not None:
        return fixed
    return Ref(w.node("Gather", w.node("Shape", x), w.number(dim, torch.int64), axis=0), None)


@rule("aten.permute.default")
def _permute(w: NodeWriter, x: Ref, dims: Sequence[int]) -> Any:
    return moved(w, x, [within(dim, x.ndim) for dim in dims])


@rule("aten.transpose.int", "aten.swapaxes.default")
def _transpose(w: NodeWriter, x: Ref, a: int, b: int) -> Any:
    if x.ndim == 0:
        return x
    order = list(range(x.ndim))
    first, second = within(a, x.ndim), within(b, x.ndim)
    order[first], order[second] = second, first
    return moved(w, x, order)


@rule("aten.t.default", "aten.numpy_T.default", "aten.mT.default")
def _turned(w: NodeWriter, x: Ref) -> Any:
    return x if x.ndim < 2 else _transpose(w, x, -2, -1)


@rule("aten.movedim.int")
def _movedim(w: NodeWriter, x: Ref, source: int, destination: int) -> Any:
    order = list(range(x.ndim))
    order.insert(within(destination, x.ndim), order.pop(within(source, x.ndim)))
    return moved(w, x, order)


@rule("aten.unsqueeze.default")
def _unsqueeze(w: NodeWriter, x: Ref, dim: int) -> Any:
    return w.node("Unsqueeze", x, w.ints(within(dim, x.ndim + 1)))


@rule("aten.squeeze.default", "aten.squeeze.dim", "aten.squeeze.dims")
def _squeeze(w: NodeWriter, x: Ref, dims: int | Sequence[int] | None = None) -> Any:
    chosen = range(x.ndim) if dims is None else [dims] if isinstance(dims, int) else dims
    ones = [within(dim, x.ndim) for dim in chosen if x.ndim and x.size(within(dim, x.ndim)) == 1]
    if dims is not None and w.result.ndim == x.ndim - len(chosen):  # of sizes that turned out to be 1 as well
        ones = [within(dim, x.ndim) for dim in chosen]
    return w.node("Squeeze", x, w.ints(*ones)) if ones else x


@rule("aten.cat.default", "aten.concat.default")
def _cat(w: NodeWriter, tensors: Sequence[Ref], dim: int = 0) -> Any:
    kept = [each for each in tensors if not (each.ndim == 1 and each.size(0) == 0)]  # torch passes over these
    if len(kept) == 1:
        return kept[0]
    dtype = common_dtype(*kept)
    return w.node("Concat", *(w.cast(each, dtype) for each in kept), axis=within(dim, kept[0].ndim))


@rule("aten.stack.default")
def _stack(w: NodeWriter, tensors: Sequence[Ref], dim: int = 0) -> Any:
    place, dtype = w.ints(within(dim, tensors[0].ndim + 1)), common_dtype(*tensors)
    raised = [w.node("Unsqueeze", w.cast(each, dtype), place) for each in tensors]
    return raised[0] if len(raised) == 1 else w.node("Concat", *raised, axis=within(dim, tensors[0].ndim + 1))


@rule("aten.split.Tensor", "aten.split_with_sizes.default", "aten.split.sizes", "aten.chunk.default",
      "aten.unsafe_split.Tensor", "aten.unsafe_chunk.default", "aten.tensor_split.sections")  # fmt: skip
def _split(w: NodeWriter, x: Ref, _: Any, dim: int = 0) -> Any:
    place = within(dim, x.ndim)
    sizes = [size for size in (fixed_size(each.shape[place]) for each in w.result) if size is not None]
    if len(sizes) < len(w.result):
        raise ValueError("cutting a free size in pieces is not supported")
    if len(sizes) == 1:
        return (x,)
    return w.node("Split", x, w.ints(*sizes), outputs=len(sizes), axis=place)


@rule("aten.unbind.int")
def _unbind(w: NodeWriter, x: Ref, dim: int = 0) -> Any:
    return tuple(_select(w, x, dim, number) for number in range(len(w.result)))


@rule("aten.select.int")
def _select(w: NodeWriter, x: Ref, dim: int, index: GraphSize) -> Any:
    return w.node("Gather", x, w.scalar(index), axis=within(dim, x.ndim))


@rule("aten.slice.Tensor")
def _slice(
    w: NodeWriter, x: Ref, dim: int = 0, start: GraphSize | None = None, end: GraphSize | None = None, step: int = 1
) -> Any:
    begin, stop = 0 if start is None else start, _END if end is None else end
    if step == 1 and begin == 0 and stop == _END:
        return x
    place = w.ints(within(dim, x.ndim))
    return w.node("Slice", x, w.shape([begin]), w.shape([stop]), place, w.ints(step))


@rule("aten.slice_scatter.default")
def _slice_scatter(
    w: NodeWriter,
    x: Ref,
    source: Ref,
    dim: int = 0,
    start: GraphSize | None = None,
    end: GraphSize | None = None,
    step: int = 1,
) -> Any:
    """A tensor with a part of it replaced, as an assignment to ``x[:, 2:4]`` means."""
    begin, stop = 0 if start is None else start, _END if end is None else end
    if step != 1:
        return _spread(w, x, source, within(dim, x.ndim), (w.shape([begin]), w.shape([stop]), w.ints(0), w.ints(step)))
    pieces: list[Any] = [] if begin == 0 else [_slice(w, x, dim, 0, begin)]
    pieces.append(source)
    if stop != _END:
        pieces.append(_slice(w, x, dim, stop, _END))
    return pieces[0] if len(pieces) == 1 else w.node("Concat", *pieces, axis=within(dim, x.ndim))


def _spread(w: NodeWriter, x: Ref, source: Ref, place: int, cut: Sequence[str]) -> Any:
    """A tensor with every so many numbers of a dimension replaced."""
    zero, one = w.number(0, torch.int64), w.number(1, torch.int64)
    numbers = w.node("Slice", w.node("Range", zero, w.scalar(size_of(w, x, place)), one), *cut)
    order = [place, *(dim for dim in range(x.ndim) if dim != place)]
    replaced = w.node("ScatterND", moved(w, x, order), w.node("Unsqueeze", numbers, w.ints(1)), moved(w, source, order))
    return moved(w, replaced, [order.index(dim) for dim in range(x.ndim)])


@rule("aten.select_scatter.default")
def _select_scatter(w: NodeWriter, x: Ref, source: Ref, dim: int, index: int) -> Any:
    """A tensor with the values of one number of a dimension replaced, as an assignment to ``x[:, 0]`` means."""
    place = within(dim, x.ndim)
    wide = Ref(w.node("Unsqueeze", source, w.ints(place)), None)
    return _slice_scatter(w, x, wide, place, index, index + 1 if index != -1 else _END)


@rule("aten.narrow.default")
def _narrow(w: NodeWriter, x: Ref, dim: int, start: GraphSize, length: GraphSize) -> Any:
    if isinstance(start, int) and isinstance(length, int):
        return _slice(w, x, dim, start, start + length if start + length else _END)
    end = Ref(w.node("Add", w.scalar(start), w.scalar(length)), None)
    return _slice(w, x, dim, start, end)


@rule("aten.expand.default", "aten.broadcast_to.default")
def _expand(w: NodeWriter, x: Ref, sizes: Sequence[GraphSize], implicit: bool = False) -> Any:
    return w.node("Expand", x, w.shape([1 if isinstance(size, int) and size == -1 else size for size in sizes]))


@rule("aten.expand_as.default")
def _expand_as(w: NodeWriter, x: Ref, other: Ref) -> Any:
    return w.node("Expand", x, w.node("Shape", other))


@rule("aten.repeat.default", "aten.tile.default")
def _repeat(w: NodeWriter, x: Ref, repeats: Sequence[GraphSize]) -> Any:
    times = [*([1] * (x.ndim - len(repeats))), *repeats]
    missing = len(times) - x.ndim
    own: Any = x if not missing else w.node("Unsqueeze", x, w.ints(*range(missing)))
    return w.node("Tile", own, w.shape(times))


@rule("aten.repeat_interleave.self_int")
def _repeat_interleave(w: NodeWriter, x: Ref, repeats: int, dim: int | None = None, **_: Any) -> Any:
    if dim is None or not isinstance(repeats, int):
        raise ValueError("repeat_interleave is supported with a whole number and dim=")
    place = within(dim, x.ndim)
    wide = w.node("Unsqueeze", x, w.ints(place + 1))
    times = [repeats if n == place + 1 else 1 for n in range(x.ndim + 1)]
    sizes = [size_of(w, x, n) for n in range(x.ndim)]
    sizes[place] = -1
    return w.node("Reshape", w.node("Tile", wide, w.ints(*times)), w.shape(sizes))


@rule("aten.flip.default")
def _flip(w: NodeWriter, x: Ref, dims: Sequence[int]) -> Any:
    count = len(dims)
    places = w.ints(*(within(dim, x.ndim) for dim in dims))
    return w.node("Slice", x, w.ints(*(-1,) * count), w.ints(*(-(2**62),) * count), places, w.ints(*(-1,) * count))


@rule("aten.roll.default")
def _roll(w: NodeWriter, x: Ref, shifts: Sequence[int], dims: Sequence[int] = ()) -> Any:
    if not dims:
        raise ValueError("roll is supported with dims=")
    y: Any = x
    for shift, dim in zip(shifts, dims, strict=True):
        size, place = x.size(within(dim, x.ndim)), w.ints(within(dim, x.ndim))
        if size is None and shift == 0:
            continue
        cut = -shift if size is None else (-shift) % size
        ends = (w.node("Slice", y, w.ints(cut), w.ints(_END), place), w.node("Slice", y, w.ints(0), w.ints(cut), place))
        y = w.node("Concat", *ends, axis=within(dim, x.ndim))
    return y


@rule("aten.pad.default", "aten.constant_pad_nd.default", "aten.reflection_pad1d.default",
      "aten.reflection_pad2d.default", "aten.replication_pad1d.default", "aten.replication_pad2d.default")  # fmt: skip
def _pad(w: NodeWriter, x: Ref, pad: Sequence[GraphSize], *options: Any, **named: Any) -> Any:
    if "reflection" in w.operation or "replication" in w.operation:
        mode: str = "reflect" if "reflection" in w.operation else "replicate"
        value = None
    elif "constant" in w.operation:
        mode, value = "constant", named.get("value", options[0] if options else 0)
    else:
        mode = named.get("mode", options[0] if options else "constant")
        value = named.get("value", options[1] if len(options) > 1 else None)
    before = [0] * (x.ndim - len(pad) // 2) + list(reversed(pad[::2]))
    after = [0] * (x.ndim - len(pad) // 2) + list(reversed(pad[1::2]))
    names = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
    filler = w.number(value or 0, x.dtype) if mode == "constant" else None
    return w.node("Pad", x, w.shape([*before, *after]), filler, mode=names[mode])


@rule("aten.unfold.default")
def _unfold(w: NodeWriter, x: Ref, dim: int, size: int, step: int) -> Any:
    """Windows along a dimension: the elements at numbers that are computed from its size."""
    place = within(dim, x.ndim)
    whole = w.scalar(size_of(w, x, place))
    starts = w.node("Range", *(w.number(0, torch.int64), w.node("Sub", whole, w.number(size - 1, torch.int64))),
                    w.number(step, torch.int64))  # fmt: skip
    inside = w.tensor(torch.arange(size).reshape(1, -1).numpy())
    numbers = w.node("Add", w.node("Unsqueeze", starts, w.ints(1)), inside)
    taken = w.node("Gather", x, numbers, axis=place)
    return moved(w, taken, [*range(place + 1), *range(place + 2, x.ndim + 1), place + 1])


@rule("aten.pixel_shuffle.default")
def _pixel_shuffle(w: NodeWriter, x: Ref, factor: int) -> Any:
    return w.node("DepthToSpace", x, blocksize=factor, mode="CRD")
