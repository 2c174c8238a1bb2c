package serve

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/onemachine"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/usage"
	"github.com/rekey-aws/rekey/local/dynamodb"
	"github.com/rekey-aws/rekey/local/eventbus"
	"github.com/rekey-aws/rekey/shared/audit"
	"github.com/rekey-aws/rekey/shared/audit/forwarder"
	"github.com/rekey-aws/rekey/shared/audit/state/dynamostate"
)

const (
	// alerter is the function that makes alerts of events.
	alerter = "audit-forwarder"
	// alertsSecret holds the webhook's address and the key that signs what is sent there.
	alertsSecret = "rekey-local/alerts" //nolint:gosec // G101: its name
	// stateTable keeps the alerter's state.
	stateTable = "audit-forwarder"
	// alertsQueue has room for a storm: the alerter reads secrets, and the record of that needs
	// a place in the queue that it works off.
	alertsQueue = 100_000
)

// checkAlerts checks what of --alerts can be checked before anything is started.
func (c *Command) checkAlerts() error {
	if c.Alerts == "" {
		return nil
	}
	u, err := url.Parse(c.Alerts)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
		return usage.Errorf("--alerts: this is no address of a webhook: give one such as http://127.0.0.1:8080/alerts")
	}
	return nil
}

// equip gives the alerter what it has in AWS beside logs: a table.
// o.Services is there.
func (s *service) equip(functions []onemachine.Function, o *onemachine.Options) error {
	at := slices.IndexFunc(functions, func(f onemachine.Function) bool { return f.Name == alerter })
	if at < 0 {
		if s.command.Alerts != "" {
			return usage.Errorf("--alerts: the function %s makes alerts: serve it too, with --function %s", alerter, alerter)
		}
		return nil
	}
	if err := s.configure(functions, at); err != nil {
		return err
	}
	file := ""
	if s.command.State != "" {
		if err := os.MkdirAll(s.command.State, 0o700); err != nil {
			return err
		}
		file = filepath.Join(s.command.State, "dynamodb.db")
	}
	table, err := dynamodb.Open(dynamodb.Options{
		Tables: []dynamodb.Table{{Name: stateTable, Partition: dynamostate.PartitionKey, Sort: dynamostate.SortKey}}, File: file,
	})
	if err != nil {
		return err
	}
	s.table = table
	o.Services["dynamodb"] = func(*onemachine.Machine) (onemachine.Service, error) { return onemachine.Service{API: table}, nil }
	return nil
}

// configure sets the alerter's environment, as far as --env does not.
func (s *service) configure(functions []onemachine.Function, at int) error {
	env := functions[at].Env
	env[forwarder.EnvTable] = cmp.Or(env[forwarder.EnvTable], stateTable)
	if env[forwarder.EnvConfig] != "" {
		if s.command.Alerts != "" {
			return usage.Errorf("--alerts: --env sets %s of %s, which says who is told: leave one of them out", forwarder.EnvConfig, alerter)
		}
		return nil
	}
	role := func(name string) string { return "arn:aws*:iam::" + onemachine.Account + ":role/" + name }
	var settings forwarder.Settings
	for _, f := range functions {
		if f.Name != alerter {
			settings.Detect.RotationRoles = append(settings.Detect.RotationRoles, role(f.Name))
		}
	}
	settings.Detect.KnownReaders = []audit.KnownReader{{Principal: role(alerter), Secrets: []string{alertsSecret}}}
	if s.command.Alerts != "" {
		settings.Sinks = []forwarder.SinkSettings{{
			Name: "alerts", Webhook: &forwarder.WebhookSettings{Secret: alertsSecret, PrivateAddresses: true},
		}}
	}
	document, err := json.Marshal(settings)
	env[forwarder.EnvConfig] = string(document)
	return err
}

// catalogueRules bring the alerter the events that detections need.
func catalogueRules() []eventbus.Rule {
	var rules []eventbus.Rule
	for _, r := range audit.Rules(audit.Catalogue()) {
		rules = append(rules, eventbus.Rule{
			Name: "rekey-" + r.Name, Pattern: r.Pattern, State: eventbus.State(r.State), Targets: []eventbus.Target{{Function: alerter}},
		})
	}
	return rules
}

// storeAlerts makes the secret of the webhook, or renews the one that is in the state directory.
func (s *service) storeAlerts(ctx context.Context) error {
	if s.command.Alerts == "" {
		return nil
	}
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	document, err := json.Marshal(map[string]string{"url": s.command.Alerts, "key": "whsec_" + base64.StdEncoding.EncodeToString(key)})
	if err != nil {
		return err
	}
	client := s.machine.Client(ownName)
	_, err = client.CreateSecret(ctx, &secretsmanager.CreateSecretInput{
		Name: aws.String(alertsSecret), SecretString: aws.String(string(document)), Description: aws.String("Where rekey local --alerts sends findings, and the key that signs them."),
	})
	if there := (*types.ResourceExistsException)(nil); errors.As(err, &there) {
		_, err = client.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: aws.String(alertsSecret), SecretString: aws.String(string(document))})
	}
	if err != nil {
		return fmt.Errorf("storing the secret %s: %w", alertsSecret, err)
	}
	return nil
}

// alertsSchedule is as often as the deployment's.
const alertsSchedule = time.Minute

// schedule invokes the alerter as EventBridge's schedule does, until ctx ends.
func (s *service) schedule(ctx context.Context) {
	ticker := time.NewTicker(alertsSchedule)
	defer ticker.Stop()
	for {
		payload := fmt.Sprintf(`{"version":"0","id":%q,"detail-type":"Scheduled Event","source":"aws.events","account":%q,"time":%q,"region":%q,"resources":[],"detail":{}}`,
			rand.Text(), onemachine.Account, time.Now().UTC().Format(time.RFC3339), s.machine.Region)
		_, _ = s.machine.Functions.Invoke(ctx, alerter, []byte(payload)) // it logs a failure, and the next tick makes up for it
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}
