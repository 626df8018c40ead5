"""`manage.py dbanalyze` on real databases: what it writes, where, and how it ends."""

from __future__ import annotations

import os
import pty
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import call_command
from django.db import connections

from dbops.analysis.registry import checks
from dbops.collect.postgres import READ_HERE, with_needs
from dbops.counters.windows import MADE_FROM_HISTORY
from dbops.management.commands import dbanalyze as module
from tests.render.schemas import valid_dbanalyze

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pytest_django import Settings

    from tests.management.conftest import Runner
    from tests.servers import Database

PROJECT = Path(__file__).parents[2]
ONE_VERSION = pytest.mark.parametrize("server", ["pg18"], indirect=True)
#: A table of the project's own model and one of nobody's, neither with a primary key: a warning each.
MINE = "CREATE TABLE dbops_tasks_task (id bigint NOT NULL)"
NOBODYS = "CREATE TABLE heap (a int)"
CRITICAL = "CREATE TABLE numbered (id smallserial PRIMARY KEY); SELECT setval('numbered_id_seq', 32700)"


SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'dbops' AND datname = current_database()"


def process(*arguments: str, environment: Mapping[str, str] | None = None, **options: Any) -> Any:
    """`manage.py dbanalyze` as a process of its own, with its standard streams as pipes."""
    return subprocess.run(
        (sys.executable, "manage.py", "dbanalyze", *arguments),
        cwd=PROJECT,
        # Buffered, as it mostly is: what cannot be written is then met once more at the very end.
        env={**os.environ, "DEBUG": "1", "PYTHONUNBUFFERED": "", **(environment or {})},
        text=True,
        timeout=60,
        check=False,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
    )


def tell_progress(monkeypatch: pytest.MonkeyPatch, progress: Callable[[str, int, int], None]) -> None:
    """Have `progress` told of each step of the next look, as the live line on a terminal is."""

    @contextmanager
    def told(*_arguments: object) -> Iterator[Callable[[str, int, int], None]]:
        yield progress

    monkeypatch.setattr(module, "shown_progress", told)


# what it says


def test_an_empty_database_ends_with_0_and_as_json_keeps_its_promises(database: Database, dbanalyze: Runner) -> None:
    ended = dbanalyze("--dsn", database.dsn, "--format", "json")

    assert (ended.code, ended.err) == (0, "")
    [report] = valid_dbanalyze(ended.out)["reports"]
    assert report["target"]["alias"] is None
    assert report["target"]["database"] == database.name
    assert report["target"]["server_version"].startswith(str(database.major))
    known_here = {*READ_HERE, *MADE_FROM_HISTORY, "schema"}
    of_django = {check.id for check in checks().values() if with_needs(check.needs) - known_here}
    assert {"pending_migration", "drifted_model", "orphaned_rows"} <= of_django
    assert {check["check"] for check in report["checks"]} == set(checks()) - of_django


def test_what_is_wrong_is_found_and_its_json_keeps_its_promises(database: Database, dbanalyze: Runner) -> None:
    database.execute(NOBODYS)
    database.execute(CRITICAL)

    ended = dbanalyze("--dsn", database.dsn, "--format", "json")

    [report] = valid_dbanalyze(ended.out)["reports"]
    found = {(finding["check"], finding["target"], finding["ownership"]) for finding in report["findings"]}
    assert found >= {
        ("missing_primary_key", "public.heap", "unmanaged"),
        ("exhausted_sequence", "public.numbered_id_seq", "unmanaged"),
    }
    assert report["score"]["value"] == min(report["score"]["now"]["value"], report["score"]["wear"]["value"]) < 100


