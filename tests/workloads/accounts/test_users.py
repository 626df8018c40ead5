"""Users: one per e-mail address whatever its case, deleted softly and restored."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection

from dbops.workloads.accounts.models import User

pytestmark = pytest.mark.django_db


def test_an_address_is_kept_as_given_and_found_in_any_case(member: User) -> None:
    assert User.objects.get(pk=member.pk).email == "Mia.Member@Example.com"
    assert User.objects.get_by_natural_key("mia.member@EXAMPLE.com") == member


def test_what_cannot_be_seen_makes_no_other_address() -> None:
    user = User.objects.create_user(" ﬁona@example.com\u2009")  # a ligature, and a thin space
    assert user.email == "fiona@example.com"
    assert User.objects.get_by_natural_key("ﬁona@example.com") == user


@pytest.mark.parametrize("email", ["mia.member@example.com", "Mia.Member@Example.com"])
def test_the_database_refuses_a_second_user_with_the_address(member: User, email: str) -> None:
    with pytest.raises(IntegrityError):
        User.objects.create_user(email)


def test_validation_refuses_it_before_the_database_does(member: User) -> None:
    with pytest.raises(ValidationError, match="A user with this e-mail address already exists"):
        User(email="MIA.MEMBER@example.com", password="x").full_clean()


def test_the_address_of_a_deleted_user_stays_taken(member: User) -> None:
    member.soft_delete()
    with pytest.raises(IntegrityError):
        User.objects.create_user(member.email)


def test_a_user_needs_an_address() -> None:
    with pytest.raises(ValueError, match="a user needs an e-mail address"):
        User.objects.create_user("  ")


def test_a_new_user_has_no_rights_and_no_usable_password(member: User) -> None:
    assert (member.is_active, member.is_staff, member.is_superuser) == (True, False, False)
    assert not member.has_usable_password()
    assert member.date_joined is not None


def test_createsuperuser_asks_for_the_address_only_and_refuses_a_taken_one(member: User) -> None:
    call_command("createsuperuser", email="root@example.com", interactive=False, verbosity=0)

    root = User.objects.get_by_natural_key("root@example.com")
    assert root.is_staff
    assert root.is_superuser
    with pytest.raises(CommandError, match="is already taken"):
        call_command("createsuperuser", email="mia.member@example.com", interactive=False, verbosity=0)


def test_deleting_softly_and_restoring_touch_only_who_needs_it(member: User) -> None:
    other = User.objects.create_user("other@example.com")
    other.soft_delete()
    first_deleted_at = other.deleted_at
    other.soft_delete()

    assert User.objects.soft_delete() == 1
    assert User.objects.get(pk=other.pk).deleted_at == first_deleted_at
    assert list(User.objects.not_deleted()) == []
    assert set(User.objects.deleted()) == {member, other}

    other.restore()
    assert list(User.objects.not_deleted()) == [other]
    assert User.objects.restore() == 1


def test_nobody_is_hidden_from_the_default_queryset(member: User) -> None:
    member.soft_delete()
    assert list(User.objects.all()) == [member]


def test_a_row_of_plain_sql_needs_no_more_than_its_own_values() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO dbops_accounts_user (email, password, is_superuser) VALUES ('plain@example.com', '!', false)"
        )
    user = User.objects.get_by_natural_key("plain@example.com")
    assert (user.is_active, user.is_staff, user.full_name, user.is_deleted) == (True, False, "", False)


def test_names_are_for_greeting(member: User) -> None:
    assert (member.get_full_name(), member.get_short_name(), str(member)) == ("Mia Member", "Mia", member.email)
