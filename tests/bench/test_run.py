"""A whole run: processes, files, a process that dies; and the command."""

import signal

import pytest

from recurra.bench import memory, run
from recurra.bench.cases import Case, CaseShape
from recurra.bench.records import CaseTimes, Started, append
from recurra.bench.settings import BenchSettings
from recurra.bench.worker import WorkOrder
from recurra.cli import main
from recurra.errors import RunError


@pytest.mark.slow
def test_the_command(tmp_path, capsys):
    path = tmp_path / "results.md"
    arguments = ["--quick", "--only", "stream", "--peer", "torch", "--threads", "1", "--output", str(path)]
    assert main(["bench", *arguments]) == 0
    assert capsys.readouterr().out == f"The results are in {path}.\n"
    page = path.read_text(encoding="utf-8")
    assert page.count("| 1,1,128,128,1 | training | 1 |") == 6, "three cells, beside torch and beside the floor"
    assert "AttributeError" not in page
    assert "differs by" not in page
    assert "against jax" not in page


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--peer", "keras"], "--peer: there is no 'keras'"),
        (["--only", "nothing"], "nothing is left to time"),
        (["--threads", "0"], "--threads must be 1 or more"),
        (["--output", "no/such/folder/page.md"], "there is no folder"),
    ],
)
def test_bad_options(arguments, message, capsys):
    assert main(["bench", *arguments]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1


def dying(codes, finished):
    """A process that begins a case, ends it if `finished`, and exits with the next of `codes`."""
    orders = []

    def start(arguments, environment, given):
        order = WorkOrder.from_json(given)
        orders.append(order)
        code = codes[len(orders) - 1]
        for case in order.cases():
            append(run.Path(order.path), Started(case.name, order.threads))
            if code and not finished:
                break
            append(run.Path(order.path), CaseTimes(case.name, order.threads, {"recurra": [1.0], "torch": [1.0]}))
            if code:
                break
        return code

    return start, orders


@pytest.mark.parametrize("finished", [False, True])
def test_a_case_that_kills_its_process(monkeypatch, finished):
    start, orders = dying([-signal.SIGSEGV, 0], finished)
    monkeypatch.setattr(run, "_python", start)
    said = []
    outcome = run.run(BenchSettings(only="stream", peers=("torch",), threads=(1,)), said.append)
    assert len(orders) == 2
    assert orders[1].done == ("stream lstm 1,1,128,128,1 inference",)
    records = [line for line in outcome.lines if isinstance(line, CaseTimes)]
    assert [bool(record.failures) for record in records] == [not finished] + [False] * 5
    if not finished:
        assert records[0].failures == {"torch": "the process ended by signal SIGSEGV"}
    assert len(said) == 1


def test_a_process_that_cannot_begin(monkeypatch):
    monkeypatch.setattr(run, "_python", lambda *arguments: 1)
    with pytest.raises(RunError, match="ended with exit code 1 before its first case"):
        run.run(BenchSettings(only="stream", peers=("torch",), threads=(1,)))


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(run, "_python", lambda *arguments: 0)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "jax" else object())
    said = []
    outcome = run.run(BenchSettings(only="stream", threads=(1, 10_000)), said.append)
    assert outcome.missing == {"jax": ("jax",)}
    assert said == ["jax is left out: jax is not installed"]
    assert outcome.left_out == (10_000,)


def test_what_is_kept_for_the_backward_pass():
    case = Case("memory", "lstm", CaseShape(50, 16, 1, 32), True)
    for side in memory.SIDES:
        kept = memory.kept(side, case)
        assert kept.output == 50 * 16 * 32 * 4
        assert kept.saved > kept.output
    assert memory.resident() > 1 << 20
