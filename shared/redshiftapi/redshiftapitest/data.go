package redshiftapitest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rekey-aws/rekey/local/redshift"
)

// statement is one that the Data API was given.
type statement struct {
	id, token, name, sql string
	where                string // the cluster or workgroup
	made                 time.Time
	looks                int
	done                 chan struct{}
	stop                 context.CancelFunc

	rows      [][]any
	failed    string
	cancelled bool
}

// kept is for how long the service knows a statement.
//
// https://docs.aws.amazon.com/redshift/latest/mgmt/data-api.html
const kept = 24 * time.Hour

func (f *Fake) data(ctx context.Context, req request) (any, *refusal) {
	switch req.operation {
	case "ExecuteStatement":
		return f.execute(ctx, req)
	case "ListStatements":
		return f.list(req)
	}
	i := slices.IndexFunc(f.statements, func(s *statement) bool { return s.id == req.text("Id") && f.now().Sub(s.made) < kept })
	if i < 0 {
		return nil, &refusal{"ResourceNotFoundException", "Query does not exist."}
	}
	s := f.statements[i]
	switch req.operation {
	case "DescribeStatement":
		return f.describe(s), nil
	case "CancelStatement":
		if s.ended() != "" {
			return nil, &refusal{"ValidationException", "Could not cancel a query that is already in " + s.ended() + " state"}
		}
		s.stop()
		<-s.done
		s.cancelled = s.failed != "" // else it ended before
		return map[string]any{"Status": true}, nil
	}
	if s.ended() != "FINISHED" || !s.selects() {
		return nil, &refusal{"ResourceNotFoundException", "Query does not have result. Please check query status with DescribeStatement."}
	}
	return s.page(req.text("NextToken")), nil
}

// ended is the state that a statement ended in, or "".
func (s *statement) ended() string {
	select {
	case <-s.done:
	default:
		return ""
	}
	switch {
	case s.cancelled:
		return "ABORTED"
	case s.failed != "":
		return "FAILED"
	}
	return "FINISHED"
}

