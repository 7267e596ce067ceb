-- Asks every bucket, and takes from all of them or from none.
-- ARGV: now or 0, id of the lease, its length in microseconds; then for each charge rate, burst, cost, concurrency, and the
-- level that the replica knows of, or nothing.
-- KEYS: for each charge the bucket's key if it has a rate, and the slots' key if it has a concurrency.
-- Returns the number of the charge that makes the request wait longest (0: granted), the wait in microseconds, 1 if it waits
-- for slots, the whole tokens that its bucket holds, and how many buckets were restored; then for each charge that has a rate what
-- its bucket holds afterwards, in thousandths; and for each charge that has a concurrency how many slots are taken afterwards, or -1
-- if they were not looked at.
local now, lease, length = clock(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local buckets, slots = {}, {}
local worst, longest, held, remaining = 0, 0, 0, 0
local k = 0
local levels, taken = {}, {}
for a = 4, #ARGV, 5 do
  local rate, burst, cost, concurrency = tonumber(ARGV[a]), tonumber(ARGV[a + 1]), tonumber(ARGV[a + 2]), tonumber(ARGV[a + 3])
  local wait, full, tokens, at = 0, 0, 0, now
  if rate > 0 then
    k = k + 1
    tokens, at = level(KEYS[k], rate, burst, now, tonumber(ARGV[a + 4]))
    levels[#levels + 1] = tokens
    local missing = (cost - tokens) / rate * 1000000
    -- Less than a nanosecond is no wait: else who comes back when told could be refused again by a rounding.
    if missing >= 0.001 then wait = missing + at - now end
    buckets[#buckets + 1] = {KEYS[k], tokens - cost, at, rate, burst}
  end
  if concurrency > 0 then
    k = k + 1
    -- Nobody knows when a slot is free: a second is told, unless the tokens take longer.
    local n = -1
    if wait <= 1000000 then
      redis.call('ZREMRANGEBYSCORE', KEYS[k], '-inf', string.format('%.0f', now))
      n = redis.call('ZCARD', KEYS[k])
      if n >= concurrency then wait, full = 1000000, 1 end
    end
    taken[#taken + 1] = n
    slots[#slots + 1] = KEYS[k]
  end
  if wait > longest then
    worst, longest, held, remaining = (a + 1) / 5, wait, full, 0
    if full == 0 then remaining = math.max(0, math.floor(tokens)) end
  end
end
local answer = {worst, math.ceil(math.min(longest, 1e15)), held, remaining, restored}
for i, b in ipairs(buckets) do
  if worst == 0 then
    store(b[1], b[2], b[3], b[4], b[5], now)
    levels[i] = b[2]
  elseif restored > 0 then
    store(b[1], levels[i], b[3], b[4], b[5], now) -- so that it is not lost once more
  end
  answer[#answer + 1] = math.floor(math.max(math.min(levels[i], 1e12), -1e12) * 1000)
end
for _, n in ipairs(taken) do
  if worst == 0 then n = n + 1 end
  answer[#answer + 1] = n
end
if worst > 0 then return answer end
for _, key in ipairs(slots) do
  redis.call('ZADD', key, string.format('%.0f', now + length), lease)
  redis.call('PEXPIRE', key, string.format('%.0f', math.ceil(length / 1000)))
end
return answer
