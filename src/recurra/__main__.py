"""`python -m recurra`, the command line: what torchrun starts in each of its processes."""

import sys

from recurra.cli import main

sys.exit(main())
