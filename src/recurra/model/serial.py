"""The text that describes a model in its file: versioned JSON, whose fields are checked against the table of kinds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from recurra.errors import FileFormatError, ProgramError
from recurra.model import annotations as table
from recurra.model.content import fields, is_name
from recurra.model.kinds import KINDS
from recurra.model.part import Part, Setting
from recurra.model.setting_rules import PROGRAM
from recurra.program import Program
from recurra.program.serial import Room, from_content, shown, strict_json, to_content

FORMAT = "recurra-model"
VERSION = 1
MAX_DEPTH = 32  # of nested parts
MAX_PARTS = 2_000
MAX_PROGRAMS = 1_000
MAX_NAME = 500  # characters of a weight's or a part's full name
_FIELDS = ("format", "version", "programs", "model", "tied")
_EARLIER = "vocabulary"  # the field of files from before there were annotations


def to_text(root: Part, tied: Mapping[str, str], annotations: Mapping[str, object]) -> str:
    """The description as JSON.

    Args:
        root: the tree of parts.
        tied: the name of each weight that is another one, and that one's name.
        annotations: the annotations, by name; all must be known.
    """
    programs: list[Program] = []
    model = _part_out(root, programs)
    content = {
        "format": FORMAT,
        "version": VERSION,
        "programs": [to_content(program) for program in programs],
        "model": model,
        "tied": dict(tied),
        "annotations": table.to_content(annotations),
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def from_text(text: str) -> tuple[Part, dict[str, str], dict[str, object]]:
    """The root, the tied names and the annotations that ``to_text`` was given.

    Raises:
        FileFormatError: the text is no such description, or exceeds a cap.
    """
    try:
        content = strict_json(text)
    except ValueError as error:
        raise FileFormatError(f"the description of the model is damaged: {error}") from None
    given = fields(content, "the description", (*_FIELDS, _annotations_field(content)))
    if given["format"] != FORMAT:
        raise FileFormatError(f"the description is not of the format {FORMAT}")
    if type(given["version"]) is not int or given["version"] != VERSION:
        raise FileFormatError(f"the file has version {shown(given['version'])} of the format, known is {VERSION}")
    root = _Reader(_programs(given["programs"])).part(given["model"], "", 0)
    tied = given["tied"]
    if not isinstance(tied, dict) or not all(isinstance(name, str) for name in tied.values()):
        raise FileFormatError("'tied' must hold names of weights by name")
    if _EARLIER in given:
        earlier = given[_EARLIER]
        return root, tied, table.from_content({} if earlier is None else {_EARLIER: earlier})
    return root, tied, table.from_content(given["annotations"])


def _annotations_field(content: Any) -> str:
    """The name of the annotations' field; files from before the table have the vocabulary, or null, in its place."""
    return _EARLIER if isinstance(content, dict) and _EARLIER in content else "annotations"


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
    """A reader of a tree of parts, which use these programs."""

    def __init__(self, programs: list[Program]) -> None:
        self._programs = programs
        self._count = 0

    def part(self, content: Any, name: str, depth: int) -> Part:
        """The part of this full name, and all parts inside it."""
        self._count += 1
        if self._count > MAX_PARTS:
            raise FileFormatError(f"more than {MAX_PARTS} parts")
        if depth > MAX_DEPTH:
            raise FileFormatError(f"parts in parts deeper than {MAX_DEPTH}")
        where = name or "the model"
        given = fields(content, where, ("kind", "settings"), ("parts",))
        kind = given["kind"]
        if not isinstance(kind, str) or kind not in KINDS:
            raise FileFormatError(f"{where} is of the unknown kind {shown(kind)}")
        settings = self._settings(kind, given["settings"], f"{where} ({kind})")
        parts = given.get("parts", [])
        if not isinstance(parts, list):
            raise FileFormatError(f"{where}: 'parts' must be a list")
        children: dict[str, Part] = {}
        for item in parts:
            if not (isinstance(item, list) and len(item) == 2):
                raise FileFormatError(f"{where}: each of 'parts' must be [name, part]; got {shown(item)}")
            if not _is_part_name(item[0]):
                raise FileFormatError(f"{where}: no part can have the name {shown(item[0])}")
            if item[0] in children:
                raise FileFormatError(f"{where}: two parts have the name {shown(item[0])}")
            full = f"{name}.{item[0]}" if name else item[0]
            if len(full) > MAX_NAME:
                raise FileFormatError(f"{where}: the names of its parts have more than {MAX_NAME} characters")
            children[item[0]] = self.part(item[1], full, depth + 1)
        return Part(kind, settings, tuple(children.items()))

    def _settings(self, kind: str, content: Any, where: str) -> dict[str, Setting]:
        if not isinstance(content, dict):
            raise FileFormatError(f"{where}: 'settings' must be an object")
        settings: dict[str, Setting] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in content.items()
        }
        for name in settings.keys() & KINDS[kind].settings.keys():
            if KINDS[kind].settings[name] is PROGRAM:
                number = settings[name]
                if type(number) is not int or not 0 <= number < len(self._programs):
                    raise FileFormatError(f"{where}: there is no program {shown(number)}")
                settings[name] = self._programs[number]
        return settings


def _is_part_name(value: Any) -> bool:
    return is_name(value) and "." not in value
