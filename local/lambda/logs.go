package lambda

import (
	"bytes"
	"crypto/rand"
	"io"
	"os"
	"sync"
)

// maxLineBytes is where a line without end is cut: the size of a CloudWatch Logs event.
const maxLineBytes = 256 << 10

// logWriter joins the lines of several instances, whole ones only.
type logWriter struct {
	mu sync.Mutex
	w  io.Writer
}

// writeLine writes one line and its end. A writer's error is the writer's affair: a
// function does not fail because its logs do.
func (l *logWriter) writeLine(line []byte) {
	whole := append(bytes.Clone(line), '\n')
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = l.w.Write(whole)
}

// lineReader takes the output of one process from a pipe, line by line.
type lineReader struct {
	logs        *logWriter
	read, write *os.File
	mark        []byte        // what flush writes: it comes out after all before it
	flushed     chan struct{} // one token per mark that came out
	done        chan struct{} // closed when reading has ended

	mu   sync.Mutex
	tail []byte // the last lines since forget
}

// tailBytes is how much of an invocation's log Invoke returns:
// https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html (X-Amz-Log-Result)
const tailBytes = 4 << 10

// last cuts a log to what Invoke returns of it.
func last(log []byte) []byte { return log[max(0, len(log)-tailBytes):] }

// forget begins the tail anew.
func (r *lineReader) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tail = nil
}

// remembered is the tail.
func (r *lineReader) remembered() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return bytes.Clone(r.tail)
}

func newLineReader(logs *logWriter) (*lineReader, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	r := &lineReader{
		logs: logs, read: read, write: write,
		mark:    []byte("\x00" + rand.Text() + "\x00"),
		flushed: make(chan struct{}, 1),
		done:    make(chan struct{}),
	}
	go r.run()
	return r, nil
}

// end is the writing end, for the process.
func (r *lineReader) end() *os.File { return r.write }

// flush returns when everything written to the pipe before is in the logs. A line that is
// still without end is ended.
func (r *lineReader) flush() {
	if _, err := r.write.Write(append(bytes.Clone(r.mark), '\n')); err != nil {
		return // closed: nothing can come any more
	}
	select {
	case <-r.flushed:
	case <-r.done:
	}
}

// close flushes and ends the reading, even if a child of the process holds the pipe open.
func (r *lineReader) close() {
	r.flush()
	_ = r.write.Close()
	_ = r.read.Close()
	<-r.done
}

func (r *lineReader) run() {
	defer close(r.done)
	buffer := make([]byte, 32<<10)
	var pending []byte
	for {
		n, err := r.read.Read(buffer)
		pending = r.consume(append(pending, buffer[:n]...))
		if err != nil {
			if len(pending) > 0 {
				r.emit(pending)
			}
			return
		}
	}
}

// emit writes a line, in pieces if it is too long for one.
func (r *lineReader) emit(line []byte) {
	r.mu.Lock()
	r.tail = last(append(append(r.tail, line...), '\n'))
	r.mu.Unlock()
	for len(line) > maxLineBytes {
		r.logs.writeLine(line[:maxLineBytes])
		line = line[maxLineBytes:]
	}
	r.logs.writeLine(line)
}

// consume writes the whole lines and returns the rest.
func (r *lineReader) consume(data []byte) []byte {
	for {
		end := bytes.IndexByte(data, '\n')
		if end < 0 {
			break
		}
		line := bytes.TrimSuffix(data[:end], []byte("\r"))
		if rest, marked := bytes.CutSuffix(line, r.mark); !marked {
			r.emit(line)
		} else {
			if len(rest) > 0 {
				r.emit(rest)
			}
			r.flushed <- struct{}{}
		}
		data = data[end+1:]
	}
	// The rest may hold the beginning of a mark: what is cut off here never does.
	for len(data) > maxLineBytes+len(r.mark) {
		r.logs.writeLine(data[:maxLineBytes])
		data = data[maxLineBytes:]
	}
	return data
}
