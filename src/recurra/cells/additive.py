"""Cells that only add gated inputs to a memory, or keep a slow one beside the state."""

from recurra.equations import cell, sigmoid, tanh


@cell
def ran(x, h, c, *, W_c, W_i, U_i, b_i, W_f, U_f, b_f, nonlinearity=tanh):
    """Recurrent additive network: the memory is a weighted sum of the inputs (Lee, Levy & Zettlemoyer 2017,
    "Recurrent additive networks").

    The content layer ``x @ W_c`` has no bias and no activation. ``nonlinearity`` is the paper's g: tanh, or the
    identity ``lambda c: c``, with which the output is the memory itself.
    """
    i = sigmoid(x @ W_i + h @ U_i + b_i)
    f = sigmoid(x @ W_f + h @ U_f + b_f)
    c = i * (x @ W_c) + f * c
    h = nonlinearity(c)
    return h, c


@cell(output="y")
def scrn(x, h, s, *, B, A, R, P, U, V, alpha=0.95):
    """Structurally constrained recurrent network: slow context units beside the hidden ones (Mikolov et al. 2015,
    "Learning longer memory in recurrent neural networks", ICLR workshop).

    The output ``y`` sums what hidden and context units say; the paper's softmax of it belongs to the loss. The letters
    are the paper's, without biases. ``alpha`` is fixed, and the context can have a size of its own. torchrecurrent
    learns ``alpha``, and feeds its tanh output back in place of the hidden units.
    """
    s = (1 - alpha) * (x @ B) + alpha * s
    h = sigmoid(s @ P + x @ A + h @ R)
    y = h @ U + s @ V
    return h, s
