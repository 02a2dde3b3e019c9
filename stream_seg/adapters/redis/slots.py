"""`RedisSlots`: the slot effects of `stream_seg.ports` on a real Redis or Valkey, each one round trip."""

from __future__ import annotations

from secrets import randbelow
from typing import TYPE_CHECKING, overload

from stream_seg.adapters.redis.keys import OWN_FIELDS, SlotKeys
from stream_seg.adapters.redis.link import CONNECT_SECONDS, REPLY_SECONDS, Link, Reply, Script, Servers
from stream_seg.adapters.redis.resp import command, packed_words, prefixed_words, scored_words, word, words
from stream_seg.errors import Fenced
from stream_seg.ports import Claim, Load, Loaded, OutboxEntry, ReadOutbox, Slot, SlotState, Trim, Write

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

WRITE = Script("write")
TRIM = Script("trim")
OUTBOX_PAGE = 64  # entries are tens of KB: one reply stays at some MB

CLAIM_STEP = 2**31  # a claim is at most so far above the one before: 2**32 of them fit into 64 bits

SlotEffect = Claim | Load | Write | ReadOutbox | Trim


class RedisSlots:
    """Slots under ``<name>:{<stage>-<partition>}:…``, one connection per slot in use.

    Parameters
    ----------
    urls
        ``redis://[user:password@]host:port/db``; for a Redis Cluster one or more of its nodes.
    name
        The prefix of every key, from the configuration.
    connect_seconds, reply_seconds
        Bounds on opening a connection and on each wait for an answer. Beyond them: `Unavailable`.
    claim_step
        How far a claim is above the one before. At random: counted by one, a Redis that was set back would give a
        number again under which a worker that was cut off may still write.

    Nothing is retried here. `Claim`, `Load`, `ReadOutbox` and `Trim` may be executed again freely, a `Write`
    with the same ``call`` id: done once already, it answers success.
    """

    def __init__(
        self,
        urls: str | Sequence[str],
        name: str,
        *,
        connect_seconds: float = CONNECT_SECONDS,
        reply_seconds: float = REPLY_SECONDS,
        claim_step: Callable[[], int] = lambda: 1 + randbelow(CLAIM_STEP),
    ) -> None:
        self._servers = Servers(urls, connect_seconds=connect_seconds, reply_seconds=reply_seconds)
        self._name = name
        self._claim_step = claim_step
        self._open: dict[Slot, tuple[SlotKeys, Link]] = {}

    def __repr__(self) -> str:
        return f"RedisSlots({self._servers!r}, {self._name!r})"

    @overload
    async def execute(self, effect: Claim) -> SlotState: ...
    @overload
    async def execute(self, effect: Load) -> Loaded: ...
    @overload
    async def execute(self, effect: ReadOutbox) -> list[OutboxEntry]: ...
    @overload
    async def execute(self, effect: Write | Trim) -> None: ...

    async def execute(self, effect: SlotEffect) -> SlotState | Loaded | list[OutboxEntry] | None:
        """Runs one effect and gives its result.

        Raises
        ------
        Fenced
            A `Write` or `Trim` whose claim (or revision) is not the slot's.
        Unavailable
            Redis did not answer or refuses for now; the effect may or may not have been done.
        Stop
            Redis refuses for a reason that waiting does not change (login, rights, foreign keys).
        """
        keys, link = self._of(effect.slot)
        match effect:
            case Write():
                await _write(keys, link, effect)
                return None
            case Load():
                return await _load(keys, link, effect)
            case Claim():
                return await _claim(keys, link, self._claim_step())
            case ReadOutbox():
                return await read_outbox(keys, link)
            case Trim():
                await _trim(keys, link, effect)
                return None

    async def release(self, slot: Slot) -> None:
        """Closes the connection of a slot that is not ours any more."""
        if slot in self._open:
            await self._open.pop(slot)[1].close()

    async def close(self) -> None:
        """Closes every connection."""
        for slot in list(self._open):
            await self.release(slot)

    def _of(self, slot: Slot) -> tuple[SlotKeys, Link]:
        if slot not in self._open:
            self._open[slot] = SlotKeys(self._name, slot), Link(self._servers)
        return self._open[slot]


async def _claim(keys: SlotKeys, link: Link, step: int) -> SlotState:
    # Two commands need no transaction: whoever wrote in between claimed later, and our writes are refused anyway.
    count = command(b"HINCRBY", keys.meta, b".claim", b"%d" % step)
    claim, flat = await link.ask([count, command(b"HGETALL", keys.meta)], 2)
    return slot_state(flat, claim)


def slot_state(flat: Sequence[bytes], claim: int | None = None) -> SlotState:
    """The state of a slot from the HGETALL reply of its meta hash; `claim` overrides the stored one."""
    fields = {name.decode(): value for name, value in zip(flat[::2], flat[1::2], strict=True)}
    own = {name: fields.pop(name, b"0") for name in OWN_FIELDS}
    return SlotState(int(own[".claim"]) if claim is None else claim, int(own[".rev"]), fields)


