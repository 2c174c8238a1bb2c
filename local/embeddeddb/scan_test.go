package main

import "testing"

func TestMask(t *testing.T) {
	for query, want := range map[string]string{
		`SELECT 'by'`:                                             `SELECT 'by'`,
		`create user a identified by "x\"y"`:                      `create user a identified by <secret>`,
		`ALTER USER a IDENTIFIED BY 'it''s'`:                      `ALTER USER a IDENTIFIED BY <secret>`,
		`ALTER USER a IDENTIFIED /* */ BY 'x`:                     `ALTER USER a IDENTIFIED /* */ BY <secret>`,
		`ALTER USER a IDENTIFIED WITH p AS 'hash' REPLACE 'x'`:    `ALTER USER a IDENTIFIED WITH p AS 'hash' REPLACE <secret>`,
		`SET PASSWORD FOR 'a'@'b' = 'x'; SELECT 'y' = 'z'`:        `SET PASSWORD FOR 'a'@'b' = <secret>; SELECT 'y' = 'z'`,
		`SET PASSWORD = PASSWORD('x')`:                            `SET PASSWORD = PASSWORD(<secret>)`,
		"CREATE USER `by` IDENTIFIED BY 'x', b IDENTIFIED BY 'y'": "CREATE USER `by` IDENTIFIED BY <secret>, b IDENTIFIED BY <secret>",
	} {
		if got := mask(query, scan(query)); got != want {
			t.Errorf("%s\n got %s\nwant %s", query, got, want)
		}
	}
}

func FuzzScan(f *testing.F) {
	f.Add(`ALTER USER 'a\'b'@"c""d" IDENTIFIED WITH x AS 0x24 # end`)
	f.Add("/* open 'x' -- \n`q``q` x'00' é")
	f.Fuzz(func(t *testing.T, query string) {
		end := 0
		for _, token := range scan(query) {
			if token.start < end || token.end <= token.start || token.end > len(query) {
				t.Fatalf("%q: token at %d-%d after %d", query, token.start, token.end, end)
			}
			end = token.end
		}
		mask(query, scan(query))
	})
}
