"""How the scans of a recurrent layer are put together: its layers, its directions, and what passes between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from recurra.errors import RecurraError
from recurra.program import Program, Sizes

MERGE_MODES = ("concat", "sum", "mul", "ave")


@dataclass(frozen=True)
class Arrangement:
    """The arrangement of a layer's scans, each of which is one layer in one direction.

    Attributes:
        hidden_sizes: the hidden size of each layer.
        bidirectional: whether each layer also runs from the last step to the first. Default False.
        merge_mode: how the outputs of both directions become one: beside each other (``"concat"``), or their sum,
            product (``"mul"``) or mean (``"ave"``). Default ``"concat"``.
        residual: whether each layer's input is added to its output, where both have as many features. Default False.
        tie_directions: whether both directions of a layer have the same weights. Default False.
        learn_initial_state: whether states begin with learned values instead of zeros. Default False.
        by_layer: whether hidden sizes were given layer by layer, so that states come layer by layer too. Default False.
    """

    hidden_sizes: tuple[int, ...]
    bidirectional: bool = False
    merge_mode: str = "concat"
    residual: bool = False
    tie_directions: bool = False
    learn_initial_state: bool = False
    by_layer: bool = False

    @property
    def directions(self) -> int:
        """The number of directions of each layer: 1 or 2."""
        return 2 if self.bidirectional else 1

    @property
    def count(self) -> int:
        """The number of scans: layers times directions."""
        return len(self.hidden_sizes) * self.directions

    @property
    def problem(self) -> str | None:
        """Why these options do not go together; None where they do."""
        if self.merge_mode not in MERGE_MODES:
            return f"merge_mode must be {', '.join(map(repr, MERGE_MODES[:-1]))} or 'ave', not {self.merge_mode!r}"
        if self.merge_mode != "concat" and not self.bidirectional:
            return f"merge_mode={self.merge_mode!r} merges two directions: it needs bidirectional=True"
        if self.tie_directions and not self.bidirectional:
            return "tie_directions=True gives two directions the same weights: it needs bidirectional=True"
        return None

    def place(self, number: int) -> tuple[int, int]:
        """The layer and the direction of a scan."""
        return divmod(number, self.directions)

    def suffix(self, number: int) -> str:
        """The end of the names of what a scan has for itself: ``_l0``, ``_l0_reverse``."""
        layer, direction = self.place(number)
        return f"_l{layer}" + ("_reverse" if direction else "")

    def weight_suffix(self, number: int) -> str:
        """The end of the names of a scan's weights; tied directions have those of the first one."""
        return self.suffix(number - self.place(number)[1] if self.tie_directions else number)

    def width(self, output_size: int) -> int:
        """The features of a layer's output, for those of one direction."""
        return output_size * (self.directions if self.merge_mode == "concat" else 1)

    def sizes(self, program: Program, input_size: int, proj_size: int = 0) -> Iterator[Sizes]:
        """The numbers of a program's symbols in each layer.

        Args:
            program: the program that all layers run.
            input_size: features of the first layer's input.
            proj_size: features of a projected first state. Default 0: no projection.

        Raises:
            EquationError: the size of the output of a layer is no whole number; after that layer's sizes.
        """
        width = input_size
        for hidden in self.hidden_sizes:
            sizes = Sizes(width, hidden, proj_size)
            yield sizes
            width = self.width(program.output.width(sizes))

    def adds_input(self, program: Program, layers: Sequence[Sizes]) -> tuple[bool, ...]:
        """For each layer, whether its input is added to its output.

        Args:
            program: the program that all layers run.
            layers: its numbers in each layer.

        Raises:
            RecurraError: ``residual`` is set, and no layer has as many features in its output as in its input.
        """
        if not self.residual:
            return (False,) * len(layers)
        adds = tuple(sizes.input == self.width(program.output.width(sizes)) for sizes in layers)
        if not any(adds):
            raise RecurraError(f"residual=True adds a layer's input to its output: {self.unequal(program, layers)}")
        return adds

    def unequal(self, program: Program, layers: Sequence[Sizes]) -> str:
        """The layers that give another number of features than they take: ``layer 0 takes 8 features and gives 16``."""
        pairs = [(sizes.input, self.width(program.output.width(sizes))) for sizes in layers]
        texts = [
            f"layer {layer} takes {taken} features and gives {given}"
            for layer, (taken, given) in enumerate(pairs)
            if taken != given
        ]
        return ", ".join(texts)
