"""The activation functions that ONNX's recurrent operators can use, in the language of cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from recurra.equations import abs, clip, exp, minimum, relu, sigmoid, softplus, tanh, where
from recurra.values import Value

_ActivationFunction = Callable[[Value, float, float], Value]

# Each function with the defaults of its alpha and beta; None for a number that it does not take.
_REQUIRED = float("nan")
_TABLE: dict[str, tuple[_ActivationFunction, float | None, float | None]] = {
    "Relu": (lambda x, alpha, beta: relu(x), None, None),
    "Tanh": (lambda x, alpha, beta: tanh(x), None, None),
    "Sigmoid": (lambda x, alpha, beta: sigmoid(x), None, None),
    "Softsign": (lambda x, alpha, beta: x / (1 + abs(x)), None, None),
    "Softplus": (lambda x, alpha, beta: softplus(x), None, None),
    "Affine": (lambda x, alpha, beta: alpha * x + beta, 1.0, 0.0),
    "LeakyRelu": (lambda x, alpha, beta: where(x >= 0, x, alpha * x), 0.01, None),
    "ThresholdedRelu": (lambda x, alpha, beta: where(x >= alpha, x, 0.0), 1.0, None),
    "ScaledTanh": (lambda x, alpha, beta: alpha * tanh(beta * x), _REQUIRED, _REQUIRED),
    "HardSigmoid": (lambda x, alpha, beta: clip(alpha * x + beta, 0.0, 1.0), 0.2, 0.5),
    "Elu": (lambda x, alpha, beta: where(x >= 0, x, alpha * (exp(minimum(x, 0.0)) - 1)), 1.0, None),
}
_NAMES = {name.lower(): name for name in _TABLE}


@dataclass(frozen=True)
class Activation:
    """One of ONNX's activation functions with its alpha and beta, to be called with a value of a cell."""

    name: str
    alpha: float = 0.0
    beta: float = 0.0

    def __call__(self, x: Value) -> Value:
        """The function of x."""
        return _TABLE[self.name][0](x, self.alpha, self.beta)


def read_activations(names: Sequence[str], alphas: Sequence[float], betas: Sequence[float]) -> tuple[Activation, ...]:
    """Look up activations by name; each takes the next alpha or beta, if it needs one, or else its default.

    Raises:
        ValueError: a name is unknown, a number without a default is missing, or there are more numbers than are taken,
            so that it is not clear which belongs to which.
    """
    given = {"activation_alpha": list(alphas), "activation_beta": list(betas)}
    activations = []
    for text in names:
        name = _NAMES.get(text.lower())
        if name is None:
            raise ValueError(f"activation {text!r} is not supported, only {', '.join(_TABLE)}")
        numbers = []
        for (attribute, left), default in zip(given.items(), _TABLE[name][1:], strict=True):
            number = 0.0 if default is None else left.pop(0) if left else default
            if number != number:
                raise ValueError(f"activation {name} needs {attribute}")
            numbers.append(float(number))
        activations.append(Activation(name, *numbers))
    for (attribute, left), before in zip(given.items(), (alphas, betas), strict=True):
        if 0 < len(left) < len(before):
            raise ValueError(f"{attribute} has {len(left)} numbers more than activations {', '.join(names)} take")
    return tuple(activations)
