"""Metrics and health of one process."""
