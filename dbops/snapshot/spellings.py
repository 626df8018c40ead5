"""Comparing definitions: what is evidently the same at once, the rest by what a server made of both."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from dbops.snapshot.spelling import is_evidently_same

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dbops.snapshot.declared_rows import NormalForm

#: What says how an index is stored, and whether a constraint's old rows were looked at: no part of what it says.
_ASIDE: Final = re.compile(
    r' WITH \([^()]*\)|(?: USING INDEX)? TABLESPACE (?:"(?:[^"]|"")+"|\w+)'
    r"|(?: NO INHERIT)?(?: NOT (?:VALID|ENFORCED))*\Z"
)

_NOBODY: Final = "no server was there to print it in its own words"


@dataclass(frozen=True, slots=True)
class Question:
    """A definition that a server should print; the fields are those of `NormalForm`."""

    table_oid: int
    kind: str
    text: str
    type: str = ""


class Spellings:
    """Answers whether two definitions are the same; `asked` collects what nobody knew the answer of."""

    def __init__(self, forms: Iterable[NormalForm] = ()) -> None:
        self._forms = {Question(form.table_oid, form.kind, form.text, form.type): form for form in forms}
        self.asked: dict[Question, None] = {}

    def is_evident(self, declared: str, actual: str) -> bool:
        """Return whether the two are the same at first sight."""
        return is_evidently_same(essence(declared), essence(actual))

    def same(self, declared: Question, actual: Question) -> bool | str:
        """Return whether two definitions are the same, or why that is not known.

        They are where a server prints the declared one in the words of the actual one; and also where it prints both
        alike, once it has read its own words: servers of different versions choose different ones.
        """
        if self.is_evident(declared.text, actual.text):
            return True
        pair = [replace(one, text=essence(one.text)) for one in (declared, actual)]
        forms = [self._forms.get(one) for one in pair]
        wanted, found = forms
        if wanted is not None and wanted.normal == pair[1].text:
            return True
        if wanted is not None and found is not None and wanted.normal and found.normal:
            return found.normal in {wanted.normal, wanted.again}
        self.asked |= dict.fromkeys(pair)
        return next((form.unseen for form in forms if form is not None and form.unseen), _NOBODY)


@lru_cache(maxsize=4096)
def essence(definition: str) -> str:
    """Return a definition without what says only how it is stored or whether it was proved."""
    return _ASIDE.sub("", definition)
