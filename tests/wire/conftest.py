"""Property tests are not timed: the first example of a run may have to compile a kernel."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
