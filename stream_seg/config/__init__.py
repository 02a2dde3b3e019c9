"""The only reader of YAML and of the environment: one file, checked whole, as one value.

>>> from pathlib import Path
>>> from stream_seg.config import load
>>> config = load(Path("examples/segmentation.yaml"), env={})
>>> config.definition.name
'shop'
"""

from stream_seg.config.load import DEFAULT_FILE, Config, load
from stream_seg.config.settings import KafkaSettings, RedisSettings, RunSettings, SecuritySettings

__all__ = [
    "DEFAULT_FILE",
    "Config",
    "KafkaSettings",
    "Path",
    "RedisSettings",
    "RunSettings",
    "SecuritySettings",
    "load",
]
