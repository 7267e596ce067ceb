-- Takes more from each bucket, or gives back: down to a whole burst of debt, less a part of a token as in package limit, and
-- up to full.
-- ARGV: now or 0; then for each key rate, burst, tokens to take, and the level that the replica knows of, or nothing.
local now = clock(ARGV[1])
for k, key in ipairs(KEYS) do
  local rate, burst, delta = tonumber(ARGV[k * 4 - 2]), tonumber(ARGV[k * 4 - 1]), tonumber(ARGV[k * 4])
  local tokens, at = level(key, rate, burst, now, tonumber(ARGV[k * 4 + 1]))
  delta = math.min(delta, burst + math.floor(tokens))
  store(key, math.min(burst, tokens - delta), at, rate, burst, now)
end
return restored
