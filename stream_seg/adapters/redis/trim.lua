-- Forgets outbox entries up to an id (ports.Trim). Checks the claim, leaves the revision alone.
-- KEYS 1 meta, 2 outbox. ARGV 1 claim, 2 the first id that stays. Replies 'applied' or why it was refused.
local claim = redis.call('HGET', KEYS[1], '.claim')
if claim ~= ARGV[1] then
  return 'claim is ' .. (claim or 'absent') .. ', not ' .. ARGV[1]
end
redis.call('XTRIM', KEYS[2], 'MINID', '=', ARGV[2])
return 'applied'
