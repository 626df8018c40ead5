"""What a command's result is written on: a terminal, a pipe or a file."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dbops.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

_MIN_CELLS: Final = 40
_PLAIN_CELLS: Final = 100


@dataclass(frozen=True, slots=True)
class Surface:
    """How wide it is in cells, whether it shows colours, and which characters it has. By default: a file."""

    width: int = _PLAIN_CELLS
    colour: bool = False
    encoding: str = "utf-8"

    @classmethod
    def of(cls, stream: Any, *, no_color: bool = False, force_color: bool = False) -> Self:
        """Return what `stream` is: colours only on a terminal that has them, unless they are forced."""
        is_terminal = stream.isatty() and os.environ.get("TERM") != "dumb"
        columns = shutil.get_terminal_size((_PLAIN_CELLS, 24)).columns
        return cls(
            width=max(columns, _MIN_CELLS),
            colour=force_color or (is_terminal and not no_color),
            encoding=getattr(stream, "encoding", None) or "utf-8",
        )


def check_writable(path: Path) -> None:
    """Refuse a file that cannot be written, before the work for it is done.

    Raises:
        UsageError: its directory is missing, or it is a directory itself.
    """
    if path.is_dir():
        message = f"cannot write {path}: it is a directory"
        raise UsageError(message, hint=f"name a file, for example {path / 'dbanalyze.txt'}")
    if not path.parent.is_dir():
        message = f"cannot write {path}: there is no directory {path.parent}"
        raise UsageError(message, hint=f"mkdir -p {path.parent}")


def check_output_files(output: Path | None, baseline: Path | None) -> None:
    """Refuse files that cannot be written, or that are one and the same.

    Raises:
        UsageError: naming the first of them.
    """
    for path in filter(None, (output, baseline)):
        check_writable(path)
    if output and baseline and output.resolve() == baseline.resolve():
        message = "--output and --write-baseline name the same file"
        raise UsageError(message, hint="give the report a file of its own")


def write_whole(path: Path, text: str) -> None:
    """Write `text` to `path` so that a reader sees the old file or the new one, never a part.

    A device or pipe (`/dev/stdout`) is written to; only files are replaced, with their permissions kept.

    Raises:
        UsageError: it cannot be written.
    """
    partial = path.resolve().with_name(f".{path.name}.{os.getpid()}.part")
    try:
        if path.exists() and not path.is_file():
            path.write_text(text, encoding="utf-8")
            return
        with suppress(FileNotFoundError):
            partial.unlink()
        partial.write_text(text, encoding="utf-8")
        if path.exists():
            shutil.copymode(path, partial)
        partial.replace(path.resolve())
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        message = f"cannot write {path}: {(error.strerror or str(error)).lower()}"
        raise UsageError(message, hint="choose another file") from error
