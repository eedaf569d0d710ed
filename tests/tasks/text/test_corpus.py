"""Corpora of texts and of token files, and the text that comes with Python."""

from recurra.tasks.text.corpus import DEFAULT_MODULES, default_corpus


def test_default_corpus_is_fixed() -> None:
    assert list(DEFAULT_MODULES) == sorted(set(DEFAULT_MODULES))
    text = default_corpus()
    assert text == default_corpus()
    assert 300_000 < len(text) < 2_000_000
    assert text.startswith("# Author:") or "class ArgumentParser" in text
