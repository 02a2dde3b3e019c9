"""What the nearest centre cannot say is refused: customers without a group."""

from __future__ import annotations

import numpy as np

from stream_seg.explore.compare.methods import METHODS, Found, Labelled
from stream_seg.explore.compare.sample import NOISE
from stream_seg.explore.compare.serving import Serving, serving
from tests.explore.compare.planted import blobs


def with_noise(every: int) -> Serving:
    z, who = blobs()
    labels = who.copy()
    labels[::every] = NOISE
    return serving(z, Labelled(METHODS[1], labels, np.arange(len(z)), Found(labels, {}, ""), ()), 7)


def test_a_labelling_with_many_in_no_group_is_refused_however_well_centres_know_the_others() -> None:
    found = with_noise(every=4)
    assert found.verdict == "refused"
    assert found.centres is None
    assert found.loss == 0.0
    assert found.reason.startswith("25% belong to no group")


def test_a_few_in_no_group_are_said_and_served() -> None:
    found = with_noise(every=30)
    assert found.verdict == "one centre each"
    assert found.centres is not None
    assert found.centres.shape == (3, 2)
    assert "3.3% without a group would be in the nearest" in found.reason
