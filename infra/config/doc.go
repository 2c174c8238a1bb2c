// Package config is rekey.yaml: what a deployment consists of, in one file.
//
// [Load] reads the file strictly. Its shape is a JSON Schema generated from the types here,
// so that what an editor accepts and what the loader accepts are the same; [File.check]
// finds what a schema cannot say, such as a schedule that never comes. Everything wrong is
// reported at once, with line and column.
//
// [File.Secrets] is the flat view that stacks and prices are made from: every secret with
// what it inherits filled in.
//
// The package knows no CDK, so that the command line can use it.
package config

//go:generate go run ./generate
