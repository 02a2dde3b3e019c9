"""Events out of files: NDJSON, CSV (also gzipped) and Parquet, in batches, in order of time, nothing lost."""

from stream_seg.adapters.files.batch import Batch
from stream_seg.adapters.files.judged import RecordJudge
from stream_seg.adapters.files.order import checked, in_order
from stream_seg.adapters.files.sources import EventSource, Form, read

__all__ = ["Batch", "EventSource", "Form", "RecordJudge", "checked", "in_order", "read"]
