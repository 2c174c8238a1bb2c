package config

import "fmt"

// Default is what a file that says nothing means; the file's values replace these. What a
// person wrote in part is filled up from here: the schema and docs/config.md show it.
func Default() File {
	no, yes, exclude := false, true, `:/@"'\`
	return File{
		Passwords: Passwords{Length: 32, ExcludeCharacters: &exclude},
		Defaults: Settings{
			Schedule:          &Schedule{Every: "30d"},
			RotateImmediately: &no,
			Replicate:         &yes,
			OnlyFromVPC:       &no,
		},
		Audit: Audit{Trail: Trail{Retention: "400d"}, Dashboard: true},
		Functions: Functions{
			RotateRDS:      RotationFunction{Function: Function{Memory: 256, Timeout: "60s"}, Grace: "24h"},
			RotateRedshift: RotationFunction{Function: Function{Memory: 256, Timeout: "120s"}, Grace: "24h"},
			RotateAPIKey:   APIKeyFunction{RotationFunction: RotationFunction{Function: Function{Memory: 256, Timeout: "60s"}, Grace: "24h"}},
			AuditForwarder: Function{Memory: 256, Timeout: "60s"},
			LogRetention:   365,
		},
		Fleet:      Fleet{Enabled: true, Rate: 10, ErrorBudget: 5},
		Compliance: Compliance{Packs: []Pack{PackAWSSolutions}},
		Removal:    Removal{Secrets: Retain, Keys: Retain, Records: Retain, Protection: true},
	}
}

func count(n int, unit string) string {
	if n == 1 {
		return "1 " + unit
	}
	return fmt.Sprintf("%d %ss", n, unit)
}
