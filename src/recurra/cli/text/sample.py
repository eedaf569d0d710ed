"""`recurra text sample`: continue a prompt."""

from __future__ import annotations

import contextlib
from typing import Annotated

import typer

from recurra.cli.console import note
from recurra.cli.text.shared import Trained


def sample(
    run: Trained,
    prompt: Annotated[str, typer.Option(help="Text to write on; empty: start a line.")] = "",
    temperature: Annotated[float, typer.Option(help="Below 1 bolder in its choice; 0: always the likeliest.")] = 0.8,
    length: Annotated[int, typer.Option(help="Characters or words to write.")] = 500,
    top_k: Annotated[int, typer.Option(help="Choose among so many of the likeliest; 0: all.")] = 0,
    seed: Annotated[int | None, typer.Option(help="Same seed, same text; by default another each time.")] = None,
) -> None:
    """Continue a prompt, printing as it goes."""
    from recurra.tasks.text import sampling
    from recurra.tasks.text.job import load_text

    settings = sampling.SamplingSettings(length, temperature, top_k, seed)
    settings.check()
    model, vocabulary = load_text(run)
    unknown = sampling.check_prompt(vocabulary, prompt)
    if unknown:
        note(f"the model does not know {', '.join(unknown[:5])}, and reads <unk>")
    print(prompt, end="", flush=True)
    try:
        for piece in sampling.sample(model, vocabulary, prompt, settings):
            print(piece, end="", flush=True)
    finally:
        with contextlib.suppress(BrokenPipeError):
            print(flush=True)
