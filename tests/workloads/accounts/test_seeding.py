"""Seeded users and roles: the same each time, nobody's own rows, and nobody who could log in."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.hashers import make_password
from django.db import connection

from dbops.workloads import seeding as shared
from dbops.workloads.accounts.models import Permission, Role, RolePermission, User, UserRole
from dbops.workloads.accounts.seeding import UNUSABLE_PASSWORD, seed
from dbops.workloads.registry import EPOCH
from tests.workloads.digest import digest

pytestmark = pytest.mark.django_db

USERS = "dbops_accounts_user"
USER_ROLES = """(
    SELECT user_id, role.name, granted_by_id, granted_at
    FROM dbops_accounts_userrole JOIN dbops_accounts_role AS role ON role.id = role_id
)"""


def test_the_same_scale_and_seed_make_the_same_bytes_on_every_server() -> None:
    seed(users=200)

    assert digest(USERS) == "200:1c8443becd2a6459b37b78e75360eadd"
    assert digest(USER_ROLES) == "267:e9d38d96551550dcb8f72ec4c8eb555d"


def test_seeding_twice_changes_nothing() -> None:
    seed(users=120)
    before = digest(USERS), digest("dbops_accounts_userrole"), digest("dbops_accounts_rolepermission")

    seed(users=120)
    seed(users=60)

    assert (digest(USERS), digest("dbops_accounts_userrole"), digest("dbops_accounts_rolepermission")) == before


def test_a_larger_scale_adds_what_is_missing_and_changes_nothing() -> None:
    seed(users=100)
    before = digest(USERS), digest(USER_ROLES)

    seed(users=150)

    assert (digest(USERS, where="id <= 100"), digest(USER_ROLES, where="user_id <= 100")) == before
    assert User.objects.count() == 150
    assert not User.objects.filter(roles=None).exists()


def test_what_was_interrupted_is_finished_by_the_next_call(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(done: int, total: int, what: str) -> None:
        if done >= 60:
            raise KeyboardInterrupt

    seed(users=100)
    whole = digest(USERS), digest(USER_ROLES)
    User.objects.all().delete()
    monkeypatch.setattr(shared, "BATCH_ROWS", 30)
    with pytest.raises(KeyboardInterrupt):
        seed(users=100, progress=interrupt)
    assert User.objects.count() == 60

    seed(users=100)

    assert (digest(USERS), digest(USER_ROLES)) == whole


@pytest.mark.parametrize("other", [{"seed": 2}, {"now": datetime(2026, 6, 1, tzinfo=UTC)}])
def test_another_seed_or_time_makes_other_rows(other: dict[str, object]) -> None:
    seed(users=50)
    first = digest(USERS)
    User.objects.all().delete()

    seed(users=50, **other)  # type: ignore[arg-type]

    assert User.objects.count() == 50
    assert digest(USERS) != first


def test_a_persons_own_rows_stay_as_they_are_and_get_none() -> None:
    person = User.objects.create(pk=3, email="person@real.test", password="!")
    Role.objects.create(name="support", description="Our own.")

    seed(users=10)

    assert User.objects.count() == 10
    assert User.objects.get(pk=3).email == person.email
    assert not UserRole.objects.filter(user=person).exists()
    own = Role.objects.get(name="support")
    assert own.description == "Our own."
    assert not own.permissions.exists()


def test_the_sequence_is_beyond_the_rows_before_they_are_made() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER SEQUENCE dbops_accounts_user_id_seq RESTART")

    def somebody_registers(done: int, total: int, what: str) -> None:
        if what == "users":
            User.objects.create_user("new@real.test")

    seed(users=40, progress=somebody_registers)

    assert User.objects.get_by_natural_key("new@real.test").pk == 41


def test_the_sequence_never_goes_back() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT setval('dbops_accounts_user_id_seq', 5000)")
    seed(users=10)
    assert User.objects.create_user("new@real.test").pk == 5001


def test_nobody_logs_in_as_a_seeded_user_unless_a_password_is_asked_for() -> None:
    seed(users=1)
    email = User.objects.get().email
    assert authenticate(email=email, password=UNUSABLE_PASSWORD) is None
    User.objects.all().delete()

    seed(users=1, password=make_password("shared"))

    assert authenticate(email=email, password="shared") is not None


def test_progress_counts_up_to_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "BATCH_ROWS", 40)
    told: list[tuple[int, int, str]] = []

    seed(users=100, progress=lambda *step: told.append(step))

    assert told == [(done, 100, what) for what in ("users", "roles of users") for done in (40, 80, 100)]


def test_rows_are_consistent_in_time() -> None:
    seed(users=300)
    assert not User.objects.filter(date_joined__gt=EPOCH).exists()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM dbops_accounts_user WHERE last_login < date_joined OR deleted_at < date_joined"
            " OR last_login > %s OR deleted_at > %s",
            [EPOCH, EPOCH],
        )
        assert cursor.fetchone() == (0,)
        cursor.execute(
            "SELECT count(*) FROM dbops_accounts_userrole r JOIN dbops_accounts_user u ON u.id = r.user_id"
            " WHERE granted_at < date_joined OR granted_at > %s",
            [EPOCH],
        )
        assert cursor.fetchone() == (0,)


def test_every_role_holds_what_it_is_for() -> None:
    seed(users=1)
    held = {role.name: set(role.permissions.values_list("codename", flat=True)) for role in Role.objects.all()}

    assert held["administrator"] == set(Permission.objects.values_list("codename", flat=True))
    assert held["member"] == {"assistant.chat", "assistant.search", "assistant.export"}
    assert all(codename.startswith("dbops_accounts.view_") for codename in held["auditor"])
    assert RolePermission.objects.count() == sum(map(len, held.values()))
