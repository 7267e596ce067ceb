package redislimit

import (
	_ "embed"

	"github.com/redis/go-redis/v9"
)

var (
	//go:embed lua/bucket.lua
	bucketLua string
	//go:embed lua/take.lua
	takeLua string
	//go:embed lua/adjust.lua
	adjustLua string
	//go:embed lua/renew.lua
	renewLua string
	//go:embed lua/beat.lua
	beatLua string
)

// scripts run in Redis, each as a whole: no other command comes in between. They are sent by their hash, and as text
// when Redis does not have them yet (it forgets them when it starts again).
type scripts struct{ take, adjust, renew, beat *redis.Script }

func newScripts() scripts {
	with := func(text string) *redis.Script { return redis.NewScript(bucketLua + text) }
	return scripts{take: with(takeLua), adjust: with(adjustLua), renew: with(renewLua), beat: with(beatLua)}
}
