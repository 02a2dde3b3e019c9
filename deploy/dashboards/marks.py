"""What happened to models, as vertical lines on the pages that speak of them."""

from __future__ import annotations

from deploy.dashboards.panels import Mark

OF = '{tier=~"$tier"}'

MARKS = (
    Mark("model versions", f"changes(stream_seg_model_version{OF}[5m]) > 0", "another model in force", "blue"),
    Mark("retrainings", f"changes(stream_seg_model_refitted_timestamp_seconds{OF}[5m]) > 0", "refitted", "purple"),
    Mark("alarms", f"increase(stream_seg_drift_alarms_total{OF}[5m]) > 0", "{{method}}: {{severity}}", "red"),
)
