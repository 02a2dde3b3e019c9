"""What decides: pure, synchronous, no I/O, no clock and no randomness of its own."""
