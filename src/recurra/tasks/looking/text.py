"""A language model seen while it reads a text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from recurra.errors import RunError
from recurra.look.seeing.text_properties import text_properties
from recurra.runtime.language import vocabulary_of
from recurra.tasks.looking.seen import SeenModel, gates_of_layers, layers_of, ranked_by, reach_of
from recurra.tasks.text.loading import load_model
from recurra.vocabulary import Vocabulary

if TYPE_CHECKING:
    from torch import Tensor, nn

    from recurra.look.seeing.gates import LayerGates
    from recurra.look.seeing.recording import RecordedLayer
    from recurra.runtime import Model
    from recurra.vocabulary import Ids

MOST_TOKENS = 2_000  # that are read
MOST_SHOWN = 5  # characters in a message


def look_at_text(path: Path, text: str, wanted: str | None = None) -> SeenModel:
    """Look into a language model while it reads a text.

    Args:
        path: a run folder of the text task, or an exported file.
        text: the text; its first 2,000 tokens are read.
        wanted: the only property that units are ranked by. Default: all.

    Raises:
        RunError: there is no language model; the text is empty, or has characters that the model does not know; or
            there is no such property.
    """
    model = load_model(path)
    vocabulary = vocabulary_of(model)
    ids, pieces, notes = _tokens(vocabulary, text)
    import torch

    layers, recorded, logits = _read(model, ids, is_differentiable=True)
    loss = torch.nn.functional.cross_entropy(logits[:-1], torch.from_numpy(ids.copy()), reduction="sum")
    gates = gates_of_layers(recorded, ["", *pieces], str(path), loss).at(slice(1, None))
    properties = text_properties(pieces)
    return SeenModel(
        title=f"{path} on {len(pieces):,} token{'s' * (len(pieces) != 1)} of text",
        kind="text",
        gates=gates,
        whole=gates,
        ranked=ranked_by(gates, properties, wanted),
        reach=reach_of(layers, recorded),
        loss="the text's cross-entropy in nats, summed over its tokens",
        notes=notes,
    )


def gates_on_text(model: Model, text: str, title: str) -> LayerGates:
    """The gates of a language model while it reads a text, without gradients.

    Args:
        model: the model.
        text: the text; its first 2,000 tokens are read.
        title: the name of the model.

    Raises:
        RunError: the text is empty, or has characters that the model does not know; or the model has no layers.
    """
    ids, pieces, _ = _tokens(vocabulary_of(model), text)
    _, recorded, _ = _read(model, ids, is_differentiable=False)
    return gates_of_layers(recorded, ["", *pieces], title).at(slice(1, None))


def _read(model: Model, ids: Ids, *, is_differentiable: bool) -> tuple[list[nn.Module], list[RecordedLayer], Tensor]:
    """The layers of a model that reads a start and tokens, what they computed, and the logits after each, (T, tokens).

    Raises:
        RunError: the model has no recurrent layers.
    """
    import torch

    from recurra.look.seeing.recording import recording
    from recurra.nn.parts import build

    module = build(model.description).float()
    layers = layers_of(module)
    read = torch.tensor([vocabulary_of(model).start, *ids.tolist()]).unsqueeze(1)
    with recording(layers, is_differentiable=is_differentiable) as found:
        logits: Tensor = module(read.T if model.batch_first else read)[0]
    return list(layers.values()), [found[name] for name in layers], logits[0] if model.batch_first else logits[:, 0]


def _tokens(vocabulary: Vocabulary, text: str) -> tuple[Ids, list[str], tuple[str, ...]]:
    """The numbers of a text's tokens, the pieces of the text that they stand for, and notes.

    Raises:
        RunError: the text is empty, or has characters that are not in the vocabulary.
    """
    if not text:
        raise RunError("the text is empty: give --text some, or a --text-file with some")
    unknown, notes = vocabulary.unknown(text), []
    if unknown and vocabulary.level == "char":
        shown = ", ".join(f"{each!r}" for each, _ in unknown.most_common(MOST_SHOWN))
        more = ", …" if len(unknown) > MOST_SHOWN else ""
        raise RunError(f"the text has characters that the model does not know: {shown}{more}; leave them out")
    ids = vocabulary.encode(text)
    if unknown:
        notes.append(f"{unknown.total()} of {len(ids)} words are not in the vocabulary, and were read as <unk>")
    pieces = _word_pieces(text) if vocabulary.level == "word" else _decoded(vocabulary, ids)
    if len(ids) > MOST_TOKENS:
        notes.append(f"the text has {len(ids):,} tokens: the first {MOST_TOKENS:,} were read")
    return ids[:MOST_TOKENS], pieces[:MOST_TOKENS], tuple(notes)


def _decoded(vocabulary: Vocabulary, ids: Ids) -> list[str]:
    """The text of each token; empty where its bytes are not yet a whole character."""
    decoder = vocabulary.decoder()
    return [decoder.write(int(number)) for number in ids]


def _word_pieces(text: str) -> list[str]:
    """The part of a text that each word stands for, with the white space before it; a line end is a word."""
    pieces = []
    for line in re.findall(r"[^\n]*\n|[^\n]+", text):
        ends = [found.end() for found in re.finditer(r"\S+", line)]
        pieces += [line[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]
        pieces.append(line[ends[-1] if ends else 0 :])
    return pieces
