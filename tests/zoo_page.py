"""docs/zoo.md, made from the cells and from measured figures; ``python -m tests.zoo_page`` writes it."""

import json
from collections import defaultdict

from recurra.look.cell_facts import zoo_facts
from tests.pages import ROOT

PAGE = ROOT / "docs" / "zoo.md"
SPEEDS = ROOT / "benchmarks" / "zoo.json"
RESULTS = ROOT / "benchmarks" / "known_results.json"

HEAD = """\
# The zoo

{count} cells of the literature, each as the equations of its paper. `recurra cells` prints this table, and
`recurra cells NAME` one cell with its equations, shapes and paper; [the reference](reference/cells.md) has all of them,
and [choose a cell](howto/choose_cell.md) says which to take. Each is an attribute of `recurra.cells`, a choice of
`--cell` (but forecasters refuse `gru_d`), and a layer with everything that an LSTM has:

```python
import torch

import recurra

layer = recurra.nn.Recurrent(recurra.cells.{example}, 10, 20, num_layers=2, bidirectional=True)
output, last = layer(torch.randn(5, 3, 10))
```

A cell of your own is as good as these: [write it](tutorials/own_cell.md), then `recurra check FILE.py:NAME`.

- **loop**: what the loop over time computes from the states. `product`: a matrix product with a state, which bounds the
  speed. `elementwise`: functions of each unit alone, so that all products run ahead of the loop. `affine`: sums of
  states with factors that no state decides.
- **products**: matrix products in each step of the loop, after those that can be joined are one.
- **parameters**: of one layer, by its sizes.

| cell | what it is | paper | states | loop | products | parameters |
|---|---|---|---|---|---|---|
"""
SPEED = """
## Speed

Medians of milliseconds on one thread for T,B,I,H (steps, batch, input, units), and how many times as fast that is as a
plain loop in torch, and as the layer of torchrecurrent where it has one. `make bench-zoo` writes these figures.

At 100,1,32,32 every cell is more than 30 times as fast as torchrecurrent's. At 100,32,128,256 the matrix products bound
the time, which torch's side computes near the processor's peak too: 1.7 to 2 times is what some cells reach there. In
these rows recurra's products would take 79 to 94 % of its time at 117 G operations a second, which multiply-adds in
registers reach here (torch's best product reaches 107, `recurra.bench.roof`). So float32 has little left;
[products of bfloat16](performance.md#products-of-bfloat16) have. Beside two busy processes, eight cells were timed in
fewer, noisier rounds: 1.2 to 6.5 times there, 61 to 393 at 100,1,32,32, and never slower than the loop.
"""
NO_SPEED = "They have not been measured for this version.\n"
KNOWN = """
## Known results

Three tasks that the literature compares cells by. `python -m benchmarks.known_results TASK --cell NAME` trains one, on
the CPU, with Adam and gradients clipped to norm 1, until the result is reached on what is held out, looked at every
100 updates. The seconds are of a machine that may have had other work. The LSTM begins with a forget bias of 1, and
IndRNN as its paper says for the adding problem: long memories in the last layer, recurrent weights kept below
2 ** (1 / steps).

- **adding** (Hochreiter & Schmidhuber 1997), 200 steps: the sum of two marked numbers. Guessing has a mean squared
  error of 0.167; below 0.01 it is solved.
- **copy** (Arjovsky et al. 2016): ten symbols, remembered over 100 steps. The memoryless baseline is 0.173 nats a step;
  the goal here is to be 5 % below it.
- **digits**: scikit-learn's handwritten digits of 8×8, pixel by pixel; 360 of 1,797 are held out. The goal is 95 % of
  them.
"""


def table(facts):
    """The rows of the table of all cells."""
    rows = []
    for each in facts:
        states = ", ".join(f"`{state}`" for state in each.states)
        columns = (f"`{each.name}`", each.summary, each.paper, states, each.kind, each.products, f"`{each.parameters}`")
        rows.append(f"| {' | '.join(map(str, columns))} |")
    return "\n".join(rows) + "\n"


def speeds(measured):
    """The rows of measured speeds: a row for each cell, columns for shapes and modes."""
    by_cell = defaultdict(dict)
    for row in measured["rows"]:
        by_cell[row["cell"]][row["shape"], row["mode"]] = row["ms"]
    kinds = list(dict.fromkeys((row["shape"], row["mode"]) for row in measured["rows"]))
    head = ["cell", *(f"{shape} {mode}" for shape, mode in kinds)]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for cell, found in by_cell.items():
        lines.append(f"| {' | '.join([f'`{cell}`', *(figure(found[kind]) for kind in kinds)])} |")
    machine = f"{measured['cpu']}, {measured['threads']} thread, torch {measured['torch']}, {measured['date']}."
    return f"\n{machine} Each figure: ms, × the loop, × torchrecurrent.\n\n" + "\n".join(lines) + "\n"


def figure(ms):
    """Milliseconds and ratios, such as ``0.41 ms, 35 ×, 41 ×``."""
    others = [f"{ms[side] / ms['recurra']:.3g} ×" if side in ms else "–" for side in ("loop", "torchrecurrent")]
    return ", ".join([f"{ms['recurra']:.3g}", *others])


def results(rows):
    """The table of known results."""
    head = "| task | cell | layers | units | seed | updates | seconds | result | reached | threads | processor |"
    lines = [f"\n{head}", "|---" * (head.count("|") - 1) + "|"]
    for row in rows:
        shown = [row["task"], f"`{row['cell']}`", row["layers"], row["hidden"], row["seed"]]
        shown += [
            f"{row['updates']:,}",
            row["seconds"],
            f"{row['result']:.2%}" if row["task"] == "digits" else row["result"],
            "yes" if row["reached"] else "no",
            row["threads"],
            row["cpu"],
        ]
        lines.append(f"| {' | '.join(map(str, shown))} |")
    return "\n".join(lines) + "\n"


def page():
    """The text of the page."""
    facts = zoo_facts()
    parts = [HEAD.format(count=len(facts), example="lem"), table(facts), SPEED]
    parts.append(speeds(json.loads(SPEEDS.read_text(encoding="utf-8"))) if SPEEDS.exists() else f"\n{NO_SPEED}")
    parts.append(KNOWN)
    if RESULTS.exists():
        parts.append(results(json.loads(RESULTS.read_text(encoding="utf-8"))))
    return "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
