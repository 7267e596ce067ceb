package redislimit

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"math"

	"graphproxy/policy/limit"
)

// All keys have one hash tag: a script may only touch keys of one slot of a Redis Cluster, and a request is covered by
// buckets of all kinds. So a cluster keeps all of them on one of its masters.
const (
	prefix      = "{graphproxy}:"
	replicasKey = prefix + "replicas"
	holdsKey    = prefix + "holds"
)

// bucketName is what makes two charges the same bucket, in all replicas: the limit's value, save how long to wait for
// it, and the key. It is hashed, to 128 bits, because keys may name persons: Redis then holds no names, though whoever
// reads it can find out whether a name that they guess is there.
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
