package dbsecret_test

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/lib/pq"

	"github.com/rekey-aws/rekey/client"
	"github.com/rekey-aws/rekey/client/dbsecret"
)

func ExampleOpen() {
	ctx := context.Background()
	var api *secretsmanager.Client // secretsmanager.NewFromConfig(cfg)

	cache := client.New(client.FromAPI(api), client.Options{})
	defer cache.Close()
	db := dbsecret.Open(cache, "prod/orders/app", &pq.Driver{}, dbsecret.Options{
		Params: map[string]string{"sslrootcert": "global-bundle.pem"},
	})
	defer func() { _ = db.Close() }()

	var user string
	if err := db.QueryRowContext(ctx, "SELECT current_user").Scan(&user); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(user)
}
