"""JSON that somebody else wrote, read once into typed values.

The types of a dataclass are the schema. What does not fit them is a `MismatchError`: one line with the field, what was
expected and what was found. Whoever reads a file adds its name and what to do.
"""

from __future__ import annotations

import json
import math
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache, partial
from typing import Annotated, Any, Literal, NewType, TypeVar, Union, get_args, get_origin, get_type_hints

from echo_rt.errors import printable

DEPTH = 16
"""Objects and lists in each other: more is nothing that we wrote, and what looks at each level may run out of stack."""

DIGITS = 20
"""Of a whole number: a file's size in bytes has fewer, and longer ones take time to read."""

CHARACTERS = 20_000
"""Of one text: a licence has 12,000."""

QUOTED = 80
"""Characters of what was found that a message repeats."""

Kind = TypeVar("Kind")

NOTHING: Mapping[str, Any] = types.MappingProxyType({})


class MismatchError(ValueError):
    """Something read is not as its schema says; the message is one line."""


class UnknownFieldError(MismatchError):
    """An object has fields that its schema does not name: a newer version may."""


@dataclass(frozen=True)
class Between:
    """A number from `least` to `most`; both belong to it."""

    least: float
    most: float


@dataclass(frozen=True)
class ManyLines:
    """Text that may have ends of lines in it, such as a licence. It is escaped where it is shown on one."""


@dataclass(frozen=True)
class AtMost:
    """At most so many entries, each of them once."""

    count: int


Verbatim = NewType("Verbatim", str)
"""Text that is parsed in its turn: of any length, with any signs."""

Share = Annotated[float, Between(0, 1)]
Divisor = Annotated[float, Between(1e-3, 1e6)]
Figure = Annotated[float, Between(-1e12, 1e12)]
"""Any number that may be squared and multiplied without an overflow."""


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text, without NaN and infinity, of bounded depth.

    Raises:
        MismatchError: it is no such JSON, or not in UTF-8.
    """
    try:
        # Without a byte-order mark: json.loads would take bytes for UTF-16 or UTF-32 by themselves.
        decoded = text if isinstance(text, str) else text.decode("utf-8")
        found = json.loads(decoded, parse_int=_whole, parse_float=_finite, parse_constant=_no_number)
    except UnicodeDecodeError as error:
        raise MismatchError(f"expected JSON in UTF-8, found byte {error.object[error.start]:#04x}") from None
    except json.JSONDecodeError as error:
        raise MismatchError(f"expected JSON, found {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise MismatchError(f"expected JSON of at most {DEPTH} levels, found more") from None
    _check_depth(found)
    return found


def _whole(text: str) -> int:
    if len(text) > DIGITS:
        raise MismatchError(f"expected a whole number of at most {DIGITS} digits, found one of {len(text)}")
    return int(text)


def _finite(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise MismatchError(f"expected a finite number, found {shown(text)}")
    return number


def _no_number(text: str) -> float:
    raise MismatchError(f"expected a finite number, found {text}")


def _check_depth(found: object) -> None:
    level = [found]
    for _ in range(DEPTH):
        level = [part for whole in level for part in _parts(whole)]
        if not level:
            return
    raise MismatchError(f"expected JSON of at most {DEPTH} levels, found more")


def _parts(whole: object) -> list[Any]:
    if isinstance(whole, dict):
        return list(whole.values())
    return whole if isinstance(whole, list) else []


def shown(found: object) -> str:
    """What was found, for a message: short, on one line and printable."""
    text = printable(repr(found))
    return text if len(text) <= QUOTED else text[: QUOTED - 4] + " ..."


def record(
    kind: type[Kind],
    found: object,
    name: str = "",
    *,
    more: bool = False,
    start: Kind | None = None,
    made: Mapping[str, Any] = NOTHING,
) -> Kind:
    """A dataclass of the fields of a JSON object, each checked against its type.

    Types are str, bool, int, float, None, `Literal`, tuples, mappings from text, dataclasses, and `Any`; a number may
    be `Between`, a tuple may have `AtMost` so many entries.

    Args:
        kind: the dataclass; a field without a default has to be there.
        found: what `parse_json` gave.
        name: of the object, for the message.
        more: leave out fields that it does not name; else they are an UnknownFieldError.
        start: has the values of the fields that are not there.
        made: fields that are known already; the object does not have them.

    Raises:
        MismatchError: says which field was expected to be what, and what was found.
    """
    if not isinstance(found, dict):
        raise MismatchError(f"expected names and values{' as ' + name if name else ''}, found {shown(found)}")
    known = {field.name: field for field in fields(kind) if field.name not in made}  # type: ignore[arg-type]
    kinds = _types(kind)
    if not more and (unknown := sorted(found.keys() - known.keys())):
        raise UnknownFieldError(f"{name or 'it'} has unknown fields {_listed(unknown)}")
    given = dict(made)
    for key, field in known.items():
        if key in found:
            first = field.default if is_dataclass(field.default) else None
            given[key] = value(kinds[key], found[key], _within(name, key), more=more, start=first)
        elif start is not None:
            given[key] = getattr(start, key)
        elif field.default is MISSING and field.default_factory is MISSING:
            raise MismatchError(f"expected a value as {_within(name, key)}, found none")
    return kind(**given)


def value(kind: Any, found: object, name: str, *, more: bool = False, start: Any = None) -> Any:
    """One value, checked against a type; see `record`."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated and isinstance(inner[1], ManyLines):
        _text(found.replace("\n", " ") if isinstance(found, str) else found, name)
        return found
    if origin is Annotated:
        return _limited(inner[1], value(inner[0], found, name, more=more), name)
    if origin in (Union, types.UnionType):  # something, or None
        return None if found is None else value(inner[0], found, name, more=more)
    if origin is Literal:
        if isinstance(found, str) and found in inner:
            return found
        raise _mismatch(f"one of {_listed(inner)}", name, found)
    if origin is tuple:
        return _tuple(inner, found, name, more)
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(found, dict):
            raise _mismatch("names with values", name, found)
        return {_text(key, name): value(inner[1], part, f"{name}.{key}", more=more) for key, part in found.items()}
    if is_dataclass(kind) and isinstance(kind, type):
        return record(kind, found, name, more=more, start=start)
    return _plain(kind, found, name)


