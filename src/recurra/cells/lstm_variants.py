"""Relatives of long short-term memory: other gates around a cell state."""

from recurra.cells.initial_values import chrono
from recurra.equations import cell, sigmoid, split, tanh


def _from_minus_1(x):
    """The paper's h of 1997, the logistic function stretched to (-1, 1)."""
    return 2 * sigmoid(x) - 1


def _from_minus_2(x):
    """The paper's g of 1997, the logistic function stretched to (-2, 2)."""
    return 4 * sigmoid(x) - 2


@cell
def original_lstm(
    x, h, c, *, W_i, U_i, b_i, W_g, U_g, b_g, W_o, U_o, b_o,
    activation=_from_minus_2, output_activation=_from_minus_1,
):  # fmt: skip
    """Long short-term memory as it began, without a forget gate (Hochreiter & Schmidhuber 1997, "Long short-term
    memory", Neural Computation 9, appendix A.1).

    ``activation`` is the paper's g, 4σ(x) − 2, and ``output_activation`` its h, 2σ(x) − 1; torchrecurrent has tanh for
    both. Gradients are exact; the paper's are cut where they would leave the memory cell through a gate.
    """
    i = sigmoid(x @ W_i + h @ U_i + b_i)
    o = sigmoid(x @ W_o + h @ U_o + b_o)
    c = c + i * activation(x @ W_g + h @ U_g + b_g)
    h = o * output_activation(c)
    return h, c


@cell
def peephole_lstm(
    x, h, c, *, W_i, U_i, p_i, b_i, W_f, U_f, p_f, b_f, W_g, U_g, b_g, W_o, U_o, p_o, b_o,
    activation=tanh, recurrent_activation=sigmoid,
):  # fmt: skip
    """LSTM whose gates see the cell state (Gers & Schmidhuber 2000, "Recurrent nets that time and count", IJCNN).

    The output gate sees the new cell state, the other gates the last one. Peepholes are vectors; TensorFlow's and
    ONNX's are as well. With ``proj_size`` it is the LSTMP of Sak et al. (2014), whose peepholes see the whole c.
    """
    i = recurrent_activation(x @ W_i + h @ U_i + p_i * c + b_i)
    f = recurrent_activation(x @ W_f + h @ U_f + p_f * c + b_f)
    g = activation(x @ W_g + h @ U_g + b_g)
    c = f * c + i * g
    o = recurrent_activation(x @ W_o + h @ U_o + p_o * c + b_o)
    h = o * activation(c)
    return h, c


@cell
def coupled_lstm(
    x, h, c, *, W_i, U_i, b_i, W_g, U_g, b_g, W_o, U_o, b_o, activation=tanh, recurrent_activation=sigmoid
):
    """LSTM with coupled gates, CIFG: what is forgotten is what is written (Greff et al. 2017, "LSTM: a search space
    odyssey", IEEE Transactions on Neural Networks and Learning Systems 28, section III).

    The forget gate is 1 − i. The paper's CIFG has peepholes as well; ONNX's ``input_forget=1`` is this cell.
    """
    i = recurrent_activation(x @ W_i + h @ U_i + b_i)
    g = activation(x @ W_g + h @ U_g + b_g)
    o = recurrent_activation(x @ W_o + h @ U_o + b_o)
    c = (1 - i) * c + i * g
    h = o * activation(c)
    return h, c


@cell
def multiplicative_lstm(x, h, c, *, W_m, U_m, W, M, b):
    """LSTM whose gates see a product of input and state (Krause et al. 2016, "Multiplicative LSTM for sequence
    modelling", eqs. 18–22)."""
    m = (x @ W_m) * (h @ U_m)
    a_i, a_f, a_g, a_o = split(x @ W + m @ M + b, 4)
    i, f, g, o = sigmoid(a_i), sigmoid(a_f), tanh(a_g), sigmoid(a_o)
    c = f * c + i * g
    h = o * tanh(c)
    return h, c


@cell
def wmc_lstm(x, h, c, *, W_i, U_i, V_i, b_i, W_f, U_f, V_f, b_f, W_g, U_g, b_g, W_o, U_o, V_o, b_o):
    """LSTM with working memory connections: gates see tanh of a product of the cell state (Landi et al. 2021,
    "Working memory connections for LSTM", Neural Networks 144).

    The output gate sees the new cell state, the other gates the last one. There is one bias for each gate;
    torchrecurrent has a further one inside of each tanh.
    """
    i = sigmoid(x @ W_i + h @ U_i + tanh(c @ V_i) + b_i)
    f = sigmoid(x @ W_f + h @ U_f + tanh(c @ V_f) + b_f)
    g = tanh(x @ W_g + h @ U_g + b_g)
    c = f * c + i * g
    o = sigmoid(x @ W_o + h @ U_o + tanh(c @ V_o) + b_o)
    h = o * tanh(c)
    return h, c


@cell(output="h")
def mc_lstm(x, v, c, *, W_i, U_i, b_i, W_f, U_f, b_f, W_g, U_g, b_g, W_o, U_o, b_o, W_m, U_m, b_m):
    """Memory controller LSTM: one gate shows the cell state to the outside, another to the gates (Intel AI 2017, a
    workshop paper on sequence modelling at NIPS).

    The output ``h`` is no state: the gates see the control vector ``v`` of the step before. Not the mass-conserving
    LSTM, which has the same letters.
    """
    i = sigmoid(x @ W_i + v @ U_i + b_i)
    f = sigmoid(x @ W_f + v @ U_f + b_f)
    g = tanh(x @ W_g + v @ U_g + b_g)
    o = sigmoid(x @ W_o + v @ U_o + b_o)
    m = sigmoid(x @ W_m + v @ U_m + b_m)
    c = f * c + i * g
    h = o * tanh(c)
    v = m * tanh(c)
    return v, c


@cell
def res_lstm(x, h, c, *, W_i, U_i, p_i, b_i, W_f, U_f, p_f, b_f, W_g, U_g, b_g, W_o, U_o, p_o, b_o, P, R):
    """Residual LSTM: the input is added before the output gate (Kim, El-Khamy & Lee 2017, "Residual LSTM: design of a
    deep recurrent architecture for distant speech recognition", Interspeech).

    ``P`` projects the cell state and ``R`` maps the input to the output's size. The paper leaves ``R`` out where both
    sizes are the same.
    """
    i = sigmoid(x @ W_i + h @ U_i + p_i * c + b_i)
    f = sigmoid(x @ W_f + h @ U_f + p_f * c + b_f)
    g = tanh(x @ W_g + h @ U_g + b_g)
    c = f * c + i * g
    o = sigmoid(x @ W_o + h @ U_o + p_o * c + b_o)
    h = o * (tanh(c) @ P + x @ R)
    return h, c


@cell(init={"b_f": chrono, "b_n": 0.0})
def janet(x, h, *, W_f, U_f, b_f, W_n, U_n, b_n, beta=1.0, t_max=None):
    """Just another network, a forget gate alone (van der Westhuizen & Lasenby 2018, "The unreasonable effectiveness of
    the forget gate").

    What is written is 1 − σ(s − β), a little less than what the forget gate σ(s) leaves free. Cell state and
    output are one. ``t_max`` is the longest dependency in steps, for the paper's chrono initialisation of ``b_f``;
    without it ``b_f`` begins with 1. ``b_n`` begins with 0.
    """
    s = x @ W_f + h @ U_f + b_f
    n = tanh(x @ W_n + h @ U_n + b_n)
    h = sigmoid(s) * h + (1 - sigmoid(s - beta)) * n
    return h
