"""A Kafka-protocol broker and a Redis-protocol server out of wheels: nothing to install by hand, nothing kept."""

from stream_seg.adapters.embedded.servers import CONSUMER_SETTINGS, PRODUCER_SETTINGS, EmbeddedServers

__all__ = ["CONSUMER_SETTINGS", "PRODUCER_SETTINGS", "EmbeddedServers"]
