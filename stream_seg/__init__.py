"""stream_seg labels customers while they act: product events in, segments, movements and drift out."""

__version__ = "0.1.0"
