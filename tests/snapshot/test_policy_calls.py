from __future__ import annotations

import pytest

from dbops.snapshot.policy_calls import calls_per_row, with_calls_once

SETTING = "current_setting('app.tenant'::text)"
STABLE = ("public.me()", 'public."My ()"()')


@pytest.mark.parametrize(
    ("expression", "calls"),
    [
        (SETTING, [SETTING]),
        (f"(tenant = ({SETTING})::integer)", [SETTING]),
        ("(a = current_setting('x''(y'::text, true))", ["current_setting('x''(y'::text, true)"]),
        (f"(({SETTING} = a) OR ({SETTING} = b))", [SETTING]),
        ("(owner = public.me())", ["public.me()"]),
        ('((a = public."My ()"()) AND (b = public.me()))', ['public."My ()"()', "public.me()"]),
        (f"(EXISTS ( SELECT 1 FROM public.m) AND (a = {SETTING}))", [SETTING]),
        # Decoys.
        (f"(a = ( SELECT {SETTING} AS current_setting))", []),
        (f"(EXISTS ( SELECT 1\n   FROM public.m\n  WHERE ((m.a = ({SETTING})::integer))))", []),
        ("(a = current_setting(name))", []),
        ("(a = mine.current_setting('app.tenant'::text))", []),
        ("(a = other.public.me())", []),
        ("(a = 'current_setting(''x''::text)'::text)", []),
        ("(\"current_setting('x'::text)\" = 1)", []),
        ("(a = E'\\'public.me()')", []),
        ("(a = public.me(1))", []),
    ],
)
def test_calls_outside_sub_selects_are_found(expression: str, calls: list[str]) -> None:
    assert list(calls_per_row(expression, STABLE)) == calls
    rewritten = with_calls_once(expression, STABLE)
    assert calls_per_row(rewritten, STABLE) == ()
    assert (rewritten == expression) is not bool(calls)


def test_each_call_goes_into_a_sub_select_of_its_own() -> None:
    assert with_calls_once(f"((a = ({SETTING})::int) OR (b = public.me()))", STABLE) == (
        f"((a = ((SELECT {SETTING}))::int) OR (b = (SELECT public.me())))"
    )
