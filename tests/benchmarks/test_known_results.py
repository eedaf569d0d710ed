"""The tasks of known results: their data, that training lowers the loss, and that rows are stored once."""

import json

import pytest
import torch
from benchmarks.known_results import Network, Task, adding, copying, main, tasks, write

import recurra
from benchmarks import known_results


def test_the_adding_problem():
    x, sums = adding(7, torch.Generator().manual_seed(0))
    assert x.shape == (200, 7, 2)
    for half in (x[:100], x[100:]):
        assert torch.equal(half[:, :, 1].sum(0), torch.ones(7))
    assert torch.equal((x[:, :, 0] * x[:, :, 1]).sum(0), sums[:, 0])


def test_copy_memory():
    x, wanted = copying(3, torch.Generator().manual_seed(0))
    given = x.argmax(-1)
    assert x.shape == (120, 3, 10)
    assert torch.equal(wanted[110:], given[:10])
    assert not wanted[:110].any()
    assert (given[109] == 9).all()  # the sign
    assert not given[10:109].any()
    assert not given[110:].any()


@pytest.mark.parametrize("name", ["adding", "copy"])
def test_a_run(name, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(known_results, "CHECK", 4)
    monkeypatch.setattr(known_results, "adding", lambda count, numbers: adding(min(count, 20), numbers, 20))
    monkeypatch.setattr(known_results, "copying", lambda count, numbers: copying(min(count, 8), numbers))
    monkeypatch.setattr(known_results, "FIGURES", tmp_path / "rows.json")
    threads = torch.get_num_threads()
    try:
        main(
            [name, "--cell", "min_gru", "--updates", "8", "--hidden", "4", "--lr", "0.03", "--threads", "1", "--write"]
        )
    finally:
        torch.set_num_threads(threads)
    lines = capsys.readouterr().out.splitlines()
    first, last = (float(line.split()[-1]) for line in lines[:2])
    assert last < first
    [row] = json.loads((tmp_path / "rows.json").read_text())
    assert (row["task"], row["cell"], row["updates"], row["result"], row["reached"]) == (
        name,
        "min_gru",
        8,
        last,
        False,
    )


def test_indrnn_begins_with_long_memories_and_cannot_grow():
    network = Network(recurra.cells.indrnn, tasks()["adding"](), 8, 2)
    first, last = (network.layer.get_parameter(f"u_l{k}").detach() for k in range(2))
    assert (last**200 >= 0.4999).all()
    assert not (first**200 >= 0.4999).all()
    first.fill_(-3.0)
    last.fill_(1.5)
    network.bound(200)
    assert torch.allclose(first.abs() ** 200, torch.tensor(2.0), rtol=1e-3)
    assert torch.allclose(last**200, torch.tensor(2.0), rtol=1e-3)


def test_a_row_takes_the_place_of_an_older_one(tmp_path, monkeypatch):
    monkeypatch.setattr(known_results, "FIGURES", tmp_path / "rows.json")
    row = {"task": "copy", "cell": "lstm", "seed": 0, "result": 0.2}
    write([row, {**row, "seed": 1}])
    write([{**row, "result": 0.1}])
    assert [each["result"] for each in json.loads((tmp_path / "rows.json").read_text())] == [0.1, 0.2]


def test_goals():
    task: Task = tasks()["copy"]()
    assert task.goal < 10 * torch.log(torch.tensor(8.0)) / 120
    assert task.is_reached(task.goal - 0.001)
    assert not task.is_reached(task.goal + 0.001)
    assert not task.is_reached(float("nan"))
