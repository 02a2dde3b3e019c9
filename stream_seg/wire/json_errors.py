"""What the JSON decoder says about a record, put into our own words and codes; and the check that guards its stack."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from stream_seg.core.numerics import compiled
from stream_seg.errors import BadEvent
from stream_seg.wire.rejections import rejection

MAX_DEPTH = 256  # how much the decoder's stack holds depends on its caller's; this much it always holds
SURELY_SHALLOW = 2 * MAX_DEPTH  # bytes: every level takes an opening and a closing one

_BYTE = re.compile(r"\(byte ([0-9]+)\)")
_MISSING = re.compile(r"Object missing required field `(.*)`")
_TOO_LARGE = ("Expected `float` <=", "Expected `float` >=")
_NOT_NUMBERS = (b"NaN", b"Infinity", b"-Infinity", b"+Infinity", b"nan", b"inf", b"-inf")


def too_deep(value: bytes) -> bool:
    """Whether objects and lists stand more than `MAX_DEPTH` deep inside each other.

    >>> too_deep(b"[" * 256 + b"]" * 256), too_deep(b"[" * 257 + b"]" * 257), too_deep(b'"' + b"[" * 999 + b'"')
    (False, True, False)
    """
    if len(value) < SURELY_SHALLOW or value.count(b"[") + value.count(b"{") <= MAX_DEPTH:
        return False
    return _depth(np.frombuffer(value, np.uint8)) > MAX_DEPTH


def any_too_deep(values: Sequence[bytes]) -> bool:
    """`too_deep` of any of them, at a small part of its cost."""
    ends = np.cumsum(np.fromiter(map(len, values), np.int64, len(values)))
    return _many_open(np.frombuffer(b"".join(values), np.uint8), ends) and any(map(too_deep, values))


@compiled
def _many_open(data: npt.NDArray[np.uint8], ends: npt.NDArray[np.int64]) -> bool:
    """Whether one of the values that lie behind each other has more than `MAX_DEPTH` opening brackets at all."""
    start = 0
    for i in range(len(ends)):
        opened = 0
        for byte in data[start : ends[i]]:  # written so that it compiles to vector instructions
            opened += (byte == 123) | (byte == 91)  # { [
        if opened > MAX_DEPTH:
            return True
        start = ends[i]
    return False


@compiled
def _depth(data: npt.NDArray[np.uint8]) -> int:
    deepest, depth, in_text, at = 0, 0, False, 0
    while at < len(data):
        byte = data[at]
        if in_text:
            if byte == 92:  # \ hides the next byte
                at += 1
            elif byte == 34:  # "
                in_text = False
        elif byte == 34:
            in_text = True
        elif byte in (91, 123):  # [ {
            depth += 1
            deepest = max(deepest, depth)
        elif byte in (93, 125):  # ] }
            depth -= 1
        at += 1
    return deepest


def check_text(value: bytes | None) -> bytes:
    """The value, if it can be given to the JSON decoder at all. Raises `BadEvent`."""
    if value is None:
        raise rejection("null_value", "$", "the record has no value")
    if not value:
        raise rejection("invalid_json", "$", "the value is empty")
    if not value.isascii():
        try:
            value.decode()
        except UnicodeDecodeError as error:
            raise rejection("invalid_utf8", "$", f"byte {error.start} is not UTF-8") from error
    if too_deep(value):
        raise rejection("too_deep", "$", f"objects and lists are nested more than {MAX_DEPTH} deep")
    return value


def explain(value: bytes, error: msgspec.DecodeError) -> BadEvent:
    """Why a value that passed `check_text` could not be decoded."""
    words, _, place = str(error).partition(" - at `")
    path = place.removesuffix("`") or "$"
    if not isinstance(error, msgspec.ValidationError):
        return _malformed(value, words)
    if missing := _MISSING.fullmatch(words):
        name = missing.group(1)
        code = "missing_type" if (path, name) == ("$", "type") else "wrong_type"
        return rejection(code, f"{path}.{name}", f"{name} is missing")
    if path == "$":
        return rejection("not_an_object", path, words.replace("`", ""))
    if path == "$.type":
        merge = "merge exists at RudderStack only; " if words == "Invalid enum value 'merge'" else ""
        return rejection("unsupported_type", path, f"{merge}{words}" if merge else words.replace("`", ""))
    code = "number_out_of_range" if words.startswith(_TOO_LARGE) or "out of range" in words else "wrong_type"
    return rejection(code, path, words.replace("`", ""))


def _malformed(value: bytes, words: str) -> BadEvent:
    byte = _BYTE.search(words)
    at = int(byte.group(1)) if byte else len(value)
    for start in (at, at - 1):  # the decoder stops at the letter after a minus
        if value.startswith(_NOT_NUMBERS, max(start, 0)):
            return rejection("not_a_number", "$", f"NaN or Infinity at byte {max(start, 0)}")
    return rejection("invalid_json", "$", words)
