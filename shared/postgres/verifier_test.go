package postgres

import "testing"

// The vectors were confirmed by logging in to PostgreSQL 15.
func TestVerifiers(t *testing.T) {
	scram, err := scramVerifier("Rekey-Vector-1", []byte("0123456789abcdef"), 4096)
	if err != nil {
		t.Fatal(err)
	}
	if want := "SCRAM-SHA-256$4096:MDEyMzQ1Njc4OWFiY2RlZg==$NNfhN9mU3TB7yuNic4RJ5/QaL7J1uwOFwieBiXOOCgA=:Qa1cdNO4cq4PjyC+fm4FPg7bgL4N575XdwrOvwKgDl4="; scram != want {
		t.Errorf("scram: got %s, want %s", scram, want)
	}
	if got, want := md5Verifier("Rekey-Vector-1", "app"), "md5ea95b76a2d52ee435204ed1cdc55f3a2"; got != want {
		t.Errorf("md5: got %s, want %s", got, want)
	}
}
