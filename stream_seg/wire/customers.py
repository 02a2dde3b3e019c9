"""Whose event it is. One customer has one id, and what broken clients send for "nobody" is never a customer."""

from __future__ import annotations

import re
from collections.abc import Sequence

from stream_seg.errors import BadEvent
from stream_seg.wire.rejections import rejection

MAX_ID_BYTES = 256
_WORDS = ("null", "undefined", "none", "nil", "nan")
PLACEHOLDERS = frozenset({*_WORDS, *map(str.upper, _WORDS), *map(str.capitalize, _WORDS), "NaN", "[object Object]"})
_PLACEHOLDER_BYTES = frozenset(word.encode() for word in PLACEHOLDERS)
_CONTROL_BYTES = bytes([*range(32), 127])
_CONTROL = re.compile("[\x00-\x1f\x7f]")


def plain_ids(ids: Sequence[str | None]) -> list[bytes] | None:
    """All ids as bytes, if each is usable beyond doubt; None: look at them one by one."""
    try:
        encoded = [one.encode() for one in ids]  # type: ignore[union-attr]  # None: caught below
    except AttributeError:
        return None
    return encoded if beyond_doubt(encoded) else None


def beyond_doubt(ids: Sequence[bytes]) -> bool:
    """Whether each of some ids is usable, seen without a look at every single one.

    >>> beyond_doubt([b"ann", b"bob"]), beyond_doubt([b"ann", b"null"])
    (True, False)
    """
    joined = b"".join(ids)
    return (
        b" " not in joined
        and joined.isascii()
        and len(joined.translate(None, _CONTROL_BYTES)) == len(joined)
        and max(map(len, ids), default=0) <= MAX_ID_BYTES
        and min(map(len, ids), default=1) > 0
        and _PLACEHOLDER_BYTES.isdisjoint(ids)
    )


def customer_id(user: str | None, anonymous: str | None) -> bytes:
    """The id under which an event counts: the user id if it is usable, else the anonymous id. Raises `BadEvent`.

    >>> customer_id("null", "a-17")
    b'a-17'
    """
    wrong: BadEvent | None = None
    for name, value in (("userId", user), ("anonymousId", anonymous)):
        if value is not None:
            why = what_is_wrong(value, f"$.{name}")
            if why is None:
                return value.encode()
            wrong = wrong or why
    raise wrong or rejection("missing_id", "$.userId", "there is neither a user id nor an anonymous id")


def what_is_wrong(value: str, path: str) -> BadEvent | None:
    """Why a text is no usable id, if so."""
    if not value.strip() or value in PLACEHOLDERS:
        return rejection("unusable_id", path, f"{value[:40]!r} names nobody")
    if _CONTROL.search(value):
        return rejection("id_control_character", path, "the id has a control character")
    size = len(value.encode())
    return rejection("id_too_long", path, f"the id has {size} bytes") if size > MAX_ID_BYTES else None


def usable(value: str | None) -> bool:
    """Whether a text names somebody."""
    return value is not None and what_is_wrong(value, "$") is None
