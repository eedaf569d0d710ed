"""A program that torch.export saved runs in another process, which has never seen the module."""

import subprocess
import sys

import torch

from tests.nn.support import ours


def test_no_operator_takes_an_empty_list():
    """AOTInductor's packages pass None for an empty list, which the operator would refuse."""
    program = torch.export.export(ours.LSTM(3, 4).eval(), (torch.randn(5, 2, 3),))
    scans = [node for node in program.graph.nodes if "recurra" in str(node.target)]
    assert scans
    assert all(given != [] for node in scans for given in node.args)


def test_saved_here_and_loaded_there(tmp_path):
    layer = ours.GRU(3, 4, num_layers=2, bidirectional=True).eval()
    x = torch.randn(5, 2, 3)
    steps, batch = torch.export.Dim("steps", min=1), torch.export.Dim("batch", min=1)
    program = torch.export.export(layer, (x,), dynamic_shapes=({0: steps, 1: batch},))
    torch.export.save(program, tmp_path / "layer.pt2")
    other = torch.randn(9, 1, 3)
    torch.save((other, layer(other)[0].detach()), tmp_path / "expected.pt")
    code = (
        "import sys, torch, recurra.nn\n"
        "layer = torch.export.load(sys.argv[1] + '/layer.pt2').module()\n"
        "x, expected = torch.load(sys.argv[1] + '/expected.pt')\n"
        "torch.testing.assert_close(layer(x)[0], expected)\n"
    )
    run = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
