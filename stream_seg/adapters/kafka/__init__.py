"""Kafka: Faust apps that hand whole batches to a stage, a producer, and what has to be known about topics."""
