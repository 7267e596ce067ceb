package proxy

import (
	"compress/gzip"
	"errors"
	"io"
)

// inflate reads a whole body. The error is errTooLong for a body longer than most, errInflates for gzip that
// inflates to far more than its length, errors.ErrUnsupported for an encoding other than none and gzip, and an
// *Error if no more bytes may be kept.
func inflate(in *requestBody, encoding string, most int64, held *holding) ([]byte, error) {
	switch encoding {
	case "", "identity":
		return readHeld(in, most, held)
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, err
		}
		return readHeld(&inflated{Reader: z, in: in}, most, held)
	}
	return nil, errors.ErrUnsupported
}

// A body of gzip may inflate to this many times its length, plus this many bytes: ordinary JSON compresses to a
// tenth of its length; text that compresses to a thousandth is an attack.
const (
	maxInflation  = 20
	freeInflation = 64 << 10
)

var errInflates = errors.New("the body inflates to much more than came")

// inflated is the plain text of a body of gzip. It ends with errInflates before it costs much more than its length.
type inflated struct {
	*gzip.Reader
	in *requestBody
	n  int64
}

func (r *inflated) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if r.n += int64(n); r.n > maxInflation*r.in.count()+freeInflation {
		return n, errInflates
	}
	return n, err
}

// readHeld reads a whole text, into pieces that are reused, so that it is copied once and not at each growth. All
// of its memory is counted.
func readHeld(from io.Reader, most int64, held *holding) ([]byte, error) {
	var pieces [][]byte
	defer func() {
		for _, p := range pieces {
			held.of.pieces.Put(p)
		}
		held.adjust(-len(pieces) * pieceSize)
	}()
	for total := 0; ; {
		if !held.add(pieceSize) {
			return nil, overShare()
		}
		pieces = append(pieces, held.of.pieces.Get())
		n, err := fill(pieces[len(pieces)-1], from)
		total += n
		switch {
		case err != nil && err != io.EOF: //nolint:errorlint // io.Reader's contract is the bare io.EOF
			return nil, err
		case int64(total) > most:
			return nil, errTooLong
		case err != nil:
			return join(pieces, total, held)
		}
	}
}

// fill reads until the piece is full or the text ends.
func fill(piece []byte, from io.Reader) (n int, err error) {
	for n < len(piece) && err == nil {
		var more int
		more, err = from.Read(piece[n:])
		n += more
	}
	return n, err
}

func join(pieces [][]byte, total int, held *holding) ([]byte, error) {
	if !held.add(int64(total)) {
		return nil, overShare()
	}
	text := make([]byte, 0, total)
	for _, p := range pieces {
		text = append(text, p[:min(len(p), total-len(text))]...)
	}
	return text, nil
}

// overShare is the answer to a caller whose bodies use all the memory of its share.
func overShare() *Error {
	return overloaded("graphproxy holds as many bytes of this caller's bodies as it may")
}
