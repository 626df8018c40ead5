"""A private PostgreSQL, whatever happens to it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from dbops.embedded.binaries import find_binaries
from dbops.embedded.places import is_locked
from dbops.embedded.postgres import Cluster
from dbops.errors import EmbeddedServerError

if TYPE_CHECKING:
    from dbops.embedded.binaries import Binaries
    from tests.embedded.conftest import MakeCluster
    from tests.servers import Server

PROJECT = Path(__file__).parents[2]
START = """
import sys
from pathlib import Path
from dbops.embedded.binaries import find_binaries
from dbops.embedded.postgres import Cluster
data, socket = map(Path, sys.argv[1:])
print(Cluster(data, socket, durable=False).ensure_started(lambda major: find_binaries(major=major)))
"""


def ask(cluster: Cluster, query: str) -> object:
    with psycopg.connect(cluster.dsn(), autocommit=True) as connection:
        cursor = connection.execute(query.encode())
        row = cursor.fetchone() if cursor.description else None
        return row and row[0]


def postmaster_pid(cluster: Cluster) -> int:
    return int((cluster.data_dir / "postmaster.pid").read_text().split()[0])


def starter(cluster: Cluster) -> subprocess.Popen[str]:
    """Another process that starts the same server."""
    return subprocess.Popen(
        (sys.executable, "-c", START, cluster.data_dir, cluster.socket_dir),
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_it_starts_once_keeps_its_data_and_stops(cluster: Cluster, binaries: Binaries) -> None:
    assert not cluster.is_running()
    assert cluster.ensure_started(lambda _major: [binaries])
    assert not cluster.ensure_started(lambda _major: [binaries])
    ask(cluster, "CREATE TABLE kept AS SELECT 42 AS answer")
    assert cluster.stop()
    assert not cluster.is_running()
    assert not cluster.stop()
    assert cluster.ensure_started(lambda _major: [binaries])
    assert ask(cluster, "SELECT answer FROM kept") == 42


def test_the_server_is_as_dbops_wants_to_see_it(server: Server) -> None:
    settings = {
        "shared_preload_libraries": "pg_stat_statements",
        "track_io_timing": "on",
        "compute_query_id": "on",
        "listen_addresses": "",
        "server_encoding": "UTF8",
        "data_checksums": "on",
    }
    assert {name: ask(server.cluster, f"SHOW {name}") for name in settings} == settings


def test_the_server_of_development_is_durable(cluster: Cluster, binaries: Binaries) -> None:
    durable = replace(cluster, durable=True, settings={"work_mem": "7MB", "cluster_name": "it's"})
    durable.ensure_started(lambda _major: [binaries])
    assert [ask(durable, f"SHOW {name}") for name in ("fsync", "synchronous_commit", "full_page_writes")] == ["on"] * 3
    assert [ask(durable, f"SHOW {name}") for name in ("work_mem", "cluster_name")] == ["7MB", "it's"]


def test_nobody_else_can_reach_it(server: Server) -> None:
    for directory in (server.cluster.data_dir, server.cluster.socket_dir):
        found = directory.stat()
        assert found.st_uid == server.cluster.account.uid
        assert found.st_mode & 0o077 == 0


def test_six_processes_at_once_give_one_server(cluster: Cluster) -> None:
    starters = [starter(cluster) for _ in range(6)]
    answers = [process.communicate(timeout=60) for process in starters]
    assert sorted(output.strip() for output, _errors in answers) == ["False"] * 5 + ["True"], answers
    assert cluster.data_dir.joinpath("server.log").read_text().count("ready to accept connections") == 1


def test_it_outlives_the_process_that_started_it_and_its_terminal(cluster: Cluster) -> None:
    process = starter(cluster)
    # The pipes end with the starter, so the server has not inherited them.
    assert process.communicate(timeout=60) == ("True\n", "")
    pid = postmaster_pid(cluster)
    assert os.getsid(pid) not in (process.pid, os.getsid(0))
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)
    assert ask(cluster, "SELECT 1") == 1


def test_it_starts_again_after_kill_9_with_nothing_lost(make_cluster: MakeCluster, binaries: Binaries) -> None:
    cluster = replace(make_cluster(), durable=True)
    cluster.ensure_started(lambda _major: [binaries])
    ask(cluster, "CREATE TABLE kept AS SELECT 42 AS answer")
    session = psycopg.connect(cluster.dsn())
    os.kill(postmaster_pid(cluster), signal.SIGKILL)
    assert cluster.ensure_started(lambda _major: [binaries])
    session.close()
    assert ask(cluster, "SELECT answer FROM kept") == 42


def test_a_zombie_or_foreign_pid_does_not_pass_for_a_server(cluster: Cluster, binaries: Binaries) -> None:
    cluster.ensure_started(lambda _major: [binaries])
    pid_file = (cluster.data_dir / "postmaster.pid").read_text()
    cluster.stop()
    zombie = subprocess.Popen(("/bin/true",))
    for pid in (zombie.pid, os.getpid()):
        _wait_until_it_ended(zombie.pid)
        (cluster.data_dir / "postmaster.pid").write_text(pid_file.replace(pid_file.split()[0], str(pid), 1))
        assert not cluster.is_running()
        assert not cluster.stop()
        assert cluster.ensure_started(lambda _major: [binaries])
        cluster.stop()
    zombie.wait()


def _wait_until_it_ended(pid: int) -> None:
    while b") Z " not in Path(f"/proc/{pid}/stat").read_bytes():
        time.sleep(0.01)


def test_a_system_without_proc_can_stop_it_too(
    cluster: Cluster, binaries: Binaries, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dbops.embedded.postgres.PROCESSES", place / "proc")
    cluster.ensure_started(lambda _major: [binaries])
    assert cluster.stop()
    assert cluster.ensure_started(lambda _major: [binaries])


def test_a_server_whose_socket_was_cleaned_away_can_be_stopped(cluster: Cluster, binaries: Binaries) -> None:
    cluster.ensure_started(lambda _major: [binaries])
    for path in (*cluster.socket_dir.iterdir(), cluster.socket_dir):
        path.rmdir() if path.is_dir() else path.unlink()
    assert cluster.is_running()
    assert cluster.stop()
    assert cluster.ensure_started(lambda _major: [binaries])


def test_data_of_another_major_version_is_refused_with_the_way_out(
    cluster: Cluster, all_binaries: list[Binaries]
) -> None:
    if len(all_binaries) < 2:
        pytest.skip("there is only one major version of PostgreSQL on this machine")
    older, newer = all_binaries[0], all_binaries[-1]
    cluster.ensure_started(lambda _major: [older])
    cluster.stop()
    with pytest.raises(EmbeddedServerError, match=f"data of PostgreSQL {older.major}") as refusal:
        cluster.ensure_started(lambda _major: [newer])
    assert "embedded reset" in str(refusal.value)
    assert cluster.ensure_started(lambda major: find_binaries(major=major))


def test_reset_destroys_the_data_and_the_next_start_is_new(cluster: Cluster, binaries: Binaries) -> None:
    assert not cluster.reset()
    cluster.ensure_started(lambda _major: [binaries])
    ask(cluster, "CREATE TABLE gone ()")
    assert cluster.reset()
    assert not cluster.data_dir.exists()
    assert cluster.ensure_started(lambda _major: [binaries])
    assert ask(cluster, "SELECT to_regclass('gone')") is None


def test_a_directory_that_is_not_ours_is_neither_used_nor_removed(cluster: Cluster, binaries: Binaries) -> None:
    cluster.data_dir.mkdir(mode=0o700)
    cluster.account.take(cluster.data_dir)
    thesis = cluster.data_dir / "thesis.txt"
    thesis.write_text("years of work")
    for act in (cluster.reset, lambda: cluster.ensure_started(lambda _major: [binaries])):
        with pytest.raises(EmbeddedServerError, match="not made by dbops"):
            act()
    assert thesis.read_text() == "years of work"


def test_an_interrupted_initdb_leaves_nothing_half_made(cluster: Cluster, binaries: Binaries) -> None:
    half_made = cluster.data_dir.with_name(f"{cluster.data_dir.name}.new")
    half_made.mkdir()
    (half_made / "PG_VERSION").write_text("18")
    assert cluster.ensure_started(lambda _major: [binaries])
    assert not half_made.exists()


def test_an_interrupted_initdb_that_still_writes_is_waited_for(cluster: Cluster, binaries: Binaries) -> None:
    """As after Ctrl-C and the same command at once: initdb's own server lives on for a moment."""
    half_made = cluster.data_dir.with_name(f"{cluster.data_dir.name}.new")
    half_made.mkdir()
    writing = 'cd "$1" && while n=$((n + 1)); do echo > "$n" || exit; done 2>/dev/null'
    with subprocess.Popen(("/bin/sh", "-c", writing, "sh", half_made)) as writer:
        while not (half_made / "1000").exists():
            time.sleep(0.001)
        end = threading.Timer(1, writer.kill)
        end.start()
        assert cluster.ensure_started(lambda _major: [binaries])
        end.join()
    assert not half_made.exists()


