"""Drift: whether customers still are what the model in force was made for, and what became of models."""

from __future__ import annotations

from deploy.dashboards.panels import Mark, Page, Panel, Query, Variable

OF = 'tier=~"$tier"'
ONE = f'{OF}, subject=~"$subject", method=~"$method"'


def _band(title: str, method: str, text: str, width: int = 12) -> Panel:
    """A measure with what is usual of it and how far it may go."""
    of = f'{OF}, method="{method}"'
    by = "sum by (tier, subject)"
    return Panel(
        "series", title, text,
        (
            Query(f"{by} (stream_seg_drift_score{{{of}}})", "{{tier}} {{subject}}"),
            Query(f"{by} (stream_seg_drift_baseline{{{of}}})", "{{tier}} {{subject}}, usual"),
            Query(f"{by} (stream_seg_drift_baseline{{{of}}}) + {by} (stream_seg_drift_threshold{{{of}}})",
                  "{{tier}} {{subject}}, alarms above"),
        ),
        width=width, runbook="drift-act",
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
    marks=(
        Mark("model versions", "changes(stream_seg_model_version[5m]) > 0", "another model in force", "blue"),
        Mark("retrainings", "changes(stream_seg_model_refitted_timestamp_seconds[5m]) > 0", "refitted", "purple"),
        Mark("alarms", "increase(stream_seg_drift_alarms_total[5m]) > 0", "{{method}}: {{severity}}", "red"),
    ),
    since="now-30d",
    rows=(
        (
            "Now",
            (
                Panel(
                    "number", "Worst finding",
                    "0: as usual. 1, warn: worth a look. 2, act: customers are not those that the segments were made "
                    "for; by default LEARN refits by itself.",
                    (Query(f"max(stream_seg_drift_severity{{{OF}}})", "severity"),),
                    width=4, height=6, runbook="drift-act", steps=((1, "orange"), (2, "red")),
                ),
                Panel(
                    "states", "What is how grave",
                    "Every measure of every feature and segment: 0 as usual, 1 warn, 2 act. One feature alone is often "
                    "a change in what producers send: ask them first. Many at once are another crowd.",
                    (
                        Query(f"max by (subject, method) (stream_seg_drift_severity{{{ONE}}})",
                              "{{subject}} {{method}}"),
                    ),
                    width=14, height=12, runbook="drift-act", steps=((1, "orange"), (2, "red")),
                ),
                Panel(
                    "bars", "How much each distribution has changed",
                    "Stability index (PSI) of each feature: below 0.1 little, above 0.25 much. It never alarms: it "
                    "says how much of what alarmed there is.",
                    (Query(f'max by (subject) (stream_seg_drift_score{{{OF}, method="psi"}})', "{{subject}}"),),
                    width=6, height=12, steps=((0.1, "orange"), (0.25, "red")),
                ),
            ),
        ),
        (
            "Measures",
            (
                _band("Distance to the own segment", "quantisation_error",
                      "Daily mean log distance of customers to their centre. Rising: segments fit worse, a refit "
                      "helps."),
                _band("Share that fits no segment", "outlier_mass",
                      "Customers who came to lie beyond their segment's 99th percentile. Rising with an emergence: a "
                      "new kind of customer; a person decides whether it becomes a segment (`segments.k`)."),
                Panel(
                    "series", "One measure",
                    "What is chosen above, as the model sees it (after clip and log1p).",
                    (
                        Query(f"sum by (subject, method) (stream_seg_drift_score{{{ONE}}})", "{{subject}} {{method}}"),
                    ),
                    width=12,
                ),
                Panel(
                    "series", "Where centres went and shares shifted",
                    "How far each segment's customers lie from its centre on average, and by how much its share "
                    "differs from that of when the model came. Descriptive, never alarms.",
                    (Query(f'max by (subject, method) (stream_seg_drift_score{{{OF}, '
                           'method=~"centroid_displacement|share_shift"})', "{{method}} of {{subject}}"),),
                    width=12,
                ),
                Panel(
                    "series", "Alarms",
                    "Findings that the day before did not say. A handful a month is noise; on several days in a row it "
                    "is not.",
                    (Query(f"sum by (method, severity) (increase(stream_seg_drift_alarms_total{{{OF}}}[1d]))",
                           "{{method}} {{severity}}"),),
                    width=12, runbook="drift-act",
                ),
            ),
        ),
        (
            "Models",
            (
                Panel(
                    "series", "Version in force",
                    "As LABEL's partitions have it. Steps are new versions, steps down are rollbacks.",
                    (Query(f"max by (tier) (stream_seg_model_version{{{OF}}})", "{{tier}}"),),
                    width=8,
                ),
                Panel(
                    "series", "Age of what is known",
                    "How long ago the version in force had last learned, and LEARN last refitted. A good model may be "
                    "old: what would be better is published. LEARN far behind is not: it is silent.",
                    (
                        Query(f"time() - max by (tier) (stream_seg_model_trained_timestamp_seconds{{{OF}}})",
                              "in force, {{tier}}"),
                        Query(f"time() - max by (tier) (stream_seg_model_refitted_timestamp_seconds{{{OF}}})",
                              "refitted, {{tier}}"),
                        Query("stream_seg:learned:age_seconds", "learned through"),
                    ),
                    unit="s", width=8, runbook="trainer-silent",
                ),
                Panel(
                    "number", "Waits for a person",
                    "1: a version would move more customers than it may, or publishing is frozen. "
                    "`stream-seg model list`, `model diff`, `model promote`.",
                    (Query(f"max by (tier) (stream_seg_model_waiting{{{OF}}})", "{{tier}}"),),
                    width=4, runbook="candidate-waiting", steps=((1, "orange"),),
                ),
                Panel(
                    "number", "Whom it would move",
                    "Share of the customers with a label whom the waiting version would move. 0 while none waits.",
                    (Query(f"max by (tier) (stream_seg_model_waiting_moves_ratio{{{OF}}})", "{{tier}}"),),
                    unit="percentunit", width=4, runbook="candidate-waiting",
                ),
            ),
        ),
    ),
)  # fmt: skip
