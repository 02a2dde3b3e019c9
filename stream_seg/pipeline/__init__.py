"""The use cases, each readable top to bottom: ingest, label, learn, relay, feed."""
