"""`manage.py dbanalyze --since` and `--compare`: what is new, worse, better and gone, by the looks that were kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from dbops.errors import UsageError
from dbops.history.looks import claim, take
from dbops.management.moments import moment
from dbops.models import Episode, Look
from tests.render.schemas import valid

if TYPE_CHECKING:
    from tests.management.conftest import Runner
    from tests.servers import Database

pytestmark = pytest.mark.django_db(transaction=True)
ONE_VERSION = pytest.mark.parametrize("server", ["pg18"], indirect=True)
NOON = datetime(2026, 1, 20, 12, 30, tzinfo=UTC)


def look(alias: str, *, ago: timedelta) -> None:
    """Take a look now, and move it, and what it began and ended, back in time."""
    began = claim(alias)
    assert began is not None
    before = set(Episode.objects.filter(ended_at=None).values_list("pk", flat=True))
    take(began)
    at = timezone.now() - ago
    Look.objects.filter(pk=began.pk).update(started_at=at, ended_at=at)
    new = Episode.objects.filter(ended_at=None).exclude(pk__in=before)
    new.update(first_seen_at=at, began_at=at)
    Episode.objects.filter(pk__in=before).exclude(ended_at=None).update(ended_at=at)


def test_what_is_new_since_a_moment_is_marked_and_what_is_gone_named(
    database: Database, shop: str, dbanalyze: Runner
) -> None:
    database.execute("CREATE TABLE heap (a int); CREATE TABLE pile (a int)")
    look(shop, ago=timedelta(days=2))
    database.execute("ALTER TABLE pile ADD PRIMARY KEY (a)")
    database.execute("CREATE TABLE stack (a int)")
    only = ("--only", "missing_primary_key")
    ended = dbanalyze("--database", shop, *only, "--since", "1d", "--format", "json")
    (report,) = valid("dbanalyze", ended.out)["reports"]
    ages = {one["target"]: datetime.fromisoformat(one["first_seen_at"]) for one in report["findings"]}
    assert timezone.now() - ages["public.heap"] > timedelta(days=1)
    assert timezone.now() - ages["public.stack"] < timedelta(minutes=5)
    assert [one["target"] for one in report["gone"]] == ["public.pile"]
    text = dbanalyze("--database", shop, *only, "--since", "1d").out
    assert text.index("public.stack") < text.index("new\n")
    assert text.count("new\n") == 1
    assert "gone" in text
    assert "remove from the baseline" not in text


def test_two_moments_are_compared_without_looking(database: Database, shop: str, dbanalyze: Runner) -> None:
    database.execute("CREATE TABLE heap (a int); CREATE TABLE pile (a int)")
    look(shop, ago=timedelta(days=3))
    database.execute("ALTER TABLE pile ADD PRIMARY KEY (a); CREATE TABLE stack (a int)")
    look(shop, ago=timedelta(days=1))
    ended = dbanalyze("--database", shop, "--compare", "now", "2d", "--format", "json")
    assert (ended.code, ended.err) == (0, "")
    (compared,) = valid("comparison", ended.out)["comparisons"]
    assert [one["target"] for one in compared["new"]] == ["public.stack"]
    assert [one["target"] for one in compared["gone"]] == ["public.pile"]
    assert "public.heap" in {one["target"] for one in compared["same"]}
    text = dbanalyze("--database", shop, "--compare", "2d", "now").out
    assert "new        warning  missing_primary_key  public.stack" in text
    assert "gone       warning  missing_primary_key  public.pile" in text
    assert "public.heap" not in text
    assert "public.heap" in dbanalyze("--database", shop, "--compare", "2d", "now", "-v").out


@ONE_VERSION
def test_what_cannot_be_meant_is_refused(database: Database, shop: str, dbanalyze: Runner) -> None:
    for arguments, said in (
        (("--database", shop, "--compare", "7d", "now"), "no look at shop was kept before"),
        (("--since", "yesterday"), "'yesterday' names no moment"),
        (("--since", "2999-01-01"), "is still to come"),
        (("--compare", "7d", "now", "--format", "sarif"), "--compare has no sarif format"),
        (("--compare", "7d", "now", "--only", "unused_index"), "--compare looks at no database"),
        (("--dsn", database.dsn, "--since", "1d"), "no history is kept of a database given by its DSN"),
    ):
        ended = dbanalyze(*arguments)
        assert (ended.code, ended.out) == (2, "")
        assert said in ended.err


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", NOON),
        ("90m", NOON - timedelta(minutes=90)),
        ("24h", NOON - timedelta(days=1)),
        ("2w", NOON - timedelta(days=14)),
        ("2026-01-20", NOON.replace(hour=0, minute=0)),
        ("2026-01-20T10:00", NOON.replace(hour=10, minute=0)),
        ("2026-01-20T10:00+02:00", NOON.replace(hour=8, minute=0)),
    ],
)
def test_moments(text: str, expected: datetime) -> None:
    assert moment(text, now=NOON) == expected


@pytest.mark.parametrize("text", ["", "7", "-1d", "7y", "2026-13-01", "99999999d", "tomorrow", "2026-01-20T13:00"])
def test_no_moments(text: str) -> None:
    with pytest.raises(UsageError):
        moment(text, now=NOON)