def test_a_server_that_cannot_make_data_is_passed_over(cluster: Cluster, binaries: Binaries, place: Path) -> None:
    (place / "bin").mkdir()
    for name, script in (("postgres", "exit 0"), ("initdb", "echo 'could not load library plpgsql' >&2; exit 1")):
        (place / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
        (place / "bin" / name).chmod(0o755)
    broken = replace(binaries, directory=place / "bin", version="17.0", major=17)
    with pytest.raises(EmbeddedServerError, match=r"PostgreSQL 17.0 could not .* could not load library plpgsql"):
        cluster.ensure_started(lambda _major: [broken, broken])
    assert cluster.ensure_started(lambda _major: [broken, binaries])
    running = cluster.endpoint.running()
    assert running is not None
    assert running.version == binaries.version


def test_a_server_that_cannot_start_says_why(cluster: Cluster, binaries: Binaries) -> None:
    broken = replace(cluster, settings={"shared_buffers": "many"})
    with pytest.raises(EmbeddedServerError, match="shared_buffers") as refusal:
        broken.ensure_started(lambda _major: [binaries])
    assert str(cluster.log_path) in str(refusal.value)
    assert not is_locked(cluster.data_dir / "dbops-cluster")
    assert cluster.ensure_started(lambda _major: [binaries])


def test_a_start_that_was_cut_off_is_completed_by_the_next(cluster: Cluster, binaries: Binaries) -> None:
    prepared: list[Cluster] = []

    def fail(_cluster: Cluster) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replace(cluster, prepare=fail).ensure_started(lambda _major: [binaries])
    assert cluster.endpoint.running() is None
    assert not replace(cluster, prepare=prepared.append).ensure_started(lambda _major: [binaries])
    assert len(prepared) == 1
    assert cluster.endpoint.running() is not None


def test_a_grown_log_is_put_aside(cluster: Cluster, binaries: Binaries, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dbops.embedded.postgres.LOG_LIMIT_BYTES", 10)
    cluster.ensure_started(lambda _major: [binaries])
    cluster.stop()
    cluster.ensure_started(lambda _major: [binaries])
    assert "shut down" in cluster.log_path.with_suffix(".log.1").read_text()


def test_a_socket_path_that_is_too_long_is_refused(place: Path, binaries: Binaries) -> None:
    deep = Cluster(place / "data", place / ("d" * 120))
    with pytest.raises(EmbeddedServerError, match="107"):
        deep.ensure_started(lambda _major: [binaries])
