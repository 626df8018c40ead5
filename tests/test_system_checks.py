"""`manage.py check` refuses a DBOPS setting that cannot be right, and says what would be."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.checks import run_checks
from django.test import override_settings

from dbops.conf import config, query_timeout_ms
from dbops.errors import ConfigurationError


def messages(setting: object) -> list[str]:
    with override_settings(DBOPS=setting):
        return [f"{message.id} {message.msg} ({message.hint})" for message in run_checks(tags=["dbops"])]


def test_no_setting_and_a_full_one_are_fine() -> None:
    full: dict[str, Any] = {
        "CHECKS": {"exhausted_sequence": {"used_ratio": 0.7}, "unlogged_table": False},
        "IGNORE": [{"check": "unlogged_table", "target": "public.*", "reason": "rebuilt", "until": "2999-01-01"}],
        "OWN_APPS": ["shop", "shop.*"],
        "DATABASES": ["default"],
        "ENABLED": False,
        "QUERY_TIMEOUT_S": 2.5,
        "SLOW_QUERY_MS": 250,
    }
    full["IGNORE"].append({**full["IGNORE"][0], "until": datetime(2999, 1, 1, tzinfo=UTC)})
    assert messages({}) == []
    assert messages(full) == []


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ([], "the DBOPS setting is not a dict"),
        ({"CHECK": {}}, "unknown key 'CHECK'"),
        ({"CHECKS": []}, "is not a dict"),
        ({"CHECKS": {"exhausted_sequense": False}}, "did you mean exhausted_sequence?"),
        ({"CHECKS": {"exhausted_sequense": {"used_ratio": 0.7}}}, "did you mean exhausted_sequence?"),
        ({"CHECKS": {"exhausted_sequence": {"ratio": 0.7}}}, "unknown threshold 'ratio'"),
        ({"CHECKS": {"exhausted_sequence": {"used_ratio": "much"}}}, "cannot be 'much'"),
        ({"CHECKS": {"exhausted_sequence": 3}}, "cannot be 3"),
        ({"CHECKS": {"exhausted_sequence": None}}, "cannot be None"),
        ({"CHECKS": {"exhausted_sequence": {"used_ratio": True}}}, "cannot be True"),
        ({"CHECKS": {"exhausted_sequence": {"used_ratio": -1}}}, "cannot be -1"),
        ({"IGNORE": "unlogged_table"}, "is not a list of dicts"),
        ({"IGNORE": [{"check": "unlogged_table", "target": "public.t"}]}, "lacks reason"),
        ({"IGNORE": [{"check": "unlogged_table", "target": "t", "reason": "r", "ends": 1}]}, "is not a dict of"),
        ({"IGNORE": [{"check": "unlogged_table", "target": "t", "reason": "r", "until": "soon"}]}, "is not a date"),
        ({"IGNORE": [{"check": "nothing", "target": "t", "reason": "r"}]}, "there is no check 'nothing'"),
        ({"IGNORE": [{"check": "unlogged_table", "target": "t", "reason": "r", "until": "2020-01-01"}]}, "expired"),
        ({"OWN_APPS": "shop"}, "is not a list of names"),
        ({"DATABASES": ["elsewhere"]}, "not in DATABASES"),
        ({"ENABLED": 1}, 'DBOPS["ENABLED"] is not a bool'),
        ({"ENABLED": "off"}, 'DBOPS["ENABLED"] is not a bool'),
        ({"QUERY_TIMEOUT_S": 0}, 'DBOPS["QUERY_TIMEOUT_S"] is not a number above 0 (its default is 30)'),
        ({"QUERY_TIMEOUT_S": float("inf")}, "is not a number above 0"),
        ({"QUERY_TIMEOUT_S": True}, "is not a number above 0"),
        ({"SLOW_QUERY_MS": "100"}, 'DBOPS["SLOW_QUERY_MS"] is not a number above 0 (its default is 100)'),
        ({"SLOW_QUERY_MS": -1}, "is not a number above 0"),
        ({"SLOW_QUERY_MS": float("nan")}, "is not a number above 0"),
    ],
)
def test_what_cannot_be_right_is_said(setting: object, said: str) -> None:
    (message,) = messages(setting)
    assert said in message


def test_every_mistake_is_said_at_once() -> None:
    assert len(messages({"CHECKS": {"a": False, "b": 3}, "OWN": 1})) == 3


def test_a_check_without_thresholds_in_the_setting_is_not_switched_off() -> None:
    with override_settings(DBOPS={"CHECKS": {"exhausted_sequence": {}, "unlogged_table": True, "cold": False}}):
        assert config().disabled == {"cold"}


def test_the_first_mistake_stops_whoever_asks_for_the_setting() -> None:
    with override_settings(DBOPS={"CHECKS": 3}), pytest.raises(ConfigurationError):
        config()


def test_what_counts_as_slow_is_the_checks_threshold_too_unless_it_has_its_own() -> None:
    with override_settings(DBOPS={"SLOW_QUERY_MS": 250, "CHECKS": {"slow_query": {"many_calls": 7}}}):
        assert config().thresholds["slow_query"] == {"mean_ms": 250, "many_calls": 7}
    with override_settings(DBOPS={"SLOW_QUERY_MS": 250, "CHECKS": {"slow_query": {"mean_ms": 40}}}):
        assert (config().thresholds["slow_query"], config().slow_query_ms) == ({"mean_ms": 40}, 250)
    with override_settings(DBOPS={}):
        assert (config().thresholds, config().slow_query_ms) == ({}, 100)


def test_a_limit_of_our_own_statements_is_never_none_at_all() -> None:
    with override_settings(DBOPS={"QUERY_TIMEOUT_S": 0.0001}):
        assert query_timeout_ms() == 1
    with override_settings(DBOPS={"QUERY_TIMEOUT_S": "much"}):
        assert query_timeout_ms() == 30_000


def test_it_needs_no_database() -> None:
    """It runs where the server cannot be reached; tests without the db mark cannot reach one."""
    assert messages({}) == []
