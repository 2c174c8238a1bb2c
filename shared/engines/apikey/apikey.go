// Package apikey puts the engine together that the function rotate-apikey rotates with: for
// keys of vendors and of IAM users, and secrets that nobody else knows.
package apikey

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/rekey-aws/rekey/shared/apikey"
	"github.com/rekey-aws/rekey/shared/apikey/declarative"
	"github.com/rekey-aws/rekey/shared/apikey/generated"
	"github.com/rekey-aws/rekey/shared/apikey/iamkey"
	"github.com/rekey-aws/rekey/shared/apikey/outbound"
	"github.com/rekey-aws/rekey/shared/apikey/providers"
)

// Engine reads the settings of docs/engines/apikey.md; lookup is os.LookupEnv. Old keys stay
// valid for the grace period. It calls nobody. Errors are ErrConfig: badClient of the settings
// that all clients of AWS share, badSettings of the others.
func Engine(lookup func(string) (string, bool), grace time.Duration) (engine *apikey.Engine, badClient, badSettings error) {
	idleFor, badIdle := apikey.IdleFrom(lookup)
	hosts, _ := lookup("ALLOW_PRIVATE_HOSTS")
	client := outbound.New(outbound.Options{
		PrivateHosts: strings.FieldsFunc(hosts, func(c rune) bool { return c == ',' || c == ' ' }),
		Proxy:        http.ProxyFromEnvironment,
	})
	builtin := generated.Providers(generated.Config{Client: client})
	users, badClient := iamkey.New(lookup, nil)
	builtin[iamkey.Name] = users
	folder, _ := lookup("PROVIDERS_DIR")
	folders, badFolder := providers.Folders(folder)
	return &apikey.Engine{
		Providers: apikey.Builtin{Providers: builtin, Others: declarative.NewDirectory(declarative.Config{Client: client}, folders...)},
		Grace:     grace,
		IdleFor:   idleFor,
	}, badClient, errors.Join(badIdle, badFolder)
}
