"""Reports spans to an OpenTelemetry collector, for events whose producers record a trace. An extra: `traces`."""
