"""A cell of one's own: write the equations, get a layer with every option of torch.nn.LSTM.

python examples/own_cell.py
"""

import torch

import recurra
from recurra import sigmoid, tanh


@recurra.cell(init={"b_f": 1.0})
def coupled(x, h, c, *, W_f, U_f, p_f, b_f, W_g, U_g, b_g, W_o, U_o, b_o):
    f = sigmoid(x @ W_f + h @ U_f + p_f * c + b_f)
    g = tanh(x @ W_g + h @ U_g + b_g)
    c = f * c + (1 - f) * g
    o = sigmoid(x @ W_o + h @ U_o + b_o)
    h = o * tanh(c)
    return h, c


def main():
    torch.manual_seed(0)
    layer = recurra.nn.Recurrent(coupled, input_size=8, hidden_size=16, num_layers=2, bidirectional=True)
    sequences = [torch.randn(length, 8) for length in (5, 3, 7)]
    packed = recurra.nn.pack_sequence(sequences, enforce_sorted=False)
    with torch.no_grad():
        output, (h_n, c_n), trace = layer(packed, return_trace=True)
    padded, lengths = recurra.nn.pad_packed_sequence(output)
    print("output", tuple(padded.shape), "lengths", lengths.tolist(), "h_n", tuple(h_n.shape), "c_n", tuple(c_n.shape))
    print("mean of the forget gate in layer 1, backwards:", round(float(trace["f", 1, 1].data.mean()), 3))
    print()
    print(recurra.explain(layer))


if __name__ == "__main__":
    main()
