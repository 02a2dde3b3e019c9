"""Topics on a broker, and embedded servers in place of those that a configuration names."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from typing import Any

from stream_seg.adapters.embedded.servers import REDIS_MEMORY, EmbeddedServers
from stream_seg.adapters.kafka.admin import Admin
from stream_seg.adapters.kafka.topics import topic_name, topics
from stream_seg.bootstrap.connect import broker_of
from stream_seg.config import Config, RedisSettings
from stream_seg.errors import ConfigError


def embedded_servers(config: Config) -> EmbeddedServers:
    """Servers of our own, not started yet, with the memory that the configuration grants.

    Raises `ConfigError` where the file says how to reach a Kafka that asks who is there: ours does not.
    """
    if config.kafka.security.protocol != "PLAINTEXT":
        raise ConfigError([f"{config.path}: kafka.security: a broker of our own asks for none, take it out"])
    return EmbeddedServers(redis_memory=config.redis.memory or REDIS_MEMORY)


def on_servers(config: Config, servers: EmbeddedServers) -> Config:
    """The configuration on embedded servers instead of its own."""
    kafka = config.kafka.model_copy(update={"bootstrap": [servers.kafka], "replication": 1})
    own = RedisSettings(url=servers.redis_url).model_copy(update={"memory": config.redis.memory})
    return replace(config, kafka=kafka, redis=own)


# What one batch took is kept for the next: to give it back and take it anew costs a tenth of a worker's CPU. One arena
# and these bounds: left to itself, glibc keeps as much for each thread, for good.
ALLOCATION = {
    "MALLOC_MMAP_THRESHOLD_": "33554432",
    "MALLOC_TRIM_THRESHOLD_": "67108864",
    "MALLOC_ARENA_MAX": "1",
}


def worker_environment(config: Config) -> dict[str, str]:
    """What a worker needs so that it sees the servers of `config`, whatever the file says."""
    servers = {
        "STREAM_SEG_KAFKA__BOOTSTRAP": ",".join(config.kafka.bootstrap),
        "STREAM_SEG_REDIS__URL": config.redis.url,
    }
    return {**ALLOCATION, **os.environ, **servers}


def create_topics(config: Config, *, retention_days: int, dry_run: bool) -> list[dict[str, Any]]:
    """Creates the topics that are missing. Returns, topic by topic, ``{topic, partitions, created, configs, why}``.

    `created` is False where the topic was there already; it is left as it is (`doctor` compares).
    """

    async def create() -> list[dict[str, Any]]:
        done = []
        async with Admin(broker_of(config.kafka)) as admin:
            for topic in topics(retention_days).values():
                name = topic_name(config.definition.name, topic.name)
                partitions = topic.partitions or config.kafka.partitions
                if dry_run:
                    created = await admin.topic(name) is None
                else:
                    created = await admin.create(name, partitions, topic.configs, config.kafka.replication or 0)
                configs = dict(topic.configs)
                done.append(
                    {"topic": name, "partitions": partitions, "created": created, "configs": configs, "why": topic.why}
                )
        return done

    return asyncio.run(create())


def create_product_topics(config: Config) -> None:
    """Creates the topics that INGEST reads: on servers of our own, where nobody else could have."""

    async def create() -> None:
        async with Admin(broker_of(config.kafka)) as admin:
            for name in config.input_topics:
                await admin.create(name, config.kafka.partitions, {}, config.kafka.replication or 0)

    asyncio.run(create())