def test_the_text_leads_with_the_worst_and_has_the_code_to_paste(database: Database, dbanalyze: Runner) -> None:
    database.execute(NOBODYS)
    database.execute(CRITICAL)

    text = dbanalyze("--dsn", database.dsn).out

    assert text.startswith(f"{database.name} · PostgreSQL {database.major}.")
    assert text.index("CRITICAL  exhausted_sequence") < text.index("WARNING   missing_primary_key  public.heap")
    assert "ALTER TABLE public.heap ADD COLUMN id bigint" in text
    assert "\x1b" not in text


@ONE_VERSION
def test_more_is_said_when_asked(database: Database, dbanalyze: Runner) -> None:
    database.execute(NOBODYS)
    plain = dbanalyze("--dsn", database.dsn).out

    for more in (("-v",), ("-v", "2"), ("--verbosity=2",)):
        assert "undo in SQL:" in dbanalyze(*more, "--dsn", database.dsn).out
    assert "undo in SQL:" not in plain
    assert "fingerprint" in dbanalyze("-vv", "--dsn", database.dsn).out


@ONE_VERSION
def test_a_role_without_rights_is_told_what_was_not_seen(database: Database, dbanalyze: Runner) -> None:
    database.execute(CRITICAL)
    database.execute("CREATE EXTENSION pg_stat_statements")
    role = database.create_role("dbops_blind")

    ended = dbanalyze("--dsn", database.dsn_for(role))

    assert ended.code == 0
    assert "Nothing wrong was found in what could be seen. Not all could be" in ended.out
    assert "exhausted_sequence: no SELECT on it: public.numbered_id_seq" in ended.out
    assert "GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO dbops_blind;" in ended.out


@ONE_VERSION
def test_the_rights_that_the_report_asks_for_are_enough(database: Database, dbanalyze: Runner) -> None:
    """Also in a schema that is closed to the role, where a right on its tables alone is none."""
    database.execute(f"CREATE SCHEMA shop; SET search_path = shop; {CRITICAL}")
    role = database.create_role("dbops_blind")
    database.execute(f"GRANT SELECT ON ALL SEQUENCES IN SCHEMA shop TO {role}")
    looked = dbanalyze("--dsn", database.dsn_for(role), "--only", "exhausted_sequence")
    assert "skipped  exhausted_sequence: no SELECT on it: shop.numbered_id_seq" in looked.out

    for grant in re.findall(rf"GRANT [^;]* TO {role};", looked.out):
        database.execute(grant.replace("SCHEMA public", "SCHEMA shop"))

    looked = dbanalyze("--dsn", database.dsn_for(role), "--only", "exhausted_sequence", "--strict")
    assert "CRITICAL  exhausted_sequence  shop.numbered_id_seq" in looked.out
    assert looked.code == 1


@ONE_VERSION
def test_a_locked_table_is_named_and_does_not_stop_the_look(database: Database, dbanalyze: Runner) -> None:
    database.execute("CREATE TABLE busy (id int PRIMARY KEY)")
    locking = database.connect(autocommit=False)
    locking.execute("LOCK TABLE busy IN ACCESS EXCLUSIVE MODE")

    ended = dbanalyze("--dsn", database.dsn, "--strict")

    assert "public.busy is locked by another session" in " ".join(ended.out.split())
    assert ended.code == 3


# how it ends


def test_a_critical_finding_ends_with_1_and_fail_on_decides(database: Database, dbanalyze: Runner) -> None:
    database.execute(CRITICAL)

    assert dbanalyze("--dsn", database.dsn).code == 1
    assert dbanalyze("--dsn", database.dsn, "--fail-on", "warning").code == 1
    assert dbanalyze("--dsn", database.dsn, "--fail-on", "never").code == 0


@ONE_VERSION
def test_a_warning_ends_with_1_only_when_warnings_do(database: Database, dbanalyze: Runner) -> None:
    database.execute(NOBODYS)

    assert dbanalyze("--dsn", database.dsn).code == 0
    assert dbanalyze("--dsn", database.dsn, "--fail-on", "warning").code == 1


