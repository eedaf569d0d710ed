"""Each mistake is really made: the page shows what recurra and torch.nn answer, and what works instead."""

import re

import pytest
import torch

from recurra.errors import RunError
from recurra.mistakes import NAMES, address
from recurra.mistakes.page import listing, mistake
from tests.mistakes.sessions import answer, blocks, on_torch, words
from tests.mistakes_page import PAGE, page
from tests.pages import ROOT
from tests.sources import SOURCE

# Mistakes whose pages show no answer of recurra; all others show the address, in a message or by recurra.look.check.
SILENT = {
    "reshape-for-transpose", "states-carried-over", "last-step-batch-first", "h-n-layers", "h-n-directions",
    "lengths-on-gpu", "embedding-without-padding-index", "cross-entropy-layout", "gradients-not-clipped", "gate-order",
}  # fmt: skip
GPU_ALONE = {"lengths-on-gpu"}  # where torch's message needs a device

SECTIONS = ("You write", "recurra", "torch.nn", "Why", "Instead")


def test_every_page_is_in_the_table():
    assert sorted(NAMES) == sorted(path.stem for path in (SOURCE / "mistakes" / "pages").iterdir())
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_page_has_all_sections(name):
    found = mistake(name)
    assert tuple(heading for heading, _ in found.sections) == SECTIONS
    assert found.summary
    assert not [text for _, text in found.sections if not text.strip()]
    assert [block.language for block in blocks(dict(found.sections)["You write"])] == ["python"]


@pytest.mark.parametrize("name", NAMES)
def test_the_mistake_and_its_repair(name):
    """All blocks of the page, one after the other; what they print or raise is what the page shows."""
    made = [block for head, text in mistake(name).sections if head != "torch.nn" for block in blocks(text)]
    names, last = {}, ""
    for number, block in enumerate(made):
        if block.language == "python":
            last = answer(block.source, names)
            following = made[number + 1] if number + 1 < len(made) else None
            raises = re.match(r"(\w+(?:Error|Warning)): ", last)
            assert block.mark == (f"raises: {raises[1]}" if raises else "")
            assert following is not None or last == ""
            assert last == "" or following.language == "text"
        else:
            assert words(block.source) == words(last)
            assert (block.mark == "prints") != bool(re.match(r"\w+(?:Error|Warning): ", block.source))
    assert made[-1].language == "text" or last == ""


@pytest.mark.parametrize("name", NAMES)
def test_what_torch_answers(name):
    sections = dict(mistake(name).sections)
    (written,) = blocks(sections["You write"])
    shown = [block.source for block in blocks(sections["torch.nn"])]
    said = words(answer(on_torch(written.source), {}))
    if "Error: " in said or "Warning: " in said:
        assert words(shown[0]) == said
    elif name not in GPU_ALONE:
        assert "ilent too" in sections["torch.nn"]
        assert said == words(blocks(sections["recurra"])[0].source)


@pytest.mark.parametrize("name", NAMES)
def test_recurra_names_the_page(name):
    assert (address(name) in words(dict(mistake(name).sections)["recurra"])) == (name not in SILENT)


def test_torch_asks_for_lengths_on_the_cpu():
    from torch.nn.utils.rnn import pack_padded_sequence

    from tests.nn.fake_device import NAME

    with pytest.raises(RuntimeError) as refused:
        pack_padded_sequence(torch.zeros(5, 2, 10), torch.tensor([5, 2]).to(NAME))
    shown = words(dict(mistake("lengths-on-gpu").sections)["torch.nn"])
    assert str(refused.value).replace(f"{NAME}:0", "cuda:0") in shown


def test_torch_counts_lengths():
    sections = dict(mistake("batch-first-on-one-side").sections)
    source = blocks(sections["recurra"])[1].source
    names = {}
    answer(on_torch(blocks(sections["You write"])[0].source), names)
    assert words(answer(source, names)) == words(blocks(sections["torch.nn"])[0].source)


def test_every_address_leads_to_a_page():
    found = set()
    for path in SOURCE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for call in re.findall(r"\baddress\((.*?)\)", text, re.S):
            found |= set(re.findall(r"""["']([a-z0-9-]+)["']""", call))
        found |= set(re.findall(r"--mistake ([a-z0-9-]+)\)", text))
        found |= set(re.findall(r"Suspicion\(\s*\"([a-z0-9-]+)\"", text))
    assert len(found) > 20
    assert found <= set(NAMES)


def test_the_pages_name_pages_that_exist():
    texts = [(SOURCE / "mistakes" / "pages" / f"{name}.md").read_text(encoding="utf-8") for name in NAMES]
    named = re.findall(r"--mistake\s+([a-z0-9-]+)", " ".join(texts))
    assert set(named) <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_it_fits_a_terminal(name):
    shown = str(mistake(name))
    assert shown.startswith(f"{mistake(name).title} ({name})\n")
    assert max(map(len, shown.splitlines())) <= 100
    assert "```" not in shown
    assert "<!--" not in shown
    code = [
        line
        for block in blocks("".join(text for _, text in mistake(name).sections))
        for line in block.source.splitlines()
    ]
    assert {f"    {line}".rstrip() for source in code for line in source.splitlines()} <= set(shown.splitlines())


def test_the_list_fits_a_terminal():
    lines = listing().splitlines()
    assert [line.split()[0] for line in lines] == list(NAMES)
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("h0", "h0-shape"),
        ("dropout_in_one_layer", "dropout-in-one-layer"),
        ("detach", "states-not-detached"),
        ("Gate Order", "gate-order"),
        ("bidirectional", "h-n-directions"),
        ("batch-and-time-swap", "batch-and-time-swapped"),
    ],
)
def test_an_unknown_name_leads_to_those_that_are_close(given, meant):
    with pytest.raises(RunError, match=r" recurra explain --mistake list shows all$") as error:
        mistake(given)
    assert str(error.value).startswith(f"there is no mistake {given!r}: did you mean ")
    assert meant in re.split(r"[ ?]", str(error.value))


def test_a_name_like_no_other():
    with pytest.raises(RunError, match=r"there is no mistake 'zzz'\. recurra explain --mistake list shows all"):
        mistake("zzz")


def test_the_documentation_has_the_same_pages():
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tests.mistakes_page"
    assert ROOT in PAGE.parents
