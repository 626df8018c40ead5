"""Rows made of what the server answers: hundreds of thousands of them in a look at a large database."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


def row_maker(row: type[Any], names: Sequence[str]) -> Callable[[Iterable[Any]], Any]:
    """Return what makes a frozen row (a dataclass with slots) of its values, in the order of `names`; lists as tuples.

    As the class's own constructor, which takes three times as long: a look-up by name for each value, twice.

    Raises:
        TypeError: the names are not those of the row.
    """
    types = {field.name: str(field.type) for field in fields(row)}
    if set(names) != types.keys():
        message = f"{row.__name__} has {', '.join(types)}, and not {', '.join(names)}"
        raise TypeError(message)
    setters = [_setter(row, name, is_tuple=types[name].startswith("tuple[")) for name in names]

    def make(values: Iterable[Any]) -> Any:
        made = object.__new__(row)
        for put, value in zip(setters, values, strict=True):
            put(made, value)
        return made

    return make


def as_tuple(value: Any) -> Any:
    """Return a list, and the lists in it, as tuples; anything else as it is."""
    if not isinstance(value, list):
        return value
    return tuple(map(as_tuple, value)) if value and isinstance(value[0], list) else tuple(value)


def _setter(row: type[Any], name: str, *, is_tuple: bool) -> Callable[[Any, Any], None]:
    put: Callable[[Any, Any], None] = getattr(row, name).__set__
    return (lambda made, value: put(made, as_tuple(value))) if is_tuple else put
