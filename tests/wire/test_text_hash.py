from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream_seg.wire.columns import hash_scalars
from stream_seg.wire.text_hash import hash_texts


@given(st.lists(st.text(max_size=20), max_size=6))
def test_a_hash_depends_on_its_text_alone_and_none_is_the_empty_text(texts: list[str]) -> None:
    hashes = hash_texts(texts).tolist()
    assert hashes == [hash_texts([text]).tolist()[0] for text in texts]
    assert [h == 0 for h in hashes] == [text == "" for text in texts]


def test_a_hash_never_changes() -> None:
    assert hash_texts(["a", "message-17", "Łódź\n"]).tolist() == KNOWN


def test_a_hash_is_the_same_without_the_compiler_and_in_any_process() -> None:
    code = (
        "from stream_seg.wire.text_hash import hash_texts; print(hash_texts(['a', 'message-17', 'Łódź\\n']).tolist())"
    )
    env = os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONHASHSEED": "7"}
    out = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == str(KNOWN)


def test_a_million_ids_have_a_million_hashes_and_every_bit_is_used() -> None:
    hashes = hash_texts([f"m-{i}" for i in range(1_000_000)])
    assert len(np.unique(hashes)) == 1_000_000
    set_bits = [int(((hashes >> bit) & 1).sum()) for bit in range(64)]
    assert all(abs(n - 500_000) < 3_000 for n in set_bits)  # six standard deviations


def test_equal_scalars_hash_alike_however_they_are_written() -> None:
    number, whole, text, true, word, none, nan = hash_scalars(
        [17, 17.0, "17", True, "true", None, float("nan")]
    ).tolist()
    assert number == whole == text
    assert true == word
    assert none == nan == 0
    assert hash_scalars([2**70]).tolist() == hash_texts([str(2**70)]).tolist()


KNOWN = [18295451856842026, 3791880316453685593, -6159824499651572398]
