"""What the page says of the live learner is what the real LEARN does with the same samples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pytest

from stream_seg.adapters.memory.log import LogRecord
from stream_seg.adapters.memory.sampling import daily
from stream_seg.adapters.memory.trial import Trial
from stream_seg.bootstrap.exploring import Study, study
from stream_seg.config import Config, load
from stream_seg.core.definition import DAY
from stream_seg.explore.choose.moving import Flips, learner_flips
from stream_seg.pipeline.daily import Day
from stream_seg.pipeline.quality import Course, Optima
from stream_seg.pipeline.table import Sample
from stream_seg.wire import control
from tests.explore.choose.test_choosing import file_of
from tests.live.workload import WEEKS, weeks

EAGER = "publish_gain: 0, retrain_every: 3d"
RULES = {
    "when it is old enough": "publish_gain: 10, publish_every: 4d",
    "for every gain": EAGER,
    "learning by the week": EAGER,
    "from half of the customers": f"{EAGER}, table: 100",
}
EVERY = {"learning by the week": 7 * DAY}


def config(folder: Path, rules: str) -> Config:
    file = folder / "shop.yaml"
    text = WEEKS.replace("publish_gain: 10, publish_every: 4d", rules)
    file.write_text(
        "name: shop\ndrift: {retrain: false}\n"
        + text.replace("transform: [log1p]}", "transform: [{quantile_clip: [0.02, 0.98]}]}")
    )
    return load(file, {})


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> str:
    return file_of(tmp_path_factory.mktemp("events"), weeks(5, customers=200, days=60))


def sent(number: int, day: Day, every: int) -> Iterator[LogRecord]:
    """What LABEL sends up to a boundary, if it samples everybody there, and the mark of the day."""
    if day.through % every == 0:
        for hash_, silence, vector in zip(day.hashes.tolist(), day.silence.tolist(), day.raw.tolist(), strict=True):
            sample = Sample(
                customer_id=str(hash_), incarnation=0, number=number, as_of=day.through,
                last_event=day.through - silence, layout=1, hash=hash_, vector=vector, partition=0,
            )  # fmt: skip
            yield LogRecord("samples", 0, 0, b"", msgspec.json.encode(sample), (), day.through)
    mark = control.control("samples", control.PASSED_DAY, control.PassedDay(0, 1, day.through), 0)
    yield LogRecord("samples", 0, 0, mark.key, mark.value, mark.headers, day.through)


def by_the_stage(found: Study, settings: Config, every: int) -> Sequence[tuple[int, int]]:
    """(customers whose nearest segment a version changed, active customers) of each day, in a real LEARN."""
    activation = daily(settings.definition, every=every)
    trial = Trial.begin(activation, settings.definition.learning)
    course = Course(Optima(found.table.space), settings.definition.learning.k)
    for number, day in enumerate(found.days):
        course.day(day.of_smallest(trial.learning.table), trial.day(sent(number, day, every)))
    return course.flips


@pytest.mark.parametrize("name", RULES)
def test_flips_are_those_of_the_real_learn(name: str, events: str, tmp_path: Path) -> None:
    settings, every = config(tmp_path, RULES[name]), EVERY.get(name, DAY)
    found = study(settings, [events], form=None, end=None, tell=lambda *_: None)
    theirs = by_the_stage(found, settings, every)
    days = [day.of_smallest(settings.definition.learning.table) for day in found.days]
    x = [found.table.space.seen(day.raw) for day in days]
    ours = learner_flips(days, x, found.table.columns, settings.definition.learning, every)
    assert isinstance(ours, Flips)
    active = sum(count for _, count in theirs)
    assert ours.rate == pytest.approx(1_000.0 * sum(changed for changed, _ in theirs) / active)
    assert ours.rate > 0.0
    assert len(ours.weeks) == -(-len(theirs) // 7)


def test_with_too_few_to_begin_there_is_nothing_to_say(events: str, tmp_path: Path) -> None:
    settings = config(tmp_path, EAGER)
    found = study(settings, [events], form=None, end=None, tell=lambda *_: None)
    rules = msgspec.structs.replace(settings.definition.learning, warm_start=500)
    x = [found.table.space.seen(day.raw) for day in found.days]
    assert learner_flips(found.days, x, found.table.columns, rules, DAY) is None
