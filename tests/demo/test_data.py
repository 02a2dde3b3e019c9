"""The demo's data: complete, deterministic, in order, and every event of it usable by its own segmentation."""

from __future__ import annotations

import hashlib
import sys
from typing import TYPE_CHECKING

import orjson
import pytest

from stream_seg.adapters.files import Batch, EventSource, checked
from stream_seg.adapters.files.batch import joined
from stream_seg.adapters.files.demo import NAMES, load
from stream_seg.adapters.files.judged import _Line
from stream_seg.config.load import load as load_config
from stream_seg.core.expression import collect
from stream_seg.errors import ConfigError
from stream_seg.wire.decode import Decoder

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY = 86_400_000


def counted(source: EventSource) -> tuple[int, int, str]:
    """Events, customers and a digest of everything."""
    digest, events, customers = hashlib.sha256(), 0, set()
    for batch in checked(source.batches()):
        events += len(batch)
        customers.update(batch.keys)
        digest.update(b"\n".join(batch.values))
        assert not batch.rejected
    return events, len(customers), digest.hexdigest()


def test_cdnow_is_whole_in_order_and_the_same_every_time() -> None:
    events, customers, digest = counted(load("cdnow"))
    source = load("cdnow")
    assert (events, customers) == (source.total, source.customers) == (69_659, 23_570)
    assert counted(source)[2] == counted(source)[2] == digest


def test_the_grocery_year_is_whole_and_in_order() -> None:
    source = load("completejourney")
    events, customers, _ = counted(source)
    assert (events, customers) == (source.total, source.customers) == (1_469_307, 2_469)


@pytest.mark.parametrize("name", NAMES)
def test_some_days_are_the_beginning_of_the_whole(name: str) -> None:
    source, whole = load(name, days=20), load(name)
    assert source.first == whole.first
    assert source.last // DAY == source.first // DAY + 19
    beginning = joined(list(source.batches()))
    assert len(beginning) == source.total < whole.total
    assert beginning.values == joined(list(first(whole, source.total))).values[: source.total]


def first(source: EventSource, count: int) -> Iterator[Batch]:
    for batch in source.batches():
        yield batch
        count -= len(batch)
        if count <= 0:
            return


@pytest.mark.parametrize("name", NAMES)
def test_its_segmentation_reads_every_event(name: str) -> None:
    source = load(name, days=14)
    definition = load_config(source.definition, {}).definition
    decoder = Decoder(collect(definition))
    for batch in source.batches():
        decoded = decoder.decode([_Line(value, key=key) for value, key in zip(batch.values, batch.keys, strict=True)])
        assert decoded.rejected == []
        assert decoded.customers == batch.keys
        assert decoded.times.tolist() == batch.times.tolist()
        assert len(set(decoded.messages.tolist())) == len(batch)


@pytest.mark.parametrize("name", NAMES)
def test_every_feature_that_decides_says_in_words_what_high_and_low_mean(name: str) -> None:
    features = load_config(load(name, days=1).definition, {}).definition.features
    assert all(feature.words for feature in features if feature.role == "feature")


def test_lines_without_a_quantity_are_events_and_lines_without_a_product_name_say_so() -> None:
    batch = joined(list(load("completejourney", days=10).batches()))
    properties = [orjson.loads(value)["properties"] for value in batch.values]
    assert any(one["quantity"] == 0 for one in properties)
    assert any(one["department"] == "UNKNOWN" for one in properties)
    assert {one["brand"] for one in properties} <= {"National", "Private", "UNKNOWN"}
    assert batch.place(0) == "completejourney:1"


def test_what_is_not_there_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="no data set iris, choose from completejourney, cdnow"):
        load("iris")
    with pytest.raises(ConfigError, match="0 days are no days"):
        load("cdnow", days=0)
    monkeypatch.delitem(sys.modules, "lifetimes", raising=False)
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(ConfigError, match=r"lifetimes .* is not installed: pip install 'stream_seg\[demo\]'"):
        load("cdnow")
