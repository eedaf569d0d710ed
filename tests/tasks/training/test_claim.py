"""A run folder has one training at a time, and none that was killed."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from recurra.errors import RunError
from recurra.tasks.run import RunFolder, create_run
from recurra.tasks.training.claim import claimed
from recurra.tasks.training.loop import fit
from recurra.tasks.training.processes import OneProcess
from recurra.tasks.training.settings import TrainingSettings
from tests.tasks.training.jobs import Events, Series

SETTINGS = TrainingSettings("adamw", 0.02, epochs=1, patience=0)
HOLDS = """
import sys, time
from pathlib import Path
from recurra.tasks.run import open_run
from recurra.tasks.training.claim import claimed
from recurra.tasks.training.processes import OneProcess

with claimed(open_run(Path(sys.argv[1])), OneProcess()):
    print("claimed", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return create_run(tmp_path / "run", {"task": "test"})


def test_a_second_training_is_refused_and_changes_nothing(run: RunFolder) -> None:
    refusals = []

    def train_again(_: object) -> None:
        before = {path.name: path.read_bytes() for path in run.folder.iterdir()}
        with pytest.raises(RunError, match="is being trained by another process: wait for its end, or stop it") as told:
            fit(Series(), SETTINGS, run, resumes=True)
        refusals.append(str(told.value))
        assert {path.name: path.read_bytes() for path in run.folder.iterdir()} == before

    outcome = fit(Series(), SETTINGS, run, [Events(train_again)])
    assert refusals
    assert fit(Series(), SETTINGS, run, resumes=True).step == outcome.step


def test_a_training_without_a_folder_claims_nothing() -> None:
    with claimed(None, OneProcess()), claimed(None, OneProcess()):
        fit(Series(), replace(SETTINGS, epochs=1))


def test_a_killed_process_leaves_no_claim(run: RunFolder) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDS, str(run.folder)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "claimed\n"
        with pytest.raises(RunError, match="another process"), claimed(run, OneProcess()):
            pass
        process.kill()
    with claimed(run, OneProcess()):
        pass


def test_a_folder_whose_files_cannot_be_locked_is_trained_into(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("recurra.tasks.training.claim.fcntl.flock", refuse)
    with claimed(run, OneProcess()), claimed(run, OneProcess()):
        pass
