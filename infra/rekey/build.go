package rekey

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"

	"github.com/rekey-aws/rekey/local/lambda"
)

// Build compiles the named functions (folders of functions/) for Lambda, each into a folder
// of its own below out, and returns these folders by name. Unchanged source gives unchanged
// bytes, so that nothing is deployed again without a reason. No Docker is needed.
func Build(ctx context.Context, out string, names ...string) (map[string]string, error) {
	folders := map[string]string{}
	for _, name := range names {
		dir := filepath.Join(out, name)
		if err := os.MkdirAll(dir, 0o750); err != nil {
			return nil, fmt.Errorf("building %s: %w", name, err)
		}
		if _, err := lambda.Build(ctx, lambda.BuildOptions{Package: "./functions/" + name, Out: dir, GOOS: "linux", GOARCH: "arm64"}); err != nil {
			return nil, err
		}
		folders[name] = dir
	}
	return folders, nil
}

// fingerprint tells one version of a function from another by what Lambda keeps in it: code
// and configuration. What stands for an ARN is compared by what the template says of it.
func fingerprint(c constructs.Construct, p FunctionProps) string {
	kept := map[string]any{
		"environment": p.Environment, "memory": p.Memory, "timeout": p.Timeout, "tracing": p.Tracing,
		"key": p.RecordsKeyARN, "description": p.Description, "signing": p.SigningProfile, "layers": p.Layers,
	}
	if p.Attachment != nil {
		kept["subnets"] = p.Attachment.Subnets
	}
	h := sha256.New()
	if err := json.NewEncoder(h).Encode(awscdk.Stack_Of(c).Resolve(kept)); err != nil {
		panic(err) // text and numbers are always JSON
	}
	code, err := os.ReadFile(filepath.Join(p.Code, "bootstrap"))
	if err != nil {
		panic(fmt.Errorf("the code of %s: %w: compile it with rekey.Build", p.Name, err))
	}
	h.Write(code)
	return hex.EncodeToString(h.Sum(nil))[:12]
}
