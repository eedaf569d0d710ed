"""What is required of which row."""

import pytest
from benchmarks.requirements import MEANS, Verdict, of_mean, of_row, required, required_share

from recurra.bench.cases import Case, CaseShape, cases
from recurra.bench.peers import PEERS
from recurra.bench.rows import PeerRow, Spread

SMALL = CaseShape(100, 1, 32, 32)


def row(case, ratio, peer="torch", threads=1):
    time = Spread(1.0, 1.0, 1.0)
    return (
        PeerRow(case, threads, peer, time, time, Spread(ratio, ratio, ratio)) if ratio else PeerRow(case, threads, peer)
    )


@pytest.mark.parametrize(
    ("group", "cell", "shape", "training", "peer", "least"),
    [
        ("layer", "lstm", SMALL, False, "torch", 4.0),
        ("layer", "lstm", SMALL, True, "torch", 3.0),
        ("layer", "lstm", CaseShape(784, 64, 1, 128), True, "torch", 2.0),
        ("layer", "lstm", CaseShape(784, 64, 1, 128), False, "torch", 1.0),
        ("layer", "gru", CaseShape(784, 64, 1, 128), True, "torch", 1.2),
        ("layer", "gru", SMALL, True, "torch", 15.0),
        ("stream", "rnn", SMALL, True, "torch", 1.1),
        ("packed", "lstm", SMALL, True, "torch", 2.5),
        ("packed", "rnn", SMALL, True, "torch", 1.5),
        ("packed", "rnn", SMALL, True, "padded", 1.0),
        ("step", "rnn", SMALL, True, "torch", 1.5),
        ("layer", "rnn", CaseShape(100, 1, 128, 128), False, "onnxruntime", 1.5),
        ("layer", "rnn", CaseShape(100, 1, 512, 512), False, "openvino", 1.0),
        ("layer", "rnn", CaseShape(100, 2, 32, 32), False, "onnxruntime", 1.0),
        ("layer", "rnn", SMALL, False, "jax", 1.3),
        ("custom", "mgu", SMALL, False, "torchrecurrent", 50.0),
        ("custom", "mgu", CaseShape(100, 32, 128, 256), True, "loop", 2.5),
        ("custom", "mgu", CaseShape(100, 32, 128, 256), False, "loop", None),
        ("own", "peephole_lstm", CaseShape(100, 1, 128, 128), True, "own-lstm", 0.8),
        ("layer", "lstm", CaseShape(100, 32, 28, 128), True, "one-thread", 1.7),
    ],
)
def test_ratios(group, cell, shape, training, peer, least):
    assert required(Case(group, cell, shape, training), peer) == least


def test_shares():
    def share(group, *sizes):
        return required_share(Case(group, "gru", CaseShape(*sizes), False))

    assert share("layer", 100, 16, 28, 40) == 0.85
    assert share("layer", 100, 1, 128, 128) == 0.7
    assert share("layer", 49, 1, 10, 118) is None
    assert share("layer", 500, 8, 256, 512) is None
    assert share("stream", 1, 1, 128, 128) is None


def test_every_pair_has_an_answer():
    for case in cases():
        for peer in PEERS.values():
            if peer.covers(case, 2):
                assert required(case, peer.name) is None or required(case, peer.name) >= 0.8


def test_verdicts():
    case = Case("layer", "gru", CaseShape(100, 32, 28, 128), True)
    assert of_row(row(case, 1.2), "gru") == Verdict("gru", 1.2, 1.2)
    assert of_row(row(case, 1.2), "gru").is_met
    assert not of_row(row(case, 1.19), "gru").is_met
    assert not of_row(row(case, None), "gru").is_met


def test_means():
    inference, training = (mean for mean in MEANS if mean.cell == "gru")
    case = Case("layer", "gru", SMALL, False)
    packed = Case("packed", "gru", SMALL, False)
    found = [row(case, 2.0), row(case, 8.0), row(packed, 100.0), row(case, 100.0, threads=2), row(case, 9.0, "jax")]
    verdict = of_mean(inference, found, 1, "mean")
    assert verdict.figure == pytest.approx(4.0)
    assert verdict.is_met
    assert of_mean(training, found, 1, "mean") is None
    assert not of_mean(inference, [*found, row(case, None)], 1, "mean").is_met
