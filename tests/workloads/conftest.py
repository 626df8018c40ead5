"""Users to test with, and how many statements a page costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.db import connection
from django.test.utils import CaptureQueriesContext

from dbops.workloads.accounts.models import User

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """One round of the hash, not the hundreds of thousands that make one log-in take a fifth of a second."""
    monkeypatch.setattr(PBKDF2PasswordHasher, "iterations", 1)


@pytest.fixture(autouse=True)
def _cache_of_ones_own(own_cache: None) -> None:
    """Limits count in it."""


@pytest.fixture
def member(db: None) -> User:
    return User.objects.create_user("Mia.Member@Example.com", full_name="Mia Member")


@pytest.fixture
def statements_of_page(admin_client: Client) -> Callable[[str], int]:
    """How many statements a page of the admin costs; the page must be found and made without an error."""

    def count(address: str) -> int:
        admin_client.get(address)
        with CaptureQueriesContext(connection) as captured:
            response = admin_client.get(address)
        assert response.status_code == 200, response
        return len(captured)

    return count
