"""What has become of findings between two moments, for a person and for a program."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from dbops.render.advice import STYLES
from dbops.render.json import entry_document
from dbops.render.page import Page, styled

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from dbops.findings.comparison import Change, Side

SCHEMA_VERSION: Final = 1


def render_text(
    changes: Sequence[Change], *, width: int = 100, colour: bool = False, encoding: str = "utf-8", verbosity: int = 1
) -> str:
    """Return `changes` as text: what is new and what became worse first. `verbosity` 2 names what is as it was, too."""
    page = Page(width=width, colour=colour)
    for number, change in enumerate(changes):
        if number:
            page.blank()
        _add(page, change, is_complete=verbosity > 1)
    return page.text(encoding)


def _add(page: Page, change: Change, *, is_complete: bool) -> None:
    page.items(
        styled((change.database, "bold"), " · "),
        [f"{_said(change.before)} → {_said(change.after)}"],
        separator=" · ",
        hanging=2,
    )
    scores = [("none" if side.score is None else str(side.score)) for side in (change.before, change.after)]
    page.line(styled(("score ", "dim"), " → ".join(scores)))
    counts = {
        "new": change.new,
        "worse": change.worse,
        "better": change.better,
        "gone": change.gone,
        "as before": change.same,
    }
    words = [f"{len(found)} {word}" for word, found in counts.items() if found]
    page.line(", ".join(words) or "Nothing was found, then or now.")
    lines = [
        *(("new", (), one) for one in change.new),
        *(("worse", (before.severity,), one) for before, one in change.worse),
        *(("better", (before.severity,), one) for before, one in change.better),
        *(("gone", (), one) for one in change.gone),
        *(("as before", (), one) for one in change.same if is_complete),
    ]
    if lines:
        page.blank()
    for word, before, one in lines:
        severities = " → ".join((*before, one.severity))
        style = STYLES[one.severity] if word in {"new", "worse"} else "dim"
        page.prose(styled(f"{word:9}  ", (severities, style), f"  {one.check}  {one.target}"), hanging=4)


def _said(side: Side) -> str:
    return f"{_minute(side.asked_at)} (look of {_minute(side.taken_at)})"


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M %Z}".rstrip()


def render_json(changes: Sequence[Change], *, generated_at: datetime, version: str) -> str:
    """Return `changes` in the shape of `docs/schemas/comparison.schema.json`."""
    document = {
        "schema": SCHEMA_VERSION,
        "tool": {"name": "dbops", "version": version},
        "generated_at": generated_at.isoformat(),
        "comparisons": [_document(change) for change in changes],
    }
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def _document(change: Change) -> dict[str, Any]:
    return {
        "alias": change.database,
        "before": _side(change.before),
        "after": _side(change.after),
        "new": [entry_document(one) for one in change.new],
        "worse": [entry_document(one) | {"was": before.severity} for before, one in change.worse],
        "better": [entry_document(one) | {"was": before.severity} for before, one in change.better],
        "gone": [entry_document(one) for one in change.gone],
        "same": [entry_document(one) for one in change.same],
    }


def _side(side: Side) -> dict[str, Any]:
    return {
        "asked_at": side.asked_at.isoformat(),
        "taken_at": side.taken_at.isoformat(),
        "score": side.score,
    }
