"""How often people may try: what is counted, by whom, and what is not held against them."""

from __future__ import annotations

import sys
import unicodedata
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test import Client

from dbops.workloads.accounts.limits import DEFAULTS, check_limits, limit
from dbops.workloads.accounts.models import User
from tests.workloads.accounts.test_pages import LOG_IN, PASSWORD, change, log_in, register

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_django import Settings

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _low_limits(settings: Settings) -> None:
    settings.ACCOUNT_LIMITS = {
        "log_in_by_address": (2, 3600),
        "log_in_by_client": (5, 3600),
        "register_by_client": (2, 3600),
        "change_password_by_user": (2, 3600),
    }


@pytest.fixture
def ada() -> User:
    return User.objects.create_user("ada@example.com", PASSWORD)


def statuses(*responses: Any) -> list[int]:
    return [response.status_code for response in responses]


def test_wrong_passwords_for_an_address_are_limited_in_whatever_case_it_is_written(ada: User, client: Client) -> None:
    spellings = ("ada@example.com", "ADA@example.com", " Ada@Example.Com ")
    assert statuses(*(log_in(client, email, "wrong") for email in spellings)) == [200, 200, 429]
    refused = log_in(client)
    assert refused.status_code == 429, "the right password does not get through either"
    assert 0 < int(refused["Retry-After"]) <= 3600
    assert "no-store" in refused["Cache-Control"]
    assert "Too many attempts" in refused.content.decode()


def test_a_letter_that_the_server_lowers_in_its_own_way_makes_no_second_count(client: Client) -> None:
    spellings = ("ida@example.com", "İda@example.com", "İDA@example.com")
    assert statuses(*(log_in(client, email, "wrong") for email in spellings)) == [200, 200, 429]


def test_all_that_the_server_takes_for_one_address_is_counted_as_one() -> None:
    letters = [chr(code) for code in range(1, sys.maxunicode) if unicodedata.category(chr(code))[0] in "LMNS"]
    letters = [letter for letter in letters if User.objects.tidy_email(letter) == letter]
    with connection.cursor() as cursor:
        cursor.execute("SELECT letter, LOWER(letter) FROM unnest(%s::text[]) AS letter", [letters])
        lowered = cursor.fetchall()
    fold = User.objects.fold_email
    assert [letter for letter, lower in lowered if fold(f"{letter}@") != fold(f"{lower}@")] == []
    assert len({fold(letter) for letter in letters}) > 100_000


def test_an_unknown_address_is_limited_like_a_known_one(client: Client) -> None:
    assert statuses(*(log_in(client, "nobody@example.com") for _ in range(3))) == [200, 200, 429]


def test_somebody_elsewhere_cannot_lock_a_user_out(ada: User, client: Client) -> None:
    for _ in range(3):
        log_in(Client(REMOTE_ADDR="192.0.2.66"), password="wrong")
    assert log_in(client).status_code == 302


def test_wrong_passwords_of_a_client_are_limited_over_all_addresses(ada: User, client: Client) -> None:
    tried = [log_in(client, f"user{number}@example.com") for number in range(6)]
    assert statuses(*tried) == [200] * 5 + [429]
    assert log_in(client).status_code == 429


def test_right_passwords_do_not_count(ada: User) -> None:
    assert statuses(*(log_in(Client()) for _ in range(10))) == [302] * 10


def test_a_client_cannot_say_it_is_somebody_else(ada: User, client: Client, settings: Settings) -> None:
    def guess(number: int) -> Any:
        header = {"x-forwarded-for": f"198.51.100.{number}, 203.0.113.5"}
        return client.post(LOG_IN, {"username": ada.email, "password": "wrong"}, headers=header)

    assert statuses(*(guess(number) for number in range(3))) == [200, 200, 429]
    settings.TRUSTED_PROXIES = 1
    assert statuses(*(guess(number) for number in range(3))) == [200, 200, 429]
    settings.TRUSTED_PROXIES = 2
    assert statuses(*(guess(number) for number in range(3))) == [200, 200, 200]


def test_registering_is_limited_and_taken_addresses_count(ada: User) -> None:
    taken, new, refused = (register(Client(), f"{name}@example.com") for name in ("ada", "new", "newer"))
    assert statuses(taken, new, refused) == [200, 302, 429]
    assert User.objects.count() == 2


def test_a_form_that_answers_nothing_about_an_address_does_not_count(ada: User, client: Client) -> None:
    assert statuses(*(register(client, ada.email, "short") for _ in range(5))) == [200] * 5
    assert register(client, "new@example.com").status_code == 302


def test_wrong_old_passwords_are_limited_wherever_the_user_is(ada: User) -> None:
    clients = [Client(REMOTE_ADDR=f"192.0.2.{number}") for number in range(3)]
    for each in clients:
        each.force_login(ada)
    assert statuses(*(change(each, "wrong") for each in clients)) == [200, 200, 429]


def test_an_old_password_that_is_right_does_not_count(ada: User, client: Client) -> None:
    client.force_login(ada)
    assert statuses(*(change(client, PASSWORD, "short") for _ in range(4))) == [200] * 4
    assert change(client, PASSWORD).status_code == 302


def test_logging_in_works_while_the_cache_does_not(ada: User, settings: Settings, tmp_path: Path) -> None:
    settings.CACHES = {
        "default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": f"unix://{tmp_path}/nowhere"}
    }
    assert statuses(*(log_in(Client(), password="wrong") for _ in range(4))) == [200] * 4
    assert log_in(Client()).status_code == 302


def test_a_limit_that_the_settings_do_not_name_is_the_default(settings: Settings) -> None:
    settings.ACCOUNT_LIMITS = {"register_by_client": [7, 60]}
    assert (limit("register_by_client").attempts, limit("register_by_client").window_s) == (7, 60)
    for name in DEFAULTS.keys() - {"register_by_client"}:
        assert (limit(name).attempts, limit(name).window_s) == DEFAULTS[name]
    assert list(check_limits()) == []


@pytest.mark.parametrize(
    ("limits", "error"),
    [
        ({"log_in": (1, 2)}, "accounts.E001"),
        ({"log_in_by_client": 5}, "accounts.E002"),
        ({"log_in_by_client": (0, 60)}, "accounts.E002"),
        ({"log_in_by_client": (5, 0.5)}, "accounts.E002"),
        ({"log_in_by_client": (True, 60)}, "accounts.E002"),
    ],
)
def test_a_limit_that_cannot_be_is_reported(settings: Settings, limits: dict[str, Any], error: str) -> None:
    settings.ACCOUNT_LIMITS = limits
    assert [message.id for message in check_limits()] == [error]
