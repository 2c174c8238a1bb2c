package rekey

import (
	"cmp"
	"fmt"
	"net/netip"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// NetworkProps are the properties of a network for functions: one that is made, or one that
// exists (VPC and Subnets set).
type NetworkProps struct {
	Name string
	// CIDR block and Zones of a VPC that is made, with an isolated subnet in each zone.
	CIDR  string
	Zones []string
	// VPC and Subnets that exist.
	VPC     string
	Subnets []string
	// Services whose interface endpoints are made: secretsmanager, rds, …
	Services []string
	// Clients may speak to the endpoints beside the functions: the CIDR block of the VPC's
	// readers. A VPC that is made lets its own block in.
	Clients string
	// Endpoint of Secrets Manager that exists, by id.
	Endpoint string
	// RecordsKeyARN encrypts the flow logs of a VPC that is made.
	RecordsKeyARN string
	LogRetention  int
	Delete        bool
}

// Network is a VPC, subnets, and interface endpoints.
type Network struct {
	Construct constructs.Construct
	VPC       string
	Subnets   []string
	// Endpoints is the security group of the endpoints that were made; empty: none were.
	Endpoints string
	// SecretsManager is the endpoint that values are read through; empty: none is known.
	SecretsManager string
}

// NewNetwork makes a network without a way to the internet, or adds endpoints to one that
// exists.
func NewNetwork(scope constructs.Construct, id string, p NetworkProps) *Network {
	n := &Network{VPC: p.VPC, Subnets: p.Subnets, SecretsManager: p.Endpoint}
	n.Construct = constructs.NewConstruct(scope, &id)
	if p.VPC == "" {
		n.vpc(p)
	}
	if len(p.Services) > 0 {
		n.endpoints(p)
	}
	return n
}

// vpc makes isolated subnets only. The resources are the plain ones of CloudFormation, so
// that neither availability zones are looked up nor a helper function is deployed.
func (n *Network) vpc(p NetworkProps) {
	vpc := awsec2.NewCfnVPC(n.Construct, jsii.String("VPC"), &awsec2.CfnVPCProps{
		CidrBlock: &p.CIDR, EnableDnsHostnames: true, EnableDnsSupport: true, Tags: named(p.Name),
	})
	n.VPC = *vpc.Ref()
	accept(vpc, "Nothing is put into the default group. CloudFormation cannot take its rules away but by a helper function with wide permissions.",
		"HIPAA.Security-VPCDefaultSecurityGroupClosed", "NIST.800.53.R5-VPCDefaultSecurityGroupClosed", "PCI.DSS.321-VPCDefaultSecurityGroupClosed")
	blocks := split(p.CIDR, len(p.Zones))
	for i, zone := range p.Zones {
		name := fmt.Sprintf("%s-isolated-%s", p.Name, zone)
		id := identifier(zone)
		subnet := awsec2.NewCfnSubnet(n.Construct, jsii.String("Subnet"+id), &awsec2.CfnSubnetProps{
			VpcId: n.VPC, AvailabilityZone: &zone, CidrBlock: &blocks[i], MapPublicIpOnLaunch: false, Tags: named(name),
		})
		awscdk.Validations_Of(subnet).Acknowledge(&awscdk.Acknowledgment{
			Id: jsii.String("CloudFormation-Validate::W3010"), Reason: jsii.String("The file names the zones: those where the databases are."),
		})
		table := awsec2.NewCfnRouteTable(n.Construct, jsii.String("Routes"+id), &awsec2.CfnRouteTableProps{VpcId: n.VPC, Tags: named(name)})
		awsec2.NewCfnSubnetRouteTableAssociation(n.Construct, jsii.String("Routing"+id), &awsec2.CfnSubnetRouteTableAssociationProps{
			RouteTableId: table.Ref(), SubnetId: subnet.Ref(),
		})
		n.Subnets = append(n.Subnets, *subnet.Ref())
	}
	n.flowLog(p)
}

func (n *Network) flowLog(p NetworkProps) {
	group := logGroup(n.Construct, "FlowLogs", "/"+p.Name+"/vpc-flow", p.RecordsKeyARN, p.LogRetention, p.Delete)
	name := "/" + p.Name + "/vpc-flow"
	// https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html
	writer := role(n.Construct, "FlowLogRole", "", "Writes the flow log of "+p.Name, Statement{
		Services:   []string{"vpc-flow-logs.amazonaws.com"},
		Conditions: Conditions{"StringEquals": {"aws:SourceAccount": account(n.Construct)}},
	}, namedPolicy{"Policy", "Flow logs of " + p.Name, []Statement{{
		Actions:   []string{"logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"},
		Resources: []string{arn(n.Construct, "logs", "log-group:"+name), arn(n.Construct, "logs", "log-group:"+name+":*")},
		Wide:      "The streams of the flow log's own group, which the service names.",
	}}})
	flow := awsec2.NewCfnFlowLog(n.Construct, jsii.String("FlowLog"), &awsec2.CfnFlowLogProps{
		ResourceId: n.VPC, ResourceType: jsii.String("VPC"), TrafficType: jsii.String("ALL"),
		LogDestinationType: jsii.String("cloud-watch-logs"), LogGroupName: &name, DeliverLogsPermissionArn: writer.AttrArn(),
		Tags: named(p.Name),
	})
	flow.AddResourceDependency(group, nil)
}

// endpointActions are what goes through an endpoint; others are refused on the way. Readers
// of the VPC go through Secrets Manager's too.
var endpointActions = map[string][]string{
	"secretsmanager": {
		"secretsmanager:BatchGetSecretValue", "secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue",
		"secretsmanager:ListSecretVersionIds", "secretsmanager:ListSecrets", "secretsmanager:PutSecretValue",
		"secretsmanager:UpdateSecretVersionStage",
	},
	"rds":       {"rds:DescribeDBClusterEndpoints", "rds:DescribeDBClusters", "rds:DescribeDBInstances", "rds:DescribeGlobalClusters"},
	"scheduler": {"scheduler:CreateSchedule", "scheduler:GetSchedule", "scheduler:UpdateSchedule"},
	"redshift":  {"redshift:DescribeClusters", "redshift:DescribeCustomDomainAssociations", "redshift:GetClusterCredentials"},
	"redshift-serverless": {
		"redshift-serverless:GetCredentials", "redshift-serverless:GetNamespace", "redshift-serverless:GetWorkgroup",
		"redshift-serverless:ListCustomDomainAssociations", "redshift-serverless:ListNamespaces", "redshift-serverless:ListWorkgroups",
	},
	"redshift-data": {
		"redshift-data:CancelStatement", "redshift-data:DescribeStatement", "redshift-data:ExecuteStatement", "redshift-data:GetStatementResult",
		"redshift-data:ListStatements",
	},
}

func (n *Network) endpoints(p NetworkProps) {
	group := awsec2.NewCfnSecurityGroup(n.Construct, jsii.String("EndpointGroup"), &awsec2.CfnSecurityGroupProps{
		VpcId: n.VPC, GroupDescription: jsii.String("Interface endpoints of " + p.Name + ": in from its functions"),
		SecurityGroupEgress: []any{map[string]any{
			"cidrIp": "127.0.0.1/32", "ipProtocol": "icmp", "fromPort": 252, "toPort": 86, "description": "Nothing by default",
		}},
	})
	n.Endpoints = *group.AttrGroupId()
	if clients := cmp.Or(p.Clients, p.CIDR); clients != "" {
		awsec2.NewCfnSecurityGroupIngress(n.Construct, jsii.String("Clients"), &awsec2.CfnSecurityGroupIngressProps{
			GroupId: n.Endpoints, CidrIp: &clients, IpProtocol: jsii.String("tcp"),
			FromPort: jsii.Number(443), ToPort: jsii.Number(443), Description: jsii.String("Readers in the VPC"),
		})
	}
	for _, service := range p.Services {
		actions, ok := endpointActions[service]
		if !ok {
			panic(fmt.Errorf("the network %s: there is no endpoint policy for %q: add its actions to endpointActions", p.Name, service))
		}
		endpoint := awsec2.NewCfnVPCEndpoint(n.Construct, jsii.String("Endpoint"+identifier(service)), &awsec2.CfnVPCEndpointProps{
			VpcId: n.VPC, VpcEndpointType: jsii.String("Interface"), PrivateDnsEnabled: true,
			ServiceName: jsii.String("com.amazonaws." + region(n.Construct) + "." + service),
			SubnetIds:   anys(n.Subnets...), SecurityGroupIds: &[]any{n.Endpoints},
			PolicyDocument: document(Statement{
				Sid: "ThisAccount", Anyone: true, Actions: actions, Resources: []string{"*"},
				Conditions: Conditions{"StringEquals": {"aws:PrincipalAccount": account(n.Construct)}},
			}),
		})
		if service == "secretsmanager" {
			n.SecretsManager = *endpoint.Ref()
		}
	}
}

// split cuts a block into as many equal ones as there are zones, or more.
func split(cidr string, n int) []string {
	block, err := netip.ParsePrefix(cidr)
	if err != nil {
		panic(fmt.Errorf("the network's block: %w", err))
	}
	bits := block.Bits()
	for 1<<(bits-block.Bits()) < n {
		bits++
	}
	all := make([]string, 0, n)
	start := block.Masked().Addr().As4()
	address := uint32(start[0])<<24 | uint32(start[1])<<16 | uint32(start[2])<<8 | uint32(start[3])
	for range n {
		part := netip.AddrFrom4([4]byte{byte(address >> 24), byte(address >> 16), byte(address >> 8), byte(address)}) //nolint:gosec // each byte of an address
		all = append(all, netip.PrefixFrom(part, bits).String())
		address += 1 << (32 - bits)
	}
	return all
}

func named(name string) *[]*awscdk.CfnTag {
	return &[]*awscdk.CfnTag{{Key: jsii.String("Name"), Value: &name}}
}
