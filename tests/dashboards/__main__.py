"""``make dashboards``: executes every panel and rule against a real Prometheus; the last line is JSON."""

from __future__ import annotations

import json
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from tests.dashboards import named
from tests.dashboards.executing import empty, watched
from tests.servers.kafka import KafkaServer
from tests.servers.redis import RedisServer


def main() -> int:
    """0 where everything has data and is there, else 3 with what is not on standard error."""
    print("a Kafka, a Redis, workers and a Prometheus: about a minute and a half", file=sys.stderr, flush=True)
    directory = tempfile.TemporaryDirectory(prefix="stream-seg-dashboards-")
    with (
        directory as place,
        KafkaServer() as kafka,
        RedisServer(maxmemory="1gb") as redis,
        watched(kafka.bootstrap, redis.url, Path(place)) as (_, prometheus),
    ):
        without = empty(prometheus)
    by_panel = defaultdict(list)
    for one in named.of_panels():
        by_panel[one.place].append(one)
    names = named.metrics_in(named.everything())
    missing, bookless, tests = named.missing(names), named.without_runbook(), named.rule_tests()
    for one in without:
        print(f"no data: {one.place}: {one.expr}", file=sys.stderr)
    result = {
        "panels": len(by_panel),
        "panels_with_data": sum(not any(one in without for one in of) for of in by_panel.values()),
        "metrics_named": len(names),
        "metrics_missing": missing,
        "rules": len(named.rules()),
        "rule_tests": sum(map(len, tests.values())),
        "alerts_without_runbook": bookless,
    }
    print(json.dumps(result))
    return 3 if without or missing or bookless else 0


if __name__ == "__main__":
    sys.exit(main())
