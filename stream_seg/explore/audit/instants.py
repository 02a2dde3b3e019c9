"""How times are written, and what instant a text means."""

from __future__ import annotations

# The forms in which times come, as patterns over a whole trimmed text.
_DAY = r"\d{4}-\d{2}-\d{2}"
_CLOCK = r"[Tt ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?"
FORMS: dict[str, str] = {
    "iso_zone_z": rf"{_DAY}{_CLOCK} ?([Zz]|UTC)",
    "iso_offset": rf"{_DAY}{_CLOCK} ?[+-]\d{{2}}(:?\d{{2}})?",
    "iso_no_zone": rf"{_DAY}{_CLOCK}",
    "iso_date": _DAY,
    "slashed": r"\d{1,2}[/.]\d{1,2}[/.]\d{4}( \d{1,2}:\d{2}(:\d{2})?( ?[AaPp][Mm])?)?",
}
ISO = tuple(FORMS)[:4]
WORDS: dict[str, str] = {
    "iso_zone_z": "with Z",
    "iso_offset": "with an offset",
    "iso_no_zone": "without a zone",
    "iso_date": "a date alone",
    "slashed": "day and month by slashes or dots",
    "epoch_s": "seconds since 1970",
    "epoch_ms": "milliseconds since 1970",
    "epoch_us": "microseconds since 1970",
    "compact": "YYYYMMDD",
}
# Whole numbers that are instants between 2000 and 2100, by their unit.
EPOCHS: dict[str, tuple[float, float]] = {
    "epoch_s": (946_684_800, 4_133_980_800),
    "epoch_ms": (946_684_800_000, 4_133_980_800_000),
    "epoch_us": (946_684_800_000_000, 4_133_980_800_000_000),
}
COMPACT = (19_000_101, 21_001_231)
PER_MS = {"epoch_s": "* 1000", "epoch_ms": "", "epoch_us": "/ 1000"}
ZERO_DAYS = ("1970-01-01", "1900-01-01", "1899-12-30", "1899-12-31", "0001-01-01", "1601-01-01")
EPOCH_HOURS = 14  # around 1970-01-01T00:00Z, in whatever zone it was written
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
SKEW_MS = 300_000  # clocks differ by so much: the default of time.max_skew


def slashed(*, day_first: bool, dots: bool = False) -> list[str]:
    """The strptime patterns of dates by slashes."""
    by = "." if dots else "/"
    day = f"%d{by}%m{by}%Y" if day_first else f"%m{by}%d{by}%Y"
    return [f"{day} %H:%M:%S", f"{day} %H:%M", f"{day} %I:%M:%S %p", f"{day} %I:%M %p", day]


def instant(key: str, form: str, *, day_first: bool = False) -> str:
    """SQL: the instant that a text means, ms since 1970; NULL where it means none. A time without a zone is UTC."""
    if form == "compact":
        return f"epoch_ms(TRY_STRPTIME(trim({key}), '%Y%m%d'))"
    numbers = " ".join(
        f"WHEN TRY_CAST({key} AS DOUBLE) BETWEEN {low} AND {high} THEN CAST(TRY_CAST({key} AS DOUBLE) {PER_MS[unit]} "
        f"AS BIGINT)"
        for unit, (low, high) in EPOCHS.items()
    )
    if form in EPOCHS:
        small = (
            f"WHEN TRY_CAST({key} AS DOUBLE) IS NOT NULL THEN CAST(TRY_CAST({key} AS DOUBLE) {PER_MS[form]} AS BIGINT)"
        )
        return f"CASE {numbers} {small} ELSE epoch_ms(TRY_CAST(trim({key}) AS TIMESTAMPTZ)) END"
    dates = ", ".join(f"'{one}'" for dots in (False, True) for one in slashed(day_first=day_first, dots=dots))
    return f"coalesce(epoch_ms(TRY_CAST(trim({key}) AS TIMESTAMPTZ)), epoch_ms(TRY_STRPTIME(trim({key}), [{dates}])))"


def written(ms: float) -> str:
    """SQL's instants as people read them.

    >>> written(1_483_271_606_000), written(-62_135_596_800_000)
    ('2017-01-01 11:53:26', '0001-01-01 00:00:00')
    """
    from datetime import UTC, datetime, timedelta  # noqa: PLC0415  # only for people

    try:
        when = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(ms))
    except OverflowError:
        return f"{int(ms)} ms since 1970"
    return when.replace(tzinfo=None, microsecond=0).isoformat(" ")


def day(ms: float) -> str:
    """The day of an instant.

    >>> day(1_483_271_606_000)
    '2017-01-01'
    """
    return written(ms)[:10]
