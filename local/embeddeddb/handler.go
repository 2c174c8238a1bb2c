package main

import (
	"context"

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

func (h *handler) ComQuery(ctx context.Context, c *mysql.Conn, query string, callback mysql.ResultSpoolFn) error {
	_, err := h.query(c, query, callback, func(query string) (string, error) {
		return "", h.Handler.ComQuery(ctx, c, query, callback)
	})
	return err
}

func (h *handler) ComMultiQuery(ctx context.Context, c *mysql.Conn, query string, callback mysql.ResultSpoolFn) (string, error) {
	return h.query(c, query, callback, func(query string) (string, error) {
		return h.Handler.ComMultiQuery(ctx, c, query, callback)
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
	return h.Handler.ComPrepare(ctx, c, query, prepare)
}

func (h *handler) ComStmtExecute(ctx context.Context, c *mysql.Conn, prepare *mysql.PrepareData, callback func(*sqltypes.Result) error) error {
	if _, err := h.receive(c, "Execute", prepare.PrepareStmt); err != nil {
		return err
	}
	return h.Handler.ComStmtExecute(ctx, c, prepare, callback)
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
