package detect

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
)

// readingAhead unpacks files while others are examined. It holds a few pieces of them, however
// long they are.
type readingAhead struct {
	pieces  chan piece
	buffers sync.Pool
	after   func(read int64) // each piece, if it is set: how much of the file was read
}

// piece is a part of a file.
type piece struct {
	name string
	data *[]byte
	err  error // of reading the file; it is the last piece then
	last bool
}

const (
	pieceSize   = 256 << 10
	piecesAhead = 8
)

// readAhead begins to read files, in their order, until ctx ends.
func readAhead(ctx context.Context, files iter.Seq[logFile]) *readingAhead {
	a := &readingAhead{pieces: make(chan piece, piecesAhead)}
	a.buffers.New = func() any { b := make([]byte, pieceSize); return &b }
	go func() {
		defer close(a.pieces)
		var unpacker gzip.Reader
		for f := range files {
			if !a.read(ctx, f, &unpacker) {
				return
			}
		}
	}()
	return a
}

// read sends a file's pieces; false when nobody waits for them any more.
func (a *readingAhead) read(ctx context.Context, f logFile, unpacker *gzip.Reader) bool {
	send := func(p piece) bool {
		p.name = f.name
		select {
		case a.pieces <- p:
			return true
		case <-ctx.Done():
			return false
		}
	}
	file, err := f.open()
	if err != nil {
		return send(piece{err: err, last: true})
	}
	defer file.Close()
	r, err := unpacked(file, unpacker)
	if err != nil {
		return send(piece{err: err, last: true})
	}
	for {
		b := a.buffers.Get().(*[]byte)
		p := piece{data: b}
		switch err := fill(r, b); {
		case errors.Is(err, io.EOF):
			p.last = true
		case errors.Is(err, io.ErrUnexpectedEOF):
			p.last, p.err = true, errors.New("the packed file ends too early: is it whole?")
		case err != nil:
			p.last, p.err = true, fmt.Errorf("reading it: %w", err)
		}
		if !send(p) || p.last {
			return p.last && ctx.Err() == nil
		}
	}
}

// fill reads until the buffer is full, or the reader has no more.
func fill(r io.Reader, b *[]byte) (err error) {
	n := 0
	for n < pieceSize && err == nil {
		var more int
		more, err = r.Read((*b)[n:pieceSize])
		n += more
	}
	*b = (*b)[:n]
	return err
}

// unpacked tells gzip by its first bytes: names of files do not always tell.
func unpacked(r io.Reader, unpacker *gzip.Reader) (io.Reader, error) {
	buffered := bufio.NewReaderSize(r, 64<<10)
	if magic, _ := buffered.Peek(2); len(magic) < 2 || magic[0] != 0x1f || magic[1] != 0x8b {
		return buffered, nil
	}
	if err := unpacker.Reset(buffered); err != nil {
		return nil, fmt.Errorf("unpacking it: %w", err)
	}
	return unpacker, nil
}

// opened is the file whose turn it is. Read it to its end, or skip it.
type opened struct {
	name  string
	ahead *readingAhead
	piece piece
	at    int
	read  int64
}

// next is the next file; false after the last.
func (a *readingAhead) next() (*opened, bool) {
	p, more := <-a.pieces
	if !more {
		return nil, false
	}
	return &opened{name: p.name, ahead: a, piece: p}, true
}

// Read is an io.Reader's.
func (o *opened) Read(to []byte) (int, error) {
	for {
		if o.piece.data != nil && o.at < len(*o.piece.data) {
			n := copy(to, (*o.piece.data)[o.at:])
			o.at += n
			return n, nil
		}
		if o.piece.last {
			if o.piece.err != nil {
				return 0, o.piece.err
			}
			return 0, io.EOF
		}
		if !o.advance() {
			return 0, io.ErrUnexpectedEOF
		}
	}
}

func (o *opened) advance() bool {
	if o.piece.data != nil {
		if o.read += int64(len(*o.piece.data)); o.ahead.after != nil {
			o.ahead.after(o.read)
		}
		*o.piece.data = (*o.piece.data)[:cap(*o.piece.data)]
		o.ahead.buffers.Put(o.piece.data)
	}
	var more bool
	o.piece, more = <-o.ahead.pieces
	o.at = 0
	return more
}

// skip passes over what is left of the file.
func (o *opened) skip() {
	for !o.piece.last && o.advance() {
		continue
	}
}

// drain ends the reading.
func (a *readingAhead) drain(cancel context.CancelFunc) {
	cancel()
	for range a.pieces {
		continue
	}
}