@ONE_VERSION
def test_behind_an_alias_mine_counts_and_what_is_nobodys_does_not(
    database: Database, shop: str, dbanalyze: Runner
) -> None:
    arguments = ("--database", shop, "--only", "missing_primary_key", "--fail-on", "warning")
    database.execute(NOBODYS)
    assert dbanalyze(*arguments).code == 0

    database.execute(MINE)
    assert dbanalyze(*arguments).code == 1


@ONE_VERSION
def test_what_could_not_be_seen_ends_with_3_only_when_strict(database: Database, dbanalyze: Runner) -> None:
    database.execute(CRITICAL)
    role = database.create_role("dbops_strict")

    assert dbanalyze("--dsn", database.dsn_for(role)).code == 0
    assert dbanalyze("--dsn", database.dsn_for(role), "--strict").code == 3
    all_seen = ("--dsn", database.dsn, "--only", "exhausted_sequence", "--fail-on", "never")
    assert dbanalyze(*all_seen, "--strict").code == 0


@ONE_VERSION
def test_a_check_that_found_something_and_saw_only_a_part_counts_as_not_seen(
    database: Database, dbanalyze: Runner
) -> None:
    database.execute(f"{CRITICAL}; CREATE SEQUENCE hidden")
    role = database.create_role("dbops_partly")
    database.execute(f"GRANT SELECT ON SEQUENCE numbered_id_seq TO {role}")
    arguments = ("--dsn", database.dsn_for(role), "--only", "exhausted_sequence", "--fail-on", "never")

    assert dbanalyze(*arguments).code == 0
    ended = dbanalyze(*arguments, "--strict")
    assert "1 found something" in ended.out
    assert ended.code == 3


@ONE_VERSION
def test_findings_win_over_what_was_not_seen(database: Database, dbanalyze: Runner) -> None:
    database.execute(CRITICAL)
    database.execute(NOBODYS)
    role = database.create_role("dbops_both")

    assert dbanalyze("--dsn", database.dsn_for(role), "--strict", "--fail-on", "warning").code == 1


@ONE_VERSION
def test_a_crashed_check_ends_with_2_and_the_others_are_reported(
    database: Database, dbanalyze: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_arguments: object, **_named: object) -> list[Any]:
        raise KeyError

    crashing = {**checks(), "duplicate_index": replace(checks()["duplicate_index"], run=crash)}
    monkeypatch.setattr("dbops.analysis.runner.checks", lambda: crashing)
    database.execute(NOBODYS)

    ended = dbanalyze("--dsn", database.dsn)

    assert ended.code == 2
    assert "crashed  duplicate_index: KeyError" in ended.out
    assert "missing_primary_key  public.heap" in ended.out


def test_a_connection_lost_in_the_middle_gives_the_part_that_was_seen_and_ends_with_2(
    database: Database, dbanalyze: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(step: str, _done: int, _total: int) -> None:
        if step == "sequence values":
            database.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'dbops' AND datname = current_database()"
            )

    database.execute(NOBODYS)
    database.execute(CRITICAL)
    tell_progress(monkeypatch, cut)

    ended = dbanalyze("--dsn", database.dsn)
    as_json = dbanalyze("--dsn", database.dsn, "--format", "json")

    assert ended.code == as_json.code == 2
    assert "INTERRUPTED: " in ended.out
    assert "missing_primary_key  public.heap" in ended.out
    [report] = valid_dbanalyze(as_json.out)["reports"]
    assert report["interrupted"]
    skipped = {check["check"] for check in report["checks"] if check["outcome"] == "skipped"}
    assert "lagging_sequence" in skipped


