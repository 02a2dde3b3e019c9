"""Which partition a key belongs to, and a stable number for every customer.

Kafka's Java producer hashes keys with MurmurHash2 (32 bits, seed 0x9747b28c, bytes taken as unsigned) and takes the
remainder by the number of partitions after clearing the sign bit. Everything this package writes is partitioned so,
whatever client library sends it.
"""

from __future__ import annotations

from hashlib import blake2b

from stream_seg.core.numerics import compiled

MASK = 0xFFFFFFFF
MIX = 0x5BD1E995  # below 2**31: a product with a 32-bit number fits into int64
SEED = 0x9747B28C


@compiled
def murmur2(data: bytes) -> int:
    """MurmurHash2 of `data` as an unsigned 32-bit number (Java prints the same bits as a signed one).

    >>> murmur2(b"abc")
    479470107
    """
    length = len(data)
    h = (SEED ^ length) & MASK
    whole = length & ~3
    for i in range(0, whole, 4):
        k = int(data[i]) | int(data[i + 1]) << 8 | int(data[i + 2]) << 16 | int(data[i + 3]) << 24
        k = (k * MIX) & MASK
        k ^= k >> 24
        k = (k * MIX) & MASK
        h = ((h * MIX) & MASK) ^ k
    rest = length - whole
    if rest > 0:
        if rest == 3:
            h ^= int(data[whole + 2]) << 16
        if rest >= 2:
            h ^= int(data[whole + 1]) << 8
        h ^= int(data[whole])
        h = (h * MIX) & MASK
    h ^= h >> 13
    h = (h * MIX) & MASK
    return h ^ (h >> 15)


def partition_of(key: bytes, partitions: int) -> int:
    """The partition that Kafka's Java producer gives to `key` in a topic of `partitions` partitions.

    >>> partition_of(b"customer-42", 12)
    9
    """
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def customer_hash(key: bytes) -> int:
    """A number below 2**64 that depends on nothing but the customer id: BLAKE2b, 8 bytes, little endian.

    >>> customer_hash(b"customer-42") == customer_hash(b"customer-42") < 2**64
    True
    """
    return int.from_bytes(blake2b(key, digest_size=8).digest(), "little")
