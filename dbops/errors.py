"""One tree of errors: what went wrong, and what to do about it."""

from __future__ import annotations


class DbopsError(Exception):
    """dbops could not do it"""

    def __init__(self, message: str | None = None, *, hint: str | None = None) -> None:
        self.message = message or self.__class__.__doc__ or ""
        self.hint = hint
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message}\nHINT: {self.hint}" if self.hint else self.message


class ConfigurationError(DbopsError):
    """the configuration cannot be used"""


class UsageError(DbopsError):
    """the command was given something it cannot use"""


class UnsupportedServerError(ConfigurationError):
    """the server is one that dbops does not know"""


class TargetUnreachableError(DbopsError):
    """the database cannot be reached"""


class EmbeddedServerError(DbopsError):
    """the embedded server cannot be used"""