async def _load(keys: SlotKeys, link: Link, effect: Load) -> Loaded:
    request: list[bytes] = []
    replies = 0
    if effect.ids:
        request += [b"*%d\r\n$4\r\nMGET\r\n" % (len(effect.ids) + 1), prefixed_words(keys.record, effect.ids)]
        replies += 1
    if effect.due_until is not None:
        request.append(_range_of(keys.due, b"-inf", b"%d" % effect.due_until, effect.due_limit))
        replies += 1
    if effect.ring is not None:
        after, until = effect.ring
        request.append(_range_of(keys.ring, b"(%d" % after, b"%d" % until, effect.ring_limit))
        replies += 1
    answers = iter(await link.ask(request, replies) if replies else ())
    values: Sequence[bytes | None] = next(answers) if effect.ids else ()
    due = next(answers) if effect.due_until is not None else ()
    ring = next(answers) if effect.ring is not None else ()
    return Loaded(
        values,
        due=await _whole_scores(link, keys.due, due, effect.due_limit),
        ring=await _whole_scores(link, keys.ring, ring, effect.ring_limit),
    )


def _range_of(key: bytes, lowest: bytes, highest: bytes, limit: int) -> bytes:
    bound = (b"LIMIT", b"0", b"%d" % limit) if limit > 0 else ()
    return command(b"ZRANGEBYSCORE", key, lowest, highest, b"WITHSCORES", *bound)


async def ranged(link: Link, key: bytes, lowest: bytes, highest: bytes, limit: int) -> list[tuple[bytes, int]]:
    """(member, score) pairs of a sorted set in order, cut at `limit` (0: not) but never inside a score."""
    (flat,) = await link.ask([_range_of(key, lowest, highest, limit)])
    return await _whole_scores(link, key, flat, limit)


async def _whole_scores(link: Link, key: bytes, flat: Sequence[bytes], limit: int) -> list[tuple[bytes, int]]:
    """(member, score) pairs; where the limit may have cut a score in two, the rest of that score is added."""
    pairs = _scored_pairs(flat)
    if 0 < limit == len(pairs):
        last = pairs[-1][1]
        of_last = _range_of(key, b"%d" % last, b"%d" % last, 0)
        pairs = [pair for pair in pairs if pair[1] != last] + _scored_pairs((await link.ask([of_last]))[0])
    return pairs


def _scored_pairs(flat: Sequence[bytes]) -> list[tuple[bytes, int]]:
    """A WITHSCORES reply as (member, score)."""
    return [(member, int(float(score))) for member, score in zip(flat[::2], flat[1::2], strict=True)]


async def _write(keys: SlotKeys, link: Link, effect: Write) -> None:
    records, erased, history = len(effect.ids), len(effect.erased), len(effect.history)
    n_keys = 5 + records + 2 * erased + history
    sections = (
        2 * len(effect.meta), records, erased, len(effect.undue), 2 * len(effect.ring), 2 * len(effect.due),
        2 * len(effect.counts), history, effect.history_keep - 1, int(effect.outbox is not None),
    )  # fmt: skip
    n_words = 1 + n_keys + 4 + len(sections) + sum(sections) - (effect.history_keep - 1)
    request = [
        word(b"%d" % n_keys),
        words((keys.meta, keys.ring, keys.due, keys.counts, keys.outbox)),
        prefixed_words(keys.record, effect.ids),
        prefixed_words(keys.record, effect.erased),
        prefixed_words(keys.history, effect.erased),
        prefixed_words(keys.history, [customer for customer, _ in effect.history]),
        words((b"%d" % effect.claim, b"%d" % effect.rev, b"%d" % (effect.rev + 1), effect.call)),
        words([b"%d" % size for size in sections]),
        words([part for name, value in effect.meta.items() for part in (name.encode(), value)]),
        words(effect.erased),
        words(effect.undue),
        scored_words(effect.ring),
        scored_words(effect.due),
        words([part for field, change in effect.counts.items() for part in (field, b"%d" % change)]),
        words([entry for _, entry in effect.history]),
        b"" if effect.outbox is None else word(effect.outbox),
        packed_words(effect.records),
    ]
    _fenced_unless_done(effect, await link.call(WRITE, request, n_words))


async def _trim(keys: SlotKeys, link: Link, effect: Trim) -> None:
    request = words((b"2", keys.meta, keys.outbox, b"%d" % effect.claim, b"%d-0" % (effect.through + 1)))
    _fenced_unless_done(effect, await link.call(TRIM, [request], 5))


def _fenced_unless_done(effect: Write | Trim, reply: Reply) -> None:
    if reply not in {b"applied", b"again"}:
        stage, partition = effect.slot
        raise Fenced(f"slot {stage}-{partition}: {reply.decode(errors='replace')}")


async def read_outbox(keys: SlotKeys, link: Link) -> list[OutboxEntry]:
    """Every entry, oldest first."""
    entries: list[OutboxEntry] = []
    after = b"-"
    while True:
        page = command(b"XRANGE", keys.outbox, after, b"+", b"COUNT", b"%d" % OUTBOX_PAGE)
        (found,) = await link.ask([page])
        entries += [OutboxEntry(int(name.partition(b"-")[0]), fields[1]) for name, fields in found]
        if len(found) < OUTBOX_PAGE:
            return entries
        after = b"(" + found[-1][0]
