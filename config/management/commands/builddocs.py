"""manage.py builddocs: write the generated pages of docs/, or say which are out of date."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings

from config.documentation import pages
from dbops.management.command import DbopsCommand, Exit

if TYPE_CHECKING:
    from pathlib import Path

    from django.core.management.base import CommandParser


class Command(DbopsCommand):
    help = "Write the pages of docs/ that come from the code."
    examples = (
        ("manage.py builddocs", "after a check was added or its docstring changed"),
        ("manage.py builddocs --check", "in CI: write nothing, exit 1 when a page is not what the code says"),
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a page is out of date")

    def run(self, **options: Any) -> Exit:
        docs: Path = settings.BASE_DIR / "docs"
        wanted = pages()
        stale = [name for name, text in wanted.items() if not _is(docs / name, text)]
        left = {str(path.relative_to(docs)) for path in docs.glob("checks/*.md")} - set(wanted)
        if options["check"]:
            for name in (*stale, *sorted(left)):
                self.stderr.write(f"docs/{name} is not what the code says: run manage.py builddocs")
            return Exit.FOUND if stale or left else Exit.FINE
        for name in stale:
            (docs / name).parent.mkdir(parents=True, exist_ok=True)
            (docs / name).write_text(wanted[name])
        for name in left:
            (docs / name).unlink()
        self.stderr.write(f"{len(stale)} pages written, {len(left)} taken away, {len(wanted)} in all")
        return Exit.FINE


def _is(path: Path, text: str) -> bool:
    return path.exists() and path.read_text() == text
