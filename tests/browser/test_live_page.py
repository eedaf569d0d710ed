"""The live shapes page in a browser: its controls by keyboard, and its numbers beside those of real layers."""

import ast
import random
import re

import pytest
import torch

import recurra
from recurra import cells
from recurra.look.layer_sizes import LayerSizes
from recurra.look.live_page import live_page
from tests.cells.representatives import ZOO
from tests.look.live_page.own_cells import OWN, halves, lstm, wide, with_previous

NUMBERS = ("input_size", "hidden_size", "num_layers", "proj_size", "batch", "seq_len")
SWITCHES = ("bidirectional", "batch_first", "bias", "unbatched")
START = {
    "cell": "lstm", "input_size": 10, "hidden_size": 20, "num_layers": 2, "proj_size": 0, "batch": 3, "seq_len": 5,
    "bidirectional": True, "batch_first": False, "bias": True, "unbatched": False,
}  # fmt: skip
CELLS = {**cells.all(), "halves": halves, "with_previous": with_previous, "wide": wide, "lstm_2": lstm}
PROJECTING = ("lstm", "rnn", "layer_norm_lstm", "peephole_lstm", "multiplicative_lstm", "halves", "wide")
READ = """() => {
  const at = (name) => document.querySelector(`[data-at="${name}"]`);
  const rows = (name) => [...at(name).querySelectorAll("tbody tr")].map(
    (row) => [...row.cells].map((cell) => cell.textContent.trim()));
  return {
    python: at("python").textContent, apart: at("apart").textContent, rows: rows("rows"),
    slices: [...at("rows").querySelectorAll("tbody tr")].map(
      (row) => row.cells[4].querySelector("code")?.textContent ?? ""),
    variables: rows("variables"), parameters: rows("parameters"), total: at("count").textContent,
    costs: [at("step-cost").textContent, at("call-cost").textContent],
    heads: [...at("variables").querySelectorAll("thead th")].slice(4).map((cell) => cell.textContent),
    boxes: [...at("boxes").querySelectorAll(".box")].map((box) => [box.querySelector("code").textContent,
      [...box.querySelectorAll(".dim b")].map((number) => Number(number.textContent))]),
    drawing: at("drawing").querySelector("svg").getAttribute("aria-label"),
    isStale: document.querySelector(".live-shapes").classList.contains("stale"),
  };
}"""
# Of each switch its name, the pixels between it and its name, and by how much both are too wide.
SWITCH_PLACES = """(switches) => switches.map((each) => {
  const name = document.createRange();
  name.selectNodeContents([...each.childNodes].find((node) => node.textContent.trim()));
  const words = name.getBoundingClientRect(), box = each.querySelector("input").getBoundingClientRect();
  return [each.textContent.trim(), words.left - box.right, words.right - each.getBoundingClientRect().right];
})"""


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    start = LayerSizes(cells.lstm, 10, 20, 2, bidirectional=True)
    path = tmp_path_factory.mktemp("live") / "shapes.html"
    path.write_text(live_page(start, (*cells.all().values(), *OWN)), encoding="utf-8")
    return path


def settings_for(name):
    """Settings at random, but the same in every run, that the cell can have."""
    draw = random.Random(name)
    hidden = draw.randrange(4, 30, 2)
    settings = {
        "cell": name, "input_size": draw.randint(1, 40), "hidden_size": hidden, "num_layers": draw.randint(1, 6),
        "proj_size": draw.choice([0, draw.randrange(2, hidden, 2)]) if name in PROJECTING else 0,
        "batch": draw.randint(0, 12), "seq_len": draw.randint(1, 9), **{each: draw.random() < 0.5 for each in SWITCHES},
    }  # fmt: skip
    return {**settings, "num_layers": 1} if name == "with_previous" else settings


def toggle(page, name, value):
    switch = page.get_by_role("switch", name=name)
    if switch.is_checked() != value:
        switch.press("Space")


def drive(page, settings):
    """Give the page these settings with the keyboard alone."""
    keys = cells_of(page)
    chooser = page.get_by_label("cell", exact=True)
    steps = keys.index(settings["cell"]) - keys.index(chooser.input_value())
    for _ in range(abs(steps)):
        chooser.press("ArrowDown" if steps > 0 else "ArrowUp")
    toggle(page, "unbatched", False)  # it disables the field of the batch
    for name in NUMBERS:
        field = page.get_by_label(name, exact=True)
        if field.input_value() != str(settings[name]):
            field.press("Control+a")
            page.keyboard.type(str(settings[name]))
    for name in SWITCHES:
        toggle(page, name, settings[name])


def cells_of(page):
    """The cells to choose from, in the order of the page."""
    return page.locator("[name=cell] option").evaluate_all("(options) => options.map((each) => each.value)")


def shape(text):
    return ast.literal_eval(text)


def run(python):
    """The names after the lines of Python of the page."""
    names = {cell.name: cell for cell in OWN}
    exec(python, names)
    return names


