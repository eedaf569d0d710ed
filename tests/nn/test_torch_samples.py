"""torch's own sample inputs for its recurrent modules run through ours."""

import copy

import pytest
import torch

from tests.nn.support import CELLS, LAYERS, assert_same, gradients, ours, tensors, theirs

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")


@pytest.fixture(scope="module")
def database():
    from torch.testing._internal.common_modules import module_db

    return {info.name: info for info in module_db}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("name", LAYERS + CELLS)
def test_samples(database, name, training, dtype):
    info = database[f"nn.{name}"]
    torch.manual_seed(0)
    samples = info.module_inputs_func(info, device="cpu", dtype=dtype, requires_grad=True, training=training)
    assert len(samples) >= 2
    for number, sample in enumerate(samples):
        constructor, forward = sample.constructor_input, sample.forward_input
        kwargs = {**constructor.kwargs, "device": "cpu", "dtype": dtype}
        reference = getattr(theirs, name)(*constructor.args, **kwargs).train(training)
        module = getattr(ours, name)(*constructor.args, **kwargs).train(training)
        module.load_state_dict(reference.state_dict())
        results = []
        for layer in (module, reference):
            args, named = copy.deepcopy((forward.args, forward.kwargs))
            result = layer(*args, **named)
            leaves = [leaf for leaf in tensors([args, *named.values()]) if leaf.requires_grad]
            assert leaves
            results.append((result, list(gradients(result, [*leaves, *layer.parameters()]))))
        assert_same(*results, f"sample {number}: {constructor.args} {constructor.kwargs}")
        if sample.reference_fn is not None:
            args, named = copy.deepcopy((forward.args, forward.kwargs))
            expected = sample.reference_fn(module, *args, **named)
            assert_same(results[0][0], expected, f"reference of sample {number}")
