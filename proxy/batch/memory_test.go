package batch_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"graphproxy/proxy/batch"
)

// spoiled is memory of one length whose content is lost when it is given back.
type spoiled struct {
	t      *testing.T
	length int
	out    map[*byte]bool // given out
}

func (s *spoiled) Get() []byte {
	p := make([]byte, s.length)
	s.out[&p[0]] = true
	return p
}

func (s *spoiled) Put(p []byte) {
	if len(p) != s.length || !s.out[&p[0]] {
		s.t.Errorf("%d bytes are given back that were not given out, or were twice", len(p))
	}
	delete(s.out, &p[0])
	for i := range p {
		p[i] = '?'
	}
}

// Answers are the same wherever their bytes are kept, and all memory is given back, with what is counted of it.
func TestAnswersAreTheSameInMemoryThatIsUsedAgain(t *testing.T) {
	b := mustRead(t, list(`"id":"0"`, `"id":1`, `"id":"2"`, `"id":"3"`))
	text := func(order ...int) string {
		var answers []string
		for _, i := range order {
			answers = append(answers, string(reply(fmt.Sprint(i), 30+i*40).Raw))
		}
		return `{"responses":[` + strings.Join(answers, ",") + `]}`
	}
	rename := batch.Edit{Header: func(_, value string) (string, bool) { return value, true }}
	for _, order := range [][]int{{0, 1, 2, 3}, {3, 2, 1, 0}, {2, 0, 3}, {}} {
		want := merged(t, b, text(order...), rename, batch.Memory{Hold: new(account).hold})
		for _, length := range []int{1, 40, 100, 150, 300, 5000} {
			pieces := &spoiled{t: t, length: length, out: map[*byte]bool{}}
			var held account
			got := merged(t, b, text(order...), rename, batch.Memory{Hold: held.hold, Pieces: pieces})
			if got != want {
				t.Errorf("in pieces of %d bytes, order %v: %s, want %s", length, order, got, want)
			}
			if held.n != 0 || len(pieces.out) != 0 {
				t.Errorf("in pieces of %d bytes, order %v: %d bytes and %d pieces are still kept", length, order, held.n,
					len(pieces.out))
			}
		}
	}
}

// Where no bytes may be kept no memory is taken, and what was taken for a moment is given back.
func TestMemoryThatMayNotBeKeptIsGivenBack(t *testing.T) {
	b := mustRead(t, list(`"id":"0"`))
	held := account{room: 20_000}
	pieces := &spoiled{t: t, length: 32_000, out: map[*byte]bool{}}
	got := merged(t, b, `{"responses":[{"id":"0","status":204}]}`, batch.Edit{},
		batch.Memory{Hold: held.hold, Pieces: pieces})
	if got != `{"responses":[{"id":"0","status":204}]}` || held.n != 0 || len(pieces.out) != 0 {
		t.Errorf("%s, %d bytes and %d pieces are still kept", got, held.n, len(pieces.out))
	}
}

// merged returns the answer to a batch of which all items were sent. The text comes byte by byte.
func merged(t *testing.T, b *batch.Batch, text string, edit batch.Edit, memory batch.Memory) string {
	t.Helper()
	m := b.Merger(edit, memory)
	defer m.Close()
	sent := make([]int, len(b.Items))
	for i := range sent {
		sent[i] = i
	}
	replies := b.Replies(iotest.OneByteReader(strings.NewReader(text)), sent, memory)
	defer replies.Close()
	for {
		i, r, err := replies.Next()
		if err == io.EOF {
			break
		}
		if err != nil || !m.Reply(i, r) {
			t.Fatalf("item %d: %v", i, err)
		}
	}
	m.Finish()
	var out bytes.Buffer
	_, _ = out.ReadFrom(io.LimitReader(m, int64(m.Ready())))
	return out.String()
}
