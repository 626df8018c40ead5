"""The pages to register, log in, log out and change the password."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.db import connection, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

from dbops.workloads.accounts.models import Role, User

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpResponse

REGISTER, LOG_IN, LOG_OUT, PASSWORD_PAGE = (f"/account/{page}/" for page in ("register", "login", "logout", "password"))
PASSWORD = "correct horse battery"

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> User:
    return User.objects.create_user("Ada@Example.com", PASSWORD, full_name="Ada")


def log_in(client: Client, email: str = "ada@example.com", password: str = PASSWORD, **more: Any) -> HttpResponse:
    return client.post(LOG_IN, {"username": email, "password": password, **more})  # type: ignore[return-value]


def register(client: Client, email: str, password: str = PASSWORD, **more: str) -> HttpResponse:
    fields = {"email": email, "full_name": "", "password1": password, "password2": password, **more}
    return client.post(REGISTER, fields)  # type: ignore[return-value]


def is_logged_in(client: Client) -> bool:
    return client.get(PASSWORD_PAGE).status_code == 200


def errors_of(response: Any) -> dict[str, list[str]]:
    assert response.status_code == 200
    return dict(response.context["form"].errors)


# --- registering


def test_registering_makes_a_user_who_is_logged_in(client: Client) -> None:
    member = Role.objects.create(name="member")
    response = register(client, " New.User@Example.com ", full_name="New User")
    assert (response.status_code, response["Location"]) == (302, "/tasks/")
    user = User.objects.get()
    assert (user.email, user.full_name, user.is_staff) == ("New.User@Example.com", "New User", False)
    assert user.check_password(PASSWORD)
    assert list(user.roles.all()) == [member]
    assert is_logged_in(client)


def test_nobody_registers_as_more_than_a_user(client: Client) -> None:
    register(client, "eve@example.com", is_staff="on", is_superuser="on", roles="1", id="7")
    user = User.objects.get()
    assert (user.is_staff, user.is_superuser, user.roles.count()) == (False, False, 0)


@pytest.mark.parametrize("state", ["as it was", "in another case", "soft-deleted"])
def test_a_taken_address_is_refused_with_the_same_words_whoever_has_it(ada: User, client: Client, state: str) -> None:
    if state == "soft-deleted":
        ada.soft_delete()
    response = register(client, "ADA@example.COM" if state == "in another case" else ada.email)
    assert errors_of(response) == {"email": ["This e-mail address cannot be registered: it is in use."]}
    assert User.objects.count() == 1
    assert not is_logged_in(client)


@pytest.mark.parametrize("password", ["12345678", "password", "short", "ada.lovelace@example"])
def test_a_weak_password_is_refused_before_the_address_is_looked_up(ada: User, client: Client, password: str) -> None:
    assert "password1" in errors_of(register(client, "ada.lovelace@example.com", password))
    for weak in ({"password1": password, "password2": password}, {"password2": "something else"}):
        assert "email" not in errors_of(register(client, ada.email, **weak))


@pytest.mark.parametrize("email", ["", "ada", "ada@", "a\x00da@example.com", "a" * 250 + "@example.com"])
def test_what_is_no_address_is_refused(client: Client, email: str) -> None:
    assert "email" in errors_of(register(client, email))


@pytest.mark.django_db(transaction=True)
def test_of_two_who_register_an_address_at_the_same_time_one_is_refused(client: Client) -> None:
    """The second has looked, and found the address free, when the first is not committed yet."""
    second = Client()
    answers: list[HttpResponse] = []

    def come_second() -> None:
        try:
            answers.append(register(second, "ADA@example.com"))
        finally:
            connections.close_all()

    thread = threading.Thread(target=come_second)
    with connections["default"].cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(
            "INSERT INTO dbops_accounts_user (email, password, is_superuser) VALUES ('ada@example.com', '', false)"
        )
        thread.start()
        waits = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND locktype = 'transactionid')"
        deadline = time.monotonic() + 30
        while not cursor.execute(waits).fetchone()[0]:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        cursor.execute("COMMIT")
    thread.join()
    assert "email" in errors_of(answers[0])
    assert User.objects.count() == 1


# --- logging in and out


@pytest.mark.parametrize("email", ["Ada@Example.com", "ada@example.com", " ADA@EXAMPLE.COM "])
def test_the_address_logs_in_in_any_case(ada: User, client: Client, email: str) -> None:
    response = log_in(client, email)
    assert (response.status_code, response["Location"]) == (302, "/tasks/")
    assert is_logged_in(client)


def test_logging_in_changes_the_key_of_the_session(ada: User, client: Client) -> None:
    session = client.session
    session["seen"] = True
    session.save()
    log_in(client)
    assert client.session.session_key != session.session_key


STATES = ["unknown address", "wrong password", "deleted", "inactive", "no usable password"]


@pytest.fixture(params=STATES)
def attempt(request: pytest.FixtureRequest, ada: User) -> dict[str, str]:
    """What a log-in that fails is given."""
    match request.param:
        case "deleted":
            ada.soft_delete()
        case "inactive":
            User.objects.update(is_active=False)
        case "no usable password":
            User.objects.update(password="!seeded")
    return {
        "username": "ada2@example.com" if request.param == "unknown address" else "ada@example.com",
        "password": "wrong horse battery" if request.param == "wrong password" else PASSWORD,
    }


def test_every_failure_is_answered_alike_and_costs_one_hash(
    attempt: dict[str, str], client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashes = []
    whole: Callable[..., str] = PBKDF2PasswordHasher.encode

    def encode(self: PBKDF2PasswordHasher, password: str, salt: str, iterations: int | None = None) -> str:
        hashes.append(salt)
        return whole(self, password, salt, iterations)

    monkeypatch.setattr(PBKDF2PasswordHasher, "encode", encode)
    response = client.post(LOG_IN, attempt)
    assert errors_of(response) == {"__all__": ["No account has this e-mail address and password."]}
    assert len(hashes) == 1
    assert not is_logged_in(client)


def test_the_session_of_a_deleted_user_ends(ada: User, client: Client) -> None:
    log_in(client)
    assert is_logged_in(client)
    ada.soft_delete()
    assert not is_logged_in(client)
    assert client.get("/tasks/")["Location"] == f"{LOG_IN}?next=/tasks/"


@pytest.mark.parametrize("page", [LOG_IN, REGISTER])
@pytest.mark.parametrize(
    ("wanted", "reached"),
    [
        ("/tasks/?status=pending", "/tasks/?status=pending"),
        ("http://testserver/tasks/new/", "http://testserver/tasks/new/"),
        ("https://elsewhere.example/", "/tasks/"),
        ("//elsewhere.example/", "/tasks/"),
        (r"\\elsewhere.example", "/tasks/"),
        ("javascript:alert(1)", "/tasks/"),
    ],
)
def test_next_leads_to_pages_of_the_site_only(ada: User, client: Client, page: str, wanted: str, reached: str) -> None:
    assert (wanted in client.get(page, {"next": wanted}).content.decode()) is (wanted == reached and "&" not in wanted)
    answer = log_in(client, next=wanted) if page == LOG_IN else register(client, "eve@example.com", next=wanted)
    assert answer["Location"] == reached
    assert client.get(page, {"next": wanted})["Location"] == reached, "who is logged in is sent on"


def test_logging_out_ends_the_session_and_wants_a_post(ada: User, client: Client) -> None:
    log_in(client)
    assert client.get(LOG_OUT).status_code == 405
    assert is_logged_in(client)
    response = client.post(LOG_OUT, follow=True)
    assert response.redirect_chain == [(LOG_IN, 302)]
    assert "You are logged out." in response.content.decode()
    assert not is_logged_in(client)


# --- the password


def change(client: Client, old: str, new: str = "another horse battery") -> Any:
    return client.post(PASSWORD_PAGE, {"old_password": old, "new_password1": new, "new_password2": new})


def test_changing_the_password_ends_the_other_sessions_only(ada: User, client: Client) -> None:
    elsewhere = Client()
    log_in(client)
    log_in(elsewhere)
    assert change(client, PASSWORD)["Location"] == "/tasks/"
    assert is_logged_in(client)
    assert not is_logged_in(elsewhere)
    assert errors_of(log_in(elsewhere))
    assert log_in(elsewhere, password="another horse battery").status_code == 302


def test_the_old_password_and_a_good_new_one_are_wanted(ada: User, client: Client) -> None:
    log_in(client)
    assert set(errors_of(change(client, "wrong horse"))) == {"old_password"}
    assert set(errors_of(change(client, PASSWORD, "12345678"))) == {"new_password2"}
    ada.refresh_from_db()
    assert ada.check_password(PASSWORD)


def test_who_is_not_logged_in_is_sent_to_log_in(client: Client) -> None:
    assert client.get(PASSWORD_PAGE)["Location"] == f"{LOG_IN}?next={PASSWORD_PAGE}"


# --- all of them


@pytest.mark.parametrize("page", [REGISTER, LOG_IN, PASSWORD_PAGE])
def test_a_page_is_kept_by_nobody_and_posts_want_a_token(ada: User, page: str) -> None:
    client = Client(enforce_csrf_checks=True)
    if page == PASSWORD_PAGE:
        client.force_login(ada)
    response = client.get(page)
    assert response.status_code == 200
    assert "no-store" in response["Cache-Control"]
    refused = client.post(page, {})
    assert refused.status_code == 403
    assert "The form was too old" in refused.content.decode()


@pytest.mark.parametrize(
    ("page", "hints"),
    [
        (REGISTER, {"email": "email", "full_name": "name", "password1": "new-password", "password2": "new-password"}),
        (LOG_IN, {"username": "username", "password": "current-password"}),
        (
            PASSWORD_PAGE,
            {"old_password": "current-password", "new_password1": "new-password", "new_password2": "new-password"},
        ),
    ],
)
def test_a_password_manager_is_told_what_goes_where(
    ada: User, client: Client, page: str, hints: dict[str, str]
) -> None:
    if page == PASSWORD_PAGE:
        client.force_login(ada)
    fields = client.get(page).context["form"].fields
    assert {name: field.widget.attrs["autocomplete"] for name, field in fields.items()} == hints


def test_an_address_is_never_shown_as_markup(client: Client) -> None:
    page = log_in(client, '"><script>alert(1)</script>@example.com').content.decode()
    assert "<script>" not in page


def test_the_admin_has_no_log_in_of_its_own(ada: User, client: Client) -> None:
    response = client.get("/admin/", follow=True)
    assert response.redirect_chain[-1] == (f"{LOG_IN}?next=/admin/", 302)
    assert client.post("/admin/login/", {"username": ada.email, "password": PASSWORD})["Location"].startswith(LOG_IN)
    log_in(client)
    assert client.get("/admin/", follow=True).status_code == 403, "no member of the staff, and no loop"
    User.objects.update(is_staff=True)
    assert client.get("/admin/").status_code == 200
    assert client.get("/admin/login/")["Location"] == "/admin/"
    assert client.get("/admin/password_change/")["Location"] == PASSWORD_PAGE


def test_logging_in_costs_two_statements_on_users(ada: User, client: Client) -> None:
    with CaptureQueriesContext(connection) as captured:
        log_in(client)
    on_users = [query["sql"] for query in captured.captured_queries if "dbops_accounts_user" in query["sql"]]
    assert [sql.split()[0] for sql in on_users] == ["SELECT", "UPDATE"], "by address; the time of the log-in"
