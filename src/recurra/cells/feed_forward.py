"""Linear maps, norms and the activations of torch.nn as equations: cells without states."""

from __future__ import annotations

from typing import Any

import recurra.equations as eq
from recurra.equations import feed_forward

# ---- linear maps and norms ----


@feed_forward
def linear(x: Any, *, weight: Any, bias: Any) -> Any:
    """x Wᵀ + b, with torch's layout of the weight."""
    return x @ weight.T + bias


@feed_forward
def layer_norm(x: Any, *, weight: Any, bias: Any, eps: float = 1e-5) -> Any:
    """Layer normalisation (Ba et al. 2016)."""
    return eq.layer_norm(x, weight, bias, eps)


@feed_forward
def plain_layer_norm(x: Any, *, eps: float = 1e-5) -> Any:
    """Layer normalisation without weights."""
    return eq.layer_norm(x, None, None, eps)


@feed_forward
def rms_norm(x: Any, *, weight: Any, eps: float = 1e-5) -> Any:
    """Division by the root mean square (Zhang & Sennrich 2019)."""
    return eq.rms_norm(x, weight, eps)


@feed_forward
def plain_rms_norm(x: Any, *, eps: float = 1e-5) -> Any:
    """Division by the root mean square, without weights."""
    return eq.rms_norm(x, None, eps)


# ---- activations ----


@feed_forward
def relu(x: Any) -> Any:
    """The larger of x and 0 (Nair & Hinton 2010)."""
    return eq.relu(x)


@feed_forward
def relu6(x: Any) -> Any:
    """ReLU that ends at 6."""
    return eq.clip(x, 0.0, 6.0)


@feed_forward
def prelu(x: Any, *, weight: Any) -> Any:
    """ReLU with a learnt slope below 0, one for all features (He et al. 2015)."""
    return eq.where(x > 0, x, eq.scalar(weight) * x)


@feed_forward
def leaky_relu(x: Any, *, negative_slope: float = 0.01) -> Any:
    """ReLU with a slope below 0 (Maas et al. 2013)."""
    return eq.where(x > 0, x, negative_slope * x)


@feed_forward
def elu(x: Any, *, alpha: float = 1.0) -> Any:
    """The exponential linear unit (Clevert et al. 2015)."""
    return eq.where(x > 0, x, alpha * (eq.exp(eq.minimum(x, 0.0)) - 1))


@feed_forward
def celu(x: Any, *, alpha: float = 1.0) -> Any:
    """The exponential linear unit with a continuous derivative for every α (Barron 2017)."""
    return eq.where(x > 0, x, alpha * (eq.exp(eq.minimum(x, 0.0) / alpha) - 1))


@feed_forward
def selu(x: Any) -> Any:
    """The scaled exponential linear unit (Klambauer et al. 2017)."""
    return 1.0507009873554805 * eq.where(x > 0, x, 1.6732632423543772 * (eq.exp(eq.minimum(x, 0.0)) - 1))


@feed_forward
def gelu(x: Any) -> Any:
    """x Φ(x) (Hendrycks & Gimpel 2016)."""
    return eq.gelu(x)


@feed_forward
def gelu_tanh(x: Any) -> Any:
    """GELU's approximation by tanh (Hendrycks & Gimpel 2016)."""
    return eq.gelu(x, "tanh")


@feed_forward
def silu(x: Any) -> Any:
    """x σ(x) (Elfwing et al. 2017)."""
    return x * eq.sigmoid(x)


@feed_forward
def mish(x: Any) -> Any:
    """x tanh(softplus(x)) (Misra 2019)."""
    return x * eq.tanh(eq.softplus(x))


@feed_forward
def softplus(x: Any, *, beta: float = 1.0, threshold: float = 20.0) -> Any:
    """log(1 + exp(β x)) / β (Dugas et al. 2000), and x where β x is above the threshold."""
    return eq.where(beta * x > threshold, x, eq.softplus(beta * x) / beta)


@feed_forward
def threshold(x: Any, *, threshold: float = 0.0, value: float = 0.0) -> Any:
    """x above the threshold, else the value."""
    return eq.where(x <= threshold, value, x)


@feed_forward
def tanh(x: Any) -> Any:
    """The hyperbolic tangent."""
    return eq.tanh(x)


@feed_forward
def hardtanh(x: Any, *, min_val: float = -1.0, max_val: float = 1.0) -> Any:
    """x between two bounds (Collobert 2004)."""
    return eq.clip(x, min_val, max_val)


@feed_forward
def tanhshrink(x: Any) -> Any:
    """x − tanh(x)."""
    return x - eq.tanh(x)


@feed_forward
def sigmoid(x: Any) -> Any:
    """The logistic function."""
    return eq.sigmoid(x)


@feed_forward
def log_sigmoid(x: Any) -> Any:
    """log σ(x), without overflow."""
    return -eq.softplus(-x)


@feed_forward
def hardsigmoid(x: Any) -> Any:
    """The sigmoid in three straight pieces (Courbariaux et al. 2015), with torch's slope of 1/6."""
    return eq.clip(x + 3, 0.0, 6.0) / 6


@feed_forward
def hardswish(x: Any) -> Any:
    """x times its hard sigmoid (Howard et al. 2019)."""
    return x * eq.clip(x + 3, 0.0, 6.0) / 6


@feed_forward
def softsign(x: Any) -> Any:
    """x / (1 + |x|)."""
    return x / (1 + eq.abs(x))


@feed_forward
def softshrink(x: Any, *, lambd: float = 0.5) -> Any:
    """x moved towards 0 by λ; 0 where |x| is at most λ."""
    return x - eq.clip(x, -lambd, lambd)


@feed_forward
def hardshrink(x: Any, *, lambd: float = 0.5) -> Any:
    """x, and 0 where |x| is at most λ."""
    return eq.where(eq.abs(x) <= lambd, 0.0, x)


@feed_forward
def softmax(x: Any) -> Any:
    """The softmax over the features."""
    return eq.softmax(x)


@feed_forward
def softmin(x: Any) -> Any:
    """The softmax of −x."""
    return eq.softmax(-x)


@feed_forward
def log_softmax(x: Any) -> Any:
    """The logarithm of the softmax, without overflow."""
    centred = x - eq.max(x)
    return centred - eq.log(eq.sum(eq.exp(centred)))
