"""The pages as people use them: in Chromium, on a large screen and a small one, with nothing blocked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dbops.workloads.tasks.models import Task

if TYPE_CHECKING:
    from dbops.workloads.accounts.models import User
    from tests.browser import OpenBrowser, Visit

PASSWORD = "correct horse battery"


def register(visit: Visit, email: str) -> None:
    page = visit.page
    page.goto("/")
    page.get_by_role("link", name="Register").first.click()
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Name").fill("Ada Lovelace")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password again").fill(PASSWORD)
    page.get_by_role("button", name="Register").click()
    page.get_by_text("Your account is ready.").wait_for()


@pytest.mark.parametrize("width", [1280, 390], ids=["desktop", "phone"])
def test_a_person_registers_logs_in_and_does_a_task(browser: OpenBrowser, width: int) -> None:
    visit = browser(width=width)
    page = visit.page
    register(visit, "Ada@Example.com")
    page.get_by_role("button", name="Log out").click()
    page.get_by_text("You are logged out.").wait_for()

    page.get_by_label("E-mail address").fill("ada@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("link", name="Write down your first task.").click()
    page.get_by_label("Title").fill("Water the plants")
    page.get_by_label("Due date").fill("2020-02-29")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Overdue").wait_for()
    assert visit.width_of_content() <= width

    page.get_by_role("button", name="Complete “Water the plants”").click()
    page.get_by_text("“Water the plants” is done.").wait_for()
    assert Task.objects.get().is_complete

    page.get_by_role("link", name="Completed").click()
    page.get_by_role("link", name="Delete “Water the plants”").click()
    page.get_by_role("button", name="Delete").click()
    page.get_by_text("“Water the plants” is deleted.").wait_for()
    assert not Task.objects.exists()

    page.get_by_role("button", name="Log out").click()
    page.get_by_text("You are logged out.").wait_for()
    assert visit.complaints == []


def test_the_keyboard_reaches_everything_and_shows_where_it_is(browser: OpenBrowser, member: User) -> None:
    Task.objects.create(user=member, title="Water the plants")
    visit = browser()
    visit.log_in(member)
    page = visit.page
    page.goto("/tasks/")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    assert skip.evaluate("element => element === document.activeElement")
    assert skip.bounding_box()["y"] >= 0  # type: ignore[index]
    page.keyboard.press("Enter")
    reached = []
    for _ in range(7):
        page.keyboard.press("Tab")
        focus = page.locator(":focus-visible")
        assert focus.evaluate("element => getComputedStyle(element).outlineStyle") == "solid"
        reached.append(focus.evaluate("element => element.ariaLabel || element.innerText.split('\\n')[0].trim()"))
    assert reached == [
        "New task",
        "All 1",
        "Pending 1",
        "Completed 0",
        "Complete “Water the plants”",
        "Water the plants",
        "Delete “Water the plants”",
    ]


def test_the_pages_are_dark_for_who_wants_them_dark(browser: OpenBrowser) -> None:
    colours = []
    for dark in (False, True):
        page = browser(dark=dark).page
        page.goto("/account/login/")
        colours.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert colours == ["rgb(246, 247, 246)", "rgb(19, 24, 22)"]
