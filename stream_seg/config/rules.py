"""What one key says about another: parts that an aggregate needs, features that name features, clocks."""

from __future__ import annotations

import zoneinfo
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from stream_seg.config.problems import KeyPath, Tell, choose
from stream_seg.config.scalars import FromEnvironment, written
from stream_seg.config.sections import FeatureSection, TimeSection
from stream_seg.core.definition import DAY, SECOND, Definition
from stream_seg.core.expression import ExpressionError, collect, compile_conditions, parse
from stream_seg.core.grammar import check_field


class Parts(NamedTuple):
    """Which keys an aggregate needs, and which more it takes (beside those that every feature takes)."""

    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()


ALWAYS = ("name", "aggregate", "role", "words", "transform", "basis")
_TILED = ("where", "tiles")
PARTS = {
    "count": Parts(("window",), (*_TILED, "field")),
    "sum": Parts(("field", "window"), _TILED),
    "mean": Parts(("field", "window"), (*_TILED, "empty")),
    "max": Parts(("field", "window"), (*_TILED, "empty")),
    "min": Parts(("field", "window"), (*_TILED, "empty")),
    "decayed_sum": Parts(("half_life",), ("field", "where")),
    "distinct_days": Parts(("window",), ("where",)),
    "distinct": Parts(("field", "window"), (*_TILED, "registers")),
    "recency": Parts((), ("where", "empty")),
    "tenure": Parts((), ("where", "empty")),
    "mean_gap": Parts((), ("where", "empty")),
    "sessions": Parts(("window", "gap"), _TILED),
    "time_on_site": Parts(("window", "gap"), _TILED),
    "latest": Parts(("field",), ("where", "encode", "categories", "buckets", "empty")),
    "ratio": Parts(("of",), ("empty",)),
    "trend": Parts(("of",), ("empty",)),
    "projection": Parts(("of", "weights"), ("empty",)),
    "diversity": Parts(("of",), ("empty",)),
}


def check_parts(raw: dict[str, Any], path: KeyPath, tell: Tell) -> None:
    """Keys that the aggregate lacks, and keys that it has no use for."""
    aggregate = raw.get("aggregate")
    if not isinstance(aggregate, str) or aggregate not in PARTS:
        return
    parts = PARTS[aggregate]
    for key in parts.needs:
        if key not in raw:
            tell((*path, key), f"is missing, `{aggregate}` needs it", absent=True)
    for key in raw:
        if key in FeatureSection.model_fields and key not in (*ALWAYS, *parts.needs, *parts.takes):
            users = ", ".join(a for a, p in PARTS.items() if key in (*p.needs, *p.takes))
            tell((*path, key), f"does not belong to `{aggregate}`, take it out (it is for {users})", key=True)
    if aggregate == "latest":
        _check_encoder(raw, path, tell)
    if raw.get("role") == "outcome" and "transform" in raw:
        tell((*path, "transform"), "an outcome never enters the distance, take the transform out", key=True)


def _check_encoder(raw: dict[str, Any], path: KeyPath, tell: Tell) -> None:
    encode = raw.get("encode")
    if encode in ("ordinal", "one_hot", "binary") and not raw.get("categories"):
        tell((*path, "categories"), f"is missing, `encode: {encode}` needs the list of categories", absent=True)
    if "categories" in raw and encode in (None, "hashed"):
        remedy = "take it out, `hashed` needs no list" if encode else "add `encode: one_hot` or take it out"
        tell((*path, "categories"), f"is not used, {remedy}", key=True)
    if "buckets" in raw and encode != "hashed":
        tell((*path, "buckets"), "is only for `encode: hashed`, take it out", key=True)
    if encode and ("transform" in raw or "empty" in raw):
        key = "transform" if "transform" in raw else "empty"
        tell((*path, key), "a category has no amount, take it out", key=True)


def check_feature(one: FeatureSection, path: KeyPath, tell: Tell) -> None:
    """Values that depend on each other, of a feature whose own values are right."""
    if one.where is not None:
        try:
            parse(one.where)
        except ExpressionError as error:
            tell((*path, "where"), error.message, offset=error.column - 1)
    if one.field is not None:
        try:
            check_field(one.field)
        except ExpressionError as error:
            tell((*path, "field"), error.message)
    if one.aggregate == "distinct_days" and one.window and one.window % DAY:
        tell(
            (*path, "window"), f"{written(one.window)} is not whole days, `distinct_days` counts those: write 7d or 30d"
        )
    elif one.aggregate == "distinct_days" and one.window and one.window > 400 * DAY:
        tell((*path, "window"), f"{written(one.window)} is out of range, `distinct_days` looks back 400d at most")
    elif one.window and one.aggregate != "distinct_days":
        _check_tiles(one.window, one.tiles, path, tell)
    for kind, count in Counter(t.kind for t in one.transform).items():
        if count > 1:
            tell((*path, "transform"), f"has `{kind}` {count} times, keep one")
    for category, count in Counter(one.categories).items():
        if count > 1:
            tell((*path, "categories"), f"`{category}` is listed {count} times, keep one")
    if len(one.categories) > 256:
        tell((*path, "categories"), f"has {len(one.categories)} entries, use 256 at most or `encode: hashed`")


