"""The pages of docs/ that are generated from the code: one for every check, their index, and the privileges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dbops.analysis.registry import checks
from dbops.collect.rights import RIGHTS, grants_of, rights_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dbops.analysis.registry import Check

_GENERATED: Final = "<!-- Written by `manage.py builddocs` from the code: edit the code. -->\n"
_TAGS: Final = """\
*structural* checks judge the schema and the settings, and mean the same on a freshly migrated, empty database;
*live* ones judge the database as it runs."""
_READING: Final = """\
dbops reads as an ordinary role. The catalogue is open to every role; the rest is below. What a role may not see is said
in the report, as `skipped` with the reason, and never read as healthy.
"""


def pages() -> Mapping[str, str]:
    """Return every generated page: its path below docs/, and its text."""
    return {
        "checks/README.md": _index(),
        **{f"checks/{check.id}.md": _page(check) for check in checks().values()},
        "privileges.md": _privileges(),
    }


def _index() -> str:
    lines = [_GENERATED, "# The checks\n", "| check | looks at | finds |", "|---|---|---|"]
    lines += [f"| [{check.id}]({check.id}.md) | {check.tag} | {check.summary} |" for check in checks().values()]
    lines += ["", _TAGS]
    return "\n".join(lines) + "\n"


def _page(check: Check) -> str:
    kind = f"{check.tag}, also at /ht/" if check.for_health else check.tag
    lines = [_GENERATED, f"# {check.id}\n", f"*{kind}* · {check.summary}.\n", f"{check.why}\n"]
    if check.remedy:
        lines += ["## How to fix\n", f"{check.remedy}\n"]
    if check.unreported:
        lines += ["## Not reported\n", f"{check.unreported}\n"]
    lines += ["## Thresholds\n", *_thresholds(check), "", "## What it needs to see\n", *_needs(check)]
    return "\n".join(lines) + "\n"


def _thresholds(check: Check) -> Iterator[str]:
    if not check.thresholds:
        yield "None: it holds or it does not."
        return
    yield f'Set in `DBOPS["CHECKS"]["{check.id}"]`.\n'
    yield "| threshold | default |"
    yield "|---|---|"
    for name, default in check.thresholds.items():
        yield f"| `{name}` | {default!r} |"


def _needs(check: Check) -> Iterator[str]:
    rights = rights_of(check.id, check.sections)
    if not rights:
        yield "Nothing but a connection: any role may read it."
    for right in rights:
        yield f"- {right.needs}; without it, {right.without}."


def _privileges() -> str:
    lines = [
        _GENERATED,
        "# What the looking role must be allowed\n",
        _READING,
        "| check | needs | without it |",
        "|---|---|---|",
    ]
    for check in checks().values():
        rights = rights_of(check.id, check.sections)
        needs = "; ".join(right.needs for right in rights) or "a connection"
        without = "; ".join(right.without for right in rights) or ""
        lines.append(f"| [{check.id}](checks/{check.id}.md) | {needs} | {without} |")
    lines += [
        "",
        "## A role for looking\n",
        "Once per schema, as the owner of its objects or a superuser, with your own names:\n",
        "```sql",
        "CREATE ROLE app_looker LOGIN;",
        *(grant.format(role="app_looker", schema="public") for grant in grants_of(RIGHTS.values())),
        "```\n",
        "What is created later needs the same again, or `ALTER DEFAULT PRIVILEGES` beforehand.",
    ]
    return "\n".join(lines) + "\n"
