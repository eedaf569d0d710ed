"""Every block of code in README and docs runs as it is written; only trainings are shorter."""

import importlib
import re
from dataclasses import dataclass

import pytest

from recurra.tasks.series import models
from recurra.tasks.series.autoregressive.settings import AutoregressiveSettings
from recurra.tasks.series.settings import SeriesSettings
from tests.documents.expectations import expect
from tests.documents.reader import Reader
from tests.documents.suppositions import suppose
from tests.pages import CODE, MARKS, OTHERS, ROOT, all_blocks, pages

# How many blocks of a page do not run. The comment before each says why.
NOT_RUN = {
    "CONTRIBUTING.md": 5,
    "README.md": 1,
    "docs/convert.md": 1,
    "docs/howto/processes.md": 1,
    "docs/index.md": 1,
    "docs/training.md": 2,
    "docs/tutorials/language_model.md": 1,
}
SLOW = {"README.md", "docs/onnx.md", "docs/series.md"}
PAGES = [page for page in pages() if any(block.language in CODE for block in all_blocks(page))]


@dataclass(frozen=True)
class ShortDirect(SeriesSettings):
    """Settings of a short training, by default."""

    members: int = 2
    hidden: int = 8
    steps: int | None = 3


@dataclass(frozen=True)
class ShortAutoregressive(AutoregressiveSettings):
    """Settings of a short training, by default."""

    hidden: int = 8
    updates: int = 1


@pytest.fixture
def _short_trainings(monkeypatch):
    """Make trainings of forecasters short: the settings that nobody names have other defaults."""
    for kind in (ShortDirect, ShortAutoregressive):
        monkeypatch.setitem(models.MODELS, kind.model, kind)
    monkeypatch.setattr(importlib.import_module("recurra.cli.series.demo"), "SeriesSettings", ShortDirect)


@pytest.mark.parametrize("page", [pytest.param(page, marks=[pytest.mark.slow] * (page in SLOW)) for page in PAGES])
@pytest.mark.usefixtures("_short_trainings")
@pytest.mark.filterwarnings("ignore:You are using the legacy TorchScript-based ONNX export:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:The feature will be removed:DeprecationWarning")  # in torch.onnx, as the next
@pytest.mark.filterwarnings("ignore:`isinstance.treespec, LeafSpec.` is deprecated:FutureWarning")
def test_the_code_of_a_page_runs(page, tmp_path, monkeypatch):
    work, kept = tmp_path / "work", tmp_path / "blocks"
    work.mkdir()
    kept.mkdir()
    monkeypatch.chdir(work)
    names = suppose(page)
    printed = Reader(kept, names).follow(all_blocks(page))
    expect(page, names, printed)


def test_what_does_not_run_is_counted_and_has_a_reason():
    left = [block for page in PAGES for block in all_blocks(page) if "not run" in block.marks]
    assert {page: len([b for b in left if b.page == page]) for page in {b.page for b in left}} == NOT_RUN
    assert not [str(block) for block in left if len(block.marks["not run"].split()) < 3]


@pytest.mark.parametrize("page", pages())
def test_blocks_have_known_languages_and_marks(page):
    for block in all_blocks(page):
        assert block.language in (*CODE, *OTHERS), str(block)
        assert block.marks.keys() <= set(MARKS), str(block)
        if block.language not in CODE:
            code = re.search(r"^(recurra|python|pip|make|\$|import) \w.*", block.source, re.M)
            assert not code, f"{block} is code, and has no language: {code[0]}"
    text = (ROOT / page).read_text(encoding="utf-8")
    assert not re.search(r"^[ >]+```", text, re.M), "blocks of code stand at the left edge, where the tests find them"
