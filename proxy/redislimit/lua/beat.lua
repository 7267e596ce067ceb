-- Says that a replica lives, counts those that do, and exchanges hold-backs.
-- KEYS: replicas, holds. ARGV: now or 0, id of the replica, how long it counts as alive in microseconds, hold-backs to
-- return at most; then for each new hold-back its key and how long it lasts from now, in microseconds.
-- Returns the number of live replicas; then for each hold-back its key and how long it lasts from now, in microseconds.
local now = clock(ARGV[1])
local stamp = string.format('%.0f', now)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', stamp)
redis.call('ZADD', KEYS[1], string.format('%.0f', now + tonumber(ARGV[3])), ARGV[2])
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', math.ceil(tonumber(ARGV[3]) / 1000)))
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', stamp)
local changed = false
for a = 5, #ARGV, 2 do
  local ends = now + tonumber(ARGV[a + 1])
  local known = redis.call('ZSCORE', KEYS[2], ARGV[a])
  if not known or tonumber(known) < ends then
    redis.call('ZADD', KEYS[2], string.format('%.0f', ends), ARGV[a])
    changed = true
  end
end
local answer = {redis.call('ZCARD', KEYS[1])}
local holds = redis.call('ZREVRANGE', KEYS[2], 0, tonumber(ARGV[4]) - 1, 'WITHSCORES')
if changed then redis.call('PEXPIRE', KEYS[2], string.format('%.0f', math.ceil((tonumber(holds[2]) - now) / 1000) + 1)) end
for i = 1, #holds, 2 do
  answer[#answer + 1] = holds[i]
  answer[#answer + 1] = tonumber(holds[i + 1]) - now
end
return answer
