"""The format of a table as JSON, and the line that describes it."""

import json

import pytest

from recurra.errors import FileFormatError
from recurra.series.frequency import Frequency
from recurra.series.table_format import TableFormat, describe

FORM = TableFormat(
    frequency=Frequency("MS"),
    targets=("passengers",),
    time="date",
    ids=("line",),
    known=("promo", "kind"),
    static=("region",),
    time_kind="text",
    time_pattern="%Y-%m",
    whole_ids=(False,),
    known_categories=((), ("x", "y")),
    static_categories=(("north", "south"),),
    trained_ids=("a", "b"),
)


def test_json_and_back():
    assert TableFormat.from_content(json.loads(json.dumps(FORM.to_content()))) == FORM
    assert FORM.known_features == ("promo", "kind=x", "kind=y")


@pytest.mark.parametrize(
    "change",
    [
        {"targets": []}, {"targets": "y"}, {"targets": [1]}, {"time": 3}, {"time": None}, {"time_kind": "sundial"},
        {"known": ["promo"]}, {"known": ["date", "kind"]}, {"whole_ids": [1]}, {"whole_ids": []}, {"frequency": {}},
        {"static_categories": [["a"], ["b"]]}, {"static_categories": {}}, {"more": 1}, {"trained_ids": [None]},
    ],
)  # fmt: skip
def test_damaged_json_is_refused(change):
    with pytest.raises(FileFormatError):
        TableFormat.from_content(FORM.to_content() | change)


def test_other_content_is_refused():
    with pytest.raises(FileFormatError):
        TableFormat.from_content([])


def test_the_line_that_describes_a_table():
    plain = TableFormat(Frequency("MS"), ("passengers",), "date", time_kind="text", time_pattern="%Y-%m")
    assert describe(plain, 144, 1, 12) == (
        "time column date, target passengers, monthly (MS), 144 rows of 1 series, season 12; "
        "overrule with --time, --target, --freq"
    )
    assert describe(FORM, 10, 2) == (
        "time column date, target passengers, id line, known promo, kind, static region, monthly (MS), "
        "10 rows of 2 series, no season; overrule with --time, --id, --target, --freq"
    )
    wide = TableFormat(Frequency("step"), ("a", "b", "c", "d"))
    assert describe(wide, 1, 4) == (
        "rows as steps, a series each in a, b, c and 1 more, whole steps (step), 1 row of 4 series, no season; "
        "overrule with --time, --target, --freq"
    )
