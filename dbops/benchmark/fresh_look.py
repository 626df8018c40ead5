"""One look in a process of its own, so that its memory and its time are nobody else's: `python -c PROGRAM` runs it.

The DSN comes in the variable DBOPS_DSN; a line of JSON goes to standard output.
"""

from __future__ import annotations

import json
import os
import re
import resource
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Final

from dbops.analysis.registry import checks
from dbops.diagnose import diagnose_dsn
from dbops.render import text

#: A look needs Django set up before its modules are loaded.
PROGRAM: Final = "import django; django.setup(); from dbops.benchmark.fresh_look import main; main()"
_PEAK: Final = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)


def main() -> None:
    """Look, render, and say how long each took."""
    checks()  # their modules are loaded once in a process, as Django is
    begun: dict[str, float] = {}

    def step(name: str, *_: int) -> None:
        begun[name] = time.perf_counter()

    started, used = time.perf_counter(), time.process_time()
    report = diagnose_dsn(os.environ["DBOPS_DSN"], progress=step)
    looked = time.perf_counter()
    page = text.render(report)
    rendered, used = time.perf_counter(), time.process_time() - used
    moments = [*begun.values(), min(begun.values()) + report.duration_ms / 1000]
    found = {
        "look_s": rendered - started,
        "own_cpu_s": used,
        "steps_s": {
            "connecting": round(moments[0] - started, 4),
            **{name: round(end - start, 4) for name, (start, end) in zip(begun, pairwise(moments), strict=True)},
            "judging": round(looked - moments[-1], 4),
            "text": round(rendered - looked, 4),
        },
        "peak_mib": _peak_mib(),
        "server_version": report.target.server_version,
        "interrupted": report.interrupted,
        "skipped": [result.check for result in report.results if result.reason is not None],
        "checks": len(report.results),
        "findings": len(report.findings),
        "lines": page.count("\n"),
    }
    sys.stdout.write(json.dumps(found) + "\n")


def _peak_mib() -> float:
    """Return the most memory this process ever had; getrusage() alone may answer for the process that started us."""
    status = Path("/proc/self/status")
    kept = _PEAK.search(status.read_text(encoding="ascii")) if status.exists() else None
    if kept is not None:
        return int(kept[1]) / 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 1024**2 if sys.platform == "darwin" else most / 1024
