// Package client gives a program the secrets of AWS Secrets Manager while they rotate.
//
// A [Cache] keeps what it fetched, renews it in the background before it is too old, and
// serves what it has while Secrets Manager cannot be reached. A program that was refused
// with a secret asks for a newer one with [Cache.Newer]:
//
//	cache := client.New(client.FromAPI(secretsmanager.NewFromConfig(cfg)), client.Options{})
//	defer cache.Close()
//	secret, err := cache.Get(ctx, "prod/api")
//
// The package dbsecret makes connections of database/sql of such secrets.
package client
