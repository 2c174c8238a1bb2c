package main

import (
	"encoding/json"
	"os"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rekey-aws/rekey/local/database"
	"github.com/rekey-aws/rekey/local/database/databasetest"
)

// doctorCommands bring secrets into states that need a doctor.
//
//	retyped FILE NEW [PASSWORD]  the secret in FILE (or stdout) with another password, made up
//	                             if none is given, to the file NEW
//	trusting                     programs trust the database's certificate, as the functions do
var doctorCommands = map[string]scriptCommand{
	"retyped": func(ts *testscript.TestScript, not bool, args []string) {
		if not || len(args) < 2 || len(args) > 3 {
			ts.Fatalf("usage: retyped FILE NEW [PASSWORD]")
		}
		var document map[string]any
		ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &document))
		password := "Mistyped-" + args[1] + "-0123456789"
		if len(args) == 3 {
			password = args[2]
		}
		scriptOf(ts).stored(password)
		document["password"] = password
		text, err := json.Marshal(document)
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(args[1]), text, 0o600))
	},
	"trusting": func(ts *testscript.TestScript, not bool, args []string) {
		if not || len(args) > 0 {
			ts.Fatalf("usage: trusting")
		}
		ts.Setenv("SSL_CERT_FILE", databasetest.Shared(scriptOf(ts).t, database.Postgres, "").CAFile())
	},
}