def check_python(read, settings):
    """The lines make the layer that the controls ask for, and say what comes out. Returns their names."""
    names = run(read["python"])
    layer, cell = names["layer"], CELLS[settings["cell"]]
    assert layer.cell is cell
    assert {name: getattr(layer, name) for name in (*NUMBERS[:4], *SWITCHES[:3])} == {
        name: settings[name] for name in (*NUMBERS[:4], *SWITCHES[:3])
    }
    told = dict(re.findall(r"^(\w+)\.shape +# (\(.*\))$", read["python"], re.M))
    assert set(told) == {"output", *(f"{state}_n" for state in cell.states)}
    for name, text in told.items():
        assert shape(text) == tuple(names[name].shape)
        assert text in read["drawing"] or name != "output"
    assert read["boxes"] == [[name, list(names[name].shape)] for name in ("x", "output", *list(told)[1:])]
    return names


def check_rows(read, names, settings):
    """The rows of the states are told by layer and direction, and found in the output where it has them."""
    layer, directions = names["layer"], 2 if settings["bidirectional"] else 1
    first = f"{layer.cell.states[0]}_n"
    assert len(read["rows"]) == names[first].shape[0]
    for number, (row, sliced) in enumerate(zip(read["rows"], read["slices"], strict=True)):
        assert row[0].split() == [f"{state}_n[{number}]" for state in layer.cell.states]
        assert row[1] == f"layer {number // directions}"
        assert row[2] == ("← backward" if number % directions else "→ forward")
        is_top = number // directions == settings["num_layers"] - 1
        assert sliced.startswith("output[") == (is_top and layer.cell.output is None)
        if sliced.startswith("output["):
            assert torch.equal(eval(sliced, names), names[first][number])
    for line in read["apart"].splitlines():
        code, _, comment = line.partition("  # ")
        result = eval(code, names)
        if ".view(" in code:
            assert torch.equal(result.flatten(0, 1), names[first])
        else:
            assert shape(re.match(r"\([\d, ]*\)", comment)[0]) == tuple(result.shape)


def check_variables(read, names, settings):
    """Every variable of every layer has the words and the size of ``explain``, and the call its cost."""
    (part,) = recurra.explain(names["layer"], names["x"]).parts
    shown = {row[0]: (row[1], row[4:]) for row in read["variables"] if len(row) > 1}
    columns = [
        range(int(first), int(last or first) + 1)
        for first, last in (re.fullmatch(r"layers? (\d+)(?: to (\d+))?", head).groups() for head in read["heads"])
    ]
    assert [layer for column in columns for layer in column] == list(range(settings["num_layers"]))
    for layer in part.stack.layers:
        column = next(number for number, layers in enumerate(columns) if layer.place.layer in layers)
        for variable in (*layer.variables, *layer.parameters):
            meaning, sizes = shown[variable.name.removesuffix(layer.place.suffix)]
            assert meaning == variable.meaning
            assert shape(sizes[column]) == tuple(each.number for each in variable.dimensions), variable
    costs = [int(cost.replace(",", "")) for cost in read["costs"]]
    assert costs == [part.stack.multiplications, part.stack.call_multiplications]


def check_parameters(read, layer):
    state = layer.state_dict()
    assert [(name, shape(text)) for name, text, _ in read["parameters"]] == [
        (name, tuple(weight.shape)) for name, weight in state.items()
    ]
    assert [int(count.replace(",", "")) for *_, count in read["parameters"]] == [
        each.numel() for each in state.values()
    ]
    assert int(read["total"].replace(",", "")) == sum(each.numel() for each in state.values())


def test_the_page(check_page, path):
    check_page(path)


def test_numbers_are_those_of_layers(open_page, path):
    page = open_page(path)
    assert set(cells_of(page)) == set(CELLS)
    for name in (name for name in cells_of(page) if name in ZOO or name not in cells.all()):
        settings = settings_for(name)
        drive(page, settings)
        read = page.evaluate(READ)
        assert not read["isStale"], settings
        names = check_python(read, settings)
        check_rows(read, names, settings)
        check_variables(read, names, settings)
        check_parameters(read, names["layer"])


def test_large_numbers_are_exact(open_page, path):
    page = open_page(path)
    drive(page, {**START, "input_size": 999_999, "hidden_size": 999_983, "batch": 999_979, "seq_len": 999_961})
    sizes = LayerSizes(cells.lstm, 999_999, 999_983, 2, bidirectional=True, batch=999_979, seq_len=999_961)
    (part,) = recurra.explain(sizes).parts
    read = page.evaluate(READ)
    assert read["total"] == f"{part.stack.parameter_count:,}"
    assert read["costs"] == [f"{part.stack.multiplications:,}", f"{part.stack.call_multiplications:,}"]


PROBLEMS = (
    ({"num_layers": 0}, "num_layers"),
    ({"hidden_size": -3}, "hidden_size"),
    ({"proj_size": 20}, "proj_size"),
    ({"proj_size": -1}, "proj_size"),
    ({"cell": "gru", "proj_size": 5}, "proj_size"),
    ({"cell": "mgu", "proj_size": 5}, "proj_size"),
    ({"cell": "halves", "hidden_size": 7}, "hidden_size"),
    ({"cell": "halves", "proj_size": 3}, "proj_size"),
    ({"cell": "with_previous"}, "num_layers"),
    ({"seq_len": 0}, "seq_len"),
    ({"seq_len": 0, "batch_first": True}, "seq_len"),
    ({"seq_len": 0, "unbatched": True}, "seq_len"),
    ({"batch": -2}, "batch"),
)


