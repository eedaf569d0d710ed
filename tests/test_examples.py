"""Every example runs as it is, by itself, and prints the expected lines; it compares numbers itself."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
MS = r"\d+\.\d ms"
TINY = r"\d\.\de-0[5-9]|\d\.\de-\d\d|0\.0e\+00"
SHORTER = {"your_own_cell.py": ["--updates", "3"]}  # arguments for less work
PRINTS = {
    "accelerate_a_model.py": [
        r"replaced encoder \(GRU\)",
        rf"loss (\d\.\d{{5}})\d and \1\d; gradients differ by at most ({TINY})",
        rf"one training step: torch\.nn {MS}, accelerated {MS}",
        r"restored: True",
    ],
    "lstm_from_scratch.py": [
        rf"outputs \(1120, 28\), largest difference ({TINY})",
        rf"one training step: from scratch {MS}, as a cell {MS}",
        r"the cell takes \d+\.\d\d times the time of the loop",
    ],
    "onnx_both_ways.py": [
        rf"exported: 1 Scan among \d+ nodes; onnxruntime differs by ({TINY})",
        rf"loaded: y \(30, 2, 2, 8\), h_n \(2, 2, 8\), c_n \(2, 2, 8\); onnxruntime differs by ({TINY})",
    ],
    "own_cell.py": [
        r"output \(7, 3, 32\) lengths \[5, 3, 7\] h_n \(4, 3, 16\) c_n \(4, 3, 16\)",
        r"mean of the forget gate in layer 1, backwards: 0\.7\d+",
        r".*\bcoupled\b.*",
    ],
    "stream_without_torch.py": [
        r"120 steps one by one: the bits of the whole sequence",
        r"the state is \d+ bytes; another process reads it and goes on",
        r"its 80 steps: the bits of the whole sequence",
        r"3 streams in one call: the bits of each alone",
    ],
    "train_export_sample.py": [
        r"Best: step \d+, perplexity 1\.\d\d, 0\.\d{3} bits per character",
        r"….model\.safetensors  2\d\.\d\d kB  \(was 6\d\.\d\d kB\)",
        r"bits per token \d\.\d{4} → \d\.\d{4}, of text that the model wrote",
        r"without torch, 120 characters:",
        r"\| one, two, three, four, five, .*twelve;",
    ],
    "your_own_cell.py": [
        r"ok     gradients  .*",
        r"in each step      no product, elementwise equations alone",
        r"ledger is sound: .*",
        r"ledger   error 0\.\d{4} after 3 updates, \d+\.\d s, 4,736 weights",
        r"lstm     error \d\.\d{4} after 3 updates, \d+\.\d s, 17,408 weights",
    ],
}


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_runs(path, tmp_path):
    run = subprocess.run(
        [sys.executable, path, *SHORTER.get(path.name, [])], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    lines = iter(run.stdout.splitlines())
    for pattern in PRINTS[path.name]:  # in this order
        assert any(re.fullmatch(pattern, line) for line in lines), (pattern, run.stdout)
    assert list(tmp_path.iterdir()) == []


def test_the_examples_are_listed():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert not [path.name for path in EXAMPLES if f"(examples/{path.name})" not in readme]
