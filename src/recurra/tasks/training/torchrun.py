"""The processes that torchrun has started, on one machine or several, as ``Processes``."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta

import torch
from torch import Tensor, distributed
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from recurra.errors import RunError
from recurra.tasks.training.launch import Launch

# A dead process is noticed at once, as its connections end; a machine without power or network only by its silence.
SILENCE = timedelta(seconds=20)
# Processes start, read texts and write files at their own pace.
PATIENCE = timedelta(minutes=10)
ASKING = timedelta(seconds=5)  # torchrun's store answers within milliseconds


class LostProcessError(RunError):
    """Another process has ended, or does not answer."""


class TorchrunProcesses:
    """The processes of torchrun, in the form of ``Processes``: gloo joins them, and NCCL for gradients on CUDA.

    Sums are taken in the same order in every run with as many processes, and all processes get the same bits.

    Args:
        launch: the number of this process; the environment has the rest, MASTER_ADDR and MASTER_PORT.

    Raises:
        RunError: the others were not found within 10 minutes, or there is no GPU for this process.
    """

    def __init__(self, launch: Launch) -> None:
        self.rank, self.count, self.local_rank = launch.rank, launch.count, launch.local_rank
        self.is_first = launch.rank == 0
        self.device = _device(launch)
        self._launcher = os.getppid()
        self._is_patient = True
        try:
            self._store = self._met()
            # The connections are made one after the other, each within the time limit.
            backend = "gloo" if self.device.type == "cpu" else "cpu:gloo,cuda:nccl"
            distributed.init_process_group(
                backend, store=self._store, rank=self.rank, world_size=self.count, timeout=SILENCE
            )
            self._patient = distributed.new_group(backend="gloo", timeout=PATIENCE)
        except (RuntimeError, ValueError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
            raise RunError(f"process {self.rank} of {self.count} did not find the others: {reason}") from None

    def _met(self) -> Store:
        """Meet the others in torchrun's store, where the slowest may come minutes after the first."""
        whole, _, _ = next(rendezvous("env://", self.rank, self.count, timeout=PATIENCE))
        again = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")  # after a restart the store may be the old one
        store = PrefixStore(f"recurra/{again}", whole)
        store.set(f"here/{self.rank}", "")
        store.wait([f"here/{rank}" for rank in range(self.count)], PATIENCE)
        store.set_timeout(ASKING)
        return store

    def reduce(self, gradients: Sequence[Tensor], numbers: Sequence[float]) -> list[float]:
        """Sum gradients in place, and numbers; see ``Processes``.

        If the process that started this one is gone, the signal SIGTERM is raised, as nobody else would send it.

        Raises:
            LostProcessError: another process has ended, or has not answered for 20 seconds; for 10 minutes after any
                other call, as process 0 may be writing files then.
        """
        sums = torch.tensor(numbers, dtype=torch.float64)
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        group, self._is_patient = self._patient if self._is_patient else None, False
        with _watched(self.count):
            work = distributed.all_reduce(sums, group=group, async_op=True)
            if group is not None or self.device.type != "cpu":
                work.wait()  # before the impatient sum begins, or that of NCCL, which does not notice a lost process
            distributed.all_reduce(flat)
            work.wait()
        sizes = [gradient.numel() for gradient in gradients]
        for gradient, total in zip(gradients, torch.split(flat, sizes), strict=True):
            gradient.copy_(total.view_as(gradient))
        if os.getppid() != self._launcher:
            self._launcher = os.getppid()  # one signal is enough
            signal.raise_signal(signal.SIGTERM)
        return sums.tolist()

    def sum(self, numbers: Sequence[float]) -> list[float]:
        """Sum numbers; waits for up to 10 minutes, in which others may evaluate more or write files.

        Raises:
            LostProcessError: another process has ended or does not answer.
        """
        sums = torch.tensor(numbers, dtype=torch.float64)
        self._add(sums)
        return sums.tolist()

    def gather(self, tensors: Sequence[Tensor], dim: int) -> list[Tensor] | None:
        """Join tensors in process 0; see ``Processes``.

        Raises:
            LostProcessError: another process has ended or does not answer.
        """
        lengths = torch.zeros(len(tensors), self.count, dtype=torch.int64)
        lengths[:, self.rank] = torch.tensor([tensor.shape[dim] for tensor in tensors])
        self._add(lengths)
        gathered = [self._gathered(tensor, of.tolist(), dim) for tensor, of in zip(tensors, lengths, strict=True)]
        return [tensor for tensor in gathered if tensor is not None] if self.is_first else None

    def share(self, tensors: Sequence[Tensor]) -> None:
        """Overwrite the tensors of the others with those of process 0; see ``Processes``.

        Raises:
            LostProcessError: another process has ended or does not answer.
        """
        self._is_patient = True
        for tensor in tensors:
            content = tensor.detach().cpu().contiguous()
            with _watched(self.count):
                distributed.broadcast(content, 0, group=self._patient)
            tensor.detach().copy_(content)

    def same(self, content: bytes) -> bool:
        """Whether all processes call this with the same bytes."""
        digest = torch.frombuffer(bytearray(hashlib.sha256(content).digest()), dtype=torch.uint8).to(torch.int64)
        first = digest.clone()
        self.share([first])
        return self.sum([float(not torch.equal(digest, first))]) == [0.0]

    def tell_once(self, tell: Callable[[], None]) -> None:
        """Call a function in the first of all processes that comes here; the others wait for it, some seconds at most.

        It is called once on each machine where torchrun's store is gone.
        """
        try:
            if self._store.add("telling", 1) == 1:
                tell()
                self._store.set("told", "")
            else:
                self._store.wait(["told"], ASKING)
        except RuntimeError:
            if self.local_rank == 0:
                tell()

    def close(self) -> None:
        """Leave the others."""
        with contextlib.suppress(RuntimeError):
            distributed.destroy_process_group()

    def _add(self, sums: Tensor) -> None:
        self._is_patient = True
        with _watched(self.count):
            distributed.all_reduce(sums, group=self._patient)

    def _gathered(self, tensor: Tensor, lengths: list[int], dim: int) -> Tensor | None:
        """The tensors of all processes joined, in process 0; they travel as bytes, filled up to the longest."""
        own = tensor.detach().cpu().movedim(dim, 0)
        sent = own.new_zeros(max(lengths), *own.shape[1:])
        sent[: len(own)] = own
        places = [torch.empty_like(sent) for _ in lengths] if self.is_first else None
        with _watched(self.count):
            distributed.gather(
                _bytes(sent), None if places is None else [_bytes(each) for each in places], group=self._patient
            )
        if places is None:
            return None
        whole = torch.cat([each[:length] for each, length in zip(places, lengths, strict=True)])
        return whole.movedim(0, dim).contiguous().to(tensor.device)


def _bytes(tensor: Tensor) -> Tensor:
    return tensor.reshape(-1).view(torch.uint8)


def _device(launch: Launch) -> torch.device:
    if not torch.cuda.is_available():
        return torch.device("cpu")
    if launch.local_rank >= torch.cuda.device_count():
        have = f"this machine has {torch.cuda.device_count()}"
        raise RunError(f"process {launch.rank} of {launch.count} has no GPU: {have}; lower --nproc-per-node")
    return torch.device("cuda", launch.local_rank)


@contextlib.contextmanager
def _watched(count: int) -> Iterator[None]:
    """Turn the errors of a collective into a LostProcessError; gloo knows the address of the lost process alone."""
    try:
        yield
    except RuntimeError as error:
        reason = "does not answer" if "imed out" in str(error) else "has ended"
        raise LostProcessError(
            f"one of the {count} processes {reason}, and the others cannot go on without it"
        ) from None
