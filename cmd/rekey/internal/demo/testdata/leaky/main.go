// Command leaky is rotate-rds with one fault: it logs what it tests.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/rekey-aws/rekey/shared/dbuser"
	"github.com/rekey-aws/rekey/shared/mysql"
	"github.com/rekey-aws/rekey/shared/postgres"
	"github.com/rekey-aws/rekey/shared/rotation"
	"github.com/rekey-aws/rekey/shared/secretstore"
)

func main() {
	client, err := secretstore.Client(os.LookupEnv)
	if err != nil {
		panic(err)
	}
	policy, err := dbuser.PolicyFrom(os.LookupEnv)
	if err != nil {
		panic(err)
	}
	machine := &rotation.Machine{
		Store: secretstore.New(client),
		Engine: engine{&dbuser.Engine{
			Drivers: map[string]dbuser.Driver{
				"postgres": postgres.Driver{}, "mysql": mysql.Driver{}, "mariadb": mysql.Driver{MariaDB: true},
			},
			Policy: policy,
		}},
		Log: slog.New(slog.NewJSONHandler(os.Stdout, nil)),
	}
	lambda.Start(machine.Handle)
}

type engine struct{ *dbuser.Engine }

func (e engine) Test(ctx context.Context, r rotation.Request) error {
	fmt.Println("testing", r.Pending.Reveal())
	return e.Engine.Test(ctx, r)
}
