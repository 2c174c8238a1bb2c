// Package rdsca holds the certificate authorities that a database's certificate
// is verified against.
package rdsca

import (
	"crypto/x509"
	_ "embed"
	"sync"
)

//go:generate go run ./generate

// bundle has the authorities of Amazon RDS, Aurora and RDS Proxy in all Regions;
// bundle.json records where it is from.
//
//go:embed bundle.pem
var bundle []byte

// Pool returns the system's roots, which SSL_CERT_FILE and SSL_CERT_DIR choose,
// and those of Amazon RDS. It is made once a process: parsing the bundle at
// every connection would cost more than the connection.
var Pool = sync.OnceValue(func() *x509.CertPool {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // no system roots: those of RDS still serve
	}
	pool.AppendCertsFromPEM(bundle)
	return pool
})
