"""Bytes to values and back: input forms, control records, output contracts."""
