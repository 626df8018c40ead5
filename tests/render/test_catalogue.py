from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003  part of the dataclass
from dataclasses import dataclass, field

from dbops.analysis.registry import checks
from dbops.collect.rights import RIGHTS
from dbops.findings.finding import Tag
from dbops.render.catalogue import render_list, render_page

WHY = """\
The server looks for the rows that point to a deleted one: without an index it reads the
whole table, under lock.

- first of all, a long item that goes on and on and on and on and on and on and on and on and on and on and on and
  on over its line;
- a second item.

    SELECT a_statement_that_is_code FROM somewhere_with_a_long_name WHERE it_is_longer_than_the_terminal IS TRUE;"""


@dataclass
class Page:
    id: str = "unindexed_foreign_key"
    tag: Tag = Tag.STRUCTURAL
    summary: str = "A foreign key without an index"
    why: str = WHY
    remedy: str = "Add the index."
    unreported: str = ""
    thresholds: Mapping[str, object] = field(default_factory=lambda: {"large_bytes": 10485760, "deep": True})


def test_the_list_groups_by_tag_and_shows_thresholds_with_defaults() -> None:
    text = render_list([Page(id="b_check"), Page(id="a_live", tag=Tag.LIVE, thresholds={"used_ratio": 0.75})])

    assert text.index("structural: 1 check of") < text.index("b_check") < text.index("live: 1 check of")
    assert text.index("live: 1 check") < text.index("a_live") < text.index("used_ratio = 0.75")
    assert "large_bytes = 10485760" in text
    assert "A foreign key without an index" in text


def test_the_list_leaves_out_a_group_without_checks() -> None:
    assert "live" not in render_list([Page()]).replace("living", "")


def test_a_page_has_why_and_how_and_what_can_be_set() -> None:
    text = render_page(Page(), width=80)

    assert text.startswith("unindexed_foreign_key  structural\n\n  A foreign key without an index\n")
    assert text.index("Why it matters") < text.index("under lock.") < text.index("How to fix it")
    assert text.index("How to fix it") < text.index("Add the index.") < text.index("Thresholds")
    assert 'DBOPS = {"CHECKS": {"unindexed_foreign_key": {"large_bytes": 10485760}}}' in text
    assert 'DBOPS = {"CHECKS": {"unindexed_foreign_key": False}}' in text


def test_prose_is_wrapped_anew_lists_hang_and_code_is_left_alone() -> None:
    text = render_page(Page(), width=60)

    assert "  The server looks for the rows that point to a deleted one:\n  without an index" in text
    first = text.index("  - first of all")
    item = text[first : text.index("  - a second item.")].splitlines()
    assert len(item) == 3
    assert all(line.startswith("    ") for line in item[1:])
    code = "SELECT a_statement_that_is_code FROM somewhere_with_a_long_name WHERE it_is_longer_than_the_terminal IS"
    assert f"      {code}" in text


def test_a_page_says_what_the_role_must_be_allowed() -> None:
    right = RIGHTS["sequence_values"]

    text = render_page(Page(), [right])

    assert text.index("What it must be allowed") < text.index(right.needs) < text.index("Thresholds")
    assert "      GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO its_role;\n" in text
    assert "What it must be allowed" not in render_page(Page())


def test_what_stays_silent_has_its_own_heading() -> None:
    text = render_page(Page(unreported="What is small."))

    assert "How to fix it\n  Add the index.\n\nNot reported\n  What is small.\n" in text


def test_a_check_without_thresholds_says_so() -> None:
    assert "none: it is a fault wherever it occurs" in render_page(Page(thresholds={}))


def test_every_real_check_has_a_page_that_a_terminal_shows() -> None:
    for check in checks().values():
        text = render_page(check, width=80, encoding="ascii")
        assert text.isascii()
        assert "How to fix it" in text, check.id
    listed = render_list(checks().values(), width=80)
    assert all(f"  {check}\n" in listed for check in checks())
