package database

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// Times to wait for a server to end before it is killed.
const (
	restartPatience = 30 * time.Second // flushing its data
	stopPatience    = 5 * time.Second  // giving up at once, data and all
)

// launch starts the server's process on s.Port and waits until its administrator
// can log in. When it fails no process is left.
func (s *Server) launch(ctx context.Context) error {
	argv, err := s.flavour.command(s)
	if err != nil {
		return err
	}
	if info, err := os.Stat(s.folder.path("server.log")); err == nil {
		s.started = info.Size()
	}
	p, err := startProcess(s.folder, argv, s.Engine)
	if err != nil {
		return err
	}
	c, err := s.flavour.connector(s, login{s.AdminUser, s.AdminPassword, s.Database})
	if err != nil {
		return errors.Join(err, p.kill())
	}
	admin := sql.OpenDB(c)
	if err := s.awaitLogin(ctx, p, admin); err != nil {
		_ = admin.Close()
		_ = p.kill()
		return s.withLogTail(err)
	}
	// Given to the server at its first start, and not needed again.
	if err := s.folder.discard(initFile); err != nil {
		return errors.Join(err, admin.Close(), p.kill())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.admin != nil {
		_ = s.admin.Close()
	}
	s.process, s.admin = p, admin
	return nil
}

func (s *Server) awaitLogin(ctx context.Context, p *process, admin *sql.DB) error {
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		attempt, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := admin.PingContext(attempt)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("it ended at once (%w)", p.outcome)
		case <-ctx.Done():
			return fmt.Errorf("its administrator could not log in in time (%w): %w", ctx.Err(), err)
		case <-time.After(pause):
		}
	}
}

// logSinceLaunch is what the server's log has got since the last launch.
func (s *Server) logSinceLaunch() []byte {
	content, err := os.ReadFile(s.folder.path("server.log"))
	if err != nil || int64(len(content)) < s.started {
		return nil
	}
	return content[s.started:]
}

func (s *Server) portClashed() bool {
	return bytes.Contains(bytes.ToLower(s.logSinceLaunch()), []byte("address already in use"))
}

func (s *Server) withLogTail(err error) error {
	lines := strings.Split(strings.TrimSpace(string(s.logSinceLaunch())), "\n")
	tail := strings.Join(lines[max(0, len(lines)-15):], "\n")
	if tail == "" {
		return fmt.Errorf("%w; its log is empty", err)
	}
	return fmt.Errorf("%w; its log ends with:\n%s", err, tail)
}

// running is the server's process; it fails when there is none.
func (s *Server) running() (*process, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil || s.process.ended() {
		return nil, fmt.Errorf("%s on port %d is not running; call Restart first", s.installation, s.Port)
	}
	return s.process, nil
}

// Pause freezes the whole server: connections stay open, nothing is answered.
// Resume ends it. Pausing twice is pausing once.
func (s *Server) Pause() error {
	p, err := s.running()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.paused != nil {
		return nil
	}
	s.paused, err = p.pause()
	if err != nil {
		return fmt.Errorf("pausing %s: %w", s.installation, err)
	}
	return nil
}

// Resume lets a paused server go on. Resuming one that runs does nothing.
func (s *Server) Resume() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.paused == nil {
		return nil
	}
	err := s.process.resume()
	s.paused.release()
	s.paused = nil
	if err != nil {
		return fmt.Errorf("resuming %s: %w", s.installation, err)
	}
	return nil
}

// isPaused tells whether the server is between Pause and Resume.
func (s *Server) isPaused() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.paused != nil
}

// Kill ends the server at once, as a crash would, and returns when it is gone. Its
// data stays: Restart recovers it. Killing a dead server does nothing.
func (s *Server) Kill() error {
	s.mu.Lock()
	p, paused := s.process, s.paused
	s.paused = nil
	s.mu.Unlock()
	if p == nil {
		return nil
	}
	err := p.kill()
	if paused != nil {
		paused.release()
	}
	return err
}

// Restart stops the server in good order, if it runs, and starts it again on the
// same port with the same data.
func (s *Server) Restart(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := s.Resume(); err != nil {
		return err
	}
	if s.process != nil {
		if err := s.process.end(gracefulSignal(s.Engine), restartPatience); err != nil {
			return fmt.Errorf("stopping %s: %w", s.installation, err)
		}
	}
	for attempt := 1; ; attempt++ {
		err := s.launch(ctx)
		if err == nil {
			return nil
		}
		// Someone may hold the port for a moment: an outgoing connection can. And
		// the children of a PostgreSQL server that was killed live a little longer.
		passing := s.portClashed() || bytes.Contains(s.logSinceLaunch(), []byte("pre-existing shared memory block"))
		if attempt == startAttempts || ctx.Err() != nil || !passing {
			return fmt.Errorf("restarting %s: %w", s.installation, err)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// Stop ends the server and removes its data. Stopping twice does nothing.
func (s *Server) Stop() error {
	s.mu.Lock()
	admin := s.admin
	s.admin = nil
	s.mu.Unlock()
	if admin != nil {
		_ = admin.Close()
	}
	var failed error
	if s.process != nil {
		if s.isPaused() {
			failed = s.Kill()
		} else {
			failed = s.process.end(immediateSignal(s.Engine), stopPatience)
		}
		s.process.forgetSharedMemory(s.folder)
		s.process = nil
	}
	if err := errors.Join(failed, s.folder.remove()); err != nil {
		return fmt.Errorf("stopping %s: %w", s.installation, err)
	}
	return nil
}
