"""`recurra text sample`: continue a prompt."""

from __future__ import annotations

import contextlib
import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from recurra.cli.console import note
from recurra.cli.text.shared import AsJson, Trained, json_text
from recurra.errors import RunError
from recurra.runtime.sampling import SamplingSettings

if TYPE_CHECKING:
    from recurra.runtime import Continuation


def sample(
    run: Trained,
    prompt: Annotated[str, typer.Option(help="Text to write on; empty: start a line.")] = "",
    length: Annotated[int, typer.Option(help="Tokens to write: characters, words …")] = SamplingSettings.length,
    temperature: Annotated[
        float, typer.Option(help="Below 1 bolder in its choice; 0: always the likeliest.")
    ] = SamplingSettings.temperature,
    top_k: Annotated[int, typer.Option(help="Choose among so many of the likeliest; 0: all.")] = SamplingSettings.top_k,
    top_p: Annotated[
        float, typer.Option(help="Choose among the likeliest that have this probability together.")
    ] = SamplingSettings.top_p,
    min_p: Annotated[
        float, typer.Option(help="Choose among those with this share of the likeliest's probability.")
    ] = SamplingSettings.min_p,
    repetition_penalty: Annotated[
        float, typer.Option(help="Above 1: the last 64 tokens become less likely.")
    ] = SamplingSettings.repetition_penalty,
    stop: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="End before this text; several are possible.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Same seed, same text; by default another each time.")] = None,
    as_json: AsJson = False,
) -> None:
    """Continue a prompt, printing as it goes."""
    settings = SamplingSettings(
        length,
        temperature,
        top_k,
        top_p,
        min_p,
        repetition_penalty,
        tuple(stop or ()),
        _drawn() if seed is None else seed,
    )
    problem = settings.problem()
    if problem is not None:
        name, rule = problem
        raise RunError(f"--{name.replace('_', '-')} {rule}")
    from recurra.runtime.writing import Continuation, unknown_in_prompt
    from recurra.tasks.text.loading import load_model
    from recurra.tasks.text.reading import with_line_ends

    model = load_model(run)
    assert model.vocabulary is not None
    prompt = with_line_ends(prompt, model.vocabulary.level)
    written = Continuation(model, prompt, settings)
    unknown = unknown_in_prompt(model.vocabulary, prompt)
    if unknown:
        note(f"the model does not know {', '.join(unknown[:5])}, and reads <unk>")
    if as_json:
        print(json_text(_described(prompt, written, settings)))
    else:
        _stream(prompt, written)


def _stream(prompt: str, written: Continuation) -> None:
    print(prompt, end="", flush=True)
    try:
        for piece in written:
            print(piece, end="", flush=True)
    finally:
        with contextlib.suppress(BrokenPipeError):
            print(flush=True)


def _described(prompt: str, written: Continuation, settings: SamplingSettings) -> dict[str, object]:
    chosen = asdict(settings)
    seed, text = chosen.pop("seed"), "".join(written)
    return {
        "prompt": prompt,
        "text": text,
        "tokens": written.tokens,
        "stopped": written.stopped,
        "settings": chosen,
        "seed": seed,
    }


def _drawn() -> int:
    """A seed of 48 bits, which numbers of JSON's readers hold, from the system."""
    return int.from_bytes(os.urandom(6), "big")
