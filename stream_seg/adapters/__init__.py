"""The outside world, one room per system; none of them knows another."""
