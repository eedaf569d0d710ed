"""Stop texts: the same end however a text is cut into pieces, and nothing held back without need."""

import itertools

from hypothesis import example, given
from hypothesis import strategies as st

from recurra.runtime.stopping import StopTexts

TEXTS = st.text("ab", max_size=30)
STOPS = st.lists(st.text("ab", min_size=1, max_size=5), max_size=4)


def ended(text, stops):
    """The text before the first stop text, found by going through the text character by character."""
    for end in range(1, len(text) + 1):
        found = [stop for stop in stops if text[:end].endswith(stop)]
        if found:
            return text[: end - max(map(len, found))], True
    return text, False


def cut(text, places):
    edges = [0, *sorted({min(place, len(text)) for place in places}), len(text)]
    return [text[begin:end] for begin, end in itertools.pairwise(edges)]


@given(TEXTS, STOPS, st.lists(st.integers(0, 30), max_size=30))
@example("abab", ["abb", "ba"], [1, 2, 3])
@example("aabb", ["abbb", "bb"], [])
def test_pieces_do_not_matter(text, stops, places):
    filtered, written = StopTexts(stops), ""
    for piece in cut(text, places):
        written += filtered.add(piece)
        if filtered.found:
            break
    rest = filtered.rest()
    assert (written + rest, filtered.found) == ended(text, stops)
    assert not (filtered.found and rest)


@given(TEXTS, STOPS)
def test_only_beginnings_are_held_back(text, stops):
    filtered, written = StopTexts(stops), ""
    for end, character in enumerate(text, 1):
        written += filtered.add(character)
        if filtered.found:
            break
        held = text[len(written) : end]
        assert not held or any(stop.startswith(held) for stop in stops)
