"""DistributedDataParallel over two processes: the gradient is the mean over all rows."""

import gc
import os

import pytest
import torch
from torch import distributed, multiprocessing
from torch.nn.parallel import DistributedDataParallel

from tests.nn.support import LAYERS, assert_same, ours

F, H, T, B, PROCESSES = 3, 4, 5, 4, 2


class Model(torch.nn.Module):
    """All three layers, one on top of the other."""

    def __init__(self):
        super().__init__()
        sizes = [F, 2 * H, 2 * H]
        self.layers = torch.nn.ModuleList(
            getattr(ours, name)(size, H, bidirectional=True, dtype=torch.float64)
            for name, size in zip(LAYERS, sizes, strict=True)
        )

    def forward(self, x):
        for layer in self.layers:
            x, _ = layer(x)
        return x


def problem():
    torch.manual_seed(0)
    return Model(), torch.randn(T, B, F, dtype=torch.float64)


def worker(rank, file, results):
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{file}", rank=rank, world_size=PROCESSES)
    try:
        model, x = problem()
        parallel = DistributedDataParallel(model)
        parallel(x.chunk(PROCESSES, 1)[rank]).square().mean().backward()
        torch.save([parameter.grad for parameter in model.parameters()], f"{results}-{rank}")
    finally:
        # The group must go last: DDP's reducer would end its threads under Python's lock, for which they may wait.
        parallel = None
        gc.collect()
        distributed.destroy_process_group()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_two_processes(tmp_path):
    multiprocessing.spawn(worker, args=(tmp_path / "rendezvous", tmp_path / "gradients"), nprocs=PROCESSES)
    model, x = problem()
    model(x).square().mean().backward()
    expected = [parameter.grad for parameter in model.parameters()]
    for rank in range(PROCESSES):
        assert_same(torch.load(f"{tmp_path / 'gradients'}-{rank}", weights_only=True), expected)
