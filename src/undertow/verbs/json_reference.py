"""docs/json.md, made from the documents' types: python -m undertow.verbs.json_reference"""

from __future__ import annotations

import inspect
import types
from collections.abc import Iterator
from typing import (
    Annotated,
    Any,
    Literal,
    NamedTuple,
    NotRequired,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from typing_extensions import is_typeddict

from undertow.verbs.documents import DOCUMENTS

HEAD = """# JSON documents

Made from the types in `undertow.verbs.documents` by `make docs`; a test holds the two together,
and another what the commands print.

With `--json` a command prints one document on stdout, and nothing else there. `a.b` is the key `b`
of the object `a`, `a[].b` that of each object of the list `a`. A statistic that is not defined (an
interval of one value, a median with NaN in it) is null.
"""
PLAIN = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    type(None): "null",
    Any: "any value",
}


class Key(NamedTuple):
    """A key of a document: its path, what stands there and what it means."""

    path: str
    kind: str
    meaning: str


def reference() -> str:
    """Return the text of docs/json.md."""
    return "\n".join([HEAD, *(_section(name, document) for name, document in DOCUMENTS.items())])


def keys(document: Any, path: str = "") -> Iterator[Key]:
    """Give every key of a type of documents, those of inner objects after their own.

    >>> from undertow.verbs.documents import AtlasDocument
    >>> [each.path for each in keys(AtlasDocument)][3:6]
    ['cells[]', 'cells[].depth', 'cells[].weight_variance']
    """
    for name, hint in get_type_hints(document, include_extras=True).items():
        hint, meaning, is_required = _unwrapped(hint)
        inner, here = _inner(hint), f"{path}{name}"
        if get_origin(hint) is list and inner:
            here += "[]"
        where = "" if is_required else "; absent where it is not measured"
        yield Key(here, words(hint), f"{meaning}{where}")
        if inner:
            yield from keys(inner, f"{here}.")


def words(hint: Any) -> str:
    """Say in words what a type is in JSON.

    >>> words(list[float | None] | None), words(Literal["healthy", "sick"])
    ('list of number or null, or null', '`healthy` or `sick`')
    """
    hint, _, _ = _unwrapped(hint)
    if hint in PLAIN:
        return PLAIN[hint]
    if is_typeddict(hint):
        return "object"
    parts = get_args(hint)
    match get_origin(hint):
        case origin if origin is Literal:
            return " or ".join(f"`{part}`" for part in parts)
        case origin if origin is list:
            inner = words(parts[0])
            return "list of objects" if inner == "object" else f"list of {inner}"
        case origin if origin is dict:
            return f"object, its values {words(parts[1])}"
        case origin if origin in (Union, types.UnionType):
            said = [words(part) for part in parts]
            comma = "," if any(" of " in each for each in said) else ""
            return f"{comma} or ".join(said)
    raise TypeError(f"{hint}: not a type of JSON documents")


def _section(name: str, document: Any) -> str:
    title = f"## undertow {name} --json\n"
    if get_origin(document) in (Union, types.UnionType):
        tables = [part for each in get_args(document) for part in (_words(each), _table(each))]
        return "\n".join([title, *tables])
    if get_origin(document) is list:
        (document,) = get_args(document)
    return "\n".join([title, _words(document), _table(document)])


def _words(document: Any) -> str:
    return f"{inspect.getdoc(document)}\n"


def _table(document: Any) -> str:
    rows = [f"| `{key.path}` | {key.kind} | {key.meaning} |" for key in keys(document)]
    return "\n".join(["| key | is | meaning |", "|---|---|---|", *rows, ""])


def _unwrapped(hint: Any) -> tuple[Any, str, bool]:
    """Return a type, the words beside it, and whether its key is always there."""
    meaning, is_required = "", True
    while get_origin(hint) in (NotRequired, Annotated):
        is_required = is_required and get_origin(hint) is not NotRequired
        if get_origin(hint) is Annotated:
            hint, meaning = hint.__origin__, hint.__metadata__[0]
        else:
            (hint,) = get_args(hint)
    return hint, meaning, is_required


def _inner(hint: Any) -> Any:
    """Return the type of the objects in a value: itself, in a list, or null else."""
    return next((each for each in (hint, *get_args(hint)) if is_typeddict(each)), None)


if __name__ == "__main__":
    print(reference(), end="")
