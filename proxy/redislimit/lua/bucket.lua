-- What the other scripts share. A bucket is 16 bytes: its tokens, and when they were counted, in microseconds since 1970.

-- clock is Redis' own, so that the replicas' clocks need not agree. Tests pass a time of theirs; 0 is none.
local function clock(given)
  local now = tonumber(given)
  if now > 0 then return now end
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000000 + tonumber(t[2])
end

-- restored is how many buckets were missing, and began with the level that the replica knew.
local restored = 0

-- level is what the bucket holds, and as of when. A missing one was full, or it was lost: by a restart, FLUSHALL, an eviction or a
-- failover. So it begins with the hint, which is what the replica knows of its level, if that is less. A clock that went back (a
-- step, or the one of another Redis after a failover) gives no tokens for the time that it repeats, and stops no bucket for
-- more than a second.
local function level(key, rate, burst, now, hint)
  local state = redis.call('GET', key)
  if not state then
    if hint and hint < burst then
      restored = restored + 1
      return math.max(hint, -burst), now
    end
    return burst, now
  end
  local tokens, at = struct.unpack('<dd', state)
  if at > now + 1000000 then return tokens, now end
  if at < now then
    tokens = math.min(burst, tokens + (now - at) / 1000000 * rate)
    at = now
  end
  return tokens, at
end

-- store writes a bucket, to expire when it is full again: a missing one is in the same state. At least a second, so that
-- a quick bucket is not made and deleted at each request; one that takes 3000 years stays.
local function store(key, tokens, at, rate, burst, now)
  local ms = math.max(1000, math.ceil((burst - tokens) / rate * 1000 + (at - now) / 1000) + 1)
  local state = struct.pack('<dd', tokens, at)
  if ms < 1e14 then
    redis.call('SET', key, state, 'PX', string.format('%.0f', ms))
  else
    redis.call('SET', key, state)
  end
end
