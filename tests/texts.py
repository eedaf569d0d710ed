"""A made-up text as long as a chapter: word frequencies as in a language, in lines with stops and commas."""

import random

SYLLABLES = [c + v for c in "bcdfghklmnprstvwz" for v in ("a", "e", "i", "o", "u", "ai", "ou")]


def prose(words=9_000, seed=0):
    """A text of words, of which the k-th most frequent of 5,000 comes some 1/k as often as the first (Zipf's law)."""
    rng = random.Random(seed)
    known = list(dict.fromkeys("".join(rng.choices(SYLLABLES, k=rng.choice((1, 1, 2, 3)))) for _ in range(20_000)))[
        :5_000
    ]
    drawn = rng.choices(known, [1 / (rank + 1) for rank in range(len(known))], k=words)
    lines, line = [], []
    for word in drawn:
        line.append(word + rng.choice(("", "", "", "", "", ",", ".")))
        if len(line) == 12:
            lines.append(" ".join(line))
            line = []
    return "\n".join([*lines, " ".join(line)]) + "\n"
