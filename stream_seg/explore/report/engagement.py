"""When customers come: weekdays, hours and months, and those who keep hours of their own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np

from stream_seg.core.definition import DAY
from stream_seg.core.model import Float64
from stream_seg.explore.page import Section, paragraph, picture, rows, side_by_side
from stream_seg.explore.report.drawing import HALF, LINE, SOFT, STRONG, WHOLE, canvas, heatmap, histogram
from stream_seg.explore.report.observed import PARTS, WEEKDAYS
from stream_seg.explore.report.subject import Chapter, Subject
from stream_seg.explore.report.units import listed, number, percent

ENOUGH = 10  # events of a customer below which her hours are chance
HABITS = {  # what would count each of them
    "weekend explorers": "weekday in [sat, sun]",
    "weekday workers": "weekday in [mon, tue, wed, thu, fri] and hour >= 9 and hour < 17",
    "evening people": "hour >= 17",
    "night owls": "hour < 6",
}
NIGHT, EARLY, WORK, EVENING = range(4)
MEANINGS = {
    "weekend explorers": "at least half of what they do is on Saturday or Sunday, and half as much again as of all",
    "weekday workers": "at least three fifths are Monday to Friday, 9 to 17 h, and a quarter more than of all",
    "evening people": "at least half is after 17 h, and half as much again as of all",
    "night owls": "at least three tenths are between 0 and 6 h",
    "any time": "none of these",
}


def engagement(subject: Subject) -> Chapter:
    """The section."""
    observed = subject.observed
    total = int(observed.hours.sum())
    dates = total > 0 and observed.midnight >= 0.99 * total
    by_weekday = observed.hours.sum(axis=1) / max(total, 1)
    busiest = int(by_weekday.argmax())
    figures: dict[str, Any] = {
        "events": total, "dates_only": dates, "weekend_share": float(by_weekday[5:].sum()),
        "by_weekday": dict(zip(WEEKDAYS, by_weekday.tolist(), strict=True)),
        "by_hour": (observed.hours.sum(axis=0) / max(total, 1)).tolist(),
    }  # fmt: skip
    offset = subject.definition.utc_offset
    zone = f"UTC{'+' if offset >= 0 else '−'}{abs(offset) // 60:02d}:{abs(offset) % 60:02d}"
    parts = [
        paragraph(
            f"Weekdays and hours are local, {zone} (`time.utc_offset`), of {total:,} events. {WEEKDAYS[busiest]} is "
            f"the busiest day, {percent(float(by_weekday[busiest]))} of all; the weekend has "
            f"{percent(figures['weekend_share'])} (two days of seven are 29 %)."
        )
    ]
    if dates:
        parts.append(paragraph("The times are dates without an hour: what would be said by the hour is left out."))
    else:
        parts.append(_hours(subject, zone))
    parts.append(side_by_side([_weekdays(subject), _months(subject)]))
    told, more = _groups(subject, dates=dates)
    return Chapter(Section("When customers come", "engagement", [*parts, *more]), figures | told)


def _hours(subject: Subject, zone: str) -> str:
    shares = 100 * subject.observed.hours / max(int(subject.observed.hours.sum()), 1)
    day, hour = np.unravel_index(int(shares.argmax()), shares.shape)
    with canvas(WHOLE, 2.5) as figure:
        axes = figure.subplots()
        heatmap(figure, axes, shares, WEEKDAYS, [str(h) for h in range(24)], label="% of all events")
        axes.set_xlabel(f"hour of the day, {zone}")
    caption = (
        f"The busiest hour is {WEEKDAYS[int(day)]}, {int(hour)} to {int(hour) + 1} h: {shares[day, hour]:.1f} % of "
        f"all events."
    )
    return picture(figure, caption, broad=True)


def _weekdays(subject: Subject) -> str:
    days = subject.observed.days
    of_each = np.zeros((7, 2))
    for day, count in days.items():
        of_each[(day + 3) % 7] += (count, 1)
    each = of_each[:, 0] / np.maximum(of_each[:, 1], 1)
    with canvas(HALF, 2.2) as figure:
        axes = figure.subplots()
        axes.bar(range(7), each, color=[STRONG] * 5 + [SOFT] * 2, hatch=[""] * 5 + ["//"] * 2, edgecolor="white")
        axes.set_xticks(range(7), labels=[name[:3] for name in WEEKDAYS])
        axes.set_ylabel("events a day")
        axes.set_xlabel("weekday (hatched: weekend)")
    most, least = int(each.argmax()), int(each.argmin())
    caption = f"On {WEEKDAYS[most]} {number(each[most])} events a day, on {WEEKDAYS[least]} {number(each[least])}."
    return picture(figure, caption)


def _months(subject: Subject) -> str:
    counts: dict[str, list[int]] = {}
    for day, count in sorted(subject.observed.days.items()):
        month = datetime.fromtimestamp(day * DAY / 1000, UTC).strftime("%Y-%m")
        counts.setdefault(month, []).append(count)
    each = {month: sum(of) / len(of) for month, of in counts.items()}
    shown = dict(list(each.items())[-24:])
    with canvas(HALF, 2.2) as figure:
        axes = figure.subplots()
        axes.bar(range(len(shown)), list(shown.values()), color=STRONG)
        step = max(1, len(shown) // 6)
        axes.set_xticks(range(0, len(shown), step), labels=list(shown)[::step])
        axes.set_ylabel("events a day")
        axes.set_xlabel("month")
    most, least = max(shown, key=lambda m: shown[m]), min(shown, key=lambda m: shown[m])
    caption = (
        f"{most} is the busiest month, {number(shown[most])} events a day; {least} the quietest, "
        f"{number(shown[least])}."
    )
    caption += " Only the last 24 months are drawn." if len(each) > len(shown) else ""
    return picture(figure, caption)


def _groups(subject: Subject, *, dates: bool) -> tuple[dict[str, Any], list[str]]:
    counts = (
        subject.observed.engagement(subject.table.customers).astype(np.float64).reshape(subject.n, 2, 7, len(PARTS))
    )
    whole = counts.sum(axis=1)
    enough = whole.sum(axis=(1, 2)) >= ENOUGH
    if not enough.any():
        text = f"Nobody has {ENOUGH} events or more: what hours a customer keeps cannot be said."
        return {"groups": {}}, [paragraph(text)]
    baseline = _shares(whole.sum(axis=0)[None])
    names = _named(_shares(whole[enough]), baseline, dates=dates)
    halves = [_named(_shares(counts[enough, i]), baseline, dates=dates) for i in (0, 1)]
    both = (counts[enough].sum(axis=(2, 3)) >= ENOUGH / 2).all(axis=1)
    groups: dict[str, Any] = {}
    for name in dict.fromkeys(name for name in MEANINGS if name in set(names)):
        once, again = (np.array([one == name for one in half])[both] for half in halves)
        groups[name] = {
            "customers": names.count(name),
            "share": names.count(name) / len(names),
            "same_in_other_weeks": float((once & again).sum() / max(once.sum(), 1)),
            "by_chance": float(again.mean()) if len(again) else 0.0,
        }
    body = [
        [
            name, f"{one['customers']:,}", percent(one["share"]), percent(one["same_in_other_weeks"]),
            percent(one["by_chance"]), MEANINGS[name],
        ]
        for name, one in groups.items()
    ]  # fmt: skip
    head = ["hours", "customers", "share", "same in the other weeks", "by chance", "what it means"]
    few = int((~enough).sum())
    parts = [
        paragraph(
            f"Who keeps hours of their own: customers with {ENOUGH} events or "
            f"more{f' ({few:,} have fewer)' if few else ''}. A habit is one that is there again: of those who show it "
            "in every other week the table says how many show it in the weeks between, too, and how many would by "
            "chance."
        ),
        rows(head, body, right=[1, 2, 3, 4]),
        _verdict(groups, subject),
        _weekend(whole[enough], float(baseline["weekend"][0])),
    ]
    return {"groups": groups}, parts


def _shares(cells: Float64) -> dict[str, Float64]:
    """(customers, 7, parts) counts as shares of what each does."""
    total = np.maximum(cells.sum(axis=(1, 2)), 1.0)
    return {
        "weekend": cells[:, 5:].sum(axis=(1, 2)) / total,
        "work": cells[:, :5, WORK].sum(axis=1) / total,
        "evening": cells[:, :, EVENING].sum(axis=1) / total,
        "night": cells[:, :, NIGHT].sum(axis=1) / total,
    }


def _named(shares: Mapping[str, Float64], baseline: Mapping[str, Float64], *, dates: bool) -> list[str]:
    """The group of each customer: the one whose limit is passed by most."""
    limits = {
        "weekend explorers": ("weekend", max(0.5, 1.5 * float(baseline["weekend"][0]))),
        "weekday workers": ("work", max(0.6, 1.25 * float(baseline["work"][0]))),
        "evening people": ("evening", max(0.5, 1.5 * float(baseline["evening"][0]))),
        "night owls": ("night", max(0.3, 1.5 * float(baseline["night"][0]))),
    }
    if dates:
        limits = {"weekend explorers": limits["weekend explorers"]}
    over = np.column_stack([shares[key] - min(limit, 1.0) for key, limit in limits.values()])
    best = over.argmax(axis=1)
    names = list(limits)
    return [names[j] if over[i, j] >= 0 else "any time" for i, j in enumerate(best.tolist())]


def _lasts(one: Mapping[str, Any]) -> bool:
    again: float = one["same_in_other_weeks"]
    return again >= 0.3 and again >= 2 * one["by_chance"]


def _verdict(groups: Mapping[str, Any], subject: Subject) -> str:
    habits = {name: one for name, one in groups.items() if name != "any time"}
    if not habits:
        return paragraph("Nobody stands out: hours would be no feature here.")
    name, one = max(habits.items(), key=lambda item: (_lasts(item[1]), item[1]["share"]))
    said = (
        f"{name.capitalize()} are {percent(one['share'])}, and {percent(one['same_in_other_weeks'])} of them are so in "
        f"the other weeks too ({percent(one['by_chance'])} by chance): "
    )
    if not _lasts(one):
        return paragraph(said + "that is hardly a habit, and as a feature it would add noise.")
    where = HABITS[name]
    part = where.partition(" ")[0]
    known = [f.name for f in subject.definition.features if part in (f.where or "")]
    how = f"it may be a feature of its own, a `ratio` of two counts, one of them with `where: {where}`."
    if known:
        how += f" The configuration counts by {part} already ({listed(known)})."
    return paragraph(said + f"a habit; {how}")


def _weekend(cells: Float64, baseline: float) -> str:
    share = 100 * cells[:, 5:].sum(axis=(1, 2)) / np.maximum(cells.sum(axis=(1, 2)), 1.0)
    with canvas(HALF, 2.2) as figure:
        axes = figure.subplots()
        histogram(axes, share)
        axes.axvline(100 * baseline, color=LINE, linestyle="--", linewidth=1)
        axes.set_xlabel("% of a customer's events at the weekend (dashed: all)")
    low, high = np.quantile(share, [0.25, 0.75])
    caption = (
        f"Half of the customers have between {low:.0f} and {high:.0f} % of their events at the weekend; all together "
        f"{percent(baseline)}."
    )
    return picture(figure, caption)
