package audit

import (
	"bufio"
	"bytes"
	"io"
)

// lineReader reads lines of any length and keeps none beyond MaxLine.
type lineReader struct {
	in      *bufio.Reader
	line    []byte
	number  int  // of the line that next returned, from 1
	tooLong bool // it was longer than MaxLine
}

func newLineReader(r io.Reader) *lineReader {
	return &lineReader{in: bufio.NewReaderSize(r, 64<<10)}
}

// next returns the next line without the space around it, valid until the next call. At the end it returns io.EOF.
func (r *lineReader) next() ([]byte, error) {
	r.line, r.tooLong = r.line[:0], false
	for {
		piece, err := r.in.ReadSlice('\n')
		r.keep(piece)
		switch {
		case err == bufio.ErrBufferFull:
			continue
		case err == io.EOF && len(r.line) == 0 && !r.tooLong:
			return nil, io.EOF
		case err != nil && err != io.EOF:
			return nil, err
		}
		r.number++
		return bytes.TrimSpace(r.line), nil
	}
}

func (r *lineReader) keep(piece []byte) {
	if r.tooLong = r.tooLong || len(r.line)+len(piece) > MaxLine; r.tooLong {
		r.line = r.line[:0]
		return
	}
	r.line = append(r.line, piece...)
}
