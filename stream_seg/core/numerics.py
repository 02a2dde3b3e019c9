"""Arithmetic that gives the same bits everywhere: + − × ÷, and log and exp2 built from them.

The C library's log and exp differ by a bit between processors (with and without FMA), and a label must not.
Nothing here or in a compiled function uses fastmath, so neither the compiler nor the processor may reorder or
fuse. All of them are within 2 units in the last place, which a test holds against `math`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import numba
import numpy as np

F = TypeVar("F", bound=Callable[..., object])

if TYPE_CHECKING:

    def compiled(function: F) -> F:
        """For loops over arrays that may also allocate."""

    def kernel(function: F) -> F:
        """For the fold: allocates nothing."""

    def inlined(function: F) -> F:
        """For leaves of the fold."""

else:
    # error_model="numpy": no branch per division. With NUMBA_DISABLE_JIT=1 all three are the identity.
    compiled = numba.njit(cache=True, error_model="numpy", nogil=True)
    # For code that allocates nothing: no reference is counted for the arrays that it passes on, which on the hot
    # path cost more than the arithmetic (7.7 to 3.4 us an event, 18 windows).
    kernel = numba.njit(cache=True, error_model="numpy", nogil=True, _nrt=False)
    # For leaves of the hot loop, whose call would cost more than they do.
    inlined = numba.njit(cache=True, error_model="numpy", nogil=True, _nrt=False, forceinline=True)

LN2_HIGH = 6.93147180369123816490e-01  # ln 2, its low 21 bits zero: e * LN2_HIGH is exact for every exponent
LN2_LOW = 1.90821492927058770002e-10
SQRT_HALF = 0.7071067811865476


@inlined
def log(x: float) -> float:
    """Natural logarithm of a positive finite number (series of the inverse hyperbolic tangent).

    >>> log(1.0)
    0.0
    >>> abs(log(10.0) - 2.302585092994046) < 1e-15
    True
    """
    m, e = math.frexp(x)
    if m < SQRT_HALF:
        m = m * 2.0
        e = e - 1
    f = m - 1.0
    s = f / (2.0 + f)
    z = s * s
    series = z * (1.0 / 21.0) + 1.0 / 19.0
    series = z * series + 1.0 / 17.0
    series = z * series + 1.0 / 15.0
    series = z * series + 1.0 / 13.0
    series = z * series + 1.0 / 11.0
    series = z * series + 1.0 / 9.0
    series = z * series + 1.0 / 7.0
    series = z * series + 1.0 / 5.0
    series = z * series + 1.0 / 3.0
    # 2 s (1 + z series), written as f less something small: f is exact
    return e * LN2_HIGH - ((s * (f - 2.0 * z * series) - e * LN2_LOW) - f)


@inlined
def _log1p(x: float) -> float:
    u = 1.0 + x
    return log(u) + (x - (u - 1.0)) / u  # what rounding took from 1 + x


COUNTS = 256
LOG1P = np.array([_log1p(float(n)) for n in range(COUNTS)])  # most columns count something: the same bits, looked up


@inlined
def log1p(x: float) -> float:
    """log(1 + x) for x > -1, exact also for tiny x.

    >>> log1p(1e-20)
    1e-20
    """
    if 0.0 <= x < COUNTS and x == int(x):
        return LOG1P[int(x)]
    return _log1p(x)


@kernel
def halved(y: float) -> float:
    """2 ** -y for y >= 0: what is left of 1 after y half-lives.

    >>> halved(0.0), halved(3.0)
    (1.0, 0.125)
    """
    if y >= 1074.0:
        return 0.0
    n = int(y + 0.5)
    r = -(y - n) * 0.6931471805599453
    series = 1.0
    for i in range(16, 0, -1):
        series = 1.0 + series * r / i
    return math.ldexp(series, -n)


@inlined
def share(h: int, whole: int) -> int:
    """``h / 2**32`` of `whole`, rounded down, for h below 2**32; for every `whole` below 2**46 without overflow.

    >>> share(1 << 31, 1001)
    500
    """
    return (h * (whole >> 16) + (h * (whole & 0xFFFF) >> 16)) >> 16
