package config

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// checker finds contradictions: what is well-formed and cannot be.
type checker struct {
	*File
	*tree
	shape int // so many problems were found before
}

func (c *checker) all() {
	c.regions()
	c.encryption()
	c.network()
	for _, name := range slices.Sorted(maps.Keys(c.Databases)) {
		c.database(path{"databases", string(name)}, c.Databases[name])
	}
	for _, s := range c.File.Secrets() {
		c.secret(s)
	}
	c.names()
	c.settings(path{"defaults"}, c.Defaults)
	c.pipelines()
	c.alerts()
	c.audit()
	c.functions()
	c.removal()
	c.tags(path{"tags"}, c.Tags)
}

// wrong finds a contradiction, unless a member that it may come from was refused already.
func (c *checker) wrong(at path, wrong, remedy string) {
	for _, p := range c.found[:c.shape] {
		inside, ok := strings.CutPrefix(p.Path, at.String())
		if ok && len(at) > 0 && !strings.ContainsAny(strings.TrimPrefix(inside, "."), ".[") {
			return
		}
	}
	c.add(at, wrong, remedy)
}

// said: the file has a value at a path; what is there is not a default.
func (c *checker) said(at path) bool {
	_, ok := c.places[at.key()]
	return ok
}

func (c *checker) regions() {
	seen := map[Region]bool{c.Regions.Primary: true}
	for i, r := range c.Regions.Replicas {
		at := path{"regions", "replicas", strconv.Itoa(i)}
		switch {
		case r.Region == "" || c.Regions.Primary == "":
			continue
		case r.Region == c.Regions.Primary:
			c.wrong(at.to("region"), string(r.Region)+" is the primary Region", "name another one, or no replica")
		case seen[r.Region]:
			c.wrong(at.to("region"), string(r.Region)+" is there twice", "remove one of the two")
		case partition(r.Region) != partition(c.Regions.Primary):
			c.wrong(at.to("region"), fmt.Sprintf("secrets are not replicated from %s to %s", c.Regions.Primary, r.Region), "use Regions of one partition (aws, aws-cn, aws-us-gov)")
		}
		seen[r.Region] = true
		c.arn(at.to("key"), r.Key, "kms", "key/", r.Region)
	}
}

