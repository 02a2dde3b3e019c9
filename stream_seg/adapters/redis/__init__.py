"""Slots in Redis or Valkey: one hash slot per stage and partition, one Lua call per batch."""
