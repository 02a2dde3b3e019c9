"""What was planted is found by those who can find it, and what cannot be served is refused with its loss."""

from __future__ import annotations

import numpy as np

from stream_seg.core.evaluation import adjusted_rand
from stream_seg.core.model import Int64
from stream_seg.explore.compare.advice import advice
from stream_seg.explore.compare.comparison import Judged
from stream_seg.explore.compare.methods import KMEANS
from stream_seg.explore.compare.serving import LOSS
from tests.explore.compare.planted import PLANTED, by_name, compared


def right(one: Judged, who: Int64) -> float:
    return adjusted_rand(one.labelled.labels, who)


def test_every_method_comes_to_a_result_on_every_structure() -> None:
    for name in PLANTED:
        found, _, _ = compared(name)
        assert found.could_not == {}
        assert len(found.judged) == (12 if name == "blobs" else 7)


def test_blobs_are_found_by_all_batch_methods_and_each_can_be_served_without_loss() -> None:
    found, _, who = compared("blobs")
    batch = [one for one in found.judged if one.labelled.method.kind != "streaming"]
    assert len(batch) == 7
    assert min(right(one, who) for one in batch) > 0.9
    assert {one.serving.loss for one in batch} == {0.0}
    assert found.structure.by_centres
    assert (found.rand[:7, :7] > 0.9).all()
    assert (found.information[:7, :7] > 0.9).all()


def test_rings_are_found_by_density_and_their_centres_are_refused_with_the_loss() -> None:
    found, _, who = compared("rings")
    methods = by_name(found)
    assert right(methods[KMEANS], who) < 0.1
    assert right(methods["HDBSCAN"], who) > 0.95
    refused = methods["HDBSCAN"].serving
    assert refused.verdict == "refused"
    assert refused.centres is None
    assert refused.loss is not None
    assert refused.loss > LOSS
    assert f"{refused.loss:.1%} of the grouped customers" in refused.reason
    dense, round_ = methods["HDBSCAN"].validity, methods[KMEANS].validity
    assert dense.dbcv is not None
    assert round_.dbcv is not None
    assert dense.silhouette is not None
    assert round_.silhouette is not None
    assert dense.dbcv > round_.dbcv + 0.5
    assert dense.silhouette < round_.silhouette  # silhouette rewards what is round, which nothing here is
    assert found.structure.by_density
    assert not found.structure.by_centres


def test_a_niche_of_two_in_a_hundred_is_found_by_density_and_lost_by_few_centres() -> None:
    found, _, who = compared("niche")
    first = found.niches[0]
    assert (first.members == who).mean() > 0.999
    assert {"DBSCAN", "HDBSCAN"} <= set(first.found_by)
    assert first.kmeans < 0.2
    assert first.from_k is not None
    assert first.from_k > found.k
    said = " ".join(advice(found, levers=0, asked="niche").sentences)
    assert "1 small group (2.0% of the customers) is no segment of k-means at k = 3" in said


def test_where_there_is_no_structure_the_advice_says_so_whatever_the_plan() -> None:
    found, _, _ = compared("crowd")
    assert not found.structure.by_centres
    assert not found.structure.by_density
    for plan in ("reusable", "niche", None):
        told = advice(found, levers=0, asked=plan)
        assert told.sentences[1].startswith("There is no structure to find")
        assert told.method == KMEANS


def test_where_there_is_structure_nobody_says_that_there_is_none() -> None:
    for name in ("blobs", "rings", "niche"):
        assert "no structure" not in advice(compared(name)[0], levers=0, asked=None).sentences[1]


def test_advice_follows_the_plan() -> None:
    found, _, _ = compared("rings")
    reusable, niche = advice(found, levers=2, asked=None), advice(found, levers=2, asked="niche")
    assert (reusable.plan, reusable.method) == ("reusable", KMEANS)
    assert (niche.plan, niche.method) == ("niche", "HDBSCAN")
    assert "names 2 levers" in reusable.sentences[0]
    assert not any("For niche groups" in one for one in reusable.sentences)
    assert not any("used again take" in one for one in niche.sentences)
    both = advice(found, levers=0, asked=None)
    assert both.plan is None
    assert any("For niche groups" in one for one in both.sentences)
    assert any("used again take" in one for one in both.sentences)


def test_the_tree_is_nested_and_has_its_named_levels() -> None:
    found, z, who = compared("blobs")
    assert [(level.name, level.groups) for level in found.tree.levels] == [
        ("coarse", 2), ("as many as k", 3), ("fine", 6)
    ]  # fmt: skip
    for coarse, fine in zip(found.tree.levels, found.tree.levels[1:], strict=False):
        for group in range(fine.groups):
            assert len(np.unique(coarse.labels[fine.labels == group])) == 1
    assert adjusted_rand(found.tree.levels[1].labels, who) == 1.0
    assert len(found.tree.merges) == len(z) - 1


def test_what_costs_time_is_measured() -> None:
    found, _, _ = compared("blobs")
    assert set(found.costs) == {one.name for one in found.judged}
    assert all(cost.seconds > 0.0 for cost in found.costs.values())
