"""The names of the mistakes, in the order of the documentation, and the address that messages end with."""

# Each name has its page, ``pages/<name>.md``.
NAMES = (
    # what goes in
    "batch-and-time-swapped",
    "features-not-last",
    "input-features",
    "input-dimensions",
    "reshape-for-transpose",
    "another-dtype",
    "tokens-without-embedding",
    "another-device",
    # states
    "h0-shape",
    "smaller-last-batch",
    "lstm-state-for-gru",
    "states-not-detached",
    "states-carried-over",
    # what comes out
    "output-tuple",
    "last-step-batch-first",
    "h-n-layers",
    "h-n-directions",
    "cell-for-layer",
    # variable lengths
    "last-step-of-padding",
    "backward-over-padding",
    "lengths-not-sorted",
    "lengths-on-gpu",
    "empty-sequences",
    "batch-first-on-one-side",
    "embedding-without-padding-index",
    # training
    "dropout-in-one-layer",
    "eval-forgotten",
    "softmax-before-cross-entropy",
    "cross-entropy-layout",
    "gradients-not-clipped",
    "gate-order",
)


def address(name: str) -> str:
    """The end of a message: the command that explains a mistake.

    Args:
        name: one of :data:`NAMES`.
    """
    return f"(recurra explain --mistake {name})"
