package main

import (
	"context"
	"errors"
	"strings"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/vitess/go/mysql"
	"github.com/dolthub/vitess/go/sqltypes"
	querypb "github.com/dolthub/vitess/go/vt/proto/query"
)

// handler stands before go-mysql-server's own: it logs statements as MySQL does,
// and answers those about accounts and passwords.
type handler struct {
	mysql.Handler
	log        *statementLog
	accounts   *accountStatements
	requireTLS bool
}

// Errors with MySQL's own numbers and words.
func errInsecure() error {
	return mysql.NewSQLError(3159, "HY000", "Connections using insecure transport are prohibited while --require_secure_transport=ON.")
}

// numbered gives a denial and a syntax error MySQL's numbers, by which clients tell
// them from a failure: go-mysql-server sends its own as "unknown error".
func numbered(err error) error {
	unknown := (*mysql.SQLError)(nil)
	if !errors.As(err, &unknown) || unknown.Num != mysql.ERUnknownError {
		return err
	}
	switch text := unknown.Message; {
	case strings.HasPrefix(text, "syntax error"):
		return mysql.NewSQLError(1064, "42000", "%s", text) // ER_PARSE_ERROR
	case strings.HasPrefix(text, "Access denied for user") && strings.Contains(text, "to database"):
		return mysql.NewSQLError(1044, "42000", "%s", text) // ER_DBACCESS_DENIED_ERROR
	case strings.HasPrefix(text, "Access denied for user"), strings.HasPrefix(text, "command denied to user"):
		return mysql.NewSQLError(1142, "42000", "%s", text) // ER_TABLEACCESS_DENIED_ERROR
	}
	return err
}

func (h *handler) ComQuery(ctx context.Context, c *mysql.Conn, query string, callback mysql.ResultSpoolFn) error {
	_, err := h.query(c, query, callback, func(query string) (string, error) {
		return "", numbered(h.Handler.ComQuery(ctx, c, query, callback))
	})
	return err
}

func (h *handler) ComMultiQuery(ctx context.Context, c *mysql.Conn, query string, callback mysql.ResultSpoolFn) (string, error) {
	return h.query(c, query, callback, func(query string) (string, error) {
		rest, err := h.Handler.ComMultiQuery(ctx, c, query, callback)
		return rest, numbered(err)
	})
}

func (h *handler) query(c *mysql.Conn, query string, callback mysql.ResultSpoolFn, next func(string) (string, error)) (string, error) {
	tokens, err := h.receive(c, "Query", query)
	if err != nil {
		return "", err
	}
	result, handled, err := h.accounts.answer(currentAccount(c), tokens)
	if err != nil {
		return "", err
	}
	if handled {
		return "", callback(result, false)
	}
	return next(h.accounts.withDefaultPlugin(query, tokens))
}

func (h *handler) ComPrepare(ctx context.Context, c *mysql.Conn, query string, prepare *mysql.PrepareData) ([]*querypb.Field, error) {
	tokens, err := h.receive(c, "Prepare", query)
	if err != nil {
		return nil, err
	}
	if accountStatement(tokens) {
		// Ours are not known to go-mysql-server, which would do half of them.
		return nil, mysql.NewSQLError(1295, "HY000", "This command is not supported in the prepared statement protocol yet")
	}
	fields, err := h.Handler.ComPrepare(ctx, c, query, prepare)
	return fields, numbered(err)
}

func (h *handler) ComStmtExecute(ctx context.Context, c *mysql.Conn, prepare *mysql.PrepareData, callback func(*sqltypes.Result) error) error {
	if _, err := h.receive(c, "Execute", prepare.PrepareStmt); err != nil {
		return err
	}
	return numbered(h.Handler.ComStmtExecute(ctx, c, prepare, callback))
}

// receive logs a statement and takes it apart.
func (h *handler) receive(c *mysql.Conn, command, query string) ([]token, error) {
	if h.requireTLS && !c.TLSEnabled() {
		// The protocol library says this at the handshake, and then goes on.
		return nil, errInsecure()
	}
	tokens := scan(query)
	return tokens, h.log.write(c.ConnectionID, currentAccount(c), command, mask(query, tokens))
}

// currentAccount is the account that the server took a login for: CURRENT_USER().
func currentAccount(c *mysql.Conn) account {
	user, _ := c.UserData.(sql.MysqlConnectionUser)
	return account{user.User, user.Host}
}
