"""Our own log and exp2: as accurate as they say, everywhere."""

from __future__ import annotations

import math

from hypothesis import example, given, settings
from hypothesis import strategies as st

from stream_seg.core.numerics import halved, log, log1p, share

POSITIVE = st.floats(min_value=5e-324, allow_infinity=False, exclude_min=False)


def close(found: float, expected: float, ulps: int) -> bool:
    return abs(found - expected) <= ulps * math.ulp(expected)


@settings(max_examples=400, deadline=None)
@given(POSITIVE | st.floats(0.5, 2.0))
@example(1.0)
@example(math.nextafter(1.0, 0.0))
@example(5e-324)
@example(1.7976931348623157e308)
def test_log_is_within_two_units_in_the_last_place(x: float) -> None:
    assert close(log(x), math.log(x), 2)


@settings(max_examples=400, deadline=None)
@given(POSITIVE | st.floats(-1.0, 2.0, exclude_min=True))
@example(0.0)
@example(5e-324)
@example(math.nextafter(-1.0, 0.0))
def test_log1p_is_within_two_units_in_the_last_place(x: float) -> None:
    assert close(log1p(x), math.log1p(x), 2)


@settings(max_examples=400, deadline=None)
@given(st.floats(0.0, 1000.0) | st.floats(0.0, 3.0))
@example(0.5)
@example(math.nextafter(0.5, 0.0))
def test_what_is_left_after_half_lives_is_within_two_units_in_the_last_place(y: float) -> None:
    assert close(halved(y), 2.0**-y, 2)


@settings(deadline=None)
@given(st.floats(1000.0, allow_infinity=True))
def test_after_more_half_lives_than_a_float_can_hold_nothing_is_left(y: float) -> None:
    assert 0.0 <= halved(y) <= 2.0**-999
    assert halved(max(y, 1100.0)) == 0.0


@given(st.floats(0.0, 500.0), st.floats(0.0, 500.0))
def test_more_time_never_leaves_more(a: float, b: float) -> None:
    assert halved(max(a, b)) <= halved(min(a, b)) * (1 + 1e-15)


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**46 - 1))
@example(2**32 - 1, 2**46 - 1)
def test_a_share_of_a_whole_is_exact_where_the_product_would_not_fit(h: int, whole: int) -> None:
    assert share(h, whole) == h * whole // 2**32
