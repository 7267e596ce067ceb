package redislimit

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"math"

	"graphproxy/policy/limit"
)

// All keys have one hash tag, because a script may only use keys of one slot of a Redis Cluster, and any buckets can
// cover one request. So a cluster keeps all of them on one of its masters.
const (
	prefix      = "{graphproxy}:"
	replicasKey = prefix + "replicas"
	holdsKey    = prefix + "holds"
)

// bucketName returns the same name for two charges of the same bucket, in all replicas. It covers the key and the
// limit's values, except how long to wait. It is a hash of 128 bits, because keys may name persons: Redis then holds no
// names. A reader of Redis can still find out whether a guessed name is there.
func bucketName(c *limit.Charge) string {
	l := c.Limit
	text := make([]byte, 0, 256)
	text = binary.AppendUvarint(text, uint64(len(l.Name)))
	text = append(text, l.Name...)
	text = binary.LittleEndian.AppendUint64(text, math.Float64bits(l.Rate))
	text = binary.AppendUvarint(text, uint64(l.Burst))
	text = binary.AppendUvarint(text, uint64(l.Concurrency))
	text = append(text, byte(l.Unit))
	text = append(text, c.Key...)
	sum := sha256.Sum256(text)
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

func rateKey(name string) string  { return prefix + "b:" + name }
func slotsKey(name string) string { return prefix + "s:" + name }
