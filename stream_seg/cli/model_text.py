"""How model versions are shown to a person."""

from typing import TYPE_CHECKING

from stream_seg.cli.output import amount, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stream_seg.pipeline.model_answers import (
        ActivationLine,
        DiffAnswer,
        ModelAnswer,
        ModelsAnswer,
        ReproduceAnswer,
        VersionLine,
    )


def listed(answer: "ModelsAnswer") -> str:
    """Versions, then the history; newest first."""
    first = f"version {answer['in_force']} is in force" if answer["in_force"] else "no version is in force yet"
    if len(answer["tiers"]) > 1:
        first = "in force: " + ", ".join(f"{tier} {amount(number)}" for tier, number in answer["tiers"].items())
    if answer["frozen"]:
        which = "" if len(answer["frozen_tiers"]) == max(len(answer["tiers"]), 1) else ", ".join(answer["frozen_tiers"])
        first += f"; {which + ' ' if which else ''}frozen: nothing is published by itself until `stream-seg model thaw`"
    parts = [first]
    if answer["versions"]:
        rows = [("version", "tier", "standing", "trained", "samples", "learner", "features", "segments")]
        for one in answer["versions"]:
            facts = (one["trained_at"] or "–", amount(one["samples"]), one["learner"] or "–")
            segments = ", ".join(f"{segment['segment']} {segment['name']}" for segment in one["segments"])
            rows.append(
                (
                    str(one["version"]),
                    one["tier"] or "–",
                    _standing(one),
                    *facts,
                    one["feature_set_version"] or "–",
                    segments,
                )
            )
        parts.append(table(rows, right=[0, 4]))
    if answer["activations"]:
        parts.append(_history(answer["activations"]))
    if answer["missing"]:
        parts.append(f"{answer['missing']:,} activations of before the history was kept are not in it.")
    return "\n\n".join(parts)


def _standing(one: "VersionLine") -> str:
    if one["standing"] == "damaged":
        return f"damaged: {one['why']}"
    moves = f", would move {one['moves']:.1%}" if one["moves"] is not None else ""
    since = f" for {one['active_from']}" if one["active_from"] else ""
    return one["standing"] + since + moves


def _history(entries: "Sequence[ActivationLine]") -> str:
    rows = [("#", "model", "by", "who", "when", "why")]
    for one in entries:
        kind = one["kind"] + (", all at once" if one["ramp"] == "now" else "")
        rows.append((str(one["number"]), amount(one["model_version"]), kind, one["who"], one["at"], one["why"]))
    return "What was in force, newest first\n" + table(rows, right=[0, 1])


def shown(answer: "ModelAnswer") -> str:
    """One version: facts, segments side by side, scaling, how it came into force."""
    facts = (
        f"version {answer['version']} ({answer['standing']}): {answer['learner']}, {answer['samples']:,} customers, "
        f"trained {answer['trained_at']}, features {answer['feature_set_version']}"
    )
    parts = [
        facts,
        table([("segment", "name"), *((str(s["segment"]), s["name"]) for s in answer["segments"])], right=[0]),
    ]
    title = "centre" if answer["units"] == "real" else "centre (after log1p)"
    centres = [(title, *(str(one["segment"]) for one in answer["segments"]))]
    for column in answer["scaling"]:
        name = column["column"]
        centres.append((name, *(amount(one["centre"][name]) for one in answer["segments"])))
    parts.append(table(centres, right=range(1, len(centres[0]))))
    rows: list[tuple[str, ...]] = [("scaling", "mean", "scale", "low", "high")]
    rows += [
        (c["column"], *(amount(v) for v in (c["mean"], c["scale"], c["low"], c["high"]))) for c in answer["scaling"]
    ]
    parts.append(table(rows, right=[1, 2, 3, 4]))
    came = [f"{one['at']} {one['who']}, {one['kind']}: {one['why']}" for one in answer["activations"]]
    parts.append("\n".join(["Into force", *came]) if came else "It was never in force.")
    return "\n\n".join(parts)


def compared(answer: "DiffAnswer") -> str:
    """How many would move, from where to where, and some of them."""
    most = f"a version may move {answer['max_model_moves']:.0%} by itself"
    verdict = f"more than that: it waits for a person ({most})" if answer["too_many"] else most
    labelled = answer["customers"] - answer["unlabelled"]
    first = (
        f"version {answer['before']} → {answer['after']}: {answer['moves']:,} of {labelled:,} customers would move, "
        f"{answer['share']:.1%}; {verdict}"
    )
    if answer["unlabelled"]:
        first += f"; {answer['unlabelled']:,} have no segment"
    parts = [first]
    if answer["flows"]:
        rows = [("from", "", "to", "", "customers")]
        for flow in answer["flows"]:
            names = (str(flow["before"]), flow["before_name"], str(flow["after"]), flow["after_name"])
            rows.append((*names, f"{flow['customers']:,}"))
        parts.append(table(rows, right=[0, 2, 4]))
    if answer["sample"]:
        some = [("for example", "from", "to")]
        some += [(one["customer_id"], str(one["before"]), str(one["after"])) for one in answer["sample"]]
        parts.append(table(some, right=[1, 2]))
    return "\n\n".join(parts)


def reproduced(answer: "ReproduceAnswer") -> str:
    """Whether it came out the same, and else how far apart and what is different here."""
    asks = ", ".join(answer["asks"])
    vectors = f"{answer['customers']:,} customers × {answer['columns']} columns"
    first = f"version {answer['version']} made again ({asks}; {vectors})"
    if answer["same"]:
        return f"{first}: the same to the bit"
    rows = [("part", "greatest difference")]
    for part in answer["parts"]:
        apart = "of another shape" if part["difference"] is None else f"{part['difference']:.3g}"
        rows.append((part["part"], "the same to the bit" if part["same"] else apart))
    made, here = answer["made_with"], answer["here"]
    other = [f"{name}: {made.get(name)} then, {here.get(name)} now" for name in here if made.get(name) != here[name]]
    why = other or ["Libraries and processor are those of then: look for a changed stream_seg or learner."]
    return "\n\n".join([f"{first}: not the same", table(rows), "\n".join(why)])
