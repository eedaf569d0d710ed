"""Translations have the code, the headings, the tables and the links of their originals, and prose of their own."""

import re

import pytest

from recurra.mistakes import NAMES
from tests.pages import ROOT
from tests.translations import BLOCK, TRANSLATIONS, raw_blocks, refreshed

CHINESE = re.compile(r"[\u4e00-\u9fff]")
# The word for each term of the field, everywhere the same; and words that would be another's.
TERMS = {
    "README.zh-CN.md": ("循环神经网络", "打包序列", "遗忘门", "状态", "梯度", "时间步", "批次"),
    "docs/zh/mistakes.md": ("循环层", "时间步", "批次", "填充", "打包", "隐藏状态", "梯度", "词元", "嵌入层"),
    "docs/zh/shapes.md": ("循环层", "隐藏状态", "细胞状态", "时间步", "批次", "变长序列", "填充", "打包", "双向"),
    "docs/zh/tour.md": ("循环单元", "变长序列", "打包", "状态", "梯度", "掩码"),
}
OTHER_WORDS = ("隐状态", "时间步长", "批量", "隱藏", "狀態", "递归神经网络", "令牌")

pairs = pytest.mark.parametrize(("translation", "original"), TRANSLATIONS.items())


def prose(page):
    """The text of a page without its blocks of code."""
    return BLOCK.sub("", (ROOT / page).read_text(encoding="utf-8"))


def test_every_translation_is_listed():
    found = [*ROOT.glob("README.*.md"), *(ROOT / "docs" / "zh").rglob("*")]
    assert sorted(path.relative_to(ROOT).as_posix() for path in found) == sorted(TRANSLATIONS)


@pairs
def test_the_code_is_that_of_the_original(translation, original):
    assert raw_blocks(translation) == raw_blocks(original), "run python -m tests.translations"
    assert len(raw_blocks(translation)) > 8
    assert refreshed(translation) == (ROOT / translation).read_text(encoding="utf-8")


@pairs
def test_headings_and_tables_are_those_of_the_original(translation, original):
    mine, theirs = ([re.match(r"#+|\|", line) for line in prose(page).splitlines()] for page in (translation, original))
    assert [found[0] for found in mine if found] == [found[0] for found in theirs if found]


@pairs
def test_each_page_leads_to_the_other(translation, original):
    for page, other in ((translation, original), (original, translation)):
        head = "\n".join(prose(page).splitlines()[:4])
        targets = re.findall(r"\]\(([^)]+)\)", head)
        places = [((ROOT / page).parent / target).resolve() for target in targets]
        assert (ROOT / other).resolve() in places, f"{page} does not lead to {other} at its top"


@pairs
def test_the_prose_is_chinese(translation, original):
    for paragraph in re.split(r"\n\s*\n", prose(translation)):
        words = re.sub(r"`[^`]*`|\]\([^)]*\)|\*\*[\w.]+\*\*", "", paragraph)
        if len(re.findall(r"[A-Za-z]{3,}", words)) > 2:
            assert CHINESE.search(paragraph), f"{translation} has a paragraph without Chinese: {paragraph[:80]}"
        assert not re.search(r"[\u4e00-\u9fff][,;:?!]", words), f"half-width punctuation: {paragraph[:80]}"
        assert not re.search(r"[\u4e00-\u9fff][A-Za-z0-9`]|[A-Za-z0-9][\u4e00-\u9fff]", words), paragraph[:80]


@pairs
def test_terms(translation, original):
    text = prose(translation)
    assert not [term for term in TERMS[translation] if term not in text]
    assert not [word for word in OTHER_WORDS if word in text]


@pairs
def test_numbers_in_tables_are_those_of_the_original(translation, original):
    mine, theirs = (
        [re.findall(r"\d+\.\d+|`[^`]+`", line) for line in prose(page).splitlines() if line.startswith("|")]
        for page in (translation, original)
    )
    assert mine == theirs


def test_the_mistakes_are_all_there_in_order():
    named = re.findall(r"^`recurra explain --mistake ([a-z0-9-]+)`$", prose("docs/zh/mistakes.md"), re.M)
    assert named == list(NAMES)
