"""The published JSON Schemas, to hold output against."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

_SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"


def schema(name: str) -> dict[str, Any]:
    """The content of `docs/schemas/<name>.schema.json`."""
    content: dict[str, Any] = json.loads((_SCHEMAS / f"{name}.schema.json").read_text())
    return content


def validator(name: str) -> Draft202012Validator:
    """The validator of a published schema, which must itself be a valid one."""
    Draft202012Validator.check_schema(schema(name))
    return Draft202012Validator(schema(name), format_checker=FormatChecker())


def valid_dbanalyze(text: str) -> dict[str, Any]:
    """The document in `text`, once it has been found to be as promised."""
    return valid("dbanalyze", text)


def valid(name: str, text: str) -> dict[str, Any]:
    """The document in `text`, once it has been found to be as the schema `name` promises."""
    document: dict[str, Any] = json.loads(text)
    validator(name).validate(document)
    return document
