"""The text that describes a model in its file: versioned JSON, every field checked against the table of kinds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from recurra.errors import FileFormatError, ProgramError, RunError
from recurra.model.kinds import KINDS
from recurra.model.part import Part, Setting
from recurra.program import Program
from recurra.program.serial import Room, from_content, shown, strict_json, to_content
from recurra.vocabulary import Vocabulary

FORMAT = "recurra-model"
VERSION = 1
MAX_DEPTH = 32  # of parts in parts
MAX_PARTS = 2_000
MAX_PROGRAMS = 1_000
MAX_NAME = 500  # characters of the name of a weight or of a part
MAX_CHARACTERS = 160_000  # of a vocabulary of such; Unicode 16 has 154,998
MAX_WORDS = 270_000  # of a vocabulary of such; WikiText-103 has 267,735
_FIELDS = ("format", "version", "programs", "model", "tied", "vocabulary")


def to_text(root: Part, tied: Mapping[str, str], vocabulary: Vocabulary | None) -> str:
    """The description as JSON.

    Args:
        root: the tree of parts.
        tied: for the name of each weight that is another one, that one's name.
        vocabulary: of a language model.
    """
    programs: list[Program] = []
    model = _part_out(root, programs)
    content = {
        "format": FORMAT,
        "version": VERSION,
        "programs": [to_content(program) for program in programs],
        "model": model,
        "tied": dict(tied),
        "vocabulary": None if vocabulary is None else {"level": vocabulary.level, "tokens": vocabulary.joined},
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def from_text(text: str) -> tuple[Part, dict[str, str], Vocabulary | None]:
    """What ``to_text`` was given.

    Raises:
        FileFormatError: the text is not such a description, or goes beyond a cap.
    """
    try:
        content = strict_json(text)
    except ValueError as error:
        raise FileFormatError(f"the description of the model is damaged: {error}") from None
    fields = _fields(content, "the description", _FIELDS)
    if fields["format"] != FORMAT:
        raise FileFormatError(f"the description is not of the format {FORMAT}")
    if type(fields["version"]) is not int or fields["version"] != VERSION:
        raise FileFormatError(f"the file has version {shown(fields['version'])} of the format, known is {VERSION}")
    root = _Reader(_programs(fields["programs"])).part(fields["model"], "", 0)
    tied = fields["tied"]
    if not isinstance(tied, dict) or not all(isinstance(name, str) for name in tied.values()):
        raise FileFormatError("'tied' must hold names of weights by name")
    return root, tied, _vocabulary(fields["vocabulary"])


def _part_out(part: Part, programs: list[Program]) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for name, value in part.settings.items():
        if isinstance(value, Program):
            if value not in programs:
                programs.append(value)
            value = programs.index(value)
        settings[name] = dict(value) if isinstance(value, Mapping) else value
    content: dict[str, Any] = {"kind": part.kind, "settings": settings}
    if part.children:
        content["parts"] = [[name, _part_out(child, programs)] for name, child in part.children]
    return content


def _fields(content: Any, what: str, names: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise FileFormatError(f"{what} must be an object, not {type(content).__name__}")
    missing = [name for name in names if name not in content]
    extra = [name[:40] for name in content if name not in names and name not in optional]
    if missing or extra:
        raise FileFormatError(f"{what}: fields missing: {missing}; not known: {extra[:5]}")
    return content


def _programs(content: Any) -> list[Program]:
    if not isinstance(content, list) or len(content) > MAX_PROGRAMS:
        raise FileFormatError(f"'programs' must be a list of at most {MAX_PROGRAMS}")
    room = Room()
    programs = []
    for number, each in enumerate(content):
        try:
            programs.append(from_content(each, room))
        except ProgramError as error:
            raise FileFormatError(f"program {number}: {error}") from None
    return programs


class _Reader:
    """Reads a tree of parts that use these programs."""

    def __init__(self, programs: list[Program]) -> None:
        self._programs = programs
        self._count = 0

    def part(self, content: Any, name: str, depth: int) -> Part:
        """The part of this full name, and all inside of it."""
        self._count += 1
        if self._count > MAX_PARTS:
            raise FileFormatError(f"more than {MAX_PARTS} parts")
        if depth > MAX_DEPTH:
            raise FileFormatError(f"parts in parts deeper than {MAX_DEPTH}")
        where = name or "the model"
        fields = _fields(content, where, ("kind", "settings"), ("parts",))
        kind = fields["kind"]
        if not isinstance(kind, str) or kind not in KINDS:
            raise FileFormatError(f"{where} is of the unknown kind {shown(kind)}")
        settings = self._settings(fields["settings"], f"{where} ({kind})")
        parts = fields.get("parts", [])
        if not isinstance(parts, list):
            raise FileFormatError(f"{where}: 'parts' must be a list")
        children: dict[str, Part] = {}
        for item in parts:
            if not (isinstance(item, list) and len(item) == 2):
                raise FileFormatError(f"{where}: each of 'parts' must be [name, part]; got {shown(item)}")
            if not _is_name(item[0]):
                raise FileFormatError(f"{where}: no part can have the name {shown(item[0])}")
            if item[0] in children:
                raise FileFormatError(f"{where}: two parts have the name {shown(item[0])}")
            full = f"{name}.{item[0]}" if name else item[0]
            if len(full) > MAX_NAME:
                raise FileFormatError(f"{where}: the names of its parts have more than {MAX_NAME} characters")
            children[item[0]] = self.part(item[1], full, depth + 1)
        return Part(kind, settings, tuple(children.items()))

    def _settings(self, content: Any, where: str) -> dict[str, Setting]:
        if not isinstance(content, dict):
            raise FileFormatError(f"{where}: 'settings' must be an object")
        settings: dict[str, Setting] = dict(content)
        if "program" in settings:
            number = settings["program"]
            if type(number) is not int or not 0 <= number < len(self._programs):
                raise FileFormatError(f"{where}: there is no program {shown(number)}")
            settings["program"] = self._programs[number]
        return settings


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 100 and value.isprintable() and "." not in value


def _vocabulary(content: Any) -> Vocabulary | None:
    if content is None:
        return None
    fields = _fields(content, "'vocabulary'", ("level", "tokens"))
    level, tokens = fields["level"], fields["tokens"]
    if level not in ("char", "word") or not isinstance(tokens, str):
        raise FileFormatError("'vocabulary' must hold its level, char or word, and its tokens, a text")
    # Before anything is made of them:
    count, most = (len(tokens), MAX_CHARACTERS) if level == "char" else (tokens.count(" ") + 1, MAX_WORDS)
    if count > most:
        raise FileFormatError(f"'vocabulary' has {count} tokens; at most {most} are read")
    try:
        tokens.encode()  # JSON can write half of a character
        return Vocabulary.of_joined(level, tokens)
    except UnicodeEncodeError:
        raise FileFormatError("'vocabulary' has half of a character") from None
    except RunError as error:
        raise FileFormatError(f"'vocabulary': {error}") from None
