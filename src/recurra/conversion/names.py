"""The search for a layer's arrays by torch's, Keras' or ONNX' names, behind any prefix."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from recurra.errors import RecurraError

Names = str | Mapping[str, str]
Roles = dict[str, str]  # from an array's role in the layer, such as weight_ih, to its name


@dataclass(frozen=True)
class ParsedName:
    """The parts of an array's name.

    Attributes:
        prefix: the prefix that the names of the layer's arrays share.
        role: the array's role in the layer.
        level: the number of the layer in its stack.
        direction: 0 forward, 1 backward.
    """

    prefix: str
    role: str
    level: int = 0
    direction: int = 0


@dataclass(frozen=True)
class Scheme:
    """A library's names for the arrays of a layer.

    Attributes:
        order: torch, keras or onnx.
        required: the roles that every layer has.
        optional: the roles that a layer may have.
        place: parses a name; None where the name does not follow this scheme.
    """

    order: str
    required: Sequence[str]
    optional: Sequence[str]
    place: Callable[[str], ParsedName | None]


@dataclass(frozen=True)
class FoundLayer:
    """The arrays of a layer, or of a stack of them.

    Attributes:
        order: the order of the scheme that the names follow.
        prefix: the prefix of the names; empty where the arrays were named one by one.
        scans: the names by role, for each level and direction.
    """

    order: str
    prefix: str
    scans: Sequence[Sequence[Roles]]


# ---- parsing names ----


def _pattern(roles: Iterable[str], end: str = "") -> re.Pattern[str]:
    """The pattern of a role behind the shortest possible prefix; prefixes end with one of ``. _ / :``."""
    words = "|".join(map(re.escape, roles))
    return re.compile(rf"(?P<prefix>(?:.*?[._/:])??)(?P<role>{words}){end}", re.S)


def torch_scheme(required: Sequence[str], optional: Sequence[str]) -> Scheme:
    """torch's scheme of names, such as ``weight_ih_l0_reverse``, or ``w_ih`` for short; roles are a cell's parameters.

    Args:
        required: the roles that every layer has.
        optional: the roles that a layer may have.
    """
    roles = {role: role for role in (*required, *optional)}
    for role in (*required, *optional):
        kind, _, rest = role.partition("_")
        for short in {"weight": "wW", "bias": "b"}.get(kind, ""):
            roles.setdefault(f"{short}_{rest}" if rest else short, role)
    pattern = _pattern(roles, r"(?:_l(?P<level>\d{1,4}))?(?P<reverse>_reverse)?")

    def place(name: str) -> ParsedName | None:
        match = pattern.fullmatch(name)
        if match is None:
            return None
        return ParsedName(match["prefix"], roles[match["role"]], int(match["level"] or 0), int(bool(match["reverse"])))

    return Scheme("torch", required, optional, place)


_KERAS_DIRECTION = re.compile(r"(?:^|(?<=[/.]))(forward|backward)_([^/.]*)")


def keras_scheme(required: Sequence[str], optional: Sequence[str]) -> Scheme:
    """Keras' scheme of names. In a Bidirectional, layers begin with forward_ and backward_, and cells may differ.

    Args:
        required: the roles that every layer has.
        optional: the roles that a layer may have.
    """
    pattern = _pattern((*required, *optional), "(?::0)?")

    def place(name: str) -> ParsedName | None:
        match = pattern.fullmatch(name)
        if match is None:
            return None
        prefix = match["prefix"]
        direction = _KERAS_DIRECTION.search(prefix)
        if direction is None:
            return ParsedName(prefix, match["role"])
        return ParsedName(prefix[: direction.start()] + direction[2], match["role"], 0, int(direction[1] == "backward"))

    return Scheme("keras", required, optional, place)


def onnx_scheme(required: Sequence[str], optional: Sequence[str]) -> Scheme:
    """ONNX' scheme of names, those of a node's inputs; one array holds both directions.

    Args:
        required: the roles that every layer has.
        optional: the roles that a layer may have.
    """
    pattern = _pattern((*required, *optional))

    def place(name: str) -> ParsedName | None:
        match = pattern.fullmatch(name)
        return None if match is None else ParsedName(match["prefix"], match["role"])

    return Scheme("onnx", required, optional, place)


# ---- choosing a layer ----


def find(what: str, names: Iterable[str], given: Names | None, known: Sequence[Scheme]) -> FoundLayer:
    """The arrays of one layer, or of one stack.

    Args:
        what: the caller's argument that says which layer, for messages.
        names: the names of all arrays of the source.
        given: a part of the layer's names, the names by role, or None for the only layer there is.
        known: the schemes that the names may follow.

    Raises:
        RecurraError: there is no such layer, there are several, or the layer is not complete.
    """
    if isinstance(given, Mapping):
        return _named(what, given, known)
    if given is not None and not isinstance(given, str):
        raise RecurraError(f"{what} must be a text, or names by role; got {type(given).__name__}")
    names = list(names)
    gathered = [each for scheme in known for each in _gather(_placed(names, scheme), scheme)]
    candidates = [each for each in gathered if each.is_layer()]
    chosen = candidates if given is None else _chosen(candidates, given)
    if len(chosen) == 1:
        return chosen[0].found()
    shown = ", ".join(repr(each.prefix) for each in (chosen or candidates)[:10])
    if chosen:
        raise RecurraError(f"{what}={given!r} may mean any of {shown}; say which")
    if candidates:
        raise RecurraError(f"{what}={given!r}: there is no such prefix; there are {shown}")
    nearest = max(gathered, key=_Gathered.share, default=None)
    if nearest is not None and nearest.share() > 0:
        raise RecurraError(f"{what}={given!r}: no layer is complete; {nearest.described()}")
    raise RecurraError(
        f"{what}={given!r}: no names end in the roles {_roles(known)}; {what}={{role: name}} says which have them: "
        + (", ".join(names[:20]) or "there are none")
    )


def _chosen(candidates: Sequence[_Gathered], given: str) -> list[_Gathered]:
    """The candidates with exactly the given prefix; if there are none, those whose prefix contains its segments."""
    exact = [each for each in candidates if each.prefix.rstrip("._:/") == given.rstrip("._:/")]
    sought = _segments(given)

    def is_within(own: list[str]) -> bool:
        return any(own[start : start + len(sought)] == sought for start in range(len(own) - len(sought) + 1))

    return exact or [each for each in candidates if sought and is_within(_segments(each.prefix))]


def _segments(prefix: str) -> list[str]:
    return [segment for segment in re.split(r"[./]", prefix.rstrip("._:/")) if segment]


@dataclass(frozen=True)
class _Gathered:
    """The names that share a prefix, by level and direction."""

    scheme: Scheme
    prefix: str
    scans: Mapping[tuple[int, int], Mapping[str, list[str]]]

    def share(self) -> float:
        """The share of the required roles that are present, at the level and direction that has the most."""
        needed = self.scheme.required
        return max(sum(role in roles for role in needed) / len(needed) for roles in self.scans.values())

    def is_layer(self) -> bool:
        return self.share() == 1

    def described(self) -> str:
        """A text with the roles that are present and those that are missing, for messages."""
        present = {role for roles in self.scans.values() for role in roles}
        missing = ", ".join(role for role in self.scheme.required if role not in present)
        where = f"{self.prefix!r} has" if self.prefix else "there are"
        return f"{where} {', '.join(sorted(present))} ({self.scheme.order}), but no {missing}"

    def found(self) -> FoundLayer:
        """The same names as a full grid of levels and directions.

        Raises:
            RecurraError: an array is missing, or two arrays have the same place.
        """
        levels, directions = (1 + max(place[axis] for place in self.scans) for axis in (0, 1))
        present = {role for roles in self.scans.values() for role in roles}
        roles = [*self.scheme.required, *(role for role in self.scheme.optional if role in present)]
        grid = [[self._scan(level, direction, roles) for direction in range(directions)] for level in range(levels)]
        return FoundLayer(self.scheme.order, self.prefix, grid)

    def _scan(self, level: int, direction: int, roles: Sequence[str]) -> Roles:
        own = self.scans.get((level, direction), {})
        for role in roles:
            if len(own.get(role, ())) != 1:
                there = f"{role} is missing" if role not in own else f"{' and '.join(own[role])} are both {role}"
                where = f"in layer {level}, {('forward', 'backward')[direction]}, of {self.prefix!r}"
                raise RecurraError(f"{there} {where}"[:300])
        return {role: own[role][0] for role in roles}


def _gather(names: Iterable[tuple[ParsedName, str]], scheme: Scheme) -> list[_Gathered]:
    """Group parsed names by their prefixes."""
    prefixes: dict[str, dict[tuple[int, int], dict[str, list[str]]]] = {}
    for place, name in names:
        scans = prefixes.setdefault(place.prefix, {})
        scans.setdefault((place.level, place.direction), {}).setdefault(place.role, []).append(name)
    return [_Gathered(scheme, prefix, scans) for prefix, scans in prefixes.items()]


def _placed(names: Iterable[str], scheme: Scheme) -> list[tuple[ParsedName, str]]:
    places = [(scheme.place(name), name) for name in names]
    return [(place, name) for place, name in places if place is not None]


def _named(what: str, given: Mapping[str, str], known: Sequence[Scheme]) -> FoundLayer:
    """The layer whose arrays are named one by one, by roles of one scheme."""
    if not all(isinstance(role, str) and isinstance(name, str) for role, name in given.items()):
        raise RecurraError(f"{what} must have the name of an array for each role; the arrays themselves are the source")
    for scheme in known:
        places = [(place, given[role]) for place, role in _placed(given, scheme)]
        own = [(replace(place, prefix=""), name) for place, name in places if not place.prefix.strip("._:/")]
        if len(own) == len(given):
            for layer in _gather(own, scheme):
                if layer.is_layer():
                    return layer.found()
    shown = ", ".join(given)[:200] or "nothing"
    raise RecurraError(f"{what} has {shown}; needed are all roles of one layer, {_roles(known)}")


def _roles(known: Sequence[Scheme]) -> str:
    each = (f"{', '.join(scheme.required)} ({scheme.order})" for scheme in known)
    return " or ".join(each)
