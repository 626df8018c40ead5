"""The admin of users and roles: what it costs, who may do what, and what it writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.admin.models import LogEntry

from dbops.workloads.accounts.models import Permission, Role, User, UserRole
from dbops.workloads.tasks.models import Task

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client

pytestmark = pytest.mark.django_db

ADMIN = "/admin/dbops_accounts"


def make_users(number: int) -> list[User]:
    """Users with two roles each, granted by the first of them."""
    roles = [Role.objects.get_or_create(name=name)[0] for name in ("editor", "writer")]
    for role in roles:
        codename = f"press.{role.name}_{number}"
        role.permissions.add(Permission.objects.create(codename=codename, name=codename))
    users = [User.objects.create_user(f"user{number}.{i}@example.com", full_name=f"User {i}") for i in range(number)]
    for user in users:
        user.roles.set(roles, through_defaults={"granted_by": users[0]})
    return users


@pytest.mark.parametrize(
    "page",
    [
        "user/",
        "user/?deleted=all&is_staff__exact=0",
        "user/?q=example",
        "role/",
        "permission/",
        "userrole/",
        "userrole/?q=example",
    ],
)
def test_a_list_costs_the_same_for_one_row_and_for_many(statements_of_page: Callable[[str], int], page: str) -> None:
    make_users(1)
    for_one = statements_of_page(f"{ADMIN}/{page}")
    make_users(30)
    for number in range(30):
        Role.objects.create(name=f"role {number}")

    assert statements_of_page(f"{ADMIN}/{page}") == for_one


@pytest.mark.parametrize("model", [User, Role])
def test_a_page_with_roles_or_permissions_to_choose_costs_the_same_for_many(
    statements_of_page: Callable[[str], int], model: type[User | Role]
) -> None:
    make_users(1)
    page = f"{ADMIN}/{model._meta.model_name}/{model.objects.order_by('id')[0].pk}/change/"
    for_one = statements_of_page(page)
    for number in range(30):
        role = Role.objects.create(name=f"role {number}")
        role.permissions.add(Permission.objects.create(codename=f"press.do_{number}"))

    assert statements_of_page(page) == for_one


@pytest.mark.parametrize(("model", "name"), [(User, "held_roles"), (Role, "held_permissions")])
def test_the_choices_lie_apart_from_their_label(
    admin_client: Client, member: User, model: type[User | Role], name: str
) -> None:
    """Django 5.2's script puts its two lists first in whatever holds the select, so the label went to the right."""
    Role.objects.get_or_create(name="editor")
    page = f"{ADMIN}/{model._meta.model_name}/{model.objects.order_by('id')[0].pk}/change/"

    assert f'<div class="related-widget-wrapper"><select name="{name}"' in admin_client.get(page).content.decode()


def test_the_list_hides_deleted_users_until_asked(admin_client: Client, member: User) -> None:
    member.soft_delete()

    def listed(query: str) -> bool:
        return member.email in admin_client.get(f"{ADMIN}/user/{query}").content.decode()

    assert not listed("")
    assert listed("?deleted=yes")
    assert listed("?deleted=all")


def act(client: Client, action: str, *users: User) -> str:
    response = client.post(f"{ADMIN}/user/", {"action": action, "_selected_action": [u.pk for u in users]}, follow=True)
    assert response.status_code == 200
    return response.content.decode()


def test_users_are_soft_deleted_and_restored_by_actions_that_are_logged(
    admin_client: Client, admin_user: User, member: User
) -> None:
    assert "1 soft-deleted." in act(admin_client, "soft_delete", member, admin_user)
    member.refresh_from_db()
    admin_user.refresh_from_db()
    assert member.is_deleted
    assert not admin_user.is_deleted, "nobody deletes oneself by it"

    response = admin_client.post(
        f"{ADMIN}/user/?deleted=all", {"action": "restore", "_selected_action": [member.pk]}, follow=True
    )
    assert "1 restored." in response.content.decode()
    member.refresh_from_db()
    assert not member.is_deleted
    messages = [entry.get_change_message() for entry in LogEntry.objects.filter(object_id=member.pk).order_by("id")]
    assert messages == ["Soft-deleted.", "Restored."]