def _check_tiles(window: int, tiles: int, path: KeyPath, tell: Tell) -> None:
    if window % tiles:
        near = [n for n in range(max(1, tiles - 4), tiles + 5) if window % n == 0]
        remedy = f"use tiles: {min(near, key=lambda n: abs(n - tiles))}" if near else "use another number of tiles"
        tell((*path, "window"), f"{written(window)} cannot be cut into {tiles} whole tiles of milliseconds, {remedy}")
    elif window // tiles < SECOND:
        tell((*path, "window"), f"{written(window)} in {tiles} tiles is less than 1s a tile, use fewer tiles")


def check_features(features: list[FeatureSection | None], tell: Tell) -> None:
    """Names, and features made of earlier ones. None stands for a feature with mistakes of its own."""
    earlier: dict[str, int] = {}
    for i, one in enumerate(features):
        if one is None:
            continue
        if one.name in earlier:
            tell(("features", i, "name"), f"`{one.name}` is taken by features[{earlier[one.name]}], choose another")
        if one.of:
            _check_of(one, i, {n: f for n in earlier if (f := features[earlier[n]])}, features, tell)
        earlier.setdefault(one.name, i)
    if features and None not in features and not any(one.role == "feature" for one in features if one):
        tell(("features",), "are all outcomes, nothing is left to cluster by: give one `role: feature`", key=True)
    if not features:
        tell(("features",), "is empty, declare at least one feature")


def _check_of(
    one: FeatureSection, i: int, earlier: dict[str, FeatureSection], every: list[FeatureSection | None], tell: Tell
) -> None:
    assert one.of is not None  # the caller looked
    if one.aggregate in ("ratio", "trend") and len(one.of) > 2:
        tell(("features", i, "of"), f"`{one.aggregate}` compares two features, not {len(one.of)}: leave two")
    if one.weights is not None and len(one.weights) != len(one.of):
        what = f"there are {len(one.weights)} for the {len(one.of)} features of `of`, give each its weight"
        tell(("features", i, "weights"), what)
    for position, name in enumerate(one.of):
        path: KeyPath = ("features", i, "of", position)
        if name not in earlier:
            if None in every[:i]:
                continue  # it may be the one whose own mistakes come first
            if name == one.name:
                tell(path, f"`{name}` is this feature itself, name an earlier one")
            elif any(f is not None and f.name == name for f in every):
                tell(path, f"`{name}` is declared later, move it up")
            else:
                tell(path, f"no feature is called `{name}`, {choose(name, earlier) if earlier else 'declare it first'}")
        elif name in one.of[:position] and one.aggregate in ("projection", "diversity"):
            tell(path, f"`{name}` is there already, its share would count twice: take it out")
        elif earlier[name].encode:
            tell(path, f"`{name}` is a category, not one number; name another")
        elif one.aggregate == "trend" and not earlier[name].window:
            tell(path, f"`{name}` has no window, `trend` compares rates of windows; name another")
    short, long = (earlier.get(name) for name in one.of[:2])
    if one.aggregate == "trend" and short and long and short.window and long.window and short.window >= long.window:
        what = f"{written(short.window)} is not shorter than {written(long.window)}, write the shorter window first"
        tell(("features", i, "of"), what)


def check_input(raw: dict[str, Any], tell: Tell) -> None:
    """Who writes into the events topic decides what can move its clock."""
    keyed, clock = raw.get("keyed_by_customer", True), raw.get("clock", "append")
    keyed = keyed == "true" if isinstance(keyed, FromEnvironment) else keyed
    check_mapping(raw.get("mapping"), tell)
    if keyed is False and clock == "append":
        what = "needs `keyed_by_customer: true`, use `clock: progress` (live) or `clock: event` (bounded input)"
        tell(("input", "clock"), f"`append` {what}")
    if keyed is True and clock == "progress":
        what = "comes from `ingest`, which `keyed_by_customer: true` leaves out: use `clock: append`"
        tell(("input", "clock"), f"`progress` {what}")
    if keyed is True and "topics" in raw:
        tell(("input", "topics"), "is only for `keyed_by_customer: false`, take it out", key=True)
    if keyed is False and clock == "progress" and not raw.get("topics"):
        tell(("input", "topics"), "is missing, name the product topics that `ingest` reads", absent=True)


