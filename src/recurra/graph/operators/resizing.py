"""Resize and Upsample: numbers between and beyond those of an array, one axis after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recurra.graph.operators.limits import checked_shape
from recurra.graph.table import Array, one_of, operator

_TRANSFORMATIONS: dict[str, Callable[[Array, Any, int, int, Array], Array]] = {
    # The place in x for places in the result: of scale, the sizes of both, and the region of interest on this axis.
    "half_pixel": lambda i, scale, old, new, roi: (i + _F(0.5)) / scale - _F(0.5),
    "half_pixel_symmetric": lambda i, scale, old, new, roi: (
        _F(old / 2) * (1 - _F(new) / _F(scale * old)) + (i + _F(0.5)) / scale - _F(0.5)
    ),
    "pytorch_half_pixel": lambda i, scale, old, new, roi: (i + _F(0.5)) / scale - _F(0.5) if new > 1 else _F(0) * i,
    "align_corners": lambda i, scale, old, new, roi: i * _F((old - 1) / (new - 1)) if new > 1 else _F(0) * i,
    "asymmetric": lambda i, scale, old, new, roi: i / scale,
    "tf_crop_and_resize": lambda i, scale, old, new, roi: (
        roi[0] * (old - 1) + i * (roi[1] - roi[0]) * (old - 1) / (new - 1)
        if new > 1
        else _F(0.5) * (roi[0] + roi[1]) * (old - 1) + _F(0) * i
    ),
}
_NEAREST: dict[str, Callable[[Array], Array]] = {
    "round_prefer_floor": lambda place: np.ceil(place - _F(0.5)),
    "round_prefer_ceil": lambda place: np.floor(place + _F(0.5)),
    "floor": np.floor,
    "ceil": np.ceil,
}
_F = np.float32


@dataclass(frozen=True)
class _Resizing:
    """The options of a node: how places in the result become places in x, and numbers between those of x."""

    mode: str
    transformation: str
    nearest: str
    cubic: float
    excludes_outside: bool
    extrapolation: float

    def along(self, x: Array, axis: int, size: int, scale: Any, roi: Array) -> Array:
        """Resize one axis of x."""
        old = x.shape[axis]
        checked_shape((*x.shape[:axis], size, *x.shape[axis + 1 :]), np.dtype(np.float64))
        if old < 1 and size > 0:
            raise ValueError(f"axis {axis} has no element")
        place = _TRANSFORMATIONS[self.transformation](np.arange(size, dtype=_F), _F(scale), old, size, roi).astype(_F)
        shape = [1] * x.ndim
        shape[axis] = -1
        result: Any = 0
        for taken, weight in self._taps(place, old):
            part = x.take(np.clip(taken, 0, old - 1), axis)
            result = part if weight is None else result + part * weight.reshape(shape)
        if self.transformation == "tf_crop_and_resize":
            outside = (place < 0) | (place > old - 1)
            result = np.where(outside.reshape(shape), x.dtype.type(self.extrapolation), result)
        return result

    def _taps(self, place: Array, old: int) -> list[tuple[Array, Array | None]]:
        """For each place the elements of x that it is made of, with their weights; None stands for one."""
        if self.mode == "nearest":
            return [(_NEAREST[self.nearest](place).astype(np.int64), None)]
        if self.mode == "linear":
            place = np.clip(place, 0, old - 1)
        begin = np.floor(place)
        ratio, first = place - begin, begin.astype(np.int64)
        if self.mode == "linear":
            return [(first, 1 - ratio), (first + 1, ratio)]
        taps = [(first + k, self._cubic_weight(np.abs(ratio - k))) for k in (-1, 0, 1, 2)]
        if not self.excludes_outside:
            return list(taps)
        inside = [(taken, np.where((taken >= 0) & (taken < old), weight, _F(0))) for taken, weight in taps]
        total = sum(weight for _, weight in inside)
        return [(taken, weight / total) for taken, weight in inside]

    def _cubic_weight(self, distance: Array) -> Array:
        """The weight of an element by its distance (Keys 1981, eq. 4)."""
        a, d = _F(self.cubic), distance
        near = ((a + 2) * d - (a + 3)) * d * d + 1
        far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
        return np.where(d <= 1, near, far)


def _resized(x: Array, how: _Resizing, sizes: Sequence[int], scales: Sequence[Any], rois: Sequence[Array]) -> Array:
    checked_shape(sizes, x.dtype)
    values = x if how.mode == "nearest" or x.dtype.kind == "f" else x.astype(_F)
    for axis, (size, scale, roi) in enumerate(zip(sizes, scales, rois, strict=True)):
        is_cropped = how.transformation == "tf_crop_and_resize" and tuple(roi) != (0, 1)
        if size != x.shape[axis] or scale != 1 or is_cropped:
            values = how.along(values, axis, size, scale, roi)
    if x.dtype.kind in "iu" and values.dtype != x.dtype:
        limits = np.iinfo(x.dtype)
        values = np.clip(np.trunc(values), limits.min, limits.max)
    return values.astype(x.dtype, copy=False)


def _kept_aspect(wanted: Array, old: Array, policy: str) -> tuple[Array, Array]:
    """The sizes and scales for wanted sizes: with a policy the same scale for all axes."""
    scales = wanted.astype(_F) / old.astype(_F)
    if policy == "stretch":
        return wanted, scales
    scale = scales.min() if policy == "not_larger" else scales.max()
    return np.floor(old * scale + _F(0.5)).astype(np.int64), np.full(len(wanted), scale)


@operator(
    "Resize",
    since=11,
    antialias=one_of(0),
    coordinate_transformation_mode=one_of(*_TRANSFORMATIONS),
    keep_aspect_ratio_policy=one_of("stretch", "not_larger", "not_smaller"),
    mode=one_of("nearest", "linear", "cubic"),
    nearest_mode=one_of(*_NEAREST),
)
def resize(
    x: Array,
    roi: Array | None = None,
    scales: Array | None = None,
    sizes: Array | None = None,
    *,
    antialias: int = 0,
    axes: Sequence[int] | None = None,
    coordinate_transformation_mode: str = "half_pixel",
    cubic_coeff_a: float = -0.75,
    exclude_outside: int = 0,
    extrapolation_value: float = 0.0,
    keep_aspect_ratio_policy: str = "stretch",
    mode: str = "nearest",
    nearest_mode: str = "round_prefer_floor",
) -> Array:
    """x at other sizes, given as these or as scales, of all axes or of ``axes``."""
    chosen = [axis % x.ndim for axis in (range(x.ndim) if axes is None else axes)]
    whole_sizes, whole_scales = list(x.shape), [_F(1)] * x.ndim
    rois = [np.array([0, 1], _F)] * x.ndim
    old = np.array([x.shape[axis] for axis in chosen])
    if scales is not None and scales.size:
        if scales.shape != old.shape or not (scales > 0).all():
            raise ValueError(f"scales must be {len(chosen)} numbers above 0; got {scales.tolist()}")
        found = scales.astype(_F)
        wanted = np.floor(old.astype(_F) * found).astype(np.int64)
    elif sizes is not None and sizes.shape == old.shape:
        wanted, found = _kept_aspect(sizes, old, keep_aspect_ratio_policy)
    else:
        raise ValueError(f"{len(chosen)} scales or sizes are needed")
    for number, axis in enumerate(chosen):
        whole_sizes[axis], whole_scales[axis] = int(wanted[number]), found[number]
        if coordinate_transformation_mode == "tf_crop_and_resize":
            if roi is None or roi.shape != (2 * len(chosen),):
                raise ValueError(f"roi must be {2 * len(chosen)} numbers")
            rois[axis] = roi[[number, len(chosen) + number]].astype(_F)
    how = _Resizing(
        mode, coordinate_transformation_mode, nearest_mode, cubic_coeff_a, bool(exclude_outside), extrapolation_value
    )
    return _resized(x, how, whole_sizes, whole_scales, rois)


def _by_scales(x: Array, scales: Array, mode: str) -> Array:
    """x at scales, as versions of the operators before 11 do it."""
    how = _Resizing(mode, "asymmetric", "floor", 0.0, False, 0.0)
    if scales.shape != (x.ndim,) or not (scales > 0).all():
        raise ValueError(f"scales must be {x.ndim} numbers above 0; got {scales.tolist()}")
    sizes = np.floor(np.array(x.shape, _F) * scales.astype(_F)).astype(np.int64)
    return _resized(x, how, sizes.tolist(), scales.astype(_F).tolist(), [np.array([0, 1], _F)] * x.ndim)


@operator("Resize", since=10, until=10, mode=one_of("nearest", "linear"))
@operator("Upsample", since=9, until=9, mode=one_of("nearest", "linear"))
def upsample(x: Array, scales: Array, *, mode: str = "nearest") -> Array:
    """x at scales."""
    return _by_scales(x, scales, mode)


@operator("Upsample", since=7, until=8, mode=one_of("nearest", "linear"))
def upsample_by_attribute(x: Array, *, mode: str = "nearest", scales: Sequence[float]) -> Array:
    """x at scales."""
    return _by_scales(x, np.array(scales, _F), mode)
