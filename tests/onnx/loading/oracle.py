"""ONNX's recurrent operators as in the standard's text: one sequence, one step, one equation at a time, in float64."""

import numpy as np

ACTIVATIONS = {
    "Relu": lambda x, a, b: np.maximum(x, 0),
    "Tanh": lambda x, a, b: np.tanh(x),
    "Sigmoid": lambda x, a, b: 1 / (1 + np.exp(-x)),
    "Softsign": lambda x, a, b: x / (1 + np.abs(x)),
    "Softplus": lambda x, a, b: np.log1p(np.exp(x)),
    "Affine": lambda x, a, b: a * x + b,
    "LeakyRelu": lambda x, a, b: np.where(x >= 0, x, a * x),
    "ThresholdedRelu": lambda x, a, b: np.where(x >= a, x, 0),
    "ScaledTanh": lambda x, a, b: a * np.tanh(b * x),
    "HardSigmoid": lambda x, a, b: np.minimum(np.maximum(a * x + b, 0), 1),
    "Elu": lambda x, a, b: np.where(x >= 0, x, a * (np.exp(x) - 1)),
}
TAKES_ALPHA = ("Affine", "LeakyRelu", "ThresholdedRelu", "ScaledTanh", "HardSigmoid", "Elu")
TAKES_BETA = ("Affine", "ScaledTanh", "HardSigmoid")
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
DEFAULTS = {"RNN": ("Tanh",), "GRU": ("Sigmoid", "Tanh"), "LSTM": ("Sigmoid", "Tanh", "Tanh")}


def functions(op, attributes, directions):
    """The activations of each direction."""
    alphas = list(attributes.get("activation_alpha", ()))
    betas = list(attributes.get("activation_beta", ()))
    made = []
    for name in attributes.get("activations", DEFAULTS[op] * directions):
        alpha = alphas.pop(0) if name in TAKES_ALPHA else None
        beta = betas.pop(0) if name in TAKES_BETA else None
        made.append(lambda x, name=name, alpha=alpha, beta=beta: ACTIVATIONS[name](x, alpha, beta))
    each = len(DEFAULTS[op])
    return [made[each * number : each * (number + 1)] for number in range(directions)]


def step(op, x, h, c, W, R, B, P, activations, attributes):
    """The new h and c of one sequence."""
    size = len(h)
    bound = attributes.get("clip", np.inf)

    def gate(number, of=h, row_bias=True):
        rows = slice(number * size, (number + 1) * size)
        recurrent = R[rows] @ of + B[len(B) // 2 :][rows] * row_bias
        return W[rows] @ x + B[: len(B) // 2][rows], recurrent

    def clipped(value):
        return np.clip(value, -bound, bound)

    if op == "RNN":
        return activations[0](clipped(sum(gate(0)))), c
    if op == "GRU":
        f, g = activations
        z, r = f(clipped(sum(gate(0)))), f(clipped(sum(gate(1))))
        if attributes.get("linear_before_reset"):
            mine, recurrent = gate(2)
            n = g(clipped(mine + r * recurrent))
        else:
            n = g(clipped(sum(gate(2, r * h))))
        return (1 - z) * n + z * h, c
    f, g, h_of = activations
    p_i, p_o, p_f = np.split(P, 3)
    i = f(clipped(sum(gate(0)) + p_i * c))
    forget = 1 - i if attributes.get("input_forget") else f(clipped(sum(gate(2)) + p_f * c))
    c = forget * c + i * g(clipped(sum(gate(3))))
    o = f(clipped(sum(gate(1)) + p_o * c))
    return o * h_of(c), c


@np.errstate(all="ignore")  # exp may overflow, but the result is right all the same
def compute(op, attributes, X, W, R, B=None, sequence_lens=None, initial_h=None, initial_c=None, P=None):
    """Y, Y_h and Y_c, in float64."""
    X, W, R = (np.asarray(value, np.float64) for value in (X, W, R))
    directions, _, size = R.shape
    layout = attributes.get("layout", 0)
    if layout:
        X = X.swapaxes(0, 1)
        initial_h = None if initial_h is None else initial_h.swapaxes(0, 1)
        initial_c = None if initial_c is None else initial_c.swapaxes(0, 1)
    steps, batch, _ = X.shape
    B = np.zeros((directions, 2 * GATES[op] * size)) if B is None else B.astype(np.float64)
    P = np.zeros((directions, 3 * size)) if P is None else P.astype(np.float64)
    lengths = [steps] * batch if sequence_lens is None else list(sequence_lens)
    Y = np.zeros((steps, directions, batch, size))
    last = np.zeros((2, directions, batch, size))
    activations = functions(op, attributes, directions)
    for d in range(directions):
        is_reverse = d == 1 or attributes.get("direction") == "reverse"
        for b in range(batch):
            h = np.zeros(size) if initial_h is None else initial_h[d, b].astype(np.float64)
            c = np.zeros(size) if initial_c is None else initial_c[d, b].astype(np.float64)
            order = range(lengths[b])
            for t in reversed(order) if is_reverse else order:
                h, c = step(op, X[t, b], h, c, W[d], R[d], B[d], P[d], activations[d], attributes)
                Y[t, d, b] = h
            last[:, d, b] = h, c
    if layout:
        Y, last = Y.transpose(2, 0, 1, 3), last.swapaxes(1, 2)
    return (Y, *last) if op == "LSTM" else (Y, last[0])
