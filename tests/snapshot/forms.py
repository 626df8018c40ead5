"""What a scratch server answered, for tests without one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbops.snapshot.declared_rows import NormalForm

if TYPE_CHECKING:
    from dbops.snapshot.spellings import Question


def a_form(
    question: Question, normal: str | None, *, again: str | None = None, unseen: str | None = None
) -> NormalForm:
    """The answer to a question."""
    return NormalForm(
        table_oid=question.table_oid,
        kind=question.kind,
        type=question.type,
        text=question.text,
        normal=normal,
        again=again,
        unseen=unseen,
    )
