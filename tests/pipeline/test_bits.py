"""One log gives the same bytes on any processor, compiled or not."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

ROOT = Path(__file__).parents[2]
KERNELS = sorted(path for part in ("core", "wire") for path in (ROOT / "stream_seg" / part).glob("*.py"))


def folded(**environment: str) -> dict[str, Any]:
    """What another process makes of the log of `tests.pipeline.bits`; a warning there is an error."""
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.pipeline.bits"],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr.decode()
    found: dict[str, Any] = orjson.loads(ran.stdout)
    return found


def cache_of_these_sources() -> Path:
    """Where kernels for another processor are kept: a directory per state of the sources, older ones removed."""
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in KERNELS)).hexdigest()[:16]
    caches = ROOT / ".cache" / "generic-kernels"
    for old in caches.glob("*"):
        if old.name != digest:
            shutil.rmtree(old, ignore_errors=True)
    return caches / digest


@pytest.fixture(scope="module")
def here() -> dict[str, Any]:
    found = folded()
    assert found["jit"]
    assert len(found["movements"]) > 80
    return found


def test_plain_python_gives_the_bits_of_compiled_code(here: dict[str, Any]) -> None:
    plain = folded(NUMBA_DISABLE_JIT="1")
    assert not plain["jit"]
    assert {**plain, "jit": True} == here


@pytest.mark.slow
def test_a_processor_without_fused_arithmetic_gives_the_same_bits(here: dict[str, Any]) -> None:
    numpy_found = np.show_config(mode="dicts")["SIMD Extensions"]["found"]
    masked = folded(
        GLIBC_TUNABLES="glibc.cpu.hwcaps=-AVX512F,-AVX2,-FMA,-FMA4,-AVX2_Usable,-FMA_Usable,-FMA4_Usable",
        NPY_DISABLE_CPU_FEATURES=" ".join(numpy_found),
        NUMBA_CPU_NAME="generic",
        NUMBA_CPU_FEATURES="",
        NUMBA_CACHE_DIR=str(cache_of_these_sources()),
    )
    assert (here["cpu"], masked["cpu"]) == (None, "generic")
    assert {**masked, "cpu": here["cpu"]} == here