def test_a_user_is_added_by_address_and_password_then_changed(admin_client: Client) -> None:
    new = {"email": "New@Example.com", "full_name": "New User", "usable_password": "true"}
    passwords = {"password1": "a long enough one", "password2": "a long enough one"}

    response = admin_client.post(f"{ADMIN}/user/add/", {**new, **passwords})
    user = User.objects.get_by_natural_key("new@example.com")
    assert response.url == f"{ADMIN}/user/{user.pk}/change/"  # type: ignore[attr-defined]
    assert user.email == "New@Example.com"
    assert user.check_password("a long enough one")

    page = admin_client.get(f"{ADMIN}/user/{user.pk}/change/").content.decode()
    assert user.password not in page
    assert admin_client.get(f"{ADMIN}/user/{user.pk}/password/").status_code == 200


@pytest.mark.parametrize("email", ["Mia.Member@Example.com", "mia.member@example.com"])
def test_a_taken_address_is_said_once_at_the_field(admin_client: Client, member: User, email: str) -> None:
    response = admin_client.post(f"{ADMIN}/user/add/", {"email": email, "usable_password": "false"})
    assert response.context["adminform"].errors == {"email": ["A user with this e-mail address already exists."]}


def change(client: Client, user: User, **values: Any) -> None:
    """Saves the page of a user with everything as it is but `values`."""
    fields = {"email": user.email, "full_name": user.full_name, "is_active": "on", **values}
    response = client.post(f"{ADMIN}/user/{user.pk}/change/", fields)
    assert response.status_code == 302, response.context["adminform"].errors


def test_changing_a_user_keeps_its_own_address(admin_client: Client, member: User) -> None:
    change(admin_client, member, full_name="Mia M.", email="MIA.member@example.com")
    member.refresh_from_db()
    assert (member.full_name, member.email) == ("Mia M.", "MIA.member@example.com")


def test_a_granted_role_says_who_granted_it_and_a_kept_one_still_does(
    admin_client: Client, admin_user: User, member: User
) -> None:
    kept, revoked, granted = (Role.objects.create(name=name) for name in ("kept", "revoked", "granted"))
    member.roles.add(kept, revoked)

    change(admin_client, member, held_roles=[kept.pk, granted.pk])

    assert set(UserRole.objects.filter(user=member).values_list("role__name", "granted_by")) == {
        ("kept", None),
        ("granted", admin_user.pk),
    }


def test_a_role_is_saved_with_its_permissions(admin_client: Client) -> None:
    read, write = (Permission.objects.create(codename=f"press.{verb}", name=verb) for verb in ("read", "write"))

    response = admin_client.post(f"{ADMIN}/role/add/", {"name": "reader", "held_permissions": [read.pk]})
    assert response.status_code == 302
    role = Role.objects.get()
    assert list(role.permissions.all()) == [read]

    admin_client.post(f"{ADMIN}/role/{role.pk}/change/", {"name": "writer", "held_permissions": [write.pk]})
    role.refresh_from_db()
    assert (role.name, list(role.permissions.all())) == ("writer", [write])


def test_a_grant_is_added_in_the_name_of_who_adds_it_and_never_changed(
    admin_client: Client, admin_user: User, member: User
) -> None:
    role = Role.objects.create(name="editor")

    admin_client.post(f"{ADMIN}/userrole/add/", {"user": member.pk, "role": role.pk})

    grant = UserRole.objects.get()
    assert (grant.user, grant.role, grant.granted_by) == (member, role, admin_user)
    page = admin_client.get(f"{ADMIN}/userrole/{grant.pk}/change/")
    assert page.status_code == 200
    assert 'name="_save"' not in page.content.decode()


