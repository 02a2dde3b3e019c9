"""Drift: whether customers still are what the model in force was made for, and what became of models."""

from __future__ import annotations

from deploy.dashboards.marks import MARKS
from deploy.dashboards.panels import Page, Panel, Query, Variable

OF = 'tier=~"$tier"'
ABOUT = f'{OF}, subject=~"$subject"'
ONE = f'{ABOUT}, method=~"$method"'


def _band(title: str, method: str, text: str, normal: str, action: str) -> Panel:
    """A measure with what is usual of it and how far it may go."""
    of = f'{ABOUT}, method="{method}"'
    by = "sum by (tier, subject)"
    return Panel(
        "series", title, text, normal=normal, action=action,
        queries=(
            Query(f"{by} (stream_seg_drift_score{{{of}}})", "{{tier}} {{subject}}"),
            Query(f"{by} (stream_seg_drift_baseline{{{of}}})", "{{tier}} {{subject}}, usual"),
            Query(f"{by} (stream_seg_drift_baseline{{{of}}}) + {by} (stream_seg_drift_threshold{{{of}}})",
                  "{{tier}} {{subject}}, alarms above"),
        ),
        width=12, runbook="drift-act",
    )  # fmt: skip


_NOW = (
    Panel(
        "number", "Worst finding",
        "The gravest of the last watched day: 0 as usual, 1 warn, 2 act.",
        normal="0. A single 1 now and then is noise.",
        action="1: look again on the next day. 2: customers are not those that the segments were made for; by default "
        "LEARN refits by itself, and *What is how grave* says on whose account.",
        queries=(Query(f"max(stream_seg_drift_severity{{{ONE}}})", "severity"),),
        width=4, height=6, runbook="drift-act", steps=((1, "orange"), (2, "red")),
    ),
    Panel(
        "states", "What is how grave",
        "Every measure of every feature and segment: 0 as usual, 1 warn, 2 act.",
        normal="0 in all rows.",
        action="One feature alone is often a change in what producers send: ask them first. Many at once are another "
        "crowd: see whether LEARN has made a version since (`stream-seg model list`).",
        queries=(Query(f"max by (subject, method) (stream_seg_drift_severity{{{ONE}}})", "{{subject}} {{method}}"),),
        width=14, height=12, runbook="drift-act", steps=((1, "orange"), (2, "red")),
    ),
    Panel(
        "bars", "How much each distribution has changed",
        "Stability index (PSI) of each feature. It never alarms: it says how much of what alarmed there is.",
        normal="Below 0.1.",
        action="Above 0.25 much has changed. Where that feature has alarmed too, it is the one to begin with.",
        queries=(Query(f'max by (subject) (stream_seg_drift_score{{{ABOUT}, method="psi"}})', "{{subject}}"),),
        width=6, height=12, runbook="drift-act", steps=((0.1, "orange"), (0.25, "red")),
    ),
)  # fmt: skip
_MEASURES = (
    _band(
        "Distance to the own segment", "quantisation_error",
        "Daily mean log distance of customers to their centre.",
        "Near what is usual, below where it alarms.",
        "Rising: segments fit worse, and a refit helps; LEARN does it where it alarms, `stream-seg model retrain "
        "--now` by hand.",
    ),
    _band(
        "Share that fits no segment", "outlier_mass",
        "Customers who came to lie beyond their segment's 99th percentile.",
        "Near what is usual, below where it alarms.",
        "Rising together with an `emergence`: a new kind of customer; a person decides whether it becomes a segment "
        "(`segments.k`).",
    ),
    Panel(
        "series", "One measure",
        "What is chosen above, as the model sees it (after clip and log1p).",
        normal="No trend over weeks; weekends and seasons show.",
        action="A step on one day: a producer's release, or a campaign. A slope: customers change, and the next model "
        "follows them.",
        queries=(Query(f"sum by (tier, subject, method) (stream_seg_drift_score{{{ONE}}})",
                       "{{tier}} {{subject}} {{method}}"),),
        width=12, runbook="drift-act",
    ),
    Panel(
        "series", "Where centres went and shares shifted",
        "How far each segment's customers lie from its centre on average, and by how much its share differs from that "
        "of when the model came. Descriptive, never alarms.",
        normal="Low after a new model, and slowly rising until the next one.",
        action="One that runs away from the others is the segment that lost its meaning: look at its profile "
        "(`stream-seg segments`).",
        queries=(Query(f'max by (subject, method) (stream_seg_drift_score{{{ABOUT}, '
                       'method=~"centroid_displacement|share_shift"})', "{{method}} of {{subject}}"),),
        width=12, runbook="drift-act",
    ),
    Panel(
        "series", "Alarms",
        "Findings that the day before did not say, of all features and segments.",
        normal="A handful a month is noise.",
        action="On several days in a row it is not: *What is how grave* says which.",
        queries=(Query("sum by (method, severity) "
                       f'(increase(stream_seg_drift_alarms_total{{{OF}, method=~"$method"}}[1d]))',
                       "{{method}} {{severity}}"),),
        width=12, runbook="drift-act",
    ),
)  # fmt: skip
_MODELS = (
    Panel(
        "series", "Version in force",
        "As LABEL's partitions have it, the newest of them.",
        normal="Steps up are new versions, steps down are rollbacks.",
        action="A step that nobody expected: `stream-seg model list` says who made it and why; `stream-seg model "
        "rollback` takes it back.",
        queries=(Query(f"max by (tier) (stream_seg_model_version{{{OF}}})", "{{tier}}"),),
        width=8, runbook="candidate-waiting",
    ),
    Panel(
        "series", "Age of what is known",
        "How long ago the version in force had last learned, LEARN last refitted, and LEARN last learned anything.",
        normal="A good model may be old: what would be better is published. `learned through` stays below one and a "
        "half times `time.learn_every`.",
        action="`learned through` grows: LEARN is silent, or waits for an events partition that stands.",
        queries=(
            Query(f"time() - max by (tier) (stream_seg_model_trained_timestamp_seconds{{{OF}}})", "in force, {{tier}}"),
            Query(f"time() - max by (tier) (stream_seg_model_refitted_timestamp_seconds{{{OF}}})",
                  "refitted, {{tier}}"),
            Query("stream_seg:learned:age_seconds", "learned through"),
        ),
        unit="s", width=8, runbook="trainer-silent",
    ),
    Panel(
        "number", "Waits for a person",
        "1 while a version waits: it would move more customers than it may, or publishing is frozen.",
        normal="0.",
        action="`stream-seg model diff` says whom it would move; `stream-seg model promote` puts it in force. Leaving "
        "it is right too: the next one replaces it.",
        queries=(Query(f"max by (tier) (stream_seg_model_waiting{{{OF}}})", "{{tier}}"),),
        width=4, runbook="candidate-waiting", steps=((1, "orange"),),
    ),
    Panel(
        "number", "Whom it would move",
        "Share of the customers with a label whom the waiting version would move.",
        normal="0 while none waits.",
        action="The larger, the more subscribers will notice: tell them before you promote it.",
        queries=(Query(f"max by (tier) (stream_seg_model_waiting_moves_ratio{{{OF}}})", "{{tier}}"),),
        unit="percentunit", width=4, runbook="candidate-waiting",
    ),
)  # fmt: skip

PAGE = Page(
    uid="stream-seg-drift",
    title="Drift",
    text="Measured once a day by LEARN, of the customers who did something. docs/drift.md says what each measure is.",
    variables=(
        Variable("tier", "Tier", "stream_seg_model_waiting", "tier"),
        Variable("method", "Measure", "stream_seg_drift_score", "method"),
        Variable("subject", "Feature or segment", "stream_seg_drift_score", "subject"),
    ),
    marks=MARKS,
    since="now-30d",
    rows=(("Now", _NOW), ("Measures", _MEASURES), ("Models", _MODELS)),
)
