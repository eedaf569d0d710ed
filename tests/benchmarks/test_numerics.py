"""The figures of docs/numerics.md: what the script compares, and which bits are the same."""

import torch
from benchmarks.numerics import apart, line, same_bits, shapes


def test_shapes_are_the_same_in_every_run():
    assert list(shapes(5)) == list(shapes(5))
    assert len({shape.batch for shape in shapes(20)}) > 5


def test_differences_are_the_largest():
    a, b = torch.zeros(3), torch.tensor([0.0, 0.5, -0.25])
    assert apart((a, [torch.tensor([1.0, 4.0])]), (b, [torch.tensor([2.0, 4.0])])) == (0.5, 0.25)


def test_a_line_has_small_differences():
    numbers = [float(word) for word in line("GRU", torch.float64, 1, 5).split()[2:]]
    assert len(numbers) == 6
    assert max(numbers) < 1e-12


def test_the_bits_of_the_page_are_the_same():
    found = same_bits(20)
    assert len(found) == 5
    assert all(found.values()), found