def test_deleting_a_user_says_what_the_database_deletes_along(admin_client: Client, member: User) -> None:
    Task.objects.bulk_create(Task(user=member, title=f"task {number}") for number in range(3))
    member.roles.add(Role.objects.create(name="editor"))
    other = User.objects.create_user("other@example.com")
    UserRole.objects.create(user=other, role=Role.objects.create(name="writer"), granted_by=member)

    page = admin_client.get(f"{ADMIN}/user/{member.pk}/delete/")
    counted = dict(page.context["model_count"])
    assert counted == {"users": 1, "tasks": 3, "user roles": 1}

    admin_client.post(f"{ADMIN}/user/{member.pk}/delete/", {"post": "yes"})
    assert not User.objects.filter(pk=member.pk).exists()
    assert not Task.objects.exists()
    assert [grant.granted_by for grant in UserRole.objects.all()] == [None]


@pytest.fixture
def staff(client: Client, db: None) -> Callable[..., User]:
    """Logs `client` in as a user of the staff with a role that holds the permissions."""

    def log_in(*codenames: str) -> User:
        user = User.objects.create_user("staff@example.com", is_staff=True)
        role = Role.objects.create(name="staff")
        role.permissions.set(Permission.objects.create(codename=codename, name=codename) for codename in codenames)
        user.roles.add(role)
        client.force_login(user)
        return user

    return log_in


def test_staff_sees_what_its_roles_allow(client: Client, staff: Callable[..., User]) -> None:
    staff("dbops_accounts.view_user")
    assert client.get(f"{ADMIN}/user/").status_code == 200
    assert client.get(f"{ADMIN}/role/").status_code == 403
    assert client.get("/admin/dbops_tasks/task/").status_code == 403


def test_staff_cannot_touch_a_superuser(client: Client, staff: Callable[..., User], admin_user: User) -> None:
    staff("dbops_accounts.view_user", "dbops_accounts.change_user", "dbops_accounts.delete_user")

    assert client.post(f"{ADMIN}/user/{admin_user.pk}/change/", {"email": "mine@example.com"}).status_code == 403
    assert client.post(f"{ADMIN}/user/{admin_user.pk}/password/", {}).status_code == 403
    assert client.post(f"{ADMIN}/user/{admin_user.pk}/delete/", {"post": "yes"}).status_code == 403
    assert "0 soft-deleted." in act(client, "soft_delete", admin_user)


def test_staff_cannot_make_itself_a_superuser_or_grant_itself_a_role(
    client: Client, staff: Callable[..., User]
) -> None:
    user = staff("dbops_accounts.view_user", "dbops_accounts.change_user")
    more = Role.objects.create(name="more")

    change(client, user, is_superuser="on", held_roles=[more.pk])

    user.refresh_from_db()
    assert not user.is_superuser
    assert user.is_staff
    assert [role.name for role in user.roles.all()] == ["staff"]


def test_staff_that_may_not_delete_tasks_may_not_delete_a_user_with_tasks(
    client: Client, staff: Callable[..., User], member: User
) -> None:
    staff("dbops_accounts.view_user", "dbops_accounts.delete_user")
    Task.objects.create(user=member, title="mine")

    page = client.get(f"{ADMIN}/user/{member.pk}/delete/")
    assert page.context["perms_lacking"] == {"task"}
    assert client.post(f"{ADMIN}/user/{member.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Task.objects.exists()


def test_groups_are_not_offered_because_they_hold_no_permission_here(admin_client: Client) -> None:
    assert "/admin/auth/group/" not in admin_client.get("/admin/").content.decode()


def test_autocompletes_find_users_and_roles(admin_client: Client, member: User) -> None:
    found = admin_client.get(
        "/admin/autocomplete/",
        {"app_label": "dbops_accounts", "model_name": "userrole", "field_name": "user", "term": "mia.m"},
    ).json()
    assert [result["id"] for result in found["results"]] == [str(member.pk)]
