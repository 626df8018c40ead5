"""`manage.py dbanalyze` with a baseline and with ignores, on real databases."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from tests.management.test_dbanalyze import CRITICAL, MINE, NOBODYS, ONE_VERSION
from tests.render.schemas import valid_dbanalyze, validator

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_django import Settings

    from tests.management.conftest import Runner
    from tests.servers import Database

ANOTHER = "CREATE TABLE another (a int)"
KEYS = ("--only", "missing_primary_key", "--fail-on", "warning")


def written(file: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(file.read_text())
    validator("baseline").validate(document)
    return document


def targets(file: Path) -> list[str]:
    return [one["target"] for one in written(file)["findings"]]


def standings(text: str) -> dict[str, str]:
    [report] = valid_dbanalyze(text)["reports"]
    return {finding["target"]: finding["baseline"] for finding in report["findings"]}


def test_a_build_fails_only_on_what_is_new(database: Database, dbanalyze: Runner, tmp_path: Path) -> None:
    database.execute(NOBODYS)
    file, arguments = tmp_path / "known.json", ("--dsn", database.dsn, *KEYS)
    assert dbanalyze(*arguments).code == 1

    first = dbanalyze(*arguments, "--write-baseline", file)
    known = dbanalyze(*arguments, "--baseline", file)
    database.execute(ANOTHER)
    new = dbanalyze(*arguments, "--baseline", file)
    as_json = dbanalyze(*arguments, "--baseline", file, "--format", "json")

    assert (first.code, first.err) == (0, "")
    assert "missing_primary_key  public.heap" in first.out
    assert targets(file) == ["public.heap"]
    assert (known.code, known.err) == (0, "")
    assert "Nothing new was found." in known.out
    assert "known    1 finding that the baseline has: -v" in known.out
    assert "public.heap" not in known.out
    assert new.code == 1
    assert "public.another" in new.out
    assert "public.heap" not in new.out
    assert standings(as_json.out) == {"public.another": "new", "public.heap": "known"}


@ONE_VERSION
def test_what_is_known_is_shown_when_asked(database: Database, dbanalyze: Runner, tmp_path: Path) -> None:
    database.execute(NOBODYS)
    file = tmp_path / "known.json"
    dbanalyze("--dsn", database.dsn, *KEYS, "--write-baseline", file)

    text = dbanalyze("--dsn", database.dsn, *KEYS, "--baseline", file, "-v").out

    assert "Known, for the baseline has them:" in text
    assert "missing_primary_key  public.heap" in text


@ONE_VERSION
def test_what_became_worse_counts_again(database: Database, dbanalyze: Runner, tmp_path: Path) -> None:
    database.execute("CREATE TABLE numbered (id smallserial PRIMARY KEY); SELECT setval('numbered_id_seq', 27000)")
    file, arguments = tmp_path / "known.json", ("--dsn", database.dsn, "--only", "exhausted_sequence")
    dbanalyze(*arguments, "--write-baseline", file)
    [entry] = written(file)["findings"]
    assert entry["severity"] == "warning"
    database.execute("SELECT setval('numbered_id_seq', 32700)")

    ended = dbanalyze(*arguments, "--baseline", file)

    assert ended.code == 1
    assert "it is worse than in the baseline" in ended.out


@ONE_VERSION
def test_what_was_mended_is_to_be_removed_from_the_baseline(
    database: Database, dbanalyze: Runner, tmp_path: Path
) -> None:
    database.execute(NOBODYS)
    database.execute(CRITICAL)
    file, dsn = tmp_path / "known.json", ("--dsn", database.dsn)
    only = ("--only", "missing_primary_key,exhausted_sequence")
    dbanalyze(*dsn, *only, "--write-baseline", file)
    database.execute("DROP TABLE heap, numbered")

    narrow = dbanalyze(*dsn, "--only", "exhausted_sequence", "--baseline", file)
    wide = dbanalyze(*dsn, *only, "--baseline", file)
    as_json = dbanalyze(*dsn, *only, "--baseline", file, "--format", "json")

    assert "exhausted_sequence public.numbered_id_seq: remove from the baseline" in narrow.out
    assert "public.heap" not in narrow.out
    assert "missing_primary_key public.heap" in wide.out
    [report] = valid_dbanalyze(as_json.out)["reports"]
    assert {entry["target"] for entry in report["gone"]} == {"public.heap", "public.numbered_id_seq"}
    assert wide.code == 0


@ONE_VERSION
def test_a_baseline_is_brought_up_to_date_and_keeps_what_this_look_left_out(
    database: Database, dbanalyze: Runner, tmp_path: Path
) -> None:
    database.execute(NOBODYS)
    database.execute(CRITICAL)
    file, dsn = tmp_path / "known.json", ("--dsn", database.dsn)
    dbanalyze(*dsn, "--only", "missing_primary_key,exhausted_sequence", "--write-baseline", file)
    database.execute(f"DROP TABLE heap; {ANOTHER}")

    ended = dbanalyze(*dsn, *KEYS, "--baseline", file, "--write-baseline", file)
    again = dbanalyze(*dsn, *KEYS, "--baseline", file)

    assert ended.code == 1, "held against the old one, another is new"
    assert again.code == 0
    assert targets(file) == ["public.numbered_id_seq", "public.another"]


@ONE_VERSION
def test_behind_an_alias_only_some_apps_make_nothing_gone(
    database: Database, shop: str, dbanalyze: Runner, tmp_path: Path
) -> None:
    database.execute(MINE)
    file, arguments = tmp_path / "known.json", ("--database", shop, *KEYS)
    dbanalyze(*arguments, "--write-baseline", file)

    assert "remove from" not in dbanalyze(*arguments, "auth", "--baseline", file).out
    assert dbanalyze(*arguments, "dbops_tasks", "--baseline", file).code == 0


@ONE_VERSION
def test_two_databases_are_kept_apart_in_one_file(
    database: Database, make_alias: Callable[[str, str], str], dbanalyze: Runner, tmp_path: Path
) -> None:
    database.execute(MINE)
    one, two = make_alias("one", database.dsn), make_alias("two", database.dsn)
    file = tmp_path / "known.json"
    dbanalyze("--database", one, *KEYS, "--write-baseline", file)

    ended = dbanalyze("--database", one, "--database", two, *KEYS, "--baseline", file, "--format", "json")

    assert ended.code == 1
    stands = [report["findings"][0]["baseline"] for report in valid_dbanalyze(ended.out)["reports"]]
    assert stands == ["known", "new"]


@ONE_VERSION
def test_the_file_changes_by_its_new_lines_alone(database: Database, dbanalyze: Runner, tmp_path: Path) -> None:
    database.execute(NOBODYS)
    before, after, arguments = tmp_path / "a.json", tmp_path / "b.json", ("--dsn", database.dsn, *KEYS)
    dbanalyze(*arguments, "--write-baseline", before)
    database.execute("CREATE TABLE \"größer | '1'\" (a int)")
    dbanalyze(*arguments, "--write-baseline", after)

    first, second = (
        [one for one in file.read_text().splitlines() if "written_at" not in one] for file in (before, after)
    )
    assert [line for line in first if line not in second] == []
    assert after.read_text().isascii()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "cannot read the baseline"),
        ("", "is not JSON"),
        ("not JSON", "is not JSON"),
        ("[]", "is not of schema 1"),
        ('{"schema": 2}', "is not of schema 1"),
        ('{"schema": 1}', "cannot be understood"),
        ('{"schema": 1, "written_at": "today", "findings": []}', "cannot be understood"),
        ('{"schema": 1, "written_at": "2026-11-01T00:00:00+00:00", "findings": [1]}', "cannot be understood"),
        ('{"schema": 1, "written_at": "2026-11-01T00:00:00+00:00", "findings": 1}', "cannot be understood"),
    ],
)
def test_what_is_no_baseline_is_refused_before_anything_is_looked_at(
    dbanalyze: Runner, tmp_path: Path, content: str | None, complaint: str
) -> None:
    file = tmp_path / "known.json"
    if content is not None:
        file.write_text(content)

    ended = dbanalyze("--dsn", "host=127.0.0.1 port=1", "--baseline", file, "--write-baseline", file)

    assert (ended.code, ended.out) == (2, "")
    first, hint = ended.err.splitlines()
    assert first.startswith("dbanalyze: ")
    assert complaint in first
    assert hint.startswith("HINT: ")
    assert (file.read_text() if file.exists() else None) == content


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        ("severity", "bad", "'bad' is not a valid Severity"),
        ("severity", None, "severity is not a text"),
        ("check", 1, "check is not a text"),
        ("fingerprint", "", "'fingerprint' is missing"),
    ],
)
def test_an_entry_that_cannot_be_right_is_named(
    dbanalyze: Runner, tmp_path: Path, key: str, value: object, complaint: str
) -> None:
    entry: dict[str, object] = {
        "fingerprint": "0" * 16,
        "check": "a",
        "target": "b",
        "kind": "table",
        "database": "default",
        "severity": "info",
        key: value,
    }
    if value == "":
        del entry[key]
    file = tmp_path / "known.json"
    file.write_text(json.dumps({"schema": 1, "written_at": "2026-11-01T00:00:00+00:00", "findings": [entry]}))

    ended = dbanalyze("--dsn", "host=127.0.0.1 port=1", "--baseline", file)

    assert ended.code == 2
    assert complaint in ended.err


def test_a_directory_is_neither_read_nor_written(dbanalyze: Runner, tmp_path: Path) -> None:
    reading = dbanalyze("--dsn", "host=127.0.0.1 port=1", "--baseline", tmp_path)
    writing = dbanalyze("--dsn", "host=127.0.0.1 port=1", "--write-baseline", tmp_path)
    nowhere = dbanalyze("--dsn", "host=127.0.0.1 port=1", "--write-baseline", tmp_path / "no" / "b.json")

    assert [one.code for one in (reading, writing, nowhere)] == [2, 2, 2]
    assert "is a directory" in reading.err
    assert "it is a directory" in writing.err
    assert "there is no directory" in nowhere.err
    assert list(tmp_path.iterdir()) == []


@ONE_VERSION
def test_one_file_for_the_report_and_the_baseline_is_refused(
    database: Database, dbanalyze: Runner, tmp_path: Path
) -> None:
    file = tmp_path / "one.json"

    ended = dbanalyze("--dsn", database.dsn, "--output", file, "--write-baseline", file)

    assert ended.code == 2
    assert "--output and --write-baseline name the same file" in ended.err
    assert not file.exists()


@ONE_VERSION
def test_nothing_is_written_after_a_look_that_missed_a_database(
    database: Database, shop: str, make_alias: Callable[[str, str], str], dbanalyze: Runner, tmp_path: Path
) -> None:
    gone, file = make_alias("gone", "host=127.0.0.1 port=1 dbname=gone user=me"), tmp_path / "known.json"
    file.write_text("old")

    ended = dbanalyze("--database", shop, "--database", gone, "--write-baseline", file)

    assert ended.code == 2
    assert "was not written: not everything could be looked at" in ended.err
    assert file.read_text() == "old"


# ignores


@ONE_VERSION
def test_an_ignore_that_expired_lets_its_finding_back_with_a_note(
    database: Database, shop: str, dbanalyze: Runner, settings: Settings
) -> None:
    database.execute(MINE)
    ignore = {"check": "missing_primary_key", "target": "public.*", "reason": "rebuilt", "until": "2026-01-01"}
    settings.DBOPS = {"IGNORE": [ignore], "DATABASES": [shop]}

    text = dbanalyze(*KEYS)
    document = valid_dbanalyze(dbanalyze(*KEYS, "--format", "json").out)
    markdown = dbanalyze(*KEYS, "--format", "markdown").out

    assert text.code == 1
    assert "its ignore expired on 2026-01-01: rebuilt" in text.out
    assert "expired  the ignore of missing_primary_key public.dbops_tasks_task ended on 2026-01-01" in text.out
    assert [one["target"] for one in document["ignores"]["expired"]] == ["public.dbops_tasks_task"]
    assert "#### Expired ignores" in markdown


@ONE_VERSION
def test_an_ignore_that_nothing_needs_is_named_once_when_all_was_looked_at(
    database: Database, make_alias: Callable[[str, str], str], dbanalyze: Runner, settings: Settings
) -> None:
    database.execute(MINE)
    one, two = make_alias("one", database.dsn), make_alias("two", database.dsn)
    needed, idle = (
        {"check": "missing_primary_key", "target": target, "reason": "so"} for target in ("public.dbops*", "public.old")
    )
    settings.DBOPS = {"IGNORE": [needed, idle], "DATABASES": [one, two]}

    def named(*arguments: str) -> list[str]:
        document = valid_dbanalyze(dbanalyze(*arguments, "--format", "json").out)
        return [ignore["target"] for ignore in document["ignores"]["unused"]]

    assert named(*KEYS) == ["public.old"]
    assert named(*KEYS, "--database", one) == []
    assert named(*KEYS, "dbops_tasks") == []
    assert named("--only", "duplicate_index") == []
    text = dbanalyze(*KEYS).out
    assert text.count("the ignore of missing_primary_key on public.old matched nothing: take it out (so)") == 1


# formats


@ONE_VERSION
@pytest.mark.parametrize("form", ["text", "json", "markdown", "sarif", "junit", "github"])
def test_every_format_goes_to_a_file(database: Database, dbanalyze: Runner, tmp_path: Path, form: str) -> None:
    database.execute(NOBODYS)
    file, arguments = tmp_path / "report", ("--dsn", database.dsn, *KEYS, "--format", form)

    ended = dbanalyze(*arguments, "--output", file)

    assert (ended.code, ended.out, ended.err) == (1, "", "")
    text = file.read_text(encoding="utf-8")
    assert "public.heap" in text
    assert dbanalyze(*arguments).out.count("\n") == text.count("\n")


@ONE_VERSION
def test_the_files_of_ones_own_models_and_migrations_are_named(
    database: Database, shop: str, dbanalyze: Runner
) -> None:
    database.execute(MINE)
    arguments = ("--database", shop, *KEYS)

    [run] = json.loads(dbanalyze(*arguments, "--format", "sarif").out)["runs"]
    annotation = dbanalyze(*arguments, "--format", "github").out.splitlines()[0]
    suites = ET.fromstring(dbanalyze(*arguments, "--format", "junit").out)  # noqa: S314  our own text

    [result] = run["results"]
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "dbops/workloads/tasks/models.py"
    assert place["region"]["startLine"] > 1
    assert annotation.startswith(
        "::error title=missing_primary_key public.dbops_tasks_task,file=dbops/workloads/tasks/models.py,line="
    )
    assert suites.attrib["failures"] == "1"


def test_a_baseline_has_the_time_it_was_written(database: Database, dbanalyze: Runner, tmp_path: Path) -> None:
    file = tmp_path / "known.json"
    begin = datetime.now(UTC).replace(microsecond=0)

    dbanalyze("--dsn", database.dsn, "--write-baseline", file)

    assert begin <= datetime.fromisoformat(written(file)["written_at"]) <= datetime.now(UTC)