// Settled waits until no statement runs any more.
func (f *Fake) Settled(ctx context.Context) error {
	f.mu.Lock()
	all := slices.Clone(f.statements)
	f.mu.Unlock()
	for _, s := range all {
		select {
		case <-s.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (s *statement) selects() bool { return strings.HasPrefix(s.sql, "SELECT ") }

func (f *Fake) execute(ctx context.Context, req request) (any, *refusal) {
	cluster, workgroup := req.text("ClusterIdentifier"), req.text("WorkgroupName")
	secret, user := req.text("SecretArn"), req.text("DbUser")
	switch {
	case (cluster == "") == (workgroup == ""):
		return nil, f.invalid("one of ClusterIdentifier and WorkgroupName")
	case secret != "" && user != "":
		return nil, f.invalid("one of SecretArn and DbUser")
	case cluster != "" && secret == "" && user == "":
		return nil, f.invalid("SecretArn or DbUser")
	case workgroup != "" && user != "":
		return nil, f.invalid("no DbUser: a workgroup takes the role")
	case len(req.text("Sql")) > 100_000:
		return nil, f.invalid("a statement of at most 100 KB")
	case workgroup != "" && secret == "":
		user = f.Role
		f.needed = append(f.needed, "redshift-serverless:GetCredentials")
	case secret == "":
		f.needed = append(f.needed, "redshift:GetClusterCredentials")
	}
	for _, s := range f.statements {
		if s.token == req.text("ClientToken") {
			return map[string]any{"Id": s.id}, nil
		}
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx)) // it goes on when the call has ended
	s := &statement{
		id: rand.Text(), token: req.text("ClientToken"), name: req.text("StatementName"), sql: req.text("Sql"), where: cluster + workgroup,
		made: f.now(), done: make(chan struct{}), stop: stop,
	}
	f.statements = append(f.statements, s)
	go func() {
		defer close(s.done)
		defer stop()
		s.rows, s.failed = f.run(ctx, secret, user, req.text("Database"), s.sql)
	}()
	return map[string]any{"Id": s.id}, nil
}

func (f *Fake) invalid(expected string) *refusal {
	f.t.Errorf("ExecuteStatement: want %s", expected)
	return &refusal{"ValidationException", expected}
}

// describe tells a state, and for as many looks as Looks says not the last.
func (f *Fake) describe(s *statement) map[string]any {
	status := s.ended()
	if status == "" || s.looks < f.Looks {
		status = []string{"SUBMITTED", "PICKED", "STARTED"}[min(s.looks, 2)]
	}
	s.looks++
	out := map[string]any{"Id": s.id, "Status": status, "HasResultSet": status == "FINISHED" && s.selects()}
	if status == "FAILED" {
		out["Error"] = s.failed
	}
	return out
}

// pageSize is small, so that results have pages.
const pageSize = 5

func (s *statement) page(token string) map[string]any {
	from := 0
	_, _ = fmt.Sscan(token, &from) // none: the first
	to := min(from+pageSize, len(s.rows))
	records := [][]map[string]any{}
	for _, row := range s.rows[from:to] {
		var record []map[string]any
		for _, v := range row {
			record = append(record, field(v))
		}
		records = append(records, record)
	}
	out := map[string]any{"Records": records, "TotalNumRows": len(s.rows)}
	if to < len(s.rows) {
		out["NextToken"] = fmt.Sprint(to)
	}
	return out
}

func field(v any) map[string]any {
	switch v := v.(type) {
	case nil:
		return map[string]any{"isNull": true}
	case bool:
		return map[string]any{"booleanValue": v}
	case int64:
		return map[string]any{"longValue": v}
	case float64:
		return map[string]any{"doubleValue": v}
	case []byte:
		return map[string]any{"stringValue": string(v)}
	}
	return map[string]any{"stringValue": fmt.Sprint(v)}
}

func (f *Fake) list(req request) (any, *refusal) {
	if req.in["RoleLevel"] != true {
		f.t.Error("ListStatements: of this session only; a function has a new one each time")
	}
	var found []map[string]any
	for _, s := range f.statements { // the oldest first: the order is nowhere promised
		if strings.HasPrefix(s.name, req.text("StatementName")) && s.ended() == req.text("Status") && s.where == req.text("ClusterIdentifier")+req.text("WorkgroupName") && f.now().Sub(s.made) < kept {
			found = append(found, map[string]any{
				"Id": s.id, "StatementName": s.name, "QueryString": s.sql, "Status": s.ended(), "CreatedAt": float64(s.made.UnixMilli()) / 1000,
			})
		}
	}
	from := 0
	_, _ = fmt.Sscan(req.text("NextToken"), &from) // none: the first
	out := map[string]any{"Statements": found[min(from, len(found)):min(from+pageSize, len(found))]}
	if from+pageSize < len(found) {
		out["NextToken"] = fmt.Sprint(from + pageSize)
	}
	return out, nil
}

// run is what Redshift does of a statement: it logs in with what the secret has,
// or lets IAM's user in.
func (f *Fake) run(ctx context.Context, secret, user, database, statement string) ([][]any, string) {
	db, said, err := f.open(ctx, secret, database, statement)
	if err != nil {
		return nil, redshift.Message(err)
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, redshift.Message(err)
	}
	defer conn.Close()
	if secret == "" {
		if _, err := conn.ExecContext(ctx, redshift.Become(user)); err != nil {
			return nil, fmt.Sprintf("FATAL: user %q does not exist", user)
		}
		defer func() { _, _ = conn.ExecContext(context.WithoutCancel(ctx), "RESET SESSION AUTHORIZATION") }() // else the connection is of no further use
	}
	rows, err := conn.QueryContext(ctx, said)
	if err != nil {
		return nil, redshift.Message(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, redshift.Message(err)
	}
	var table [][]any
	for rows.Next() {
		row, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, redshift.Message(err)
		}
		table = append(table, row)
	}
	if err := rows.Err(); err != nil {
		return nil, redshift.Message(err)
	}
	return table, ""
}

// open is connections through the filter with a secret's password; or round it,
// for a statement that the filter has looked at. A password that the server would
// refuse now is not let in with a connection of before.
func (f *Fake) open(ctx context.Context, secret, database, statement string) (*sql.DB, string, error) {
	if secret == "" {
		db, err := f.pool(database, func() (*sql.DB, error) { return f.Warehouse.Open(database) })
		return db, f.Warehouse.Rewrite(statement), err
	}
	user, password, err := f.Secret(secret)
	if err != nil {
		return nil, "", err
	}
	key := strings.Join([]string{database, user, password}, "\x00")
	if !f.Warehouse.Accepts(ctx, user, password) {
		key += "\x00refused"
	}
	db, err := f.pool(key, func() (*sql.DB, error) { return f.Warehouse.Login(user, password, database) })
	return db, statement, err
}

func (f *Fake) pool(key string, open func() (*sql.DB, error)) (*sql.DB, error) {
	f.poolsMu.Lock()
	defer f.poolsMu.Unlock()
	if db := f.pools[key]; db != nil {
		return db, nil
	}
	db, err := open()
	if err == nil {
		db.SetMaxOpenConns(5)
		f.pools[key] = db
	}
	return db, err
}
