"""Cells of one gated state, with one product of the state at most for each gate, none after another."""

from recurra.cells.initial_values import orthogonal
from recurra.equations import cell, relu, sigmoid, tanh


@cell
def atr(x, h, *, W, U):
    """Addition-subtraction twin-gated recurrent network (Zhang et al. 2018, "Simplifying neural machine translation
    with addition-subtraction twin-gated recurrent networks", EMNLP).

    Two products make both gates, without biases. The new state is not bounded: the paper has no activation.
    """
    p, q = x @ W, h @ U
    i = sigmoid(p + q)
    f = sigmoid(p - q)
    h = i * p + f * h
    return h


@cell(init={"b_f": 1.0, "b_i": -1.0})
def cfn(x, h, *, W_f, U_f, b_f, W_i, U_i, b_i, W_n):
    """Chaos-free network, whose state decays to zero without input (Laurent & von Brecht 2017, "A recurrent neural
    network without chaos", ICLR).

    The state passes through tanh before the forget gate, and the candidate has no bias. The paper calls the gates
    θ (here ``f``) and η (``i``); their biases begin with 1 and -1, as in its experiments.
    """
    f = sigmoid(x @ W_f + h @ U_f + b_f)
    i = sigmoid(x @ W_i + h @ U_i + b_i)
    n = tanh(x @ W_n)
    h = f * tanh(h) + i * n
    return h


@cell(output="y", init={"b_p": 1.0, "b_f": 1.0})
def intersection_rnn(x, h, *, W_y, U_y, b_y, W_n, U_n, b_n, W_p, U_p, b_p, W_f, U_f, b_f, nonlinearity=tanh):
    """Intersection RNN, or +RNN: one gate through depth, one through time (Collins, Sohl-Dickstein & Sussillo 2017,
    "Capacity and trainability in recurrent neural networks", ICLR).

    The output ``y`` mixes the input with its candidate, so it has the size of the input, and layers can be stacked
    with any hidden size. Other implementations ask for input size = hidden size. ``p`` is the paper's depth gate g^y,
    ``f`` its gate g^h; their biases begin with 1, as the authors' code has it.
    """
    y_in = relu(x @ W_y + h @ U_y + b_y)
    n = nonlinearity(x @ W_n + h @ U_n + b_n)
    p = sigmoid(x @ W_p + h @ U_p + b_p)
    f = sigmoid(x @ W_f + h @ U_f + b_f)
    y = p * x + (1 - p) * y_in
    h = f * h + (1 - f) * n
    return h


@cell
def light_ru(x, h, *, W_f, U_f, b_f, W_n):
    """Light recurrent unit: a candidate that does not see the state (Ye et al. 2024, "Light recurrent unit: towards
    an interpretable recurrent neural network for modeling long-range dependency", Electronics 13).

    The candidate has no bias.
    """
    f = sigmoid(x @ W_f + h @ U_f + b_f)
    n = tanh(x @ W_n)
    h = (1 - f) * h + f * n
    return h


@cell(init={"U_z": orthogonal, "U_n": orthogonal})
def li_gru(x, h, *, W_z, U_z, b_z, W_n, U_n, b_n):
    """Light GRU: no reset gate, and ReLU (Ravanelli et al. 2018, "Light gated recurrent units for speech
    recognition", IEEE Transactions on Emerging Topics in Computational Intelligence 2).

    The paper has batch normalisation on ``x @ W``, with its shift in place of a bias. A trained one is a scale of
    ``W`` and a shift of ``b``, and belongs in the weights here. Without it the ReLU can let the state grow, so clip
    gradients. SpeechBrain's code normalises as the paper does; torchrecurrent's does not. Matrices of the state begin
    orthogonal, as in the paper.
    """
    z = sigmoid(x @ W_z + h @ U_z + b_z)
    n = relu(x @ W_n + h @ U_n + b_n)
    h = z * h + (1 - z) * n
    return h


@cell
def minimal_rnn(x, h, *, W_z, b_z, W_u, U_u, b_u):
    """MinimalRNN: the input is mapped to the space of the state, then only mixed in (Chen 2017, "MinimalRNN: toward
    more interpretable and trainable recurrent neural networks", NIPS symposium on interpretable machine learning).

    The candidate ``z`` is Φ(x): one tanh layer, as in the paper's experiments.
    """
    z = tanh(x @ W_z + b_z)
    u = sigmoid(z @ W_u + h @ U_u + b_u)
    h = u * h + (1 - u) * z
    return h


@cell
def sgrn(x, h, *, W, U, b):
    """Simple gated recurrent network: one product of the input for gate and candidate (Zu et al. 2021, "A simple
    gated recurrent network for detection of power quality disturbances", IET Generation, Transmission & Distribution).

    The bias is the gate's alone.
    """
    a = x @ W
    f = sigmoid(a + h @ U + b)
    h = tanh((1 - f) * a + f * h)
    return h


@cell(init={"W_z": orthogonal, "b_z": 0.0, "W_k": orthogonal, "U_k": orthogonal, "b_k": 0.0})
def star(x, h, *, W_z, b_z, W_k, U_k, b_k):
    """Stackable recurrent cell, made to keep the size of gradients over many layers (Turkoglu et al. 2021, "Gating
    revisited: deep multi-layer RNNs that can be trained", IEEE TPAMI).

    The new state passes through tanh once more. It begins with orthogonal matrices and biases of 0, as the
    authors' code does.
    """
    z = tanh(x @ W_z + b_z)
    k = sigmoid(x @ W_k + h @ U_k + b_k)
    h = tanh((1 - k) * h + k * z)
    return h


@cell(init={"b_g": 1.0})
def ugrnn(x, h, *, W_c, U_c, b_c, W_g, U_g, b_g, nonlinearity=tanh):
    """Update gate RNN: one gate, which keeps the state (Collins, Sohl-Dickstein & Sussillo 2017, "Capacity and
    trainability in recurrent neural networks", ICLR).

    The bias of the gate begins with 1, as the authors' code has it; torchrecurrent's begins with 0.
    """
    c = nonlinearity(x @ W_c + h @ U_c + b_c)
    g = sigmoid(x @ W_g + h @ U_g + b_g)
    h = g * h + (1 - g) * c
    return h
