package database

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// StartReplica starts a streaming, read-only replica of a PostgreSQL server, with
// the same accounts, certificate and options. Stop it before its primary. The
// MySQL family has SetReadOnly, which looks the same to a client.
func (s *Server) StartReplica(ctx context.Context) (*Server, error) {
	if s.Engine != Postgres {
		return nil, fmt.Errorf("a replica of %s cannot be started; use SetReadOnly, whose errors are the same", s.installation)
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	replica, err := newServer(s.options, s.installation)
	if err != nil {
		return nil, fmt.Errorf("preparing a replica of %s: %w", s.installation, err)
	}
	replica.AdminPassword = s.AdminPassword
	replica.certificates = s.certificates
	if err := replica.becomeReplica(ctx, s); err != nil {
		return nil, errors.Join(fmt.Errorf("starting a replica of %s: %w", s.installation, err), replica.Stop())
	}
	return replica, nil
}

func (s *Server) becomeReplica(ctx context.Context, primary *Server) error {
	if err := s.writeCertificates(); err != nil {
		return err
	}
	if err := s.copyPrimary(ctx, primary); err != nil {
		return fmt.Errorf("copying the primary: %w", err)
	}
	if err := s.launchOnFreePort(ctx); err != nil {
		return err
	}
	return s.CatchUp(ctx, primary)
}

// copyPrimary takes an online backup by copying the data files between the
// primary's two backup functions: not every installation has pg_basebackup.
func (s *Server) copyPrimary(ctx context.Context, primary *Server) error {
	begin, end := "SELECT pg_backup_start('replica', true)", "SELECT labelfile FROM pg_backup_stop(false)"
	if primary.installation.olderThan(15) {
		begin, end = "SELECT pg_start_backup('replica', true, false)", "SELECT labelfile FROM pg_stop_backup(false, false)"
	}
	// Both calls belong to one session.
	conn, err := primary.silentConn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, begin); err != nil {
		return err
	}
	if err := copyTree(primary.folder.path("data"), s.folder.path("data"), notInBackup); err != nil {
		return err
	}
	var label string
	if err := conn.QueryRowContext(ctx, end).Scan(&label); err != nil {
		return err
	}
	if err := s.folder.write("data/backup_label", []byte(label)); err != nil {
		return err
	}
	return s.followPrimary(primary)
}

// notInBackup names what belongs to the primary's running process.
func notInBackup(name string) bool {
	top, _, nested := strings.Cut(filepath.ToSlash(name), "/")
	return name == "postmaster.pid" || name == "postmaster.opts" ||
		nested && (top == "pg_replslot" || top == "pg_stat_tmp" || top == "pg_dynshmem")
}

// followPrimary tells the replica where to get changes from.
func (s *Server) followPrimary(primary *Server) error {
	s.options.Settings = withSetting(s.options.Settings, "hot_standby", "on")
	tls := "sslmode=verify-ca sslrootcert=" + s.CAFile()
	if s.options.TLS == TLSOff {
		tls = "sslmode=disable"
	}
	conninfo := fmt.Sprintf("host=127.0.0.1 port=%d user=%s password=%s %s",
		primary.Port, primary.AdminUser, primary.AdminPassword, tls)
	if s.installation.olderThan(12) {
		return s.folder.write("data/recovery.conf",
			[]byte("standby_mode = 'on'\nprimary_conninfo = '"+conninfo+"'\n"))
	}
	s.options.Settings = withSetting(s.options.Settings, "primary_conninfo", conninfo)
	return s.folder.write("data/standby.signal", nil)
}

func withSetting(settings map[string]string, name, value string) map[string]string {
	changed := map[string]string{name: value}
	for k, v := range settings {
		changed[k] = v
	}
	return changed
}

// CatchUp waits until a replica has replayed all that its primary has written.
func (s *Server) CatchUp(ctx context.Context, primary *Server) error {
	written, err := primary.Query(ctx, "SELECT pg_current_wal_lsn()")
	if err != nil {
		return err
	}
	for {
		replayed, err := s.Query(ctx, "SELECT COALESCE(pg_last_wal_replay_lsn() >= '"+written[0][0]+"'::pg_lsn, false)")
		if err != nil {
			return err
		}
		if done, _ := strconv.ParseBool(replayed[0][0]); done {
			return nil
		}
		select {
		case <-ctx.Done():
			return s.withLogTail(fmt.Errorf("the replica has not caught up in time: %w", ctx.Err()))
		case <-time.After(20 * time.Millisecond):
		}
	}
}
