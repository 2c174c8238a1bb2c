package postgres

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lib/pq"
)

// options gives the clone the base's role options, the one that differs each.
// INHERIT is not among them: the clone acts as the base.
func (c *changer) options() {
	changes := c.query(`
		SELECT option, change FROM (
			SELECT unnest(ARRAY['CREATEDB', 'CREATEROLE', 'REPLICATION', 'BYPASSRLS', 'CONNECTION LIMIT', 'VALID UNTIL']) AS option,
				unnest(ARRAY[
					CASE WHEN b.rolcreatedb <> c.rolcreatedb THEN CASE WHEN b.rolcreatedb THEN 'CREATEDB' ELSE 'NOCREATEDB' END END,
					CASE WHEN b.rolcreaterole <> c.rolcreaterole THEN CASE WHEN b.rolcreaterole THEN 'CREATEROLE' ELSE 'NOCREATEROLE' END END,
					CASE WHEN b.rolreplication <> c.rolreplication THEN CASE WHEN b.rolreplication THEN 'REPLICATION' ELSE 'NOREPLICATION' END END,
					CASE WHEN b.rolbypassrls <> c.rolbypassrls THEN CASE WHEN b.rolbypassrls THEN 'BYPASSRLS' ELSE 'NOBYPASSRLS' END END,
					CASE WHEN b.rolconnlimit <> c.rolconnlimit THEN 'CONNECTION LIMIT ' || b.rolconnlimit END,
					CASE WHEN coalesce(b.rolvaliduntil, 'infinity') <> coalesce(c.rolvaliduntil, 'infinity')
						THEN 'VALID UNTIL ' || quote_literal(coalesce(b.rolvaliduntil, 'infinity')::text) END
				]) AS change
			FROM pg_roles b, pg_roles c WHERE b.rolname = $1 AND c.rolname = $2) AS o
		WHERE change IS NOT NULL`, c.pair.Base, c.pair.Clone)
	for _, change := range changes {
		c.exec("ALTER ROLE "+pq.QuoteIdentifier(c.pair.Clone)+" "+change[1], "set its option "+change[1])
	}
}

// setting is one ALTER ROLE … [IN DATABASE …] SET name = value.
type setting struct {
	database string // "" in all
	name     string
	value    string
}

// settings gives the clone the base's settings, and the setting that makes it
// act as the base.
func (c *changer) settings() {
	want, have := c.settingsOf(c.pair.Base), c.settingsOf(c.pair.Clone)
	if c.err != nil {
		return
	}
	if !slices.ContainsFunc(want, func(s setting) bool { return s.name == "role" && s.database == "" }) {
		want = append(want, setting{"", "role", c.pair.Base})
	}
	for _, s := range have {
		same := func(w setting) bool { return w.database == s.database && w.name == s.name }
		if !slices.ContainsFunc(want, same) {
			c.exec(s.alter(c.pair.Clone)+"RESET "+pq.QuoteIdentifier(s.name), "reset its setting "+s.String())
		}
	}
	for _, s := range want {
		if !slices.Contains(have, s) {
			set := s.alter(c.pair.Clone) + "SET " + pq.QuoteIdentifier(s.name) + " TO "
			c.exec(set+s.literal(), "set its setting "+s.String(),
				"Only a superuser may copy this setting. As one: "+set+"…, the value it has for "+pq.QuoteIdentifier(c.pair.Base)+".")
		}
	}
}

func (c *changer) settingsOf(role string) []setting {
	var settings []setting
	for _, row := range c.query(`
		SELECT coalesce(d.datname, ''), unnest(s.setconfig)
		FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole LEFT JOIN pg_database d ON d.oid = s.setdatabase
		WHERE r.rolname = $1 ORDER BY 1, 2`, role) {
		name, value, _ := strings.Cut(row[1], "=")
		settings = append(settings, setting{database: row[0], name: name, value: value})
	}
	return settings
}

// query reads rows of two texts.
func (c *changer) query(query string, args ...any) (table [][2]string) {
	if c.err != nil {
		return nil
	}
	rows, err := c.tx.QueryContext(c.ctx, query, args...)
	if err != nil {
		c.err = translate(c.ctx, err)
		return nil
	}
	defer rows.Close()
	for rows.Next() {
		var row [2]string
		if err := rows.Scan(&row[0], &row[1]); err != nil {
			c.err = translate(c.ctx, err)
			return nil
		}
		table = append(table, row)
	}
	if err := rows.Err(); err != nil {
		c.err = translate(c.ctx, err)
	}
	return table
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
	for _, e := range splitList(s.value) {
		elements = append(elements, pq.QuoteLiteral(e))
	}
	if elements == nil {
		return "''"
	}
	return strings.Join(elements, ", ")
}

// splitList splits `"$user", public` at the commas outside the quotes, and takes
// the quotes off.
func splitList(list string) []string {
	var elements []string
	var e strings.Builder
	quoted, any := false, false
	flush := func() {
		if any {
			elements = append(elements, e.String())
		}
		e.Reset()
		any = false
	}
	for i := 0; i < len(list); i++ {
		switch ch := list[i]; {
		case quoted && ch == '"' && i+1 < len(list) && list[i+1] == '"':
			e.WriteByte('"')
			i++
		case ch == '"':
			quoted, any = !quoted, true
		case !quoted && ch == ',':
			flush()
		case !quoted && ch == ' ':
		default:
			e.WriteByte(ch)
			any = true
		}
	}
	flush()
	return elements
}
