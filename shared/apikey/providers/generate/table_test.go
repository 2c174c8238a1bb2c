package main

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rekey-aws/rekey/shared/apikey/declarative"
	"github.com/rekey-aws/rekey/shared/apikey/providers"
)

func TestThePageIsWhatTheFilesSay(t *testing.T) {
	t.Parallel()
	files, err := declarative.Files(providers.Files)
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../../../docs/vendors.md")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(table(files), string(page)); diff != "" {
		t.Errorf("docs/vendors.md is not what go generate writes (- wanted, + found):\n%s", diff)
	}
}
