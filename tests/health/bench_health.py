"""How long /ht/ takes while all is well, beside a page that does nothing. Prints; judges nothing.

.venv/bin/pytest tests/health/bench_health.py -s
"""

from __future__ import annotations

import http.client
import sys
import time
from contextlib import closing
from statistics import median
from typing import TYPE_CHECKING

import pytest

from tests.health.test_site import migrated

if TYPE_CHECKING:
    from tests.health.conftest import Redis, Serve, Site
    from tests.servers import Database

REQUESTS = 200


def times_ms(site: Site, path: str, *, pause_s: float) -> list[float]:
    found = []
    with closing(http.client.HTTPConnection("127.0.0.1", site.port, timeout=30)) as connection:
        for _ in range(REQUESTS if pause_s < 1 else REQUESTS // 4):
            time.sleep(pause_s)
            started_s = time.perf_counter()
            connection.request("GET", path, headers={"Accept": "application/json"})
            connection.getresponse().read()
            found.append((time.perf_counter() - started_s) * 1000)
    return sorted(found)


@pytest.mark.timeout(900)
def test_latency(database: Database, redis: Redis, serve: Serve) -> None:
    site = serve(migrated(database.dsn, redis), redis_url=redis.url)
    site.get("/ht/")
    # Ten a second: every tenth request or so has the servers asked anew. One in more than a second: each has.
    rows = [("/ht/style.css", 0.1), ("/ht/live/", 0.1), ("/ht/", 0.1), ("/ht/", 1.05)]
    for path, pause_s in rows:
        found = times_ms(site, path, pause_s=pause_s)
        p95 = found[int(len(found) * 0.95)]
        sys.stdout.write(f"\n{path:<15} every {pause_s:g} s: median {median(found):6.2f} ms, p95 {p95:6.2f} ms")
    sys.stdout.write("\n")
