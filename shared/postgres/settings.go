package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/lib/pq"

	"github.com/rekey-aws/rekey/shared/dbuser"
	"github.com/rekey-aws/rekey/shared/pgwire"
)

// change is a statement that makes the clone more like the base.
type change struct {
	statement string
	says      string // what it changes, for the log
	ifDenied  string // what to do if the administrator may not
}

// optionChanges are the base's role options that the clone does not have.
// INHERIT is not among them: the clone acts as the base.
func optionChanges(ctx context.Context, tx *sql.Tx, p dbuser.Pair) ([]change, error) {
	rows, err := query(ctx, tx, `
		SELECT option, '' FROM (
			SELECT unnest(ARRAY[
				CASE WHEN b.rolcreatedb <> c.rolcreatedb THEN CASE WHEN b.rolcreatedb THEN 'CREATEDB' ELSE 'NOCREATEDB' END END,
				CASE WHEN b.rolcreaterole <> c.rolcreaterole THEN CASE WHEN b.rolcreaterole THEN 'CREATEROLE' ELSE 'NOCREATEROLE' END END,
				CASE WHEN b.rolreplication <> c.rolreplication THEN CASE WHEN b.rolreplication THEN 'REPLICATION' ELSE 'NOREPLICATION' END END,
				CASE WHEN b.rolbypassrls <> c.rolbypassrls THEN CASE WHEN b.rolbypassrls THEN 'BYPASSRLS' ELSE 'NOBYPASSRLS' END END,
				CASE WHEN b.rolconnlimit <> c.rolconnlimit THEN 'CONNECTION LIMIT ' || b.rolconnlimit END,
				CASE WHEN coalesce(b.rolvaliduntil, 'infinity') <> coalesce(c.rolvaliduntil, 'infinity')
					THEN 'VALID UNTIL ' || quote_literal(coalesce(b.rolvaliduntil, 'infinity')::text) END
			]) AS option
			FROM pg_roles b, pg_roles c WHERE b.rolname = $1 AND c.rolname = $2) AS o
		WHERE option IS NOT NULL`, p.Base, p.Clone)
	if err != nil {
		return nil, err
	}
	var changes []change
	for _, row := range rows {
		changes = append(changes, change{
			statement: "ALTER ROLE " + pq.QuoteIdentifier(p.Clone) + " " + row[0],
			says:      "set its option " + row[0],
		})
	}
	return changes, nil
}

// setting is one ALTER ROLE … [IN DATABASE …] SET name = value.
type setting struct {
	database string // "" in all
	name     string
	value    string
}

// settingChanges are the base's settings that the clone does not have, among
// them the one that makes it act as the base, and those that it has besides.
func settingChanges(ctx context.Context, tx *sql.Tx, p dbuser.Pair) ([]change, error) {
	want, err := settingsOf(ctx, tx, p.Base)
	if err != nil {
		return nil, err
	}
	have, err := settingsOf(ctx, tx, p.Clone)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(want, func(s setting) bool { return s.name == "role" && s.database == "" }) {
		want = append(want, setting{"", "role", p.Base})
	}
	var changes []change
	for _, s := range have {
		same := func(w setting) bool { return w.database == s.database && w.name == s.name }
		if !slices.ContainsFunc(want, same) {
			changes = append(changes, change{statement: s.alter(p.Clone) + "RESET " + pq.QuoteIdentifier(s.name), says: "reset its setting " + s.String()})
		}
	}
	for _, s := range want {
		if slices.Contains(have, s) {
			continue
		}
		set := s.alter(p.Clone) + "SET " + pq.QuoteIdentifier(s.name) + " TO "
		changes = append(changes, change{
			statement: set + s.literal(),
			says:      "set its setting " + s.String(),
			ifDenied:  "Only a superuser may copy this setting. As one: " + set + "…, the value it has for " + pq.QuoteIdentifier(p.Base) + ".",
		})
	}
	return changes, nil
}

func settingsOf(ctx context.Context, tx *sql.Tx, role string) ([]setting, error) {
	rows, err := query(ctx, tx, `
		SELECT coalesce(d.datname, ''), unnest(s.setconfig)
		FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole LEFT JOIN pg_database d ON d.oid = s.setdatabase
		WHERE r.rolname = $1 ORDER BY 1, 2`, role)
	if err != nil {
		return nil, err
	}
	var settings []setting
	for _, row := range rows {
		name, value, _ := strings.Cut(row[1], "=")
		settings = append(settings, setting{database: row[0], name: name, value: value})
	}
	return settings, nil
}

// query reads rows of two texts.
func query(ctx context.Context, tx *sql.Tx, query string, args ...any) (table [][2]string, err error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, translate(ctx, err)
	}
	defer rows.Close()
	for rows.Next() {
		var row [2]string
		if err := rows.Scan(&row[0], &row[1]); err != nil {
			return nil, translate(ctx, err)
		}
		table = append(table, row)
	}
	if err := rows.Err(); err != nil {
		return nil, translate(ctx, err)
	}
	return table, nil
}

// String names the setting without its value, which is the user's business.
func (s setting) String() string {
	if s.database == "" {
		return s.name
	}
	return fmt.Sprintf("%s in database %q", s.name, s.database)
}

func (s setting) alter(role string) string {
	alter := "ALTER ROLE " + pq.QuoteIdentifier(role) + " "
	if s.database != "" {
		alter += "IN DATABASE " + pq.QuoteIdentifier(s.database) + " "
	}
	return alter
}

// lists are the settings that the server stores as a list of quoted names, and
// takes as a list of literals. pg_dump knows the same.
//
// https://github.com/postgres/postgres/blob/master/src/bin/pg_dump/dumputils.c (variable_is_guc_list_quote)
var lists = []string{"local_preload_libraries", "search_path", "session_preload_libraries", "shared_preload_libraries", "temp_tablespaces", "unix_socket_directories"}

func (s setting) literal() string {
	if !slices.Contains(lists, strings.ToLower(s.name)) {
		return pq.QuoteLiteral(s.value)
	}
	var elements []string
	for _, e := range pgwire.Names(s.value) {
		elements = append(elements, pq.QuoteLiteral(e))
	}
	if elements == nil {
		return "''"
	}
	return strings.Join(elements, ", ")
}
