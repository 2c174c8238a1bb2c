// Package apikey rotates keys and tokens of vendors: the [rotation.Engine] for
// what is not a database password. A [Provider] speaks to one vendor; the
// [Engine] decides what is done when, and keeps these promises whatever fails:
//
//   - A key that was issued and not stored is found and revoked.
//   - The vendor's limit of live keys is never exceeded.
//   - The old key dies after the grace period, when it is idle, and not before.
//   - A credential that can be used once is stored before it is used, and not
//     used again.
//
// What a vendor's API lacks takes promises away: docs/engines/apikey.md says which.
//
// Providers are mostly files: see the package declarative.
package apikey
