package config

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// The kinds of text below have a pattern each, see generate/formats.go.
type (
	// Name is a part of other names: lower-case letters, digits and hyphens.
	Name string
	// Account is twelve digits.
	Account string
	// Organization is o- and its id.
	Organization string
	// Region is a Region's code, such as eu-central-1.
	Region string
	// Zone is an availability zone, such as eu-central-1a.
	Zone string
	// ARN is an Amazon resource name in full, without wildcards.
	ARN string
	// SecretName is a name as Secrets Manager takes it.
	SecretName string
	// Identifier is that of an RDS or Redshift resource.
	Identifier string
	// Host is a DNS name or an IP address.
	Host string
	// CIDR is an IPv4 block.
	CIDR string
	// VPCID is vpc- and its id.
	VPCID string
	// SubnetID is subnet- and its id.
	SubnetID string
	// SecurityGroupID is sg- and its id.
	SecurityGroupID string
	// EndpointID is vpce- and its id.
	EndpointID string
	// EmailAddress is an address of a person or a list.
	EmailAddress string
	// Folder is a path below the file's own folder.
	Folder string
	// Duration is a number and a unit: s, m, h, d or w.
	Duration string
)

// Time is the duration, exactly; zero if there is none.
func (d Duration) Time() time.Duration {
	if d == "" || d == "0" {
		return 0
	}
	unit := map[byte]time.Duration{
		's': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour,
	}[d[len(d)-1]]
	n, err := strconv.Atoi(string(d[:len(d)-1]))
	if err != nil {
		return 0
	}
	return time.Duration(n) * unit
}

// UnmarshalJSON replaces the whole schedule: one that is said has nothing of the default.
func (s *Schedule) UnmarshalJSON(text []byte) error {
	type plain Schedule
	var said plain
	if err := json.Unmarshal(text, &said); err != nil {
		return err
	}
	*s = Schedule(said)
	return nil
}

// Parts takes an ARN apart: arn:partition:service:region:account:resource. All are empty of
// what is none.
func (a ARN) Parts() (service, region, account, resource string) {
	p := strings.SplitN(string(a), ":", 6)
	if len(p) != 6 {
		return "", "", "", ""
	}
	return p[2], p[3], p[4], p[5]
}
