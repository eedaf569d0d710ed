"""`recurra text sample`: what it prints, its options, and its JSON."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

Call = Any


def test_words(call: Call, runs: Path) -> None:
    code, out, err = call("text", "sample", runs / "word", "--prompt", "the zebra", "--length", 20, "--seed", 1)
    assert code == 0
    assert out.startswith("the zebra")
    assert len(err.splitlines()) == 1
    assert "zebra" in err
    assert "<unk>" in err


def test_line_ends_of_other_systems_are_those_of_the_training(call: Call, runs: Path) -> None:
    command = ("text", "sample", runs / "char", "--length", 20, "--seed", 1)
    assert call(*command, "--prompt", "the cat\r\n") == call(*command, "--prompt", "the cat\n")


def test_seeds_and_greedily(call: Call, runs: Path) -> None:
    command = ("text", "sample", runs / "char", "--length", 80)
    assert call(*command, "--seed", 1) == call(*command, "--seed", 1) != call(*command, "--seed", 2)
    assert call(*command, "--temperature", 0) == call(*command, "--temperature", 0, "--seed", 9)
    assert call(*command, "--temperature", 2, "--top-k", 1) == call(*command, "--temperature", 0)


def test_every_option_has_an_effect(call: Call, runs: Path) -> None:
    command = ("text", "sample", runs / "char", "--length", 200, "--temperature", 2, "--seed", 1)
    written = [
        call(*command, *more)[1]
        for more in (
            (),
            ("--top-k", 5),
            ("--top-p", 0.7),
            ("--min-p", 0.3),
            ("--repetition-penalty", 3),
            ("--temperature", 1),
            ("--stop", "a"),
            ("--length", 199),
        )
    ]
    assert len(set(written)) == len(written)


def test_stop(call: Call, runs: Path) -> None:
    command = ("text", "sample", runs / "char", "--prompt", "the ", "--seed", 1, "--length", 300)
    whole = call(*command)[1]
    stops = ("t on", "\nthe")
    expected = min(whole.index(stop, 4) for stop in stops)
    code, out, err = call(*command, "--stop", stops[0], "--stop", stops[1])
    assert (code, out, err) == (0, whole[:expected] + "\n", "")


def test_json(call: Call, runs: Path) -> None:
    command = ("text", "sample", runs / "char", "--prompt", "the ", "--stop", " ", "--stop", "t", "--length", 300)
    code, out, err = call(*command, "--json")
    assert (code, err, out.count("\n")) == (0, "", 1)
    content = json.loads(out)
    assert list(content) == ["prompt", "text", "tokens", "stopped", "settings", "seed"]
    assert content["settings"] == {
        "length": 300,
        "temperature": 0.8,
        "top_k": 0,
        "top_p": 1.0,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "stop": [" ", "t"],
    }
    assert content["stopped"]
    assert content["tokens"] == len(content["text"]) + 1
    # The seed that was drawn repeats the text.
    assert call(*command, "--seed", content["seed"])[1] == "the " + content["text"] + "\n"


def test_ctrl_c_ends_quietly(runs: Path) -> None:
    program = "import sys; from recurra.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "text", "sample", str(runs / "char"), "--length", "100000000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(5)
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.stderr.read() == b""
    assert process.returncode == 130
