"""The reasons why the engine cannot run, each in one line: what is missing, too old, or short of memory."""

import importlib.machinery
import sys
from types import ModuleType, SimpleNamespace

import pytest

from recurra.engines import reasons, triton

torch = pytest.importorskip("torch")

NO_DRIVER = (
    "Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU and installed a driver from "
    "http://www.nvidia.com/Download/index.aspx"
)
OLD_DRIVER = (
    "The NVIDIA driver on your system is too old (found version 11040). Please update your GPU driver by downloading "
    "and installing a new version from the URL: http://www.nvidia.com/Download/index.aspx Alternatively, go to: "
    "https://pytorch.org to install a PyTorch version that has been compiled with your version of the CUDA driver."
)


@pytest.fixture
def found(monkeypatch):
    """The engine's reason, with functions of torch's that answer as on another machine."""
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    monkeypatch.delitem(sys.modules, "triton", raising=False)
    spec = importlib.machinery.ModuleSpec

    def reason(*, missing=(), cuda="12.8", hip=None, init=None, capability=(9, 0), module=None):
        def initialised():
            if init is not None:
                raise RuntimeError(init)

        monkeypatch.setattr(triton, "find_spec", lambda name: None if name in missing else spec(name, None))
        monkeypatch.setattr(torch, "version", SimpleNamespace(cuda=cuda, hip=hip))
        monkeypatch.setattr(torch.cuda, "current_device", initialised)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Tesla V100")
        if module is not None:
            monkeypatch.setitem(sys.modules, "triton", module)
        triton._missing.cache_clear()
        told = reasons()["triton"]
        triton._missing.cache_clear()
        assert told is None or "\n" not in told
        return told

    return reason


def test_what_is_not_installed(found):
    assert found(missing=("torch", "triton")) == "torch is not installed"
    assert found(missing=("triton",)) == "Triton is not installed: pip install 'recurra[gpu]'"
    assert found(cuda=None) == "this build of torch has no CUDA"


def test_a_driver_that_is_missing_or_old(found):
    assert found(init=NO_DRIVER) == "torch finds no GPU: Found no NVIDIA driver on your system"
    assert found(init=OLD_DRIVER).endswith("The NVIDIA driver on your system is too old (found version 11040)")
    assert found(init="No CUDA GPUs are available") == "torch finds no GPU: No CUDA GPUs are available"
    assert found(init="") == "torch finds no GPU: RuntimeError"


def test_a_gpu_that_is_too_old(found):
    told = "it needs a GPU of compute capability 8.0 or later; Tesla V100 has 7.0"
    assert found(capability=(7, 0)) == told
    assert found(capability=(7, 0), cuda=None, hip="6.4", module=ready()) is None, "AMD counts in another way"


def test_a_gpu_that_is_there(found):
    assert found(module=ready()) is None
    assert found(module=ready(), capability=(10, 0)) is None


def test_a_broken_triton(found, monkeypatch):
    monkeypatch.setitem(sys.modules, "triton", None)
    assert found() == "Triton cannot be imported: ModuleNotFoundError: import of triton halted; None in sys.modules"


def ready():
    """A module in Triton's place that does not interpret."""
    module = ModuleType("triton")
    module.knobs = SimpleNamespace(runtime=SimpleNamespace(interpret=False))
    return module
