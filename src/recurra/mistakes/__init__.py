"""The mistakes that people make with recurrent layers: names and addresses here, their pages in ``page``."""

from recurra.mistakes.names import NAMES, address

__all__ = ["NAMES", "address"]
