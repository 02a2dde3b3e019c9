"""``stream-seg audit``: files or ranges of topics, to findings and a proposed mapping."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias

from stream_seg.config import KafkaSettings
from stream_seg.explore.audit.database import Database
from stream_seg.explore.audit.run import Report, audit
from stream_seg.progress import Tell

Form: TypeAlias = Literal["csv", "parquet", "ndjson", "kafka"]


def run_audit(
    inputs: Sequence[str],
    *,
    form: Form | None,
    kafka: KafkaSettings | None,
    meaning: Path | None,
    outcome: str | None,
    now: int,
    tell: Tell,
) -> Report:
    """Looks at `inputs` and changes nothing. `kafka`: where the topics are, with ``form="kafka"``.

    Raises
    ------
    ConfigError
        An input cannot be read or holds nothing, or the sidecar is wrong.
    """
    with Database() as database:
        if form != "kafka":
            paths = [Path(name) for name in inputs]
            return audit(database, paths, form=form, meaning=meaning, outcome=outcome, now=now, tell=tell)
        from stream_seg.bootstrap.topic_lines import lines_of_topics  # noqa: PLC0415  # a file needs no clients of Kafka

        assert kafka is not None
        written = lines_of_topics(kafka, inputs, database.folder / "records.ndjson", tell)
        label = ", ".join(inputs)
        return audit(
            database, [written.path], form="ndjson", meaning=meaning, outcome=outcome, now=now, tell=tell, topic=label,
            places=written.places, seen=written.findings(label),
        )  # fmt: skip
