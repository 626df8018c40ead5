"""manage.py screenshots: the pictures in docs/images of the admin's section Database, on the demo's data."""

from __future__ import annotations

import shutil
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, connections
from django.test import Client
from django.test.testcases import LiveServerThread

from config import faults
from config.management.commands.demo import ADMIN
from dbops.errors import UsageError
from dbops.history.looks import claim, take
from dbops.management.command import DbopsCommand, Exit
from dbops.models import Finding
from dbops.workloads.registry import SeedRequest, installed_workloads

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.core.management.base import CommandParser
    from playwright.sync_api import Browser, Page

PROGRAMS: Final = ("chromium", "chromium-browser", "google-chrome")
#: Asks nothing of anybody but the site.
OPTIONS: Final = tuple(
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync".split()
)
SCALE: Final = 0.02
#: GitHub shows a picture as wide as its column; more would only be more to load.
LARGEST_BYTES: Final = 200_000


@dataclass(frozen=True, slots=True)
class Picture:
    """One page on one screen, in CSS pixels."""

    name: str
    page: str
    width: int = 1280
    height: int = 1000
    dark: bool = False


PICTURES: Final = (
    Picture("overview-light", "overview"),
    Picture("overview-dark", "overview", dark=True),
    Picture("overview-phone", "overview", width=390, height=844),
    Picture("findings-light", "findings", height=700),
    Picture("findings-dark", "findings", height=700, dark=True),
    Picture("findings-phone", "findings", width=390, height=844),
    Picture("finding-light", "finding", height=1100),
    Picture("finding-dark", "finding", height=1100, dark=True),
    Picture("finding-phone", "finding", width=390, height=844),
)


class Command(DbopsCommand):
    help = "Take the pictures of docs/images: the admin's section Database on the demo's data, in Chromium."
    examples = (
        ("manage.py screenshots", "all of them anew, into docs/images"),
        ("manage.py screenshots --directory /tmp/pictures", "to look at them first"),
    )

    def add_arguments(self, parser: CommandParser) -> None:
        directory = settings.BASE_DIR / "docs/images"
        parser.add_argument("--directory", type=Path, default=directory, help="where to (default: docs/images)")

    def run(self, **options: Any) -> Exit:
        directory: Path = options["directory"]
        directory.mkdir(parents=True, exist_ok=True)
        program = chromium()
        with ExitStack() as ends:
            ends.enter_context(database_of_its_own())
            cookie, addresses = fill()
            site = ends.enter_context(served())
            browser = ends.enter_context(opened(program))
            for picture in PICTURES:
                path = directory / f"{picture.name}.png"
                with visit(browser, picture, site, cookie) as page:
                    page.goto(addresses[picture.page])
                    page.screenshot(path=path)
                size_bytes = path.stat().st_size
                self.stdout.write(f"{path.name}  {size_bytes / 1000:.0f} kB")
                if size_bytes > LARGEST_BYTES:
                    message = f"{path} is larger than {LARGEST_BYTES:,} bytes"
                    raise UsageError(message, hint="make the picture smaller in PICTURES")
        return Exit.FINE


def chromium() -> str:
    """Return the program of a browser.

    Raises:
        UsageError: there is none, or nothing to drive it with.
    """
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        message = "there is no Chromium on this machine to take pictures with"
        raise UsageError(message, hint="apt-get install chromium")
    if find_spec("playwright") is None:
        message = "playwright, which drives Chromium, is not installed"
        raise UsageError(message, hint="pip install -r tests/requirements.txt")
    return program


@contextmanager
def opened(program: str) -> Iterator[Browser]:
    """Have a browser without a screen. While it is there, this thread runs its event loop and asks no database."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 -- for development only

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(OPTIONS))
        yield browser
        browser.close()


@contextmanager
def database_of_its_own() -> Iterator[None]:
    """Put an empty, migrated database in the place of the default one, as for tests, and drop it afterwards."""
    creation = connections[DEFAULT_DB_ALIAS].creation
    before = connections[DEFAULT_DB_ALIAS].settings_dict["NAME"]
    creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        yield
    finally:
        connections.close_all()
        creation.destroy_test_db(before, verbosity=0)


def fill() -> tuple[str, dict[str, str]]:
    """Make the demo's data, faults and administrator, and look at it.

    Returns:
        the value of the cookie of the administrator's session, and the pages' addresses by name.
    """
    for workload in installed_workloads().values():
        workload.seed(SeedRequest(scale=SCALE))
    faults.plant(DEFAULT_DB_ALIAS)
    call_command("createsuperuser", email=ADMIN, interactive=False, verbosity=0)
    look = claim(DEFAULT_DB_ALIAS)
    if look is not None:
        take(look)
    client = Client()
    client.force_login(get_user_model()._default_manager.get(email=ADMIN))
    finding = Finding.objects.filter(check_name="unindexed_foreign_key").first() or Finding.objects.all()[0]
    addresses = {
        "overview": "/admin/dbops/look/",
        "findings": "/admin/dbops/finding/",
        "finding": f"/admin/dbops/finding/{finding.pk}/change/",
    }
    return client.cookies[settings.SESSION_COOKIE_NAME].value, addresses


@contextmanager
def served() -> Iterator[str]:
    """Serve the site on a port that is free; gives its address."""
    thread = LiveServerThread("127.0.0.1", StaticFilesHandler)
    thread.daemon = True
    thread.start()
    thread.is_ready.wait()
    try:
        if thread.error:
            raise thread.error
        yield f"http://127.0.0.1:{thread.port}"
    finally:
        thread.terminate()


@contextmanager
def visit(browser: Browser, picture: Picture, site: str, cookie: str) -> Iterator[Page]:
    """Open a tab of the administrator's, on the picture's screen."""
    context = browser.new_context(
        base_url=site,
        viewport={"width": picture.width, "height": picture.height},
        color_scheme="dark" if picture.dark else "light",
        reduced_motion="reduce",
    )
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": site}])
    yield context.new_page()
    context.close()
