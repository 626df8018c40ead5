"""The pictures in docs/images, and the command that takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.conf import settings

from config.management.commands.screenshots import LARGEST_BYTES, PICTURES, chromium
from dbops.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


def test_without_chromium_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="no Chromium") as raised:
        chromium()
    assert raised.value.hint == "apt-get install chromium"


def test_every_picture_is_there_small_and_shown() -> None:
    directory = settings.BASE_DIR / "docs/images"
    guide = (settings.BASE_DIR / "docs/admin.md").read_text()
    for picture in PICTURES:
        path = directory / f"{picture.name}.png"
        assert path.stat().st_size <= LARGEST_BYTES
        assert f"images/{path.name}" in guide
    assert {path.stem for path in directory.iterdir()} == {picture.name for picture in PICTURES}
