"""The fault simulation: the pipeline's own steps under a seeded scheduler, on memory, against an oracle.

``python -m tests.simulation --seeds 1000`` runs schedules, ``--seed 17 --verbose`` one of them with its whole story.
"""
