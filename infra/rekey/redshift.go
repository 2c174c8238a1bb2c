package rekey

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/rekey-aws/rekey/infra/config"
)

// mayAskRedshift lets a function find the cluster or workgroup that an administrator belongs
// to, log in to it with temporary credentials, and use the Data API.
func (f *Function) mayAskRedshift(databases []config.Database) {
	var clusters, logins []string
	serverless, tokens, statements := false, false, false
	for _, db := range databases {
		if db.Admin == nil {
			continue
		}
		services := db.RedshiftServices()
		if slices.Contains(services, "redshift-serverless") {
			serverless = true
			tokens = tokens || db.Workgroup != "" && db.Admin.IAMUser != ""
		}
		if slices.Contains(services, "redshift") {
			name := cmp.Or(string(db.Cluster), "*")
			clusters = append(clusters, arn(f.Construct, "redshift", "cluster:"+name))
			if db.Workgroup == "" && db.Admin.IAMUser != "" {
				// Rights are made equal in all databases, so a login may be to any of them.
				logins = append(logins, arn(f.Construct, "redshift", fmt.Sprintf("dbuser:%s/%s", name, db.Admin.IAMUser)),
					arn(f.Construct, "redshift", "dbname:"+name+"/*"))
			}
		}
		statements = statements || db.Access == config.DataAPI
	}
	slices.Sort(clusters)
	slices.Sort(logins)
	clusters, logins = slices.Compact(clusters), slices.Compact(logins)
	all := f.findRedshift(clusters, serverless)
	if len(logins) > 0 {
		all = append(all, Statement{
			Sid: "LogIn", Actions: []string{"redshift:GetClusterCredentials"}, Resources: logins,
			Wide: "The named user, in every database of the named cluster.",
		})
	}
	workgroups := arn(f.Construct, "redshift-serverless", "workgroup/*")
	if tokens {
		all = append(all, Statement{
			Sid: "LogInServerless", Actions: []string{"redshift-serverless:GetCredentials"}, Resources: []string{workgroups},
			Wide: "A workgroup's ARN has an id that only Redshift knows. The role is let in as itself, and has in a database the rights that it was given there.",
		})
	}
	if statements {
		warehouses := slices.Clone(clusters)
		if serverless {
			warehouses = append(warehouses, workgroups)
		}
		all = append(all, f.dataAPI(warehouses)...)
	}
	f.May("Redshift", "What "+f.Name+" asks of Redshift", all...)
}

func (f *Function) findRedshift(clusters []string, serverless bool) []Statement {
	const byHost = "The server is found by its host's name. Descriptions hold no secret."
	var all []Statement
	if len(clusters) > 0 {
		all = append(all,
			Statement{Sid: "Find", Wide: byHost, Actions: []string{"redshift:DescribeClusters"}, Resources: clusters},
			Statement{Sid: "FindDomains", Wide: byHost, Actions: []string{"redshift:DescribeCustomDomainAssociations"}, Resources: []string{"*"}})
	}
	if serverless {
		all = append(all, Statement{
			Sid: "FindServerless", Wide: byHost, Resources: []string{"*"},
			Actions: []string{
				"redshift-serverless:GetNamespace", "redshift-serverless:GetWorkgroup", "redshift-serverless:ListCustomDomainAssociations",
				"redshift-serverless:ListNamespaces", "redshift-serverless:ListWorkgroups",
			},
		})
	}
	return all
}

// dataAPI allows statements on warehouses, and looking at the function's own.
// https://docs.aws.amazon.com/redshift/latest/mgmt/redshift-iam-access-control-identity-based.html
func (f *Function) dataAPI(warehouses []string) []Statement {
	return []Statement{
		{
			Sid: "Execute", Actions: []string{"redshift-data:ExecuteStatement"}, Resources: warehouses,
			Wide: "A workgroup's ARN has an id that only Redshift knows; statements run with an administrator's credential, which names its own server.",
		},
		{
			Sid: "OwnStatements", Resources: []string{"*"},
			Wide:       "A statement has no ARN. The condition is that the role itself ran it.",
			Actions:    []string{"redshift-data:CancelStatement", "redshift-data:DescribeStatement", "redshift-data:GetStatementResult", "redshift-data:ListStatements"},
			Conditions: Conditions{"StringEquals": {"redshift-data:statement-owner-iam-userid": "${aws:userid}"}},
		},
	}
}