def check_kafka(raw: dict[str, Any], tell: Tell) -> None:
    """Addresses, and what a security protocol needs."""
    given = raw.get("bootstrap", [])
    for i, one in enumerate(given if isinstance(given, list) else str(given).split(",")):
        host, _, port = str(one).strip().rpartition(":")
        if not host or not port.isdigit() or not 0 < int(port) < 65_536:
            path = ("kafka", "bootstrap", i) if isinstance(given, list) else ("kafka", "bootstrap")
            tell(path, f"`{one}` is not an address, write host:port")
    security = raw.get("security", {})
    if not isinstance(security, dict):
        return
    base = ("kafka", "security")
    protocol = security.get("protocol", "PLAINTEXT")
    sasl = str(protocol).startswith("SASL")
    if sasl:
        for key in ("mechanism", "username"):
            if key not in security:
                tell((*base, key), f"is missing, `protocol: {security['protocol']}` needs it", absent=True)
        if not {"password", "password_file"} & security.keys():
            tell((*base, "password_file"), f"is missing, `protocol: {security['protocol']}` needs it", absent=True)
    for key in ("mechanism", "username", "password", "password_file"):
        if key in security and not sasl:
            tell((*base, key), "is only for SASL, take it out", key=True)
    if ("cert_file" in security) != ("key_file" in security):
        lacking = "key_file" if "cert_file" in security else "cert_file"
        tell((*base, lacking), "is missing, a certificate and its key come together", absent=True)
    for key in ("ca_file", "cert_file", "key_file"):
        if key in security and not str(protocol).endswith("SSL"):
            tell((*base, key), "is only for TLS, take it out", key=True)
        if isinstance(security.get(key), str) and not Path(security[key]).is_file():
            tell((*base, key), f"`{security[key]}` is not a file, correct the path")


def check_secrets(raw: dict[str, Any], tell: Tell) -> None:
    """No secret stands in the file; and one is given once."""
    security = raw["kafka"].get("security") if isinstance(raw.get("kafka"), dict) else None
    for path, section, key in (
        (("kafka", "security"), security, "password"),
        (("redis",), raw.get("redis"), "password"),
        (("run",), raw.get("run"), "traces_header"),
    ):
        if not isinstance(section, dict) or key not in section:
            continue
        file, variable = f"{key}_file", "STREAM_SEG_" + "__".join((*path, key)).upper()
        if not isinstance(section[key], FromEnvironment):
            tell((*path, key), f"a secret in the file, use `{file}` or {variable}", key=True)
        elif file in section:
            tell((*path, file), f"{variable} is set too, keep one of them", key=True)


def check_redis(raw: dict[str, Any], tell: Tell) -> None:
    """The URL's form; its password may only come from the environment."""
    url = raw.get("url")
    if not isinstance(url, str):
        return
    wrong = "is not a Redis URL, write redis://host:port/0, rediss://… (TLS) or unix:///path"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # a port that is no number, a bracket that does not close
        tell(("redis", "url"), wrong)
        return
    if port == 0 or parts.scheme not in {"redis", "rediss", "unix"} or not (parts.hostname or parts.scheme == "unix"):
        tell(("redis", "url"), wrong)
    elif "password" in parse_qs(parts.query):
        tell(("redis", "url"), "a secret among its arguments, use `password_file` or STREAM_SEG_REDIS__PASSWORD")
    elif parts.password is not None and not isinstance(url, FromEnvironment):
        tell(("redis", "url"), "a secret in the file, use `password_file` or STREAM_SEG_REDIS__PASSWORD")


def check_time(time: TimeSection, features: list[FeatureSection], tell: Tell) -> None:
    """Nobody is forgotten while a window still holds something of theirs."""
    longest = max((one.window or 0 for one in features), default=0)
    if time.forget_after is not None and time.forget_after < longest:
        what = f"{written(time.forget_after)} is shorter than the longest window, use {written(longest)} or more"
        tell(("time", "forget_after"), what)


def check_mapping(raw: Any, tell: Tell) -> None:
    """The time zone exists."""
    zone = raw.get("time_zone") if isinstance(raw, dict) else None
    if isinstance(zone, str) and zone not in zoneinfo.available_timezones():
        what = f"`{zone}` is not a time zone, {choose(zone, ('UTC', 'Europe/Berlin', 'America/New_York'))}"
        tell(("input", "mapping", "time_zone"), what)


def check_fields(definition: Definition, tell: Tell) -> None:
    """Each field is read as one thing by all features, and their conditions fit into one mask."""
    try:
        compile_conditions(definition, collect(definition))
    except ExpressionError as error:
        names = [feature.name for feature in definition.features]
        if error.feature is None:
            tell(("features",), error.message, key=True)
            return
        tiers = [f"tier {tier.name}" for tier in definition.tiers]
        if error.feature in tiers:
            tell(("tiers", tiers.index(error.feature), "where"), error.message, offset=error.column - 1)
            return
        i = names.index(error.feature)
        key = "where" if error.column > 1 or definition.features[i].field is None else "field"
        tell(("features", i, key), error.message, offset=error.column - 1)
