"""The section Database as people use it: in Chromium, on a large screen and a small one, with nothing blocked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.db import connection

from dbops.workloads.accounts.models import User
from tests.admin.conftest import FINDINGS, OVERVIEW, keep
from tests.render.reports import a_finding, a_report, an_exhausted_sequence, an_unindexed_foreign_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

    from tests.browser import OpenBrowser

PASSWORD = "correct horse battery"
SCREENS = pytest.mark.parametrize("width", [1280, 390], ids=["desktop", "phone"])


@pytest.fixture
def fault(transactional_db: None) -> Iterator[str]:
    """A table that has lost its key, for a look to find."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE keyless (line integer)")
    yield "public.keyless"
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE keyless")


@pytest.fixture
def ada(transactional_db: None) -> User:
    return User.objects.create_superuser("ada@example.com", PASSWORD, full_name="Ada Lovelace")


def log_in(page: Page, address: str = "/admin/") -> None:
    page.goto(address)
    page.get_by_label("E-mail address").fill("ada@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()


@SCREENS
def test_somebody_has_the_database_looked_at_and_copies_a_fix(
    browser: OpenBrowser, ada: User, fault: str, width: int
) -> None:
    visit = browser(width=width)
    page = visit.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    log_in(page)
    page.locator("main").get_by_role("link", name="Overview", exact=True).click()
    page.get_by_text("default was not looked at yet.").wait_for()
    assert visit.width_of_content() <= width

    page.get_by_role("button", name="Look now").click()
    page.get_by_role("button", name="Look again").wait_for()  # the page loads itself again until the look has ended
    page.get_by_text("missing_primary_key").first.wait_for()
    assert visit.width_of_content() <= width

    page.get_by_role("button", name="Look again").click()
    page.get_by_role("link", name=fault).click()
    page.get_by_role("heading", name="Why it matters").wait_for()
    assert visit.width_of_content() <= width
    code = page.locator(".dbops-code").first
    code.get_by_role("button", name="Copy").click()
    code.get_by_text("Copied").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == code.locator("code").inner_text()
    assert "keyless" in copied
    assert visit.complaints == []


@SCREENS
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_page_fits_the_screen_and_can_be_read(browser: OpenBrowser, ada: User, width: int, dark: bool) -> None:
    long_name = "public." + "a_name_as_long_as_postgresql_allows_for_it_which_is_63_bytes_xx"
    look = keep(
        a_report(
            an_exhausted_sequence(),
            *(an_unindexed_foreign_key(number) for number in range(5)),
            a_finding(long_name, "missing_primary_key", message=f"See {long_name}.", rolled_up=(long_name,)),
            skipped={"unlogged_table": "no SELECT on it"},
        )
    )
    findings = [f"{FINDINGS}{row.pk}/change/" for row in look.findings.order_by("position")[:3]]
    visit = browser(width=width, dark=dark)
    log_in(visit.page, OVERVIEW)
    for address in (OVERVIEW, f"{OVERVIEW}?check=missing_primary_key", FINDINGS, *findings):
        visit.page.goto(address)
        assert visit.width_of_content() <= width, address
        assert poor_contrasts(visit.page) == [], address
    assert visit.complaints == []


def test_everything_can_be_reached_and_done_by_keyboard(browser: OpenBrowser, ada: User) -> None:
    keep(a_report(an_exhausted_sequence(), an_unindexed_foreign_key()))
    visit = browser()
    page = visit.page
    log_in(page, OVERVIEW)
    page.get_by_role("button", name="Look again").focus()
    reached = []
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.textContent.trim()"))
    for name in ("unindexed_foreign_key", "critical (1)", "public.task.task_user_fk", "Copy"):
        assert name in reached
    button = page.locator(".dbops-code button").first
    button.focus()
    assert button.evaluate("one => getComputedStyle(one).outlineStyle") == "solid"


def test_without_scripts_everything_is_there(browser: OpenBrowser, ada: User) -> None:
    keep(a_report(an_unindexed_foreign_key()))
    visit = browser()
    log_in(visit.page, OVERVIEW)
    visit.page.route("**/*.js", lambda route: route.abort())
    visit.page.goto(OVERVIEW)
    assert visit.page.locator(".dbops-code code").first.inner_text().startswith("AddIndexConcurrently(")
    assert visit.page.get_by_role("button", name="Copy").count() == 0
    visit.page.get_by_role("link", name="public.task.task_user_fk").click()
    visit.page.get_by_role("heading", name="Why it matters").wait_for()


def poor_contrasts(page: Page) -> list[str]:
    """Texts of our pages whose contrast is below the 4.5 that WCAG 2.2 (1.4.3) asks for, by its formula."""
    found: list[str] = page.evaluate(
        """() => {
          const parse = (text) => text.match(/[\\d.]+/g).map(Number);
          const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
            .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
            .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
          const background = (one) => {
            for (; one; one = one.parentElement) {
              const found = parse(getComputedStyle(one).backgroundColor);
              if (found.length < 4 || found[3] === 1) return found;
            }
            return [255, 255, 255];
          };
          const poor = [];
          for (const one of document.querySelectorAll('.dbops *, .dbops-severity')) {
            const own = [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
            if (!own || !one.checkVisibility() || one.closest('#changelist-filter')) continue;
            const [a, b] = [light(parse(getComputedStyle(one).color)), light(background(one))];
            const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
            const name = `${one.className || one.tagName}: ${one.textContent.trim().slice(0, 40)}`;
            if (contrast < 4.5) poor.push(`${name} ${contrast.toFixed(2)}`);
          }
          return poor;
        }"""
    )
    return found
