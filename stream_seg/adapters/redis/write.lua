-- One atomic change of one slot (ports.Write). Applied only under the slot's claim and revision; then revision + 1.
--
-- KEYS  1 meta, 2 ring, 3 due, 4 counts, 5 outbox, then the record keys, the record and history keys of the erased,
--       the history key of each history entry. Every key is declared and all share one hash tag: Redis Cluster.
-- ARGV  1 claim, 2 revision, 3 revision + 1, 4 call id, 5 to 14 how many words each section has (below), then the
--       sections: meta, erased, undue, ring, due, counts, history, outbox, records.
--
-- Replies: 'applied', 'again' (this very call did it before: a retry after a lost reply), or why it was refused.
--
-- Redis keeps what a script wrote before an error, so everything that may fail is looked at before the first write,
-- and XADD, which refuses an id behind the stream's newest, comes first.

local claim, rev, next_rev, call = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local own = redis.call('HMGET', KEYS[1], '.claim', '.rev', '.call')
if own[1] ~= claim then
  return 'claim is ' .. (own[1] or 'absent') .. ', not ' .. claim
end
if own[2] == next_rev and own[3] == call then
  return 'again'
end
if (own[2] or '0') ~= rev then
  return 'revision is ' .. (own[2] or '0') .. ', not ' .. rev
end

local n_meta, n_records, n_erased = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local n_undue, n_ring, n_due = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
local n_counts, n_history, keep, n_outbox = tonumber(ARGV[11]), tonumber(ARGV[12]), ARGV[13], tonumber(ARGV[14])
local meta_at = 15
local erased_at = meta_at + n_meta
local undue_at = erased_at + n_erased
local ring_at = undue_at + n_undue
local due_at = ring_at + n_ring
local counts_at = due_at + n_due
local history_at = counts_at + n_counts
local outbox_at = history_at + n_history
local records_at = outbox_at + n_outbox
local record_keys_at = 6
local erased_keys_at = record_keys_at + n_records
local history_keys_at = erased_keys_at + 2 * n_erased

local function holds_another(key, kind)
  local found = redis.call('TYPE', key).ok
  return found ~= kind and found ~= 'none'
end
local kinds = { 'hash', 'zset', 'zset', 'hash', 'stream' }
for i = 1, 5 do
  if holds_another(KEYS[i], kinds[i]) then
    return redis.error_reply('WRONGTYPE ' .. KEYS[i] .. ' is not a ' .. kinds[i])
  end
end
for i = history_keys_at, history_keys_at + n_history - 1 do
  if holds_another(KEYS[i], 'list') then
    return redis.error_reply('WRONGTYPE ' .. KEYS[i] .. ' is not a list')
  end
end

-- Lua's stack takes about 8,000 words of one call; an even step keeps pairs together.
local STEP = 7000

-- Calls `command key word ...` with `count` words from ARGV[at] on.
local function with_words(command, key, at, count)
  for first = at, at + count - 1, STEP do
    redis.call(command, key, unpack(ARGV, first, math.min(first + STEP, at + count) - 1))
  end
end

if n_outbox > 0 then
  redis.call('XADD', KEYS[5], next_rev .. '-0', 'b', ARGV[outbox_at])
end
for i = counts_at, counts_at + n_counts - 1, 2 do
  if redis.call('HINCRBY', KEYS[4], ARGV[i], ARGV[i + 1]) == 0 then
    redis.call('HDEL', KEYS[4], ARGV[i])
  end
end
if n_erased > 0 then
  for first = erased_keys_at, history_keys_at - 1, STEP do
    redis.call('DEL', unpack(KEYS, first, math.min(first + STEP, history_keys_at) - 1))
  end
  with_words('ZREM', KEYS[2], erased_at, n_erased)
  with_words('ZREM', KEYS[3], erased_at, n_erased)
end
with_words('ZREM', KEYS[3], undue_at, n_undue)
with_words('ZADD', KEYS[2], ring_at, n_ring)
with_words('ZADD', KEYS[3], due_at, n_due)
for i = 0, n_history - 1 do
  redis.call('LPUSH', KEYS[history_keys_at + i], ARGV[history_at + i])
  redis.call('LTRIM', KEYS[history_keys_at + i], 0, keep)
end

-- One MSET of all records is much cheaper than a SET each.
for first = 0, n_records - 1, STEP / 2 do
  local pairs_of_one_call, last = {}, math.min(first + STEP / 2, n_records) - 1
  for i = first, last do
    pairs_of_one_call[2 * (i - first) + 1] = KEYS[record_keys_at + i]
    pairs_of_one_call[2 * (i - first) + 2] = ARGV[records_at + i]
  end
  redis.call('MSET', unpack(pairs_of_one_call))
end

redis.call('HSET', KEYS[1], '.rev', next_rev, '.call', call)
with_words('HSET', KEYS[1], meta_at, n_meta)
return 'applied'
