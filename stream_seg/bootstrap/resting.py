"""What a command may only do while no worker writes."""

from __future__ import annotations

from stream_seg.adapters.kafka.admin import Admin
from stream_seg.adapters.kafka.topics import group_name
from stream_seg.errors import Stop


async def check_resting(admin: Admin, name: str, *stages: str) -> None:
    """Raises `Stop` while the consumer group of one of the stages has a member: it may own what is to be changed."""
    for stage in stages:
        workers = await admin.members(group_name(name, stage))
        if workers:
            raise Stop(
                f"workers of {stage} run ({workers}); stop them first. One that was killed counts for ten seconds more"
            )
