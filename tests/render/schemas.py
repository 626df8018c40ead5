"""The published JSON Schemas, to hold output against."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

_SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"


def validator(name: str) -> Draft202012Validator:
    """The validator of `docs/schemas/<name>.schema.json`, which must itself be a valid schema."""
    schema = json.loads((_SCHEMAS / f"{name}.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=FormatChecker())


def valid_dbanalyze(text: str) -> dict[str, Any]:
    """The document in `text`, once it has been found to be as promised."""
    document: dict[str, Any] = json.loads(text)
    validator("dbanalyze").validate(document)
    return document