@ONE_VERSION
def test_an_interruption_in_the_middle_leaves_no_session_behind(
    database: Database, dbanalyze: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(step: str, _done: int, _total: int) -> None:
        if step == "indexes":
            raise KeyboardInterrupt

    tell_progress(monkeypatch, interrupt)

    ended = dbanalyze("--dsn", database.dsn)

    assert (ended.code, ended.out, ended.err) == (2, "", "dbanalyze: interrupted\n")
    deadline = time.monotonic() + 10
    while (left := database.execute(SESSIONS)) != [(0,)] and time.monotonic() < deadline:
        time.sleep(0.02)
    assert left == [(0,)]


@pytest.mark.parametrize("form", ["postgresql://me@127.0.0.1:1/shop", "host=127.0.0.1 port=1 dbname=shop user=me"])
@pytest.mark.parametrize("more", [(), ("--format", "json")])
def test_an_unreachable_server_is_one_line_and_its_hint(dbanalyze: Runner, form: str, more: tuple[str, ...]) -> None:
    ended = dbanalyze("--dsn", form, *more)

    assert (ended.code, ended.out) == (2, "")
    line, hint = ended.err.splitlines()
    assert line.startswith("dbanalyze: cannot connect to database 'shop' at 127.0.0.1: ")
    assert line.endswith("Connection refused")
    assert hint.startswith("HINT: ")


def test_a_password_is_never_shown_when_the_server_cannot_be_reached(
    dbanalyze: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    dsn = "postgresql://me:geheim@127.0.0.1:1/shop"
    monkeypatch.setenv("DBOPS_DSN", dsn)

    for ended in (dbanalyze(), dbanalyze("--traceback"), dbanalyze("--dsn", "-", stdin=f"{dsn}\n")):
        assert ended.code == 2
        assert "geheim" not in ended.out + ended.err


@ONE_VERSION
def test_with_several_databases_the_worst_exit_code_wins_and_the_others_are_reported(
    database: Database, shop: str, make_alias: Callable[[str, str], str], dbanalyze: Runner
) -> None:
    database.execute(MINE)
    gone = make_alias("gone", "host=127.0.0.1 port=1 dbname=gone user=me")

    ended = dbanalyze("--database", gone, "--database", shop, "--format", "json", "--fail-on", "warning")

    assert ended.code == 2
    assert [report["target"]["alias"] for report in valid_dbanalyze(ended.out)["reports"]] == [shop]
    assert "cannot connect to database 'gone'" in ended.err


# what it is asked


@ONE_VERSION
def test_the_databases_of_the_setting_are_looked_at_and_each_once(
    shop: str, dbanalyze: Runner, settings: Settings
) -> None:
    settings.DBOPS = {"DATABASES": [shop]}

    by_setting = valid_dbanalyze(dbanalyze("--format", "json").out)
    twice = valid_dbanalyze(dbanalyze("--format", "json", "--database", shop, "--database", shop).out)

    for document in (by_setting, twice):
        assert [report["target"]["alias"] for report in document["reports"]] == [shop]


@ONE_VERSION
def test_the_dsn_may_come_from_standard_input_or_the_environment(
    database: Database, dbanalyze: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert dbanalyze("--dsn", "-", stdin=f"{database.dsn}\n").out.startswith(f"{database.name} · ")

    monkeypatch.setenv("DBOPS_DSN", database.dsn)
    assert dbanalyze().out.startswith(f"{database.name} · ")


@ONE_VERSION
def test_an_alias_that_was_named_wins_over_the_variable(
    shop: str, dbanalyze: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBOPS_DSN", "host=127.0.0.1 port=1")

    assert dbanalyze("--database", shop).out.startswith(f"{shop} (")


@ONE_VERSION
def test_an_app_label_keeps_to_that_apps_findings(database: Database, shop: str, dbanalyze: Runner) -> None:
    database.execute(MINE)
    database.execute(NOBODYS)

    tasks = dbanalyze("--database", shop, "dbops_tasks").out
    auth = dbanalyze("--database", shop, "auth", "--only", "missing_primary_key").out

    assert "public.dbops_tasks_task" in tasks
    assert "public.heap" not in tasks + auth
    assert "only findings of dbops_tasks" in tasks
    assert "Nothing wrong was found." in auth
    assert "found only what is left out here" in auth


@ONE_VERSION
@pytest.mark.parametrize(
    "only",
    [
        ("--only", "missing_primary_key,duplicate_index"),
        ("--only", "missing_primary_key", "--only", "duplicate_index"),
        ("--only", " missing_primary_key , duplicate_index,"),
    ],
)
def test_only_may_be_repeated_or_have_commas(database: Database, dbanalyze: Runner, only: tuple[str, ...]) -> None:
    ended = dbanalyze("--dsn", database.dsn, "--format", "json", *only)

    [report] = valid_dbanalyze(ended.out)["reports"]
    assert [check["check"] for check in report["checks"]] == ["duplicate_index", "missing_primary_key"]


@ONE_VERSION
@pytest.mark.parametrize("tag", ["structural", "live"])
def test_a_tag_keeps_to_its_checks_and_the_other_score_is_not_made_up(
    database: Database, dbanalyze: Runner, tag: str
) -> None:
    [report] = valid_dbanalyze(dbanalyze("--dsn", database.dsn, "--format", "json", "--tag", tag).out)["reports"]

    assert {check["tag"] for check in report["checks"]} == {tag}
    assert (report["score"]["now"] is None) == (tag == "structural")
    assert (report["score"]["wear"] is None) == (tag == "live")


@ONE_VERSION
def test_the_text_says_to_which_checks_the_look_was_limited(database: Database, dbanalyze: Runner) -> None:
    text = dbanalyze("--dsn", database.dsn, "--only", "duplicate_index,invalid_index", "--tag", "structural").out

    assert text.splitlines()[1] == "  only the checks duplicate_index, invalid_index, structural checks"


@ONE_VERSION
def test_ignored_findings_are_left_out_and_named(
    database: Database, shop: str, dbanalyze: Runner, settings: Settings
) -> None:
    database.execute(MINE)
    ignore = {"check": "missing_primary_key", "target": "public.dbops_*", "reason": "rebuilt every night"}
    settings.DBOPS = {"IGNORE": [ignore]}

    only = ("--only", "missing_primary_key")
    ended = dbanalyze("--database", shop, *only, "--format", "json", "--fail-on", "warning")

    assert ended.code == 0
    [report] = valid_dbanalyze(ended.out)["reports"]
    assert report["findings"] == []
    assert [(one["target"], one["reason"]) for one in report["ignored"]] == [
        ("public.dbops_tasks_task", "rebuilt every night")
    ]


@pytest.mark.parametrize(
    ("arguments", "line", "hint"),
    [
        (["dbops_taks"], "there is no app 'dbops_taks'", "did you mean dbops_tasks?"),
        (["--database", "defalt"], "DATABASES has no alias 'defalt'", "did you mean default?"),
        (["--only", "duplicate_indx"], "there is no check 'duplicate_indx'", "did you mean duplicate_index?"),
        (["--explain", "duplicate_indx"], "there is no check 'duplicate_indx'", "did you mean duplicate_index?"),
        (["--list", "--only", "duplicate_indx"], "there is no check 'duplicate_indx'", "did you mean"),
        (["--only", ","], "--only names no check", "--list"),
        (["--only", "duplicate_index", "--tag", "live"], "no check that was named is live", "--list"),
        (["--dsn", "service=a", "--database", "default"], "--dsn and --database exclude each other", "leave one"),
        (["--dsn", "service=a", "auth"], "--dsn and APP_LABEL exclude each other", "leave one"),
        (["--explain", "duplicate_index", "--format", "json"], "--explain has no json format", "leave --format out"),
        (["--list", "--format", "sarif"], "--list has no sarif format", "leave --format out"),
        (["--list", "--baseline", "a"], "--list and --baseline exclude each other", "leave one"),
        (["--list", "--explain", "duplicate_index"], "--explain", "leave one"),
        (["--explain", "duplicate_index", "auth"], "--explain and APP_LABEL exclude each other", "leave one"),
        (["--list", "--dsn", "service=a"], "--list and --dsn exclude each other", "leave one"),
        (["--dsn", "geheim"], "--dsn does not hold a DSN", "for example postgresql://"),
        (["--dsn", "postgresql://a:geheim@b/c"], "the DSN has a password in it", "DBOPS_DSN"),
        (["postgresql://a:geheim@b/c"], "a DSN was given where an app label belongs", "--dsn"),
        (["--database", "host=a password=geheim"], "a DSN was given where an alias", "--dsn"),
        (["--output", "/nowhere/report.json"], "there is no directory /nowhere", "mkdir -p /nowhere"),
        (["--output", "/dev"], "it is a directory", "name a file"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line_with_a_hint(
    dbanalyze: Runner, arguments: list[str], line: str, hint: str
) -> None:
    ended = dbanalyze(*arguments)

    assert (ended.code, ended.out) == (2, "")
    first, second = ended.err.splitlines()
    assert first.startswith("dbanalyze: ")
    assert line in first
    assert second.startswith("HINT: ")
    assert hint in second
    assert "geheim" not in ended.err


@pytest.mark.parametrize("arguments", [["--tag", "dead"], ["--fail-on", "info"], ["--format", "xml"], ["--what"]])
def test_an_option_that_does_not_exist_ends_with_2(dbanalyze: Runner, arguments: list[str]) -> None:
    ended = dbanalyze(*arguments)

    assert (ended.code, ended.out) == (2, "")
    assert "error: " in ended.err


def test_a_setting_that_cannot_be_right_ends_with_2(dbanalyze: Runner, settings: Settings) -> None:
    settings.DBOPS = {"CHEKS": {}}

    ended = dbanalyze()

    assert ended.code == 2
    assert "unknown key 'CHEKS' in the DBOPS setting" in ended.err


def test_a_database_that_is_no_postgresql_is_refused(dbanalyze: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    lite = {
        **connections.settings["default"],
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": ":memory:",
        "OPTIONS": {},
    }
    monkeypatch.setitem(connections.settings, "lite", lite)

    ended = dbanalyze("--database", "lite")

    assert ended.code == 2
    assert "not PostgreSQL" in ended.err


# pages without a look


def test_the_list_names_every_check_and_needs_no_database(dbanalyze: Runner, settings: Settings) -> None:
    ended = dbanalyze("--list")

    assert (ended.code, ended.err) == (0, "")
    assert all(f"  {check}\n" in ended.out for check in checks())
    assert "exhausted_sequence" in dbanalyze("--list", "--tag", "live").out
    assert "duplicate_index" not in dbanalyze("--list", "--tag", "live").out


def test_a_check_is_explained_without_a_database(dbanalyze: Runner) -> None:
    ended = dbanalyze("--explain", "unindexed_foreign_key")

    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("unindexed_foreign_key  structural\n")
    assert "How to fix it" in ended.out
    assert "large_bytes = 10485760" in ended.out


# where it goes


@ONE_VERSION
def test_a_file_gets_the_whole_report_without_colours_and_nothing_else_is_written(
    database: Database, dbanalyze: Runner, tmp_path: Path
) -> None:
    text, document = tmp_path / "report.txt", tmp_path / "report.json"

    for file, options in ((text, ["--force-color"]), (document, ["--format", "json"])):
        ended = dbanalyze("--dsn", database.dsn, "--output", file, *options)
        assert (ended.code, ended.out, ended.err) == (0, "", "")

    assert text.read_text().startswith(f"{database.name} · ")
    assert "\x1b" not in text.read_text()
    valid_dbanalyze(document.read_text())
    assert sorted(tmp_path.iterdir()) == [document, text]


def test_the_old_file_stays_when_there_is_nothing_new(dbanalyze: Runner, tmp_path: Path) -> None:
    file = tmp_path / "report.txt"
    file.write_text("old")

    assert dbanalyze("--dsn", "host=127.0.0.1 port=1", "--output", file).code == 2
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


@ONE_VERSION
def test_colours_are_forced_and_forbidden(
    database: Database, dbanalyze: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "\x1b[" in dbanalyze("--dsn", database.dsn, "--force-color").out
    assert "\x1b[" not in dbanalyze("--dsn", database.dsn, "--no-color").out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in dbanalyze("--dsn", database.dsn).out
    assert "\x1b[" in dbanalyze("--dsn", database.dsn, "--force-color").out


@ONE_VERSION
def test_it_can_be_called_from_python(
    database: Database, capsys: pytest.CaptureFixture[str], settings: Settings
) -> None:
    call_command("dbanalyze", dsn=database.dsn, format="json", verbosity=0)

    valid_dbanalyze(capsys.readouterr().out)


# as a process


@pytest.mark.parametrize(
    ("environment", "colour"),
    [({"TERM": "xterm"}, True), ({"TERM": "dumb"}, False), ({"TERM": "xterm", "NO_COLOR": "1"}, False)],
)
def test_an_error_has_colours_where_the_terminal_has_them(environment: dict[str, str], colour: bool) -> None:
    terminal, inside = pty.openpty()
    try:
        process("--dsn", "nonsense", environment=environment, stdout=inside, stderr=inside)
        text = os.read(terminal, 4096)
    finally:
        os.close(terminal)
        os.close(inside)

    assert b"--dsn does not hold a DSN" in text
    assert (b"\x1b[" in text) is colour


@ONE_VERSION
def test_a_process_in_an_ascii_locale_prints_everything(database: Database) -> None:
    database.execute('CREATE TABLE "Größe" (a int)')
    environment = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}

    ended = process("--dsn", database.dsn, environment=environment)

    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.isascii()
    assert r'public."Gr\xf6\xdfe"' in ended.stdout


@ONE_VERSION
def test_a_reader_that_goes_away_causes_no_complaint(database: Database) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as closed:
        ended = process("--dsn", database.dsn, stdout=closed)

    assert (ended.returncode, ended.stderr) == (2, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_is_one_line() -> None:
    with Path("/dev/full").open("wb") as full:
        ended = process("--list", stdout=full)

    assert (ended.returncode, ended.stderr) == (2, "dbanalyze: no space left on device\n")


def test_an_interrupted_process_ends_with_2_and_one_line() -> None:
    """The server is one that takes the connection and never answers."""
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        subprocess.Popen(
            (sys.executable, "manage.py", "dbanalyze", "--dsn", f"host=127.0.0.1 port={silent.getsockname()[1]}"),
            cwd=PROJECT,
            env={**os.environ, "DEBUG": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as running,
    ):
        connection, _ = silent.accept()
        with connection:
            running.send_signal(signal.SIGINT)
            out, err = running.communicate(timeout=30)

    assert (running.returncode, out, err) == (2, "", "dbanalyze: interrupted\n")


@ONE_VERSION
def test_the_process_behind_the_projects_own_url_reports_its_own_tables_as_mine(database: Database) -> None:
    database.execute(MINE)

    environment = {"DATABASE_URL": _url(database), "DBOPS_EMBEDDED": "0"}  # nothing is started beside it
    ended = process("--format", "json", "--fail-on", "warning", environment=environment)

    assert ended.returncode == 1, ended.stderr
    [report] = valid_dbanalyze(ended.stdout)["reports"]
    assert report["target"]["alias"] == "default"
    [finding] = [one for one in report["findings"] if one["target"] == "public.dbops_tasks_task"]
    assert (finding["check"], finding["ownership"], finding["model"]) == (
        "missing_primary_key",
        "mine",
        "dbops_tasks.Task",
    )


def _url(database: Database) -> str:
    return database.server.cluster.url(database.name)
