"""What made a run, as config.json holds it."""

import json
import platform

import torch

from recurra.tasks import provenance as module
from recurra.tasks.provenance import cpuinfo, machine_name, provenance


def test_content():
    made = provenance(["recurra", "text", "train"], 3, 2)
    assert json.loads(json.dumps(made)) == made
    assert made["command"] == ["recurra", "text", "train"]
    assert (made["threads"], made["processes"]) == (3, 2)
    assert made["versions"]["python"] == platform.python_version()
    assert made["versions"]["torch"] == torch.__version__
    assert provenance(None, 1)["command"] is None


def test_the_machine(tmp_path, monkeypatch):
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: A CPU\n\nprocessor\t: 1\nmodel name\t: Other\n")
    monkeypatch.setattr(module, "_CPUINFO", tmp_path / "cpuinfo")
    assert cpuinfo() == {"processor": "0", "model name": "A CPU"}
    assert machine_name().startswith("A CPU, ")
    monkeypatch.setattr(module, "_CPUINFO", tmp_path / "none")
    assert cpuinfo() == {}
    assert platform.system() in machine_name()
