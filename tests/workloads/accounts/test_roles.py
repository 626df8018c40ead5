"""Roles and permissions: asked in one statement, gone with what they belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection

from dbops.workloads.accounts.models import Permission, Role, RolePermission, User, UserRole

if TYPE_CHECKING:
    from pytest_django import DjangoAssertNumQueries

pytestmark = pytest.mark.django_db


@pytest.fixture
def users() -> list[User]:
    """Nine users; each second is an editor, each third a writer; both roles may write, editors also publish."""
    write, publish = (Permission.objects.create(codename=f"press.{verb}", name=verb) for verb in ("write", "publish"))
    editor, writer = Role.objects.create(name="editor"), Role.objects.create(name="writer")
    editor.permissions.add(write, publish)
    writer.permissions.add(write)
    users = [User.objects.create_user(f"user{number}@example.com") for number in range(9)]
    for number, user in enumerate(users):
        user.roles.set([role for role, each in ((editor, 2), (writer, 3)) if number % each == 0])
    return users


def test_a_user_is_asked_for_roles_in_one_statement(
    users: list[User], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        assert {role.name for role in Role.objects.held_by(users[0])} == {"editor", "writer"}


def test_a_permission_held_by_two_roles_is_granted_once(
    users: list[User], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        granted = Permission.objects.granted_to(users[0]).values_list("codename", flat=True)
        assert sorted(granted) == ["press.publish", "press.write"]
    assert [str(permission) for permission in Permission.objects.granted_to(users[3])] == ["press.write"]
    assert not Permission.objects.granted_to(users[1]).exists()


def test_who_may_is_answered_with_each_user_once(
    users: list[User], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        writers = sorted(user.pk for user in User.objects.with_permission("press.write"))
    assert writers == [users[number].pk for number in (0, 2, 3, 4, 6, 8)]


def test_many_users_with_their_roles_cost_two_statements(
    users: list[User], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(2):
        held = [len(user.roles.all()) for user in User.objects.with_roles().order_by("id")]
    assert held == [2, 0, 1, 1, 1, 0, 2, 0, 1]


def test_a_user_asked_again_remembers(users: list[User], django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(1):
        assert users[0].has_perm("press.write")
        assert users[0].has_perm("press.publish")
        assert not users[0].has_perm("press.delete")


def test_a_role_is_held_once(users: list[User]) -> None:
    with pytest.raises(IntegrityError):
        UserRole.objects.create(user=users[0], role=Role.objects.get(name="editor"))


def test_a_role_holds_a_permission_once(users: list[User]) -> None:
    with pytest.raises(IntegrityError):
        RolePermission.objects.create(
            role=Role.objects.get(name="writer"), permission=Permission.objects.get(codename="press.write")
        )


def test_deleting_a_user_in_plain_sql_takes_its_roles_and_keeps_what_it_granted(users: list[User]) -> None:
    editor = Role.objects.get(name="editor")
    granted = UserRole.objects.create(user=users[1], role=editor, granted_by=users[0])

    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM dbops_accounts_user WHERE id = %s", [users[0].pk])

    assert not UserRole.objects.filter(user_id=users[0].pk).exists()
    granted.refresh_from_db()
    assert granted.granted_by is None


def test_deleting_a_role_or_a_permission_by_the_orm_takes_its_relations(users: list[User]) -> None:
    Role.objects.get(name="editor").delete()
    assert {row.role.name for row in UserRole.objects.select_related("role")} == {"writer"}

    Permission.objects.get(codename="press.write").delete()
    assert not RolePermission.objects.exists()


@pytest.mark.parametrize("codename", ["write", "Press.write", "press.", "press.write\n", "press.write.all"])
def test_a_codename_is_an_app_and_a_name(codename: str) -> None:
    with pytest.raises(ValidationError, match="Two lower-case names"):
        Permission(codename=codename, name="x").full_clean()


def test_relations_can_be_read_without_a_statement(
    users: list[User], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    user_role, role_permission = UserRole.objects.all()[0], RolePermission.objects.all()[0]
    with django_assert_num_queries(0):
        assert str(user_role) == f"user {user_role.user_id} is {user_role.role_id}"
        assert str(role_permission) == f"role {role_permission.role_id} may {role_permission.permission_id}"
