-- Renews leases, those too that Redis has lost or let expire: the requests that hold them are in flight.
-- ARGV: now or 0, length in microseconds; then for each key the lease.
local until_ = clock(ARGV[1]) + tonumber(ARGV[2])
for k, key in ipairs(KEYS) do
  redis.call('ZADD', key, string.format('%.0f', until_), ARGV[k + 2])
  redis.call('PEXPIRE', key, string.format('%.0f', math.ceil(tonumber(ARGV[2]) / 1000)))
end
return #KEYS
