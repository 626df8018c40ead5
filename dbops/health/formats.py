"""A summary as text: for machines, for Prometheus, for a terminal. The page for people is a template."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from health_check.views import HealthCheckView

from dbops.health.probe import Status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dbops.health.summary import Line, Summary

_MEANING = ", ".join(f"{status.rank} {status}" for status in Status)


def as_json(summary: Summary, *, in_detail: bool) -> str:
    """Return the whole and each check by name; in detail with a list of lines."""
    document: dict[str, Any] = {
        "status": summary.status,
        "checks": summary.checks,
        "live_checks_age_s": summary.age_s,
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }
    if in_detail:
        document["detail"] = [_detail(line) for line in summary.lines]
    return json.dumps(document, default=str)


def as_text(summary: Summary, *, in_detail: bool) -> str:
    """Return a line for the whole, then one for each check."""
    lines = [f"{summary.status}"]
    if in_detail:
        lines += [
            f"{line.check}{f' ({line.alias})' if line.alias else ''}: {line.status or 'not judged'}"
            f"{f': {line.reason}' if line.reason else ''}"
            for line in summary.lines
        ]
    else:
        lines += [f"{name}: {status}" for name, status in summary.checks.items()]
    return "\n".join(lines) + "\n"


def as_openmetrics(summary: Summary, *, in_detail: bool) -> str:
    """Return gauges for Prometheus; in detail by alias, with the latencies."""
    return "\n".join([*_metrics(summary, in_detail=in_detail), "# EOF"]) + "\n"


def _metrics(summary: Summary, *, in_detail: bool) -> Iterator[str]:
    yield "# TYPE dbops_health_overall_status gauge"
    yield f"# HELP dbops_health_overall_status The whole: {_MEANING}."
    yield f"dbops_health_overall_status {summary.status.rank}"
    yield "# TYPE dbops_health_status gauge"
    yield f"# HELP dbops_health_status Each check: {_MEANING}. One that could not judge is absent."
    if in_detail:
        for line in summary.lines:
            if line.status is not None:
                yield f"dbops_health_status{_labels(line)} {line.status.rank}"
        yield "# TYPE dbops_health_latency_seconds gauge"
        yield "# UNIT dbops_health_latency_seconds seconds"
        yield "# HELP dbops_health_latency_seconds How long the last look of a check took."
        for line in summary.lines:
            yield f"dbops_health_latency_seconds{_labels(line)} {line.latency_ms / 1000:.4f}"
    else:
        for name, status in summary.checks.items():
            yield f'dbops_health_status{{check="{name}"}} {status.rank}'
    if summary.age_s is not None:
        yield "# TYPE dbops_health_live_checks_age_seconds gauge"
        yield "# UNIT dbops_health_live_checks_age_seconds seconds"
        yield "# HELP dbops_health_live_checks_age_seconds The age of the look that live checks are judged by."
        yield f"dbops_health_live_checks_age_seconds {summary.age_s}"


def _labels(line: Line) -> str:
    labels = {"check": line.check, **({"alias": line.alias} if line.alias else {})}
    return f"{{{HealthCheckView.abnf_dumps(labels)}}}"


def _detail(line: Line) -> dict[str, Any]:
    return {
        "check": line.check,
        "alias": line.alias,
        "status": line.status,
        "reason": line.reason,
        "latency_ms": line.latency_ms,
        "age_s": line.age_s,
        "figures": line.figures,
    }