_types: Callable[[Any], dict[str, Any]] = cache(partial(get_type_hints, include_extras=True))


def _tuple(inner: tuple[Any, ...], found: object, name: str, more: bool) -> tuple[Any, ...]:
    endless = len(inner) == 2 and inner[1] is Ellipsis
    if not isinstance(found, (list, tuple)) or not (endless or len(found) == len(inner)):
        raise _mismatch("a list" if endless else f"{len(inner)} values in a list", name, found)
    kinds = [inner[0]] * len(found) if endless else inner
    return tuple(value(kind, part, name, more=more) for kind, part in zip(kinds, found, strict=True))


def _plain(kind: Any, found: object, name: str) -> Any:
    if kind is str:
        return _text(found, name)
    if kind is Verbatim and isinstance(found, str):
        return found
    if kind is bool and isinstance(found, bool):
        return found
    if kind is int and isinstance(found, int) and not isinstance(found, bool):
        return found
    if kind is float and isinstance(found, (int, float)) and not isinstance(found, bool) and math.isfinite(found):
        return float(found)
    if kind is Any:
        return _any(found, name)
    expected = {Verbatim: "text", bool: "true or false", int: "a whole number", float: "a finite number"}
    raise _mismatch(expected.get(kind, kind), name, found)


def _any(found: object, name: str) -> Any:
    """Whatever it is: its texts are checked."""
    if isinstance(found, str):
        return _text(found, name)
    if isinstance(found, dict):
        return {_text(key, name): _any(part, f"{name}.{key}") for key, part in found.items()}
    return [_any(part, name) for part in found] if isinstance(found, list) else found


def _text(found: object, name: str) -> str:
    if not isinstance(found, str):
        raise _mismatch("text", name, found)
    if len(found) > CHARACTERS or printable(found) != found:
        raise _mismatch(f"printable text of at most {CHARACTERS} characters", name, found)
    return found


def _limited(limit: Between | AtMost, found: Any, name: str) -> Any:
    if isinstance(limit, Between) and not limit.least <= found <= limit.most:
        raise _mismatch(f"{limit.least:g} to {limit.most:g}", name, found)
    if isinstance(limit, AtMost) and (len(found) > limit.count or len(set(found)) < len(found)):
        raise _mismatch(f"at most {limit.count} different values", name, found)
    return found


def _mismatch(expected: object, name: str, found: object) -> MismatchError:
    return MismatchError(f"expected {expected} as {printable(name)[:QUOTED]}, found {shown(found)}")


def _within(name: str, field: str) -> str:
    return f"{name}.{field}" if name else field


def _listed(names: Any) -> str:
    listed = [printable(str(name))[:QUOTED] for name in names]
    return ", ".join(listed[:12]) + (f" and {len(listed) - 12} more" if len(listed) > 12 else "")
