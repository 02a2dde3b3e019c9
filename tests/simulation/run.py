"""One seed: a shop, a schedule of faults, a run, and what is wrong with it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from random import Random

from stream_seg.adapters.memory.replay import OUTPUTS
from stream_seg.errors import StreamSegError
from tests.simulation import hop_judgement, judgement, oracle
from tests.simulation.cluster import Cluster, Stuck
from tests.simulation.faults import Faults, Story
from tests.simulation.judgement import Wrong
from tests.simulation.scenario import EVENTS, SAMPLES, Scenario, scenario
from tests.simulation.shell import Parts


@dataclass(frozen=True)
class Result:
    """What came of a seed. `wrong` None: it equals the oracle; `told`: the whole schedule, where it was asked for."""

    seed: int
    wrong: str | None
    steps: int
    struck: Counter[str]
    told: str = ""


def run(seed: int, parts: Parts | None = None, *, tell: bool = False) -> Result:
    """Runs one seed and holds it against the oracle."""
    random = Random(seed)
    shop = scenario(random)
    faults, story = Faults(random), Story()
    cluster = Cluster(shop, random, faults, story, parts or Parts())
    wrong: str | None = None
    try:
        cluster.run()
        judge(shop, cluster)
    except (Wrong, Stuck, StreamSegError, AssertionError) as error:
        wrong = f"{type(error).__name__}: {error}"
    return Result(seed, wrong, cluster.at, faults.struck, story.told() if tell else "")


def judge(shop: Scenario, cluster: Cluster) -> None:
    """Raises `Wrong` where the run and the oracle disagree."""
    log, slots = cluster.log, cluster.slots
    topics = {EVENTS: shop.partitions, SAMPLES: 1, **dict.fromkeys(OUTPUTS, 1)}
    fold = oracle.labelled(log, topics)
    judgement.label_state(slots, fold, shop.partitions)
    judgement.movements(log, fold.log)
    judgement.current_labels(log, fold.log)
    judgement.samples(log, fold.log)
    ingested = None
    if shop.products:
        ingested = oracle.ingested(log, shop.partitions, shop.first.definition, shop.products)
        hop_judgement.arrivals(log, ingested, shop.partitions)
        hop_judgement.progress(log, ingested, shop.partitions)
        hop_judgement.counted_once(slots, ingested, shop.partitions)
    judgement.sent_aside(log, fold.log, ingested)
    if shop.loop != "fixed":
        learned = oracle.learned(log, topics)
        judgement.models(log, learned.log, shop.partitions)
        judgement.learn_state(slots, learned)
