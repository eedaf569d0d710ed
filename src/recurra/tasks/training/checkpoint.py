"""The checkpoint: all that a training needs to go on, in one safetensors file; every field is checked when it is read.

The file holds tensors, whose names begin with their group (``weights/``, ``best/``, ``average/``, ``optimizer/``,
``carried/``, ``generators/``), the rows of metrics.jsonl as bytes, and in its metadata the numbers of a `Progress`,
a checksum of each tensor, and the checksum of the run's configuration.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recurra.errors import FileFormatError, RunError
from recurra.files import write_atomically
from recurra.model import safetensors
from recurra.program.serial import strict_json
from recurra.tasks.training.progress import Progress, read_progress

FORMAT = "1"
GROUPS = ("weights", "best", "average", "optimizer", "carried", "generators", "metrics")
_METADATA = {"format", "run", "progress", "sums"}

# The dtypes of the format, and torch's for them; uint8 is stored as int8.
_DTYPES: Mapping[torch.dtype, str] = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int8: "I8",
    torch.uint8: "I8",
}
_STORED = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
_STORED |= {"I64": torch.int64, "I8": torch.int8}


@dataclass(frozen=True)
class TrainingCheckpoint:
    """The content of a checkpoint.

    Attributes:
        progress: the position of the training.
        tensors: the tensors by names ``group/name``.
        metrics: the content of metrics.jsonl.
    """

    progress: Progress
    tensors: Mapping[str, Tensor]
    metrics: bytes

    def group(self, name: str) -> dict[str, Tensor]:
        """The tensors of a group, by the rest of their names."""
        return {full[len(name) + 1 :]: tensor for full, tensor in self.tensors.items() if full.startswith(f"{name}/")}


def grouped(name: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors with the name of a group before theirs."""
    return {f"{name}/{each}": tensor for each, tensor in tensors.items()}


def write_checkpoint(path: Path, checkpoint: TrainingCheckpoint, run: str) -> None:
    """Replace the checkpoint of a run in one step.

    Args:
        path: the file.
        checkpoint: its content.
        run: the checksum of the run's configuration.

    Raises:
        RunError: the file cannot be written; the one before is whole.
    """
    arrays = {name: _array(tensor) for name, tensor in checkpoint.tensors.items()}
    arrays["metrics"] = safetensors.Tensor("I8", np.frombuffer(checkpoint.metrics, np.int8))
    sums = {name: _checksum(array.data) for name, array in arrays.items()}
    metadata = {"format": FORMAT, "run": run, "progress": checkpoint.progress.to_text(), "sums": json.dumps(sums)}
    try:
        write_atomically(path, safetensors.pack(arrays, metadata))
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error.strerror or error}") from None
    except FileFormatError as error:
        raise RunError(f"{path} cannot be written: {error}") from None


def read_checkpoint(path: Path, run: str) -> TrainingCheckpoint:
    """Read and check a checkpoint of a run.

    Args:
        path: the file.
        run: the checksum of the run's configuration.

    Raises:
        RunError: the file is missing or damaged, or belongs to another run.
    """
    headers: list[tuple[Mapping[str, safetensors.Tensor], Progress, Mapping[str, int]]] = []
    try:
        safetensors.unpack(path, lambda arrays, metadata: headers.append((arrays, *_header(arrays, metadata, run))))
        ((arrays, progress, sums),) = headers
        for name, array in arrays.items():
            if _checksum(array.data) != sums[name]:
                raise RunError(f"{name} has other numbers than were written")
        tensors = {name: _tensor(array) for name, array in arrays.items() if name != "metrics"}
    except (FileFormatError, RunError) as error:
        raise RunError(f"{path} is damaged: {error}") from None
    except FileNotFoundError:
        raise RunError(f"{path} is missing: the run cannot go on") from None
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    return TrainingCheckpoint(progress, tensors, arrays["metrics"].data.tobytes())


def require_same(group: str, found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Refuse tensors that have not the names, shapes and dtypes of others.

    Raises:
        RunError: they differ; the message names the group.
    """
    if sorted(found) != sorted(expected):
        raise RunError(f"its {group} have other names than the model's")
    for name, tensor in found.items():
        other = expected[name]
        if tensor.shape != other.shape or _DTYPES[tensor.dtype] != _DTYPES.get(other.dtype):
            raise RunError(f"its {group} of {name} have another shape or dtype than the model's")


def _header(
    arrays: Mapping[str, safetensors.Tensor], metadata: Mapping[str, str], run: str
) -> tuple[Progress, Mapping[str, int]]:
    """The numbers and checksums of a checkpoint whose arrays are not read yet."""
    if metadata.keys() != _METADATA:
        raise RunError("it is no checkpoint of a training")
    if metadata["format"] != FORMAT:
        raise RunError(f"it has another format than {FORMAT}, perhaps of a newer recurra")
    if metadata["run"] != run:
        raise RunError("it belongs to another run, or config.json was changed")
    try:
        sums: Any = strict_json(metadata["sums"])
    except (ValueError, RecursionError) as error:
        raise RunError(f"its checksums cannot be read: {error}") from None
    if not isinstance(sums, dict) or sums.keys() != arrays.keys():
        raise RunError("its checksums are not those of its tensors")
    if "metrics" not in arrays or not all(name.partition("/")[0] in GROUPS for name in arrays):
        raise RunError("its tensors are not those of a training")
    return read_progress(metadata["progress"]), sums


def _array(tensor: Tensor) -> safetensors.Tensor:
    """A tensor as the file holds it: memory of the tensor itself where it is contiguous and on the CPU."""
    tensor = tensor.detach().cpu().contiguous()
    if tensor.dtype == torch.bfloat16:
        return safetensors.Tensor("BF16", tensor.view(torch.int16).numpy().view(np.uint16))
    if tensor.dtype == torch.uint8:
        tensor = tensor.view(torch.int8)
    return safetensors.Tensor(_DTYPES[tensor.dtype], tensor.numpy())


def _tensor(array: safetensors.Tensor) -> Tensor:
    """An array of a file in memory of torch's own, which is aligned as that of any other tensor."""
    tensor = torch.empty(array.data.shape, dtype=_STORED[array.dtype])
    if array.dtype == "BF16":
        tensor.view(torch.int16).numpy().view(np.uint16)[...] = array.data
    else:
        tensor.numpy()[...] = array.data
    return tensor


def _checksum(data: np.ndarray[Any, Any]) -> int:
    return zlib.crc32(np.ascontiguousarray(data).reshape(-1).view(np.uint8).data)
