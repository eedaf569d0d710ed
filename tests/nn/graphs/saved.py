"""Modules saved as graphs, beside what the modules compute."""

import numpy as np
import torch

import recurra


def saved(module, example, tmp_path, **options):
    path = tmp_path / "m.safetensors"
    recurra.save(module, path, example=example, **options)
    return recurra.runtime.load(path)


def leaves(value):
    if isinstance(value, torch.Tensor):
        return [value]
    return [leaf for each in (value.values() if isinstance(value, dict) else value) for leaf in leaves(each)]


def check(model, module, *call):
    with torch.no_grad():
        wanted = leaves(module.eval()(*call))
    found = model.run(
        None, dict(zip([i.name for i in model.inputs], map(torch.Tensor.numpy, leaves(call)), strict=True))
    )
    for own, result in zip(wanted, found, strict=True):
        assert result.shape == tuple(own.shape)
        np.testing.assert_allclose(result, own.numpy(), atol=2e-6, rtol=1e-5)
