package declarative_test

import (
	"testing"

	"github.com/rekey-aws/rekey/shared/apikey/declarative"
	"github.com/rekey-aws/rekey/shared/apikey/providers"
)

func TestShippedFilesAreRead(t *testing.T) {
	files, err := declarative.Files(providers.Files)
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range files {
		if f.Check == nil || len(f.Key.Secret) == 0 {
			t.Errorf("%s: check or key got lost in reading", name)
		}
		if f.List != nil && f.List.Path == "" && f.List.URL == "" {
			t.Errorf("%s: the request of the list got lost in reading", name)
		}
	}
}
