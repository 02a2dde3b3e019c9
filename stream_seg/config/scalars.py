"""Single values as people write them: ``7d``, ``+02:00``, ``2gb``. Each knows its words for what is wrong.

Values from the environment are text (`FromEnvironment`): numbers and booleans are read out of it. In YAML the
types must already be right, so that ``k: "6"`` or ``name: 7`` is told instead of guessed.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic_core import PydanticCustomError

from stream_seg.config.problems import choose
from stream_seg.core.definition import DAY, HOUR, MINUTE, SECOND, UNITS

SIZES = {"kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30}
LONGEST = 10 * 366 * DAY


class FromEnvironment(str):
    """Text of an environment variable, where everything is text."""

    __slots__ = ()


class Kind(str):
    """What the reference calls a type; stands in the annotation beside its validator."""

    __slots__ = ()


def wrong(what: str) -> PydanticCustomError:
    """The error of a value: what is wrong, and after the comma what to do about it."""
    return PydanticCustomError("wrong", "{what}", {"what": what})


def shown(value: object) -> str:
    """A value as the message shows it: YAML's spelling, never longer than a few words."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = str(value)
    return f"`{text[:40]}{'…' if len(text) > 40 else ''}`"


def duration(least: int = 1, most: int = LONGEST, *, or_zero: bool = False) -> Callable[[Any], int]:
    """A validator of durations: one whole number and one unit, in ms. `or_zero`: 0 is taken below `least` too."""

    def validate(value: Any) -> int:
        match = re.fullmatch(r"(\d{1,12})(ms|s|m|h|d|w)", value) if isinstance(value, str) else None
        if value == 0 and not isinstance(value, bool):
            ms = 0
        elif match:
            ms = int(match[1]) * UNITS[match[2]]
        elif isinstance(value, int) and not isinstance(value, bool):
            raise wrong(f"{shown(value)} has no unit, write for example {value}s, {value}m, {value}h or {value}d")
        else:
            raise wrong(
                f"{shown(value)} is not a duration, write a whole number and a unit: 500ms, 30s, 90m, 12h, 7d, 2w"
            )
        if not least <= ms <= most and not (or_zero and ms == 0):
            zero = ", or 0s" if or_zero else ""
            raise wrong(f"{shown(value)} is out of range, use {written(least)} to {written(most)}{zero}")
        return ms

    return validate


