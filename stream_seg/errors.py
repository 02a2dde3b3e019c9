"""Every error this package raises on purpose, split by what the caller does about it.

::

    StreamSegError
    ├── Unavailable          try again: a server did not answer, or refused for now
    ├── BadEvent             dead-letter: this one record cannot be used; the rest can
    ├── Fenced               let go: another worker owns the partition now
    └── Stop                 do not go on: a person has to decide
        ├── ConfigError      a configuration file or variable is wrong (exit code 2)
        ├── GuardMismatch    the log is not the one that the state in Redis belongs to
        ├── StateLost        Redis is empty or older than the log still reaches
        ├── Damaged          a record of ours is not as it was written
        ├── Undeliverable    the broker refuses a record for good
        └── EngineTooOld     the log was decided by a newer version of this package

Driver errors (redis, aiokafka, faust) never leave their adapter: each is mapped to one of these there.
"""

from __future__ import annotations


class StreamSegError(Exception):
    """The root of the tree; never raised itself."""


class Unavailable(StreamSegError):
    """A server did not answer or refused for now. Waiting and trying again is right."""


class BadEvent(StreamSegError):
    """One input record cannot be used. It goes to the dead-letter topic with its bytes untouched.

    ``code`` is a stable short word (``invalid_json``, ``missing_id`` …), ``path`` the place inside the
    record as a JSON path, ``reason`` what is wrong and ``remedy`` what its producer can do.
    """

    def __init__(self, code: str, path: str, reason: str, remedy: str) -> None:
        super().__init__(f"{code} at {path}: {reason}; {remedy}")
        self.code = code
        self.path = path
        self.reason = reason
        self.remedy = remedy


class Fenced(StreamSegError):
    """The store refused a write: the claim or the revision is not the one it expects."""


class Stop(StreamSegError):
    """Going on would lose or corrupt something. The message says what to do."""


class ConfigError(Stop):
    """One or more mistakes in the configuration, each as ``file:line:column: key: what, remedy``."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class GuardMismatch(Stop):
    """Topic id, partition count or partitioner differ from those that the stored state was built with."""


class StateLost(Stop):
    """The consumer group has progress, but Redis holds no state for it (or the log no longer reaches back)."""


class Damaged(Stop):
    """A record of ours is not as it was written: bytes of it were changed or lost."""


class Undeliverable(Stop):
    """The broker refuses a record for good (too large, not authorised). ``index`` tells which of the batch."""

    def __init__(self, message: str, index: int) -> None:
        super().__init__(message)
        self.index = index


class EngineTooOld(Stop):
    """An activation in the log asks for a newer engine than this worker has."""
