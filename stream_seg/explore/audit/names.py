"""What the name of a column says about its role."""

from __future__ import annotations

import re

ROLES = (
    "customer", "time", "event", "message", "outcome", "device", "session", "anonymous", "source", "currency", "unit",
    "amount", "ignore",
)  # fmt: skip
_WORDS: dict[str, frozenset[str]] = {
    "customer": frozenset((
        "customer", "customers", "cust", "client", "member", "user", "userid", "uid", "household",
        "subscriber", "buyer", "shopper", "account", "patient", "visitor", "person", "subject", "customerid",
        "clientid", "memberid", "accountid", "householdid",
    )),
    "anonymous": frozenset(("anonymous", "anon", "anonymousid", "cookie", "cookieid", "guest")),
    "device": frozenset((
        "device", "deviceid", "idfa", "gaid", "idfv", "imei", "terminal", "handset", "browserid",
        "fingerprint",
    )),
    "session": frozenset(("session", "sessionid", "visit", "visitid")),
    "event": frozenset(("event", "events", "eventname", "eventtype", "action", "activity")),
    "message": frozenset(("message", "messageid", "eventid", "msg", "dedup", "dedupe", "nonce")),
    "time": frozenset((
        "time", "timestamp", "ts", "datetime", "at", "date", "day", "when", "occurred", "created", "instant",
        "originaltimestamp", "purchased", "ordered", "eventtime",
    )),
    "source": frozenset((
        "source", "channel", "platform", "app", "application", "system", "origin", "shop", "store", "site",
        "feed", "provider", "country", "region", "tenant",
    )),
    "currency": frozenset(("currency", "curr", "ccy", "iso4217")),
    "unit": frozenset(("unit", "units", "uom", "measure")),
    "amount": frozenset((
        "amount", "price", "revenue", "value", "sales", "total", "cost", "spend", "paid", "fee", "discount",
        "disc", "quantity", "qty", "weight", "volume", "charge", "net", "gross", "tax",
    )),
    "outcome": frozenset(("outcome", "target", "label", "churn", "churned", "converted", "conversion", "y")),
}  # fmt: skip
_ID = frozenset((
        "id", "ids", "uuid", "guid", "key", "code", "sku", "upc", "ean", "no", "nr", "number", "num", "hash",
    ))  # fmt: skip
_LATER = frozenset((
        "cancel", "cancelled", "canceled", "cancellation", "closed", "closing", "churn", "churned", "returned",
        "refund", "refunded", "resolution", "resolved", "ended", "left", "settled", "delivered", "completed",
        "final", "deleted", "deactivated", "unsubscribed",
    ))  # fmt: skip
_WHOLE = frozenset(("lifetime", "total", "overall", "ltv", "clv", "ever", "alltime", "cumulative"))  # fmt: skip


def words(name: str) -> list[str]:
    """The words of a name, in small letters.

    >>> words("userId"), words("coupon_match_disc"), words("properties.Order Date")
    (['user', 'id'], ['coupon', 'match', 'disc'], ['properties', 'order', 'date'])
    """
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)
    return [word for word in re.split(r"[^A-Za-z0-9]+", spaced.lower()) if word]


def suggests(name: str, role: str) -> bool:
    """Whether a word of the name, or all of them together, is one of that role.

    >>> suggests("householdId", "customer"), suggests("brand", "customer")
    (True, False)
    """
    said = words(name)
    return any(word in _WORDS[role] for word in [*said, "".join(said[-2:])])


def is_id(name: str) -> bool:
    """Whether the last word says that values are names of things, not amounts."""
    said = words(name)
    return bool(said) and (said[-1] in _ID or (said[-1].endswith(("id", "uuid")) and said[-1] not in {"paid", "valid"}))


def later(name: str) -> bool:
    """Whether the name says that it is known only when something is over."""
    return any(word in _LATER for word in words(name))


def whole_life(name: str) -> bool:
    """Whether the name says that it sums up a whole life."""
    return any(word in _WHOLE for word in words(name))
