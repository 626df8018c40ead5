"""Types as fields declare them and as the server prints them."""

from __future__ import annotations

import pytest

from dbops.snapshot.type_spelling import Difference, difference

NONE, WIDER, NARROWER, OTHER, UNKNOWN = Difference


@pytest.mark.parametrize(
    ("declared", "actual", "expected"),
    [
        ("varchar(10)", "character varying(10)", NONE),
        ("varchar", "character varying", NONE),
        ("varchar(5)[]", "character varying(5)[]", NONE),
        ("integer[][]", "integer[]", NONE),  # the server keeps no number of dimensions
        ("integer[3]", "integer[]", NONE),
        ("numeric(10, 2)", "numeric(10,2)", NONE),
        ("numeric(10)", "numeric(10,0)", NONE),
        ("timestamp with time zone", "timestamp with time zone", NONE),
        ("timestamptz", "timestamp with time zone", NONE),
        ("timestamp(3) with time zone", "timestamp(3) with time zone", NONE),
        ("time", "time without time zone", NONE),
        ("bool", "boolean", NONE),
        ("serial", "integer", NONE),
        ("char(3)", "character(3)", NONE),
        ("char", "character(1)", NONE),
        ("VARCHAR(9)", "character varying(9)", NONE),
        ("varchar(10)", "character varying(20)", WIDER),
        ("varchar(10)", "character varying", WIDER),
        ("varchar(10)", "text", WIDER),
        ("text", "character varying", WIDER),
        ("integer", "bigint", WIDER),
        ("real", "double precision", WIDER),
        ("numeric(10,2)", "numeric(12,2)", WIDER),
        ("numeric(10,2)", "numeric", WIDER),
        ("varchar(20)", "character varying(10)", NARROWER),
        ("varchar", "character varying(10)", NARROWER),
        ("text", "character varying(10)", NARROWER),
        ("bigint", "smallint", NARROWER),
        ("double precision", "real", NARROWER),
        ("numeric(10,2)", "numeric(10,4)", NARROWER),
        ("numeric(10,2)", "numeric(9,2)", NARROWER),
        ("timestamp with time zone", "timestamp without time zone", OTHER),
        ("uuid", "character varying(36)", OTHER),
        ("jsonb", "json", OTHER),
        ("integer", "integer[]", OTHER),
        ("citext", "public.citext", NONE),
        ("geometry(POINT,4326)", "public.geometry(Point,4326)", NONE),
        ("vector(3)", "vector(3)", NONE),
        ("vector(3)", "vector(4)", UNKNOWN),
        ("citext", "text", UNKNOWN),
        ("text", "public.citext", UNKNOWN),
        ('"My Type"', 'other."My Type"', NONE),
    ],
)
def test_a_type_is_told_from_another_whatever_it_is_called(declared: str, actual: str, expected: Difference) -> None:
    assert difference(declared, actual, actual.partition("(")[0]) is expected


def test_a_domain_is_as_good_as_the_type_under_it() -> None:
    assert difference("varchar(9)", "public.short", "character varying") is NONE
    assert difference("integer", "public.short", "character varying") is UNKNOWN
