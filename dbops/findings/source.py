"""Where in the project's files a finding lies."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A line of a file; `path` is relative to the root of the repository, with slashes."""

    path: str
    line: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a finding is mended: `declared` is the model's field or class, `migration` what made it in the database."""

    declared: Place | None = None
    migration: Place | None = None

    @property
    def first(self) -> Place | None:
        """The place to show it at: where it is mended if that is known, else where it came from."""
        return self.declared or self.migration
