"""The figures of a benchmark as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbops.snapshot.amounts import format_count, plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dbops.benchmark.figures import Figures, Measure

_LABEL_CELLS = 40


def page(figures: Figures, measures: Iterable[Measure], before: Figures | None, *, verbosity: int) -> str:
    """Return the figures beside what is promised and those of an earlier run; with `verbosity` 2 step by step."""
    lines = [_circumstances(figures), "", _row("", "minimum", "median", "at most", "since the last" if before else "")]
    for measure in measures:
        change = "" if before is None or measure.name not in before.runs else _change(figures, before, measure)
        most = "" if measure.most is None else _amount(measure, measure.most)
        verdict = "  MISSED" if figures.misses(measure) else ""
        minimum, median = _amount(measure, figures.minimum(measure)), _amount(measure, figures.median(measure))
        lines.append(_row(measure.label, minimum, median, most, change) + verdict)
    if before is not None:
        lines += ["", f"the last: {_circumstances(before)}"]
    if verbosity > 1:
        lines += ["", *_steps(figures)]
    return "\n".join(lines) + "\n"


def _circumstances(figures: Figures) -> str:
    seen = figures.circumstances
    load = "" if seen.get("load_before") is None else f", load before {seen['load_before']:.1f}"
    return (
        f"{figures.taken_at} · PostgreSQL {seen['postgresql']} · Python {seen['python']} · Django {seen['django']} · "
        f"{plural(seen['cores'], 'core')}{load} · {plural(len(figures.runs['look_s']), 'run')} · "
        f"{plural(seen['checks'], 'check')}, {plural(seen['findings'], 'finding')} on {plural(seen['lines'], 'line')}, "
        f"{plural(seen['statements'], 'statement')}"
    )


def _row(label: str, *cells: str) -> str:
    return f"{label:<{_LABEL_CELLS}}{''.join(f'{cell:>16}' for cell in cells)}".rstrip()


def _amount(measure: Measure, value: float) -> str:
    return f"{value:,.{measure.digits}f} {measure.unit}".rstrip()


def _change(figures: Figures, before: Figures, measure: Measure) -> str:
    past = before.median(measure)
    return f"{(figures.median(measure) / past - 1) * 100:+.0f} %" if past else ""


def _steps(figures: Figures) -> Iterator[str]:
    yield "the quickest look, step by step"
    for name, seconds in sorted(figures.steps_s.items(), key=lambda step: -step[1]):
        yield f"  {format_count(round(seconds * 1000)):>8} ms  {name}"
