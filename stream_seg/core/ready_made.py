"""The views that are there when a configuration defines none: three questions that every segmentation can be asked.

They name no feature. What they ask is made of what features are (`ACTIVITY`: counts, sums, silence …), of movements
and of the first and last event, so they fit any definition that measures activity at all. Thresholds are standard
deviations.
"""

from __future__ import annotations

from collections.abc import Sequence

from stream_seg.core.definition import Feature
from stream_seg.core.syntax import ExpressionError
from stream_seg.core.views import View, terms_in, terms_of


def ready_made(features: Sequence[Feature]) -> tuple[View, ...]:
    """The three, with what a trend says where there is one.

    >>> [view.name for view in ready_made([])]
    ['drifting-away', 'primed-for-upsell', 'needs-onboarding']
    """
    trend = {"customer.trend": 1.0} if "customer.trend" in terms_of(features) else {}
    # Who has been gone for long has a low trend for ever: only of those who still do something does it say anything.
    falling = " or customer.trend <= -1 and customer.activity >= -0.5" if trend else ""
    rising = " or customer.trend >= 1" if trend else ""
    return (
        View(
            name="drifting-away",
            question="Who is drifting away?",
            who=f"moved.change <= -0.5{falling}",
            rank={"moved.change": -1.0, **{term: -weight for term, weight in trend.items()}},
        ),
        View(
            name="primed-for-upsell",
            question="Who is primed for upsell?",
            who=f"customer.activity >= 0.5 and (moved.change >= 0.5{rising})",
            rank={"customer.activity": 1.0, "moved.change": 1.0, **trend},
        ),
        View(
            name="needs-onboarding",
            question="Who needs onboarding help?",
            who="customer.age <= 30d and customer.silence >= 3d and customer.activity < 0",
            rank={"customer.activity": -1.0},
        ),
    )


def why_not(view: View, features: Sequence[Feature]) -> str | None:
    """Why a view cannot be asked of customers with these features; None: it can.

    >>> why_not(ready_made([])[0], [])
    'moved.change needs a feature that says how active a customer is (count, sum, ...); add one'
    """
    try:
        terms_in(view, features)
    except ExpressionError as error:
        return error.message
    return None
