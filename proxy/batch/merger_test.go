package batch_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"graphproxy/proxy/batch"
)

func reply(id string, size int) batch.Reply {
	return batch.Reply{
		Status: 200,
		Raw:    json.RawMessage(fmt.Sprintf(`{"id":%q,"status":200,"body":%q}`, id, strings.Repeat("x", size))),
	}
}

func take(m *batch.Merger) string {
	var out bytes.Buffer
	_, _ = out.ReadFrom(io.LimitReader(m, int64(m.Ready())))
	return out.String()
}

func TestAnAnswerInItsTurnCanBeReadAtOnceAndIsHeldNoLonger(t *testing.T) {
	var held account
	b := mustRead(t, list(`"id":"0"`, `"id":"1"`, `"id":"2"`))
	m := b.Merger(batch.Edit{}, held.memory())
	m.Reply(1, reply("1", 1000))
	if m.Ready() != 0 || held.n < 1000 {
		t.Errorf("%d bytes are ready before their turn, %d held", m.Ready(), held.n)
	}
	m.Reply(0, reply("0", 10))
	if got := take(m); !strings.HasPrefix(got, `{"responses":[{"id":"0",`) || !strings.Contains(got, `"},{"id":"1",`) ||
		held.n != 0 {
		t.Errorf("%d bytes are held after %s", held.n, got)
	}
	if left := m.Finish(); len(left) != 1 || left[0] != 2 {
		t.Errorf("left out: %v", left)
	}
	if got := take(m); !strings.HasPrefix(got, `,{"id":"2","status":504`) || !strings.HasSuffix(got, `}]}`) ||
		held.n != 0 {
		t.Errorf("%d bytes are held after %s", held.n, got)
	}
}

func TestAnAnswerIsNotTakenIfItMayNotBeHeld(t *testing.T) {
	held := account{room: 4000}
	b := mustRead(t, list(`"id":"0"`, `"id":"1"`, `"id":"2"`))
	m := b.Merger(batch.Edit{}, held.memory())
	if !m.Reply(2, reply("2", 2000)) || m.Reply(1, reply("1", 2000)) || m.Has(1) {
		t.Errorf("%d bytes are held where there is room for 4000", held.n)
	}
	m.Answer(1, batch.Answer{Status: 503})
	m.Reply(0, reply("0", 10))
	if m.Finish(); !strings.Contains(take(m), `{"id":"1","status":503}`) || held.n != 0 || held.most > 4000 {
		t.Errorf("%d bytes are held, %d at most", held.n, held.most)
	}
}

func TestWhatIsNotCommittedCanBeDropped(t *testing.T) {
	var held account
	b := mustRead(t, list(`"id":"0"`, `"id":"1"`))
	m := b.Merger(batch.Edit{}, held.memory())
	m.Pend()
	m.Reply(0, reply("0", 10))
	if m.Ready() != 0 {
		t.Error("what is not committed can be read")
	}
	m.Drop([]int{0})
	m.Answer(0, batch.Answer{Status: 502})
	m.Pend()
	m.Reply(1, reply("1", 10))
	m.Commit()
	m.Finish()
	if got := take(m); !strings.HasPrefix(got, `{"responses":[{"id":"0","status":502},{"id":"1","status":200`) ||
		held.n != 0 {
		t.Errorf("%d bytes are held after %s", held.n, got)
	}
}

func TestClosingGivesBackWhatIsHeld(t *testing.T) {
	var held account
	b := mustRead(t, list(`"id":"0"`, `"id":"1"`, `"id":"2"`))
	m := b.Merger(batch.Edit{}, held.memory())
	m.Reply(0, reply("0", 1000))
	m.Reply(2, reply("2", 1000))
	if n, err := m.Read(make([]byte, 500)); n != 500 || err != nil {
		t.Errorf("read %d bytes, %v", n, err)
	}
	m.Close()
	if held.n != 0 {
		t.Errorf("%d bytes are still accounted for", held.n)
	}
}

// Of all answers, however long, at most one is kept for reading, and twice that while it grows.
func TestOneAnswerIsHeldAtATime(t *testing.T) {
	var held account
	b := mustRead(t, list(`"id":"0"`, `"id":"1"`, `"id":"2"`))
	const size = 1 << 20
	answers := make([]string, 3)
	for i := range answers {
		answers[i] = string(reply(fmt.Sprint(i), size).Raw)
	}
	text := `{"responses":[` + strings.Join(answers, ",") + `]}`
	replies := b.Replies(strings.NewReader(text), []int{0, 1, 2}, held.memory())
	for {
		if _, _, err := replies.Next(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	replies.Close()
	if held.most > 7*size/2 || held.n != 0 {
		t.Errorf("%d bytes were held at most, %d in the end", held.most, held.n)
	}
}

func TestAnAnswerThatMayNotBeHeldEndsTheReading(t *testing.T) {
	held := account{room: 100_000}
	b := mustRead(t, list(`"id":"0"`))
	replies := b.Replies(strings.NewReader(`{"responses":[`+string(reply("0", 1<<20).Raw)+`]}`), []int{0}, held.memory())
	_, _, err := replies.Next()
	if replies.Close(); err != batch.ErrTooMuchHeld || held.n != 0 || held.most > 100_000 {
		t.Errorf("%v, %d bytes held at most", err, held.most)
	}
}

func TestAnAnswerThatIsTooLongIsRefused(t *testing.T) {
	var held account
	b := mustRead(t, list(`"id":"0"`))
	endless := io.MultiReader(strings.NewReader(`{"responses":[{"id":"0","status":200,"body":"`), endlessly('x'))
	replies := b.Replies(endless, []int{0}, held.memory())
	_, _, err := replies.Next()
	if replies.Close(); err == nil || !strings.Contains(err.Error(), "MiB") || held.most > 4*batch.MaxReply {
		t.Errorf("%v, %d bytes held at most", err, held.most)
	}
}

type endlessly byte

func (c endlessly) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(c)
	}
	return len(p), nil
}
