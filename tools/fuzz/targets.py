"""The targets of fuzzing: readers, which return a model or program or raise a one-line error; and running these."""

from __future__ import annotations

import io
import math
import warnings
import zlib
from collections.abc import Mapping
from functools import partial

import numpy as np

import recurra
from fuzz.seeds import described, layer
from recurra.compiler import plan
from recurra.conversion.arrays import Arrays
from recurra.conversion.build import converted
from recurra.conversion.files import FileArrays, read_known
from recurra.conversion.reading import of_state_dict
from recurra.engines import Call, Wishes
from recurra.engines.native import NativeEngine
from recurra.errors import MAX_LINE, FileFormatError, ProgramError, RecurraError
from recurra.graph.build import build
from recurra.graph.file import check_numbers, graph_of
from recurra.graph.graph import ModelGraph
from recurra.graph.halves import HalfArrays
from recurra.graph.model import GraphModel
from recurra.graph.stream import paired_states
from recurra.model import Description, weights_of
from recurra.model.file import GRAPH_KEY, model_of
from recurra.model.file_errors import refusing
from recurra.model.safetensors import Tensor, unpack_from
from recurra.program import Program, Sizes, from_json, to_json
from recurra.runtime import AutoregressiveModel, ForecastModel, Model
from recurra.series.panel import Panel

ENGINE = NativeEngine()
MOST_WEIGHTS = 10**6  # of a program without a file of weights
_LONGEST = 1_000  # characters of a message about a model that is not converted, which may list layers
SIZES = ((4, 8), (12, 24), (24, 12), (3, 6))  # input and hidden size of such programs


class Found(Exception):  # noqa: N818  (fuzzing looks for it)
    """A fault that was found."""


def read(data: bytes) -> Program | Description | FileArrays | GraphModel | None:
    """The program, model, arrays or graph of an input; None if it is refused as it should be.

    Raises:
        Found: a message is too long, has several lines or control characters; or a round trip changes a program.
    """
    try:
        if data[:1] == b"{":
            program = from_json(data.decode("utf-8", "surrogateescape"))
            if from_json(to_json(program)) != program:
                raise Found("a program is another one after a round trip")
            return program
        with refusing("input"):
            stream = io.BufferedReader(io.BytesIO(data))  # type: ignore[arg-type]
            arrays = read_known(stream, len(data))
            if arrays is not None:
                return arrays
            halves = HalfArrays()
            content, tensors = unpack_from(stream, len(data), partial(_content, halves=halves))
            if isinstance(content, ModelGraph):
                check_numbers(tensors)
                halves.fill()
                return build(content, "input")
            return content
    except (ProgramError, FileFormatError) as error:
        if not str(error).isprintable() or len(str(error)) > MAX_LINE:
            raise Found(f"a message that is no line: {error!r}") from error
        return None


def _content(
    tensors: Mapping[str, Tensor], metadata: Mapping[str, str], halves: HalfArrays
) -> tuple[Description | ModelGraph, Mapping[str, Tensor]]:
    """What a file's arrays and metadata describe, and the arrays, whose numbers come later."""
    return (
        graph_of(tensors, metadata, halves)
        if GRAPH_KEY in metadata
        else (model_of(tensors, metadata, of_state_dict), tensors)
    )


def use(content: Program | Description | FileArrays | GraphModel, sizes: tuple[int, int]) -> None:
    """Run a program or model forward and backward, step by step and as a whole. Errors are fine, crashes are not.

    Args:
        content: the program, model or graph, or arrays, which are converted.
        sizes: of a program, its input and hidden sizes.
    """
    try:
        if isinstance(content, GraphModel):
            _run_graph(content)
            return
        if isinstance(content, FileArrays):
            made = _converted(content)
            if made is None:
                return
            if isinstance(made, ModelGraph):
                _run_graph(build(made, "input"))
                return
            content = made
        if isinstance(content, Program):
            part = layer(content, *sizes)
            if sum(map(math.prod, weights_of(part).values())) > MOST_WEIGHTS:
                return
            content = described(part)
        if "forecaster" in content.annotations:
            _forecast(ForecastModel(content))
        if "autoregressive" in content.annotations:
            _draw(AutoregressiveModel(content))
        for member in content.members():
            use(member, sizes)
        _run(Model(content))
        for _, part in content.root.walk():
            if "program" in part.settings:
                _differentiate(part.program, *sizes)
    except RecurraError:
        return


