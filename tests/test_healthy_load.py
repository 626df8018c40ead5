"""A healthy server that has much to do is no reason for an alarm."""

from __future__ import annotations

import subprocess
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from dbops.analysis.registry import checks
from dbops.counters.windows import MADE_FROM_HISTORY
from dbops.diagnose import diagnose_dsn
from dbops.findings.finding import Severity
from dbops.findings.report import Outcome
from tests.looking import snapshot_of
from tests.windows import Before, look_over

if TYPE_CHECKING:
    from tests.servers import Database

SECONDS = 30


@pytest.mark.long
def test_a_busy_database_without_a_fault_has_no_warning(database: Database) -> None:
    """pgbench's own schema, with keys and a column that its history needs to be one that we would make."""
    pgbench = database.server.binaries.program("pgbench")
    subprocess.run([pgbench, "--initialize", "--quiet", "--scale=5", database.dsn], check=True, capture_output=True)
    database.execute("ALTER TABLE pgbench_history ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY")
    load = (pgbench, "--client=8", "--jobs=2", f"--time={SECONDS}", "--no-vacuum", database.dsn)
    looks = 0
    with subprocess.Popen(load, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        while running.poll() is None:
            report = diagnose_dsn(database.dsn)
            alarms = [(one.check, one.message) for one in report.findings if one.severity is not Severity.INFO]
            # The tests connect as a superuser, which no application should.
            assert [alarm for alarm in alarms if alarm[0] not in {"overprivileged_role", "missing_timeouts"}] == []
            assert report.outcomes(Outcome.CRASHED) == ()
            looks += 1
            time.sleep(0.5)
    assert running.returncode == 0
    assert looks > 5


@pytest.mark.long
def test_a_busy_minute_is_no_alarm_for_the_checks_of_windows(database: Database) -> None:
    """What pgbench does in a minute, laid over a window that is long enough to be judged."""
    pgbench = database.server.binaries.program("pgbench")
    database.execute("CREATE EXTENSION pg_stat_statements")
    subprocess.run([pgbench, "--initialize", "--quiet", "--scale=5", database.dsn], check=True, capture_output=True)
    database.execute("ALTER TABLE pgbench_history ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY")
    database.execute("VACUUM ANALYZE")
    before = Before(snapshot_of(database), earlier=timedelta(hours=2))
    load = (pgbench, "--client=8", "--jobs=2", f"--time={2 * SECONDS}", "--no-vacuum", database.dsn)
    subprocess.run(load, check=True, capture_output=True)
    windowed = [check.id for check in checks().values() if check.sections & MADE_FROM_HISTORY.keys()]
    alarms = [
        (check, found.severity, found.target.name, found.message)
        for check in windowed
        for found in look_over(database, check, before).findings
        if found.severity is not Severity.INFO
    ]
    assert alarms == []
    assert {"slow_query", "dominant_query", "write_heavy_index", "deadlocks", "cold_updates"} <= set(windowed)
