"""Whatever Django sends, the fingerprint of its text is the one of what pg_stat_statements keeps."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dbops.snapshot.statement_text import fingerprint, normalised, redacted, verb

if TYPE_CHECKING:
    from tests.servers import Database

PROJECT = Path(__file__).parent.parent.parent
#: What opens and ends transactions is counted under words of the server's own.
_UNCOUNTED = frozenset({"savepoint", "release", "rollback", "begin", "commit"})


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_every_statement_of_djangos_is_found_by_its_fingerprint(database: Database, driver: str) -> None:
    pytest.importorskip(driver)
    place = database.server.cluster
    argv = [sys.executable, "-W", "error", "-m", "tests.slow_queries.orm_statements"]
    ended = subprocess.run(
        [*argv, driver, database.name, str(place.socket_dir), "5432"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert told["driver"] == driver
    kept: dict[str, set[str]] = defaultdict(set)
    for text, _calls in told["kept"]:
        kept[fingerprint(text)].add(text)
    sent = [text for text in told["sent"] if verb(text) not in _UNCOUNTED]
    assert len(set(sent)) > 80
    missed = {normalised(text) for text in sent if fingerprint(text) not in kept}
    assert not missed, "\n".join([*missed, "", *sorted(map(normalised, (text for text, _ in told["kept"])))])
    # The text that a history keeps has lost what could be data, and is the same statement all the same.
    assert {fingerprint(text) for text in sent} <= {fingerprint(redacted(text)) for text, _calls in told["kept"]}