def _converted(content: FileArrays) -> Description | ModelGraph | None:
    """The model of arrays; None if they are refused as they should be."""
    try:
        return converted(Arrays("input", *content))
    except RecurraError as error:
        if not str(error).isprintable() or len(str(error)) > _LONGEST:
            raise Found(f"a message that is no line: {error!r}") from error
        return None


def _forecast(model: ForecastModel) -> None:
    """Forecast a series of three values, and go on with a fourth."""
    recipe = model.recipe
    ones = np.ones((3 + recipe.horizon, len(recipe.known) + len(recipe.past)))
    panel = Panel(
        ("",), np.zeros(1, np.int64), (np.array([1.0, np.nan, 3.0]),), (ones[:, : len(recipe.known)],),
        (ones[:3, len(recipe.known) :],), np.zeros((1, len(recipe.categories)), np.int64), recipe.frequency,
    )  # fmt: skip
    stream = model.stream(panel)
    after = stream.step(2.0, ones[0, : len(recipe.known)], ones[0, len(recipe.known) :])
    if not np.isfinite(after.quantiles).all() or (np.diff(after.quantiles) < 0).any():
        raise Found(f"a forecast of quantiles {after.quantiles}")


def _draw(model: AutoregressiveModel) -> None:
    """Draw paths after a series of three values."""
    recipe = model.recipe
    panel = Panel(
        ("",), np.zeros(1, np.int64), (np.array([1.0, 2.0, 3.0]),), (np.ones((5, len(recipe.known))),),
        (np.ones((3, 0)),), np.zeros((1, len(recipe.categories)), np.int64), recipe.frequency,
    )  # fmt: skip
    paths = model.paths(panel, 2, samples=3)
    if not np.isfinite(paths).all():
        raise Found(f"sample paths of {paths}")


def _run_graph(model: GraphModel) -> None:
    """Run a graph twice on inputs of its shapes, its free sizes 2, and as a stream where it has states."""
    given = {}
    for declared in model.inputs:
        shape = [size if isinstance(size, int) else 2 for size in declared.shape or ()]
        if math.prod(shape) <= MOST_WEIGHTS:
            given[declared.name] = np.ones(shape, declared.dtype or np.float32)
    model.run(None, given)
    model.run(None, given)
    states = paired_states(model)
    model.stream(states, 2).step(**{name: value for name, value in given.items() if name not in states})


def _run(model: Model) -> None:
    x = np.zeros((2, 1), np.int64) if model.takes_tokens else np.ones((2, 1, model.input_size or 3), model.dtype)
    model(x[0] if model.is_cell else x)
    stream = model.stream()
    stream.step(x[0])
    stream.step(x[1])


def _differentiate(program: Program, width: int, hidden: int) -> None:
    sizes = Sizes(width, hidden, hidden // 2)
    shapes = {v.name: tuple(size.value(sizes) for size in v.shape) for v in program.sources}
    planned = plan(program)
    draw = np.random.default_rng(0)
    if sum(math.prod(shapes[parameter.name]) for parameter in program.parameters) > MOST_WEIGHTS:
        return
    parameters = [draw.standard_normal(shapes[parameter.name]).astype("f4") for parameter in program.parameters]
    states = [np.ones((2, *shapes[state.name]), "f4") for state in program.states]
    widths = [shape[-1].value(sizes) if shape else 1 for shape in (m.results[0].shape for m in planned.program.masks)]
    call = Call(
        x=np.ones((3, 2, width), np.float32),
        batch_sizes=None,
        states=states,
        parameters=parameters,
        sizes=sizes,
        masks=[np.ones((3, 2, width), "f4") for width in widths],
    )
    kernel = ENGINE.build(planned)
    wishes = Wishes((True,) * len(program.sources))
    result = kernel.forward(call, wishes)
    kernel.backward(call, result, wishes, [np.ones_like(result.output)], [None] * len(states))


def one_input(data: bytes, share: int) -> None:
    """Read an input. Of the accepted ones, run one in ``share``."""
    content, chance = read(data), zlib.crc32(data)
    if content is not None and chance % share == 0:
        with warnings.catch_warnings(), np.errstate(all="ignore"), recurra.engine("native"):
            warnings.simplefilter("ignore")
            use(content, SIZES[chance // share % len(SIZES)])
