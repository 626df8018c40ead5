"""Logging in: by e-mail address in any case, never as a deleted user, in the same time for everybody."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import aauthenticate, authenticate
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import AnonymousUser

from dbops.workloads.accounts.backends import EmailBackend
from dbops.workloads.accounts.models import Permission, Role, User

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse"


@pytest.fixture
def ada() -> User:
    return User.objects.create_user("Ada@Example.com", PASSWORD)


@pytest.fixture
def hashes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The salts of the password hashes that were worked out, one for each."""
    worked_out: list[str] = []

    def encode(self: PBKDF2PasswordHasher, password: str, salt: str, iterations: int | None = None) -> str:
        worked_out.append(salt)
        return whole(self, password, salt, iterations)

    whole: Callable[..., str] = PBKDF2PasswordHasher.encode
    monkeypatch.setattr(PBKDF2PasswordHasher, "encode", encode)
    return worked_out


@pytest.mark.parametrize("email", ["Ada@Example.com", "ada@example.com", "ADA@EXAMPLE.COM"])
def test_the_address_logs_in_in_any_case(ada: User, email: str) -> None:
    assert authenticate(email=email, password=PASSWORD) == ada
    assert authenticate(username=email, password=PASSWORD) == ada


def test_a_wrong_password_does_not(ada: User) -> None:
    assert authenticate(email=ada.email, password="wrong horse") is None


@pytest.mark.parametrize("state", ["deleted", "inactive"])
def test_who_is_deleted_or_locked_out_cannot_log_in(ada: User, state: str) -> None:
    if state == "deleted":
        ada.soft_delete()
    else:
        User.objects.update(is_active=False)

    assert authenticate(email=ada.email, password=PASSWORD) is None
    assert async_to_sync(aauthenticate)(email=ada.email, password=PASSWORD) is None


def test_the_session_of_a_deleted_user_ends(ada: User, client: Client) -> None:
    User.objects.update(is_staff=True)
    client.force_login(ada)
    assert client.get("/admin/").status_code == 200

    ada.soft_delete()

    assert client.get("/admin/").status_code == 302


@pytest.mark.parametrize("who", ["nobody", "wrong password", "deleted", "inactive", "no usable password", "right"])
def test_every_answer_costs_one_hash(hashes: list[str], who: str) -> None:
    ada = User.objects.create_user("ada@example.com", PASSWORD)
    if who == "deleted":
        ada.soft_delete()
    elif who == "inactive":
        User.objects.update(is_active=False)
    elif who == "no usable password":
        User.objects.update(password="!seeded")
    hashes.clear()

    user = authenticate(
        email="eve@example.com" if who == "nobody" else "ada@example.com",
        password="wrong horse" if who == "wrong password" else PASSWORD,
    )

    assert (user == ada) is (who == "right")
    assert len(hashes) == 1


@pytest.fixture
def reader(ada: User) -> User:
    """Ada with one role that holds one of two permissions."""
    read = Permission.objects.create(codename="library.read_book", name="Read")
    Permission.objects.create(codename="library.burn_book", name="Burn")
    role = Role.objects.create(name="reader")
    role.permissions.add(read)
    ada.roles.add(role)
    return ada


def test_permissions_are_those_of_the_roles(reader: User) -> None:
    assert reader.has_perm("library.read_book")
    assert not reader.has_perm("library.burn_book")
    assert reader.has_module_perms("library")
    assert not reader.has_module_perms("dbops_tasks")
    assert reader.get_all_permissions() == {"library.read_book"}
    assert reader.get_user_permissions() == set()


def test_a_permission_is_not_one_for_a_single_object(reader: User) -> None:
    assert not reader.has_perm("library.read_book", reader)


def test_a_superuser_may_do_everything(reader: User) -> None:
    reader.is_superuser = True
    assert reader.has_perm("anything.at_all")
    assert reader.get_all_permissions() == {"library.read_book", "library.burn_book"}


@pytest.mark.parametrize("is_superuser", [True, False])
def test_a_deleted_user_may_do_nothing(reader: User, is_superuser: bool) -> None:
    reader.is_superuser = is_superuser
    reader.soft_delete()

    assert not reader.has_perm("library.read_book")
    assert not reader.has_module_perms("library")
    assert reader.get_all_permissions() == set()
    assert async_to_sync(reader.ahas_perm)("library.read_book") is False
    assert async_to_sync(reader.ahas_module_perms)("library") is False


async def _permissions(user: User) -> tuple[bool, bool, set[str]]:
    return (
        await user.ahas_perm("library.read_book"),
        await user.ahas_module_perms("library"),
        await user.aget_all_permissions(),
    )


def test_asking_asynchronously_answers_the_same(reader: User) -> None:
    assert async_to_sync(_permissions)(reader) == (True, True, {"library.read_book"})
    assert async_to_sync(User.objects.aget_by_natural_key)("ADA@example.com") == reader


def test_nobody_in_particular_may_do_nothing() -> None:
    assert EmailBackend().get_all_permissions(AnonymousUser()) == set()
    assert EmailBackend().get_group_permissions(AnonymousUser()) == set()


def test_who_has_a_permission_leaves_out_the_deleted_and_the_inactive(reader: User) -> None:
    backend = EmailBackend()
    root = User.objects.create_superuser("root@example.com")
    gone, locked = (User.objects.create_user(f"{name}@example.com") for name in ("gone", "locked"))
    for user in (gone, locked):
        user.roles.add(Role.objects.get())
    gone.soft_delete()
    User.objects.filter(pk=locked.pk).update(is_active=False)

    assert set(backend.with_perm("library.read_book")) == {reader, root}
    assert set(backend.with_perm("library.read_book", include_superusers=False)) == {reader}
    assert set(backend.with_perm("library.read_book", is_active=None)) == {reader, root, locked}
    assert set(backend.with_perm("library.read_book", obj=reader)) == set()


def test_a_permission_of_django_is_not_one_of_the_roles() -> None:
    with pytest.raises(TypeError, match="a permission is asked for by its codename"):
        EmailBackend().with_perm(AnonymousUser())  # type: ignore[arg-type]