def test_problems_are_told_as_python_tells_them(open_page, path):
    page = open_page(path)
    for changes, control in PROBLEMS:
        drive(page, {**START, **changes})
        python = page.locator("[data-at=python]").text_content()
        with pytest.raises((ValueError, RuntimeError)) as refused:
            run(python)
        message = f"{refused.type.__name__}: {refused.value}"
        assert page.locator(f"[data-at=problem-{control}]").text_content() == message
        assert "# " + message.replace("\n", "\n# ") in python
        assert page.locator("[aria-invalid=true]").get_attribute("name") == control
        assert page.evaluate(READ)["isStale"]


def test_what_is_no_number_of_the_page(open_page, path):
    page = open_page(path)
    for typed, message in (
        ("", "input_size is missing: an int"),
        ("2.5", "TypeError: input_size must be an int, not float (2.5)"),
        ("2000000", "this page shows up to 1,000,000"),
    ):
        field = page.get_by_label("input_size", exact=True)
        field.press("Control+a")
        field.press("Delete")
        page.keyboard.type(typed)
        assert page.locator("[data-at=problem-input_size]").text_content() == message
    with pytest.raises(TypeError) as refused:
        recurra.nn.LSTM(2.5, 20)
    assert str(refused.value) == "input_size must be an int, not float (2.5)"


def test_the_address_keeps_the_settings(open_page, path):
    page = open_page(path)
    settings = {**START, "cell": "mgu", "num_layers": 4, "batch_first": True, "bias": False, "seq_len": 12}
    drive(page, settings)
    address, before = page.url, page.evaluate(READ)
    page.goto("about:blank")
    page.goto(address)
    assert page.evaluate(READ) == before
    page.get_by_role("button", name="Reset").press("Enter")
    assert page.locator("[name=cell]").input_value() == "lstm"
    page.evaluate("location.hash = '#cell=nothing&num_layers=3&seq_len=many&bias=0'")
    page.wait_for_function("document.querySelector('[name=num_layers]').value === '3'")
    assert page.locator("[name=cell]").input_value() == "lstm"
    assert page.locator("[name=seq_len]").input_value() == "5"
    assert "bias=False" in page.locator("[data-at=python]").text_content()
    page.goto("about:blank")
    page.goto(address.replace("num_layers=4", "num_layers=0"))
    assert page.locator("[aria-invalid=true]").get_attribute("name") == "num_layers"
    assert page.evaluate(READ)["boxes"][1] == ["output", [5, 3, 40]]  # of the first settings


def test_the_drawing_is_read_by_keyboard(open_page, path):
    page = open_page(path)
    drawing, readout = page.locator("[data-at=drawing]"), page.locator("[data-at=readout]")
    drawing.focus()
    told = set()
    drawing.press("Home")
    for _ in range(200):
        told.add(readout.text_content())
        drawing.press("ArrowRight")
    wanted = (
        "x[4], the input of step 4: (3, 10)",
        "output of layer 0 at step 2, the input of layer 1: (3, 40)",
        "output[0], of the top layer: (3, 40): forward 20, then backward 20",
        "layer 1, backward, states handed on from step 3 to step 2: h (3, 20), c (3, 20)",
        "h_n[3], c_n[3]: layer 1, backward, after step 0, the last that it reads: h (3, 20), c (3, 20)",
    )
    assert set(wanted) <= told
    drawing.press("Escape")
    assert page.locator(".lit").count() == 0


def test_a_row_lights_its_arrow(open_page, path):
    page = open_page(path)
    page.locator("[data-part=hn-3] button").focus()
    assert page.locator("tr.lit").text_content().split()[0] == "h_n[3]"
    assert page.locator(".part.lit").count() == 2  # the last arrow, and the states at its end
    assert page.locator(".part.chain").count() == 6  # the states at its begin, and the arrows before
    page.locator(".part[data-part=hn-0]").last.hover()
    assert page.locator("tr.lit").text_content().split()[0] == "h_n[0]"


def test_plus_and_minus(open_page, path):
    page = open_page(path)
    page.locator("[data-for=num_layers][data-step='1']").click()
    assert page.evaluate(READ)["boxes"][2] == ["h_n", [6, 3, 20]]
    page.get_by_label("num_layers", exact=True).press("ArrowDown")
    assert page.evaluate(READ)["boxes"][2] == ["h_n", [4, 3, 20]]


@pytest.mark.parametrize("width", [320, 500, 790])
def test_a_switch_stands_beside_its_own_name_on_narrow_screens(open_page, path, width):
    page = open_page(path)
    page.set_viewport_size({"width": width, "height": 620})
    for name, gap, overflow in page.eval_on_selector_all(".switch", SWITCH_PLACES):
        assert 0 <= gap <= 12, name
        assert overflow <= 0, name