def written(ms: int) -> str:
    """A duration as it is written in YAML.

    >>> written(7 * DAY), written(90 * MINUTE), written(0)
    ('7d', '90m', '0s')
    """
    for unit, size in (("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND)):
        if ms % size == 0 and (ms or unit == "s"):
            return f"{ms // size}{unit}"
    return f"{ms}ms"


def utc_offset(value: Any) -> int:
    """``+02:00`` -> 120 (minutes)."""
    if value == "Z":
        return 0
    match = re.fullmatch(r"([+-])(\d\d):(\d\d)", value) if isinstance(value, str) else None
    if not match or int(match[2]) > 14 or int(match[3]) > 59:
        raise wrong(f'{shown(value)} is not an offset from UTC, write it as "+02:00" (in quotes)')
    minutes = int(match[2]) * 60 + int(match[3])
    return -minutes if match[1] == "-" else minutes


def size(value: Any) -> int:
    """``512mb`` -> bytes."""
    match = re.fullmatch(r"(\d{1,9})(kb|mb|gb)", value.lower()) if isinstance(value, str) else None
    if not match or int(match[1]) == 0:
        raise wrong(f"{shown(value)} is not an amount of memory, write for example 512mb or 2gb")
    return int(match[1]) * SIZES[match[2]]


def whole(least: int, most: int) -> Callable[[Any], int]:
    """A validator of whole numbers within bounds."""

    def validate(value: Any) -> int:
        if isinstance(value, FromEnvironment) and re.fullmatch(r"[+-]?\d{1,18}", value):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise wrong(f"expected a whole number, got {shown(value)}{_unquote(value)}")
        if not least <= value <= most:
            raise wrong(f"{value} is out of range, use {least} to {most}")
        return value

    return validate


def number(least: float = -math.inf, most: float = math.inf, *, below: bool = False) -> Callable[[Any], float]:
    """A validator of finite numbers within bounds; `below`: `most` itself is out."""

    def validate(value: Any) -> float:
        if isinstance(value, FromEnvironment):
            with contextlib.suppress(ValueError):  # told below, as a value that is not a number
                value = float(value)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise wrong(f"expected a number, got {shown(value)}{_unquote(value)}")
        if not math.isfinite(value):
            raise wrong(f"{value} is not a finite number, write one")
        if not least <= value <= most or (below and value == most):
            raise wrong(f"{value:g} is out of range, use {least:g} to {'below ' if below else ''}{most:g}")
        return float(value)

    return validate


def share(least: float = 0.0, most: float = 1.0) -> Callable[[Any], float]:
    """A validator of shares: ``3%`` or 0.03."""

    def validate(value: Any) -> float:
        match = re.fullmatch(r"(\d{1,3}(?:\.\d{1,6})?) ?%", value) if isinstance(value, str) else None
        given = float(match[1]) / 100 if match else value
        if not isinstance(given, int | float) or isinstance(given, bool):
            raise wrong(f"{shown(value)} is not a share, write 3% or 0.03")
        if not least <= given <= most:
            raise wrong(f"{shown(value)} is out of range, use {least:.0%} to {most:.0%}")
        return float(given)

    return validate


def between(least: int, most: int) -> Callable[[Any], tuple[int, int]]:
    """A validator of a range of whole numbers: ``[3, 8]``, both included."""

    def validate(value: Any) -> tuple[int, int]:
        if not isinstance(value, list | tuple) or len(value) != 2:
            raise wrong(f"expected two whole numbers, got {shown(value)}, write [{least}, {most}]")
        low, high = (whole(least, most)(one) for one in value)
        if low > high:
            raise wrong(f"[{low}, {high}] holds no number, put the smaller one first")
        return low, high

    return validate


def flag(value: Any) -> bool:
    """``true`` or ``false``."""
    if isinstance(value, FromEnvironment) and value in ("true", "false"):
        return value == "true"
    if not isinstance(value, bool):
        raise wrong(f"expected true or false, got {shown(value)}")
    return value


def text(value: Any) -> str:
    """Text that is not empty."""
    if isinstance(value, bool | int | float):
        raise wrong(f"expected text, got {shown(value)}, put it in quotes")
    if not isinstance(value, str):
        raise wrong(f"expected text, got {shown(value)}, write it after the colon")
    if not value.strip():
        raise wrong("is empty, write it or take the line out")
    return str(value)


def one_of(*known: str) -> Callable[[Any], str]:
    """A validator of a closed set of words."""

    def validate(value: Any) -> str:
        if value not in known or not isinstance(value, str):
            raise wrong(f"{shown(value)} is not known here, {choose(value, known)}")
        return str(value)

    return validate


def matching(pattern: str, what: str) -> Callable[[Any], str]:
    """A validator of text of one form; `what` tells the form."""

    def validate(value: Any) -> str:
        found = text(value)
        if not re.fullmatch(pattern, found):
            raise wrong(f"{shown(found)} cannot be used, {what}")
        return found

    return validate


def words(value: Any) -> list[str]:
    """A list of texts; a single one may stand alone, from the environment also separated by commas."""
    if isinstance(value, FromEnvironment):
        return [part.strip() for part in value.split(",") if part.strip()]
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list):
        raise wrong(f"expected a list, got {shown(value)}, write it as [a, b]")
    return value


def secret_file(value: Any) -> SecretStr:
    """Reads a secret from the file that is named; the content never shows."""
    path = Path(text(value))
    try:
        content = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "not UTF-8"
        # The path is not shown: people put the secret itself here by mistake.
        raise wrong(f"the file cannot be read ({why}), name a readable file that holds only the secret") from None
    if not content:
        raise wrong("the file is empty, put the secret into it")
    return SecretStr(content)


def web_address(value: Any) -> str:
    """The URL of a server, without user, password or arguments."""
    given = text(value)
    if "@" in given or "?" in given:
        raise wrong("there may be a secret in it, take out what stands before `@` and after `?`")
    try:
        parts = urlsplit(given)
        right = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:  # a port that is no number, a bracket that does not close
        right = False
    if not right:
        raise wrong(f"{shown(given)} is not an address, write it as http://host:4318")
    return given


def header(value: Any) -> SecretStr:
    """A header of HTTP that may be a secret; the value never shows."""
    given = value.get_secret_value() if isinstance(value, SecretStr) else text(value)
    if not re.fullmatch(r"[A-Za-z0-9-]+: ?[!-~][ -~]*", given):
        raise wrong("this is not a header, write it as `Authorization: Bearer …`")
    return SecretStr(given)


def _unquote(value: object) -> str:
    numeric = isinstance(value, str) and re.fullmatch(r"[+-]?[\d.]+", value)
    return ", take it out of the quotes" if numeric else ", write one"


Text = Annotated[str, BeforeValidator(text), Kind("text")]
WebAddress = Annotated[str, BeforeValidator(web_address), Kind("text")]
Flag = Annotated[bool, BeforeValidator(flag), Kind("true / false")]
Number = Annotated[float, BeforeValidator(number()), Kind("number")]
Duration = Annotated[int, BeforeValidator(duration()), Kind("duration")]
Offset = Annotated[int, BeforeValidator(utc_offset), Kind("offset from UTC")]
Memory = Annotated[int, BeforeValidator(size), Kind("memory")]
Header = Annotated[SecretStr, BeforeValidator(header), Kind("secret")]
SecretFile = Annotated[SecretStr, BeforeValidator(secret_file), Kind("path of a file")]
HeaderFile = Annotated[SecretFile, AfterValidator(header)]
