"""``whole_model``: a model of Keras as the parts of a Stack, or else as a graph."""

from __future__ import annotations

from recurra.conversion.arrays import Arrays
from recurra.conversion.keras_graphs.network import network_of
from recurra.conversion.keras_graphs.translate import keras_graph
from recurra.conversion.keras_model import keras_chain, stack_of
from recurra.conversion.layer import BuiltPart, Choice
from recurra.errors import RecurraError
from recurra.graph.graph import ModelGraph


def whole_model(arrays: Arrays, choice: Choice, notes: list[str]) -> list[BuiltPart] | ModelGraph:
    """Make a whole model.

    Args:
        arrays: the arrays of the file, with the configuration.
        choice: the caller's choice for recurrent layers.
        notes: gets a text for everything that the model does otherwise than Keras.

    Raises:
        RecurraError: layers are not converted, or their arrays do not fit; or the caller chose what a graph takes from
            its file.
    """
    network = network_of(arrays.config)
    chain = stack_of(network)
    if chain is not None:
        return keras_chain(arrays, chain, choice)
    chosen = {
        "cell": choice.cell, "order": choice.order, "sizes": choice.sizes, "merge_mode": choice.merge_mode,
        "batch_first": None if choice.batch_first else False, **choice.options,
    }  # fmt: skip
    given = [f"{name}=" for name, value in chosen.items() if value is not None]
    if given:
        raise RecurraError(
            f"{', '.join(given)} are for chains of layers, and this model is a graph, which takes all from its file: "
            "names= says which of the arrays to convert"
        )
    return keras_graph(arrays, network, notes)
