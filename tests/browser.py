"""Chromium for the tests, as a pytest plugin: pages of the site as people see them.

`browser` opens the site, served by pytest-django's `live_server`, on a screen of any size and in light or dark:

    visit = browser(width=390, dark=True)
    visit.log_in(user)
    visit.page.goto("/tasks/")
    visit.page.get_by_label("Title").fill("Water the plants")
    visit.screenshot(path)
    assert visit.complaints == []

A test that asks for it is skipped where there is no Chromium.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

import pytest
from django.conf import settings
from django.db import connections
from django.test import Client

from dbops.workloads import rate_limits

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page
    from pytest_django import Settings
    from pytest_django.live_server_helper import LiveServer

    from dbops.workloads.accounts.models import User

PROGRAMS: Final = ("chromium", "chromium-browser", "google-chrome")
OPTIONS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass
class Visit:
    """One visitor, with cookies of its own."""

    page: Page
    site: str
    complaints: list[str] = field(default_factory=list)
    """What the browser found wrong so far: errors of scripts, what the Content-Security-Policy blocked, what did not
    load, and what was asked of another host."""

    def log_in(self, user: User) -> None:
        """By a session made for it, not by the page."""
        client = Client()
        client.force_login(user)
        cookie = client.cookies[settings.SESSION_COOKIE_NAME]
        self.page.context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": self.site}])

    def screenshot(self, path: Path) -> None:
        """All of the page, not only what fits the screen."""
        self.page.screenshot(path=path, full_page=True)

    def width_of_content(self) -> int:
        """In CSS pixels; more than the screen's when the page has to be moved sideways."""
        return int(self.page.evaluate("document.documentElement.scrollWidth"))


class OpenBrowser(Protocol):
    def __call__(self, *, width: int = 1280, height: int = 800, dark: bool = False) -> Visit: ...


@pytest.fixture
def chromium(monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip("there is no Chromium on this machine")
    from playwright.sync_api import sync_playwright

    # Playwright keeps an event loop in this thread: Django would refuse to ask the database, and there are other
    # connections while the loop is there.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(OPTIONS))
        yield browser
        browser.close()
        for connection in connections.all(initialized_only=True):
            connection.close()
            del connections[connection.alias]  # else the next loop of this thread would find it, with old settings


@pytest.fixture
def browser(own_cache: None, live_server: LiveServer, chromium: Browser) -> OpenBrowser:
    def open_browser(*, width: int = 1280, height: int = 800, dark: bool = False) -> Visit:
        context = chromium.new_context(
            base_url=live_server.url,
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
        )
        context.set_default_timeout(20_000)
        visit = Visit(context.new_page(), live_server.url)
        page, complaints = visit.page, visit.complaints
        page.on("console", lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda request: None if request.url.startswith(live_server.url) else complaints.append(request.url),
        )
        return visit

    return open_browser


@pytest.fixture
def own_cache(settings: Settings, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of the test's own, so that nobody is refused, or let through, for what happened in another test."""
    monkeypatch.setattr(rate_limits, "_outage", rate_limits._Outage())
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": request.node.nodeid}
    }