func partition(r Region) string {
	switch {
	case strings.HasPrefix(string(r), "cn-"):
		return "aws-cn"
	case strings.HasPrefix(string(r), "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

func (c *checker) encryption() {
	c.arn(path{"encryption", "key"}, c.Encryption.Key, "kms", "key/", c.Regions.Primary)
	if c.Encryption.Key != "" && len(c.Encryption.Administrators) > 0 {
		c.wrong(path{"encryption", "administrators"}, "the key exists, and has a policy of its own", "remove administrators, or key")
	}
	c.principals(path{"encryption", "administrators"}, c.Encryption.Administrators)
	if c.Encryption.Key == "" || strings.Contains(string(c.Encryption.Key), ":key/mrk-") {
		return
	}
	for _, r := range c.Regions.Replicas {
		if r.Key == "" {
			c.wrong(path{"encryption", "key"}, fmt.Sprintf("the key is not a multi-Region one, and the replicas in %s have no key of their own", r.Region),
				"use a multi-Region key (its id begins with mrk-), or give each replica a key")
			return
		}
	}
}

// arn says whether an ARN is of a service, a kind of resource and a Region; "" is of any.
func (c *checker) arn(at path, a ARN, service, resource string, region Region) bool {
	if a == "" {
		return true
	}
	s, r, _, name := a.Parts()
	switch {
	case s != service || !strings.HasPrefix(name, resource):
		c.wrong(at, "this is the ARN of something else", fmt.Sprintf("use arn:…:%s:…:%s…", service, resource))
	case region != "" && r != string(region):
		c.wrong(at, fmt.Sprintf("it is in %s, and needed in %s", r, region), "")
	default:
		return true
	}
	return false
}

// secretARN is an ARN of a secret in the primary Region.
func (c *checker) secretARN(at path, a ARN) {
	if !c.arn(at, a, "secretsmanager", "secret:", c.Regions.Primary) || a == "" {
		return
	}
	if n := len(a); n < 7 || a[n-7] != '-' {
		c.wrong(at, "the ARN lacks its last six characters", "use the ARN in full, as aws secretsmanager describe-secret shows it")
	}
}

func (c *checker) network() {
	at := path{"network"}
	n := c.Network
	if n == nil {
		if len(c.Databases) > 0 && !c.has(at) {
			c.wrong(path{"databases"}, "the functions need a network to reach databases", "add network: with vpc, create or outsideVpc")
		}
		return
	}
	kinds := 0
	for _, there := range []bool{n.VPC != nil, n.Create != nil, n.OutsideVPC} {
		if there {
			kinds++
		}
	}
	if kinds != 1 {
		c.wrong(at, several(kinds)+" of vpc, create and outsideVpc is there", "use one")
		return
	}
	switch {
	case n.VPC != nil:
		c.existingVPC(at.to("vpc"), n)
	case n.Create != nil:
		c.newVPC(at, n)
	case n.Endpoints != "":
		c.wrong(at.to("endpoints"), "there is no VPC to have endpoints in", "remove it")
	}
}

// several is a number other than one.
func several(n int) string {
	if n == 0 {
		return "none"
	}
	return "more than one"
}

func (c *checker) existingVPC(at path, n *Network) {
	v := n.VPC
	if len(v.Subnets) == 0 || len(v.Subnets) != len(v.Zones) {
		c.wrong(at.to("zones"), fmt.Sprintf("%d subnets are in %d zones", len(v.Subnets), len(v.Zones)), "name the zone of each subnet, in the same order")
	}
	c.zones(at.to("zones"), v.Zones)
	if v.CIDR != "" {
		c.block(at.to("cidr"), v.CIDR)
	}
	switch {
	case n.MakesEndpoints() && v.CIDR == "":
		c.wrong(at, "endpoints are made, and it is not known who may speak to them", "add cidr: with the VPC's block, or network.endpoints: existing")
	case n.MakesEndpoints() && v.SecretsManagerEndpoint != "":
		c.wrong(at.to("secretsManagerEndpoint"), "the VPC has an endpoint of Secrets Manager, and another one would be made", "use network.endpoints: existing, or remove it")
	}
}

func (c *checker) newVPC(at path, n *Network) {
	if n.Endpoints == EndpointsExisting {
		c.wrong(at.to("endpoints"), "a VPC that is made has no endpoints yet", "use create, or remove it")
	}
	below := at.to("create")
	if b, ok := c.block(below.to("cidr"), n.Create.CIDR); ok && (b.Bits() < 16 || b.Bits() > 26) {
		c.wrong(below.to("cidr"), fmt.Sprintf("a VPC with a block of /%d cannot be divided among subnets", b.Bits()), "use /16 to /26")
	}
	if k := len(n.Create.Zones); k < 2 || k > 3 {
		c.wrong(below.to("zones"), fmt.Sprintf("%d zones are named", k), "use two, or three")
	}
	c.zones(below.to("zones"), n.Create.Zones)
}

// MakesEndpoints says whether the deployment makes the interface endpoints.
func (n *Network) MakesEndpoints() bool { return !n.OutsideVPC && n.Endpoints != EndpointsExisting }

func (c *checker) zones(at path, zones []Zone) {
	seen := map[Zone]bool{}
	for i, z := range zones {
		below := at.to(strconv.Itoa(i))
		switch {
		case z == "" || c.Regions.Primary == "":
		case string(z[:len(z)-1]) != string(c.Regions.Primary):
			c.wrong(below, fmt.Sprintf("%s is not in %s", z, c.Regions.Primary), "the network is in the primary Region")
		case seen[z] && c.Network.Create != nil:
			c.wrong(below, string(z)+" is there twice", "remove one of the two")
		}
		seen[z] = true
	}
}

func (c *checker) block(at path, b CIDR) (netip.Prefix, bool) {
	if b == "" {
		return netip.Prefix{}, false
	}
	p, err := netip.ParsePrefix(string(b))
	switch {
	case err != nil:
		c.wrong(at, strconv.Quote(string(b))+" is no block of addresses", "use one such as 10.0.0.0/16")
	case p.Masked() != p:
		c.wrong(at, fmt.Sprintf("%s is an address inside a block", b), "use "+p.Masked().String())
	case p.Bits() == 0:
		c.wrong(at, "it is every address", "name the block that is meant")
	default:
		return p, true
	}
	return p, false
}
