"""The scripts of benchmarks/: the character model's data, and that its numbers are torch's; what import times mean."""

import importlib.util
import re
from pathlib import Path

import pytest
import torch
from benchmarks.cross_entropy import calls_of

import recurra

ROOT = Path(__file__).parents[2]


def script(name="time_machine"):
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_corpus(tmp_path):
    path = tmp_path / "book.txt"
    path.write_text(
        "I.\n\nThe quick brown fox (1895) jumps over the lazy dog -- again, and AGAIN!\n" * 300, encoding="utf-8"
    )
    numbers, letters = script().corpus(path)
    assert (len(numbers), letters) == (10_000, 27)
    characters = " abcdefghijklmnopqrstuvwxyz"
    begin = "".join(characters[number] for number in numbers[:71])
    assert begin == "i the quick brown fox jumps over the lazy dog again and again i the qui"


def test_windows_follow_on_each_other():
    module = script()
    numbers = torch.arange(10_000)
    pairs = list(module.windows(numbers, 7))
    assert [tuple(x.shape) for x, _ in pairs] == [(35, 32)] * 8
    for x, y in pairs:
        assert torch.equal(x + 1, y)
    lanes = torch.cat([x for x, _ in pairs])
    assert torch.equal(lanes[1:], lanes[:-1] + 1)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_training_follows_torch(cell, capsys):
    module = script()
    numbers = torch.randint(27, (3_000,), generator=torch.Generator().manual_seed(0))

    made = module.train(cell, numbers, 27, 2, layers=2, with_torch=True)
    assert made["recurra"].perplexities == pytest.approx(made["torch.nn"].perplexities, rel=1e-5)
    assert made["recurra"].perplexities[1] < made["recurra"].perplexities[0]


def test_import_times_are_those_of_processes():
    times = script("import_time").measure(["pass", "import time; time.sleep(0.2)"], rounds=2)
    assert len(times) == 2
    assert all(0 < quick < slow and slow > 0.2 for quick, slow in times)


def test_import_times_are_over_the_row_before():
    text = script("import_time").report("recurra.runtime", [[0.01, 0.09, 0.12], [0.02, 0.08, 0.12], [0.01, 0.09, 0.11]])
    assert [line.split("ms")[0].split()[-1] for line in text.splitlines()] == ["10.0", "80.0", "30.0"]
    assert "recurra.runtime, over numpy" in text


def test_both_engines_train_the_same_text(tmp_path, monkeypatch, capsys):
    text, run = tmp_path / "text.txt", tmp_path / "run"
    text.write_text("the cat sat on the mat\n" * 200, encoding="utf-8")
    recurra.LanguageModel(hidden=8, batch_size=4, seq_len=16).fit(text, out=run, epochs=1)
    monkeypatch.setattr("sys.argv", ["text_speed.py", str(run), "--threads", "1", "--rounds", "2", "--updates", "3"])
    threads = torch.get_num_threads()
    try:
        script("text_speed").main()
    finally:
        torch.set_num_threads(threads)
    told = capsys.readouterr().out
    assert float(re.search(r"differ by (\S+) ", told)[1]) < 1e-6
    assert float(re.search(r"torch.nn: (\S+)", told)[1]) > 0


def test_the_sides_of_the_cross_entropy_agree():
    ours, in_pieces, theirs = (call() for call in calls_of(50, 6, 300))
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(in_pieces, theirs)
