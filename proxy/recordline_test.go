package proxy_test

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"graphproxy/policy/graph/odata"
	"graphproxy/proxy"
)

func TestALineIsWhatEncodingJSONWritesWithHiddenCharactersEscaped(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 3000 {
		rec := randomRecord(random, i == 0)
		if diff := cmp.Diff(standardLine(t, rec), string(rec.AppendLine(nil))); diff != "" {
			t.Fatalf("-want +got:\n%s", diff)
		}
	}
}

// randomRecord has any value in every field; with all, none is the zero value.
func randomRecord(random *rand.Rand, all bool) *proxy.Record {
	rec := new(proxy.Record)
	v := reflect.ValueOf(rec).Elem()
	for i := range v.NumField() {
		f := v.Field(i)
		if !f.CanSet() || !all && random.IntN(3) == 0 {
			continue
		}
		switch f.Interface().(type) {
		case string:
			f.SetString("x" + randomText(random))
		case []string:
			f.Set(reflect.ValueOf([]string{randomText(random), randomText(random)}))
		case int, int64:
			f.SetInt(random.Int64N(1 << 40))
		case float64:
			f.SetFloat(float64(1+random.Int64N(1<<40)) / 1000)
		case bool:
			f.SetBool(true)
		case *proxy.CandidateRecord:
			f.Set(reflect.ValueOf(&proxy.CandidateRecord{
				Decision:  randomText(random),
				WouldDeny: random.IntN(2) == 0,
				Rule:      randomText(random),
				Policy:    randomText(random),
			}))
		case time.Time:
			f.Set(reflect.ValueOf(time.Unix(random.Int64N(1<<34), random.Int64N(1e9)).UTC()))
		}
	}
	return rec
}

// randomText has characters of every kind that a JSON string writes in its own way.
func randomText(random *rand.Rand) string {
	kinds := []string{"a", "é", "\"", "\\", "/", "<", "&", "\b", "\f", "\n", "\r", "\t", "\x00", "\x1f", "\x7f", "\u0085",
		"\u200b", "\u2028", "\u202e", "\ufffd", "\xff", "\xe2\x80", "\ufeff", "😀", "\U000e0041", " ", "\u00a0"}
	text := ""
	for range random.IntN(12) {
		text += kinds[random.IntN(len(kinds))]
	}
	return text
}

func standardLine(t *testing.T, rec *proxy.Record) string {
	t.Helper()
	var line bytes.Buffer
	enc := json.NewEncoder(&line)
	enc.SetEscapeHTML(false)
	must(t, enc.Encode(rec))
	return string(odata.VisibleJSON(line.Bytes()))
}

func TestALineAllocatesNothing(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates, too")
	}
	rec, line := plainRecord(), make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(100, func() { line = rec.AppendLine(line[:0]) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestMillisecondsAreWrittenAsStrconvWritesThem(t *testing.T) {
	values := []float64{0, 0.001, 0.1, 1, 1.001, 12.345, 999.999, 1e6, 123456.789, 1e9, 1e12, 1e15, 1e300, -1, -0.5, 1e-9,
		0.0015, math.Copysign(0, -1), math.Nextafter(1.001, 2), math.MaxFloat64, math.SmallestNonzeroFloat64}
	for n := range 100_000 {
		values = append(values, float64(n)/1000, float64(n)*7919/1000)
	}
	rec := plainRecord()
	for _, value := range values {
		rec.Millis = value
		want := `"ms":` + strconv.FormatFloat(value, 'f', -1, 64) + `,`
		if line := string(rec.AppendLine(nil)); !strings.Contains(line, want) {
			t.Fatalf("%v: %s", value, line)
		}
	}
}

// plainRecord is that of an ordinary request.
func plainRecord() *proxy.Record {
	return &proxy.Record{
		Time:            time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC),
		Caller:          "hr-sync",
		Evidence:        "key",
		Client:          "192.0.2.1",
		App:             "default",
		Method:          "GET",
		Version:         "v1.0",
		Path:            "/v1.0/users/{id}",
		Target:          "/v1.0/users/adele@contoso.com",
		Query:           []string{"$select", "$top"},
		Rule:            "policy.yaml:31",
		Decision:        "allow",
		Status:          200,
		GraphStatus:     200,
		Millis:          12.345,
		GraphMillis:     11.9,
		BytesOut:        1024,
		RequestID:       "6e7f1c1e-54c7-4b8c-a6f3-8a8ee9f4f3b5",
		ClientRequestID: "6e7f1c1e-54c7-4b8c-a6f3-8a8ee9f4f3b5",
		Policy:          "1c1e54c7",
	}
}

// BenchmarkAuditLine measures the encoding of one line.
func BenchmarkAuditLine(b *testing.B) {
	rec, line := plainRecord(), []byte(nil)
	b.ReportAllocs()
	for b.Loop() {
		line = rec.AppendLine(line[:0])
	}
}
