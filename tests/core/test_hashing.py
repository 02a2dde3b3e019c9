"""Java values were printed by org.apache.kafka.common.utils.Utils.murmur2 of Kafka 4.2.0."""

from __future__ import annotations

import pytest
from aiokafka.partitioner import murmur2 as aiokafka_murmur2
from hypothesis import given
from hypothesis import strategies as st

from stream_seg.core.hashing import customer_hash, murmur2, partition_of

JAVA = [
    # key, hash as Java's signed int, partition of 4, partition of 12
    (b"", 275646681, 1, 9),
    (b"a", -1563381124, 0, 4),
    (b"ab", 316155434, 2, 2),
    (b"abc", 479470107, 3, 3),
    (b"abcd", -1323649548, 0, 8),
    (b"customer-1", 1939597761, 1, 9),
    (b"customer-42", -542987495, 1, 9),
    ("ünïcødé".encode(), 2147241326, 2, 2),
    (b"0123456789abcdef0", 1856781438, 2, 6),
    (bytes(range(256)), -1948347274, 2, 10),
]


@pytest.mark.parametrize(("key", "java", "of_4", "of_12"), JAVA)
def test_a_key_goes_where_java_sends_it(key: bytes, java: int, of_4: int, of_12: int) -> None:
    assert murmur2(key) == java & 0xFFFFFFFF
    assert (partition_of(key, 4), partition_of(key, 12)) == (of_4, of_12)


@given(st.binary(max_size=64))
def test_the_compiled_hash_equals_an_independent_one_on_any_bytes(key: bytes) -> None:
    assert murmur2(key) == aiokafka_murmur2(key)


def test_the_hash_of_a_customer_never_changes() -> None:
    assert customer_hash(b"customer-42") == 0x2ACC41B51AFBE033
    assert customer_hash(b"") != customer_hash(b"\0")
