"""What others could have put in our way is not used."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from dbops.embedded.account import server_account
from dbops.embedded.places import check_socket_path, is_locked, locked, own_directory, private_name, write_file
from dbops.embedded.project import SOCKETS_DIRECTORY
from dbops.errors import EmbeddedServerError


def test_a_new_directory_is_the_accounts_alone(place: Path) -> None:
    account = server_account()
    own_directory(place / "ours", account)
    own_directory(place / "ours", account)
    found = (place / "ours").stat()
    assert (found.st_uid, found.st_mode & 0o777) == (account.uid, 0o700)


def test_a_directory_open_to_others_is_refused(place: Path) -> None:
    (place / "planted").mkdir()
    (place / "planted").chmod(0o755)
    with pytest.raises(EmbeddedServerError, match="open to others"):
        own_directory(place / "planted", server_account())


@pytest.mark.parametrize("kind", ["file", "link"])
def test_what_is_no_directory_is_refused(place: Path, kind: str) -> None:
    if kind == "file":
        (place / "planted").touch()
    else:
        (place / "elsewhere").mkdir(mode=0o700)
        (place / "planted").symlink_to(place / "elsewhere")
    with pytest.raises(EmbeddedServerError, match="not a directory"):
        own_directory(place / "planted", server_account())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory to somebody else")
def test_a_directory_of_another_user_is_refused_by_name(place: Path) -> None:
    planter = pwd.getpwnam("nobody")
    (place / "planted").mkdir(mode=0o700)
    os.chown(place / "planted", planter.pw_uid, planter.pw_gid)
    with pytest.raises(EmbeddedServerError, match="belongs to nobody, not to"):
        own_directory(place / "planted", server_account([]))


def test_a_link_in_place_of_a_file_is_not_followed(place: Path) -> None:
    victim = place / "victim"
    victim.write_text("untouched")
    (place / "planted").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic links"):
        write_file(place / "planted", "overwritten", server_account())
    with (
        pytest.raises(OSError, match="symbolic links"),
        locked(place / "planted", server_account(), timeout_s=0, busy=""),
    ):
        pass
    assert victim.read_text() == "untouched"


def test_a_lock_is_held_by_one_at_a_time_and_the_other_is_told(place: Path) -> None:
    path, account = place / "lock", server_account()
    assert not is_locked(path)
    with locked(path, account, timeout_s=0, busy=""):
        assert is_locked(path)
        with (
            pytest.raises(EmbeddedServerError, match="somebody is at it"),
            locked(path, account, timeout_s=0.05, busy="somebody is at it"),
        ):
            pass
    assert not is_locked(path)


def test_the_name_is_short_differs_by_user_and_path_and_never_changes() -> None:
    path = Path("/home/me/project")
    assert private_name(path, 1000) == "dbops-1000-225df3094012"
    assert len({private_name(path, 1), private_name(path, 2), private_name(path / "x", 1)}) == 3
    check_socket_path(SOCKETS_DIRECTORY / private_name(Path("/" + "deep/" * 400), 2**32 - 2) / ".s.PGSQL.5432")


def test_a_socket_path_may_have_107_bytes_not_characters() -> None:
    check_socket_path(Path("/" + "é" * 53))
    with pytest.raises(EmbeddedServerError, match="109 bytes"):
        check_socket_path(Path("/" + "é" * 54))
