// Package dbsecret makes connections of database/sql whose user and password are a rotating
// secret of AWS Secrets Manager, as rekey and the official templates write it:
//
//	db := dbsecret.Open(cache, "prod/orders/app", &pq.Driver{}, dbsecret.Options{})
//
// Every new connection logs in with the current credential. If that is refused, the secret
// is fetched again and the login is tried once more with what came of it; if nothing new
// came, the rotation may be between two steps, and it is waited for a moment. Connections of
// a user who was replaced (alternating users) are given up when they are idle.
//
// It knows lib/pq, pgx (its package stdlib) and go-sql-driver/mysql, and imports none of them.
package dbsecret
