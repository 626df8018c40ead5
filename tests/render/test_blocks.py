from __future__ import annotations

from dbops.findings.finding import Owner, Ownership, Severity
from dbops.render.blocks import blocks, split
from tests.render.reports import a_finding, a_redundant_index, an_exhausted_sequence, an_unindexed_foreign_key


def test_the_worst_severity_comes_first_and_one_check_may_have_a_block_at_each() -> None:
    findings = [
        a_redundant_index(),
        an_unindexed_foreign_key(1),
        an_unindexed_foreign_key(2, severity=Severity.CRITICAL),
        an_exhausted_sequence(),
    ]

    assert [(block.severity, block.check) for block in blocks(findings)] == [
        (Severity.CRITICAL, "exhausted_sequence"),
        (Severity.CRITICAL, "unindexed_foreign_key"),
        (Severity.WARNING, "unindexed_foreign_key"),
        (Severity.INFO, "redundant_index"),
    ]


def test_what_caps_the_score_comes_before_the_rest_of_its_severity() -> None:
    findings = [a_finding(check="aaa", severity=Severity.CRITICAL), an_exhausted_sequence(is_red=True)]

    assert [block.check for block in blocks(findings)] == ["exhausted_sequence", "aaa"]


def test_within_a_block_mine_come_first_and_then_the_biggest() -> None:
    contrib = Owner(ownership=Ownership.CONTRIB)
    findings = [a_redundant_index(9, owner=contrib), *[a_redundant_index(number) for number in (1, 3, 2)]]

    [block] = blocks(findings)

    assert [finding.target.name for finding in block.findings] == [
        f"public.task_{number}_idx" for number in (3, 2, 1, 9)
    ]


def test_sizes_and_writes_are_added_up() -> None:
    [block] = blocks([a_redundant_index(number) for number in range(4)])

    assert block.size_bytes == 10_000_000
    assert block.writes == 10_000


def test_a_sum_with_an_unknown_part_is_unknown() -> None:
    [block] = blocks([a_redundant_index(), a_redundant_index(1, evidence={"writes": 5})])

    assert block.size_bytes is None
    assert block.writes == 1_005


def test_remarks_on_other_peoples_tables_are_split_off_and_emergencies_are_not() -> None:
    mine = a_redundant_index()
    contrib = a_redundant_index(1, owner=Owner(ownership=Ownership.CONTRIB))
    third_party = a_redundant_index(2, owner=Owner(ownership=Ownership.THIRD_PARTY))
    unmanaged = a_redundant_index(3, owner=Owner(ownership=Ownership.UNMANAGED))
    emergency = an_exhausted_sequence(owner=Owner(ownership=Ownership.CONTRIB))

    shown, others = split([mine, contrib, third_party, unmanaged, emergency])

    assert shown == [mine, unmanaged, emergency]
    assert others == [contrib, third_party]
