"""A batch of events as columns: what decoding gives and the fold takes."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt

from stream_seg.errors import BadEvent

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]
Int32 = npt.NDArray[np.int32]


class TextField(msgspec.Struct, frozen=True):
    """A field that conditions compare with constants, or that `latest` encodes: value i is code i + 1."""

    path: str
    constants: tuple[str, ...]


class Fields(msgspec.Struct, frozen=True):
    """The fields that a definition reads from each event; nothing else of the event is looked at.

    numbers  dotted paths read as float64
    texts    dotted paths read as codes of listed constants
    hashes   dotted paths of any scalar, read as a 64-bit hash (for `distinct` and hashed encoders)
    """

    numbers: tuple[str, ...] = ()
    texts: tuple[TextField, ...] = ()
    hashes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decoded:
    """The usable events of a batch in log order, n rows, and what was wrong with the others.

    rows       (n,) index of each row in the batch that was decoded
    customers  n customer ids (UTF-8)
    times      (n,) event time, ms since 1970
    messages   (n,) 64-bit hash of the message id; 0: it has none
    numbers    (len(fields.numbers), n) float64; NaN: absent
    codes      (len(fields.texts), n) int32; -1 absent, 0 present but not listed, i + 1: constant i
    hashes     (len(fields.hashes), n) int64; 0 absent
    rejected   (index in the batch, why)
    """

    rows: Int64
    customers: list[bytes]
    times: Int64
    messages: Int64
    numbers: Float64
    codes: Int32
    hashes: Int64
    rejected: list[tuple[int, BadEvent]]

    def __len__(self) -> int:
        return len(self.customers)

    def only(self, keep: npt.NDArray[np.bool_]) -> Decoded:
        """The rows where `keep` (n,) is true."""
        customers = [customer for customer, kept in zip(self.customers, keep.tolist(), strict=True) if kept]
        return Decoded(
            self.rows[keep],
            customers,
            self.times[keep],
            self.messages[keep],
            self.numbers[:, keep],
            self.codes[:, keep],
            self.hashes[:, keep],
            self.rejected,
        )
