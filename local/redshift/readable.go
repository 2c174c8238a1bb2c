package redshift

import (
	"fmt"
	"slices"
	"strings"
)

// views are Redshift's, stood in for by those of catalogue.sql.
var views = []string{
	"pg_user", "pg_group", "pg_proc_info", "svv_user_info", "svv_user_grants", "svv_system_privileges", "svv_redshift_databases",
	"svv_database_privileges", "svv_datashare_privileges", "svv_iam_privileges", "svv_schema_privileges", "svv_relation_privileges",
	"svv_column_privileges", "svv_function_privileges", "svv_language_privileges", "svv_ml_model_privileges", "svv_rls_attached_policy",
	"svv_default_privileges",
}

// catalogues are tables of the leader node that are PostgreSQL's own. Redshift
// has more; here are those whose use its documentation shows.
var catalogues = []string{"pg_class", "pg_namespace"}

// functions that Redshift documents.
var functions = []string{"CHR", "OIDVECTORTYPES", "COUNT", "SUM", "MIN", "MAX", "COALESCE", "UPPER", "LOWER", "LEN", "GETDATE", "VERSION"}

// missing are words of PostgreSQL's SELECT that Redshift's parser has not, or not
// in a meaning that is the same.
var missing = []string{"LATERAL", "FILTER", "ARRAY", "UNNEST", "RETURNING", "TABLESAMPLE", "FOR", "FETCH", "WINDOW"}

// readable holds a query against what Redshift can run, and points it to the
// views that stand in.
func readable(tokens []token) (string, error) {
	var words []string
	var relations []string
	for i, t := range tokens {
		word := t.text
		upper := strings.ToUpper(word)
		next := func() string {
			if i+1 < len(tokens) {
				return tokens[i+1].text
			}
			return ""
		}
		switch {
		case t.kind != 'w':
		case slices.Contains(missing, upper):
			return "", syntaxError(word)
		case upper == "SELECT" && strings.EqualFold(next(), "FROM"):
			return "", syntaxError(next())
		case next() == "(" && !slices.Contains(functions, upper) && !slices.Contains([]string{"IN", "AND", "OR", "WHERE", "NOT", "FROM", "ON"}, upper):
			return "", fmt.Errorf("function %s() does not exist", strings.ToLower(word))
		case slices.Contains(views, word):
			relations = append(relations, word)
			word = "redshift." + word
		case slices.Contains(catalogues, word):
			relations = append(relations, word)
		case strings.HasPrefix(word, "pg_") || strings.HasPrefix(word, "svv_") || strings.HasPrefix(word, "stv_") || strings.HasPrefix(word, "stl_"):
			return "", fmt.Errorf("relation %q does not exist", word)
		}
		words = append(words, word)
	}
	if len(relations) > 1 && slices.ContainsFunc(relations, func(r string) bool { return strings.HasPrefix(r, "svv_") }) {
		return "", fmt.Errorf("specified types or functions (one per INFO message) not supported on Redshift tables")
	}
	return strings.Join(words, " "), nil
}
