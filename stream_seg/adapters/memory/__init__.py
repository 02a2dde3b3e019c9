"""Slots and a log in memory, real implementations of the ports: replay and the fault simulation run on them."""
