package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

func (c *checker) database(at path, db Database) {
	if len(db.Users) == 0 {
		c.wrong(at, "it has no users", "add users: with one entry for each password that is rotated")
	}
	c.whereabouts(at, db)
	c.reach(at, db)
	if db.Admin != nil {
		c.admin(at.to("admin"), db)
	}
	turns := map[string]Name{} // users by every name that they have
	for _, key := range slices.Sorted(maps.Keys(db.Users)) {
		c.user(at.to("users", string(key)), key, db, turns)
	}
}

// whereabouts: one way to say where the server is.
func (c *checker) whereabouts(at path, db Database) {
	named := 0
	for _, there := range []bool{db.Host != "", db.Instance != "", db.Cluster != ""} {
		if there {
			named++
		}
	}
	if named != 1 {
		c.wrong(at, several(named)+" of host, instance and cluster is there", "use one")
	}
	aurora := db.Engine == AuroraPostgres || db.Engine == AuroraMySQL
	switch {
	case db.Instance != "" && aurora:
		c.wrong(at.to("instance"), "an instance of Aurora may be a reader", "name the cluster: its endpoint is the writer's")
	case db.Instance != "" && db.Engine == Redshift:
		c.wrong(at.to("instance"), "Redshift has no instances", "use cluster, or workgroup and host")
	case db.Cluster != "" && db.Engine == MariaDB:
		c.wrong(at.to("cluster"), "MariaDB has no clusters in RDS", "use instance, or host")
	}
	switch {
	case db.Workgroup != "" && db.Engine != Redshift:
		c.wrong(at.to("workgroup"), "workgroups are of Redshift Serverless, and the engine is "+string(db.Engine), "remove it, or use engine: redshift")
	case db.Workgroup != "" && db.Host == "":
		c.wrong(at.to("workgroup"), "a workgroup is reached at a host", "add host: with its endpoint")
	}
	switch {
	case strings.Contains(string(db.Host), ".proxy-"):
		c.wrong(at.to("host"), "it is an RDS Proxy, which takes no new password before it is current", "use the database's own endpoint")
	case strings.Contains(string(db.Host), ".cluster-ro-"):
		c.wrong(at.to("host"), "it is a reader endpoint", "use the writer's, without -ro")
	}
	c.access(at, db)
	if db.TLSServerName != "" && db.Host == "" {
		c.wrong(at.to("tlsServerName"), "an endpoint of AWS has its own name in the certificate", "remove it, or use host")
	}
}

// access: only Redshift has two ways in.
func (c *checker) access(at path, db Database) {
	switch below := at.to("access"); {
	case db.Access == "" || db.Access == Wire:
	case db.Engine != Redshift:
		c.wrong(below, string(db.Engine)+" has no Data API here", "remove it")
	case db.Admin == nil:
		c.wrong(below, "through the Data API a new password is proved with an administrator's help", "add admin:, or use wire")
	case db.Cluster == "" && db.Workgroup == "":
		c.wrong(below, "the Data API is asked about a cluster or a workgroup", "name cluster:, or workgroup: beside host:")
	}
}

// reach: the functions may open connections to the server.
func (c *checker) reach(at path, db Database) {
	if c.Network == nil {
		return
	}
	known := len(db.SecurityGroups) > 0 || len(db.CIDRs) > 0
	switch {
	case db.Access == DataAPI:
	case c.Network.OutsideVPC && known:
		c.wrong(at, "security groups and CIDR blocks mean nothing outside a VPC", "remove them, or put the functions into a VPC")
	case !c.Network.OutsideVPC && !known:
		c.wrong(at, "the functions may reach nothing that is not named", "add securityGroups: with the server's, or cidrs:")
	}
	for i, b := range db.CIDRs {
		c.block(at.to("cidrs", strconv.Itoa(i)), b)
	}
}

func (c *checker) admin(at path, db Database) {
	a := db.Admin
	if (a.Secret == "") == (a.IAMUser == "") {
		c.wrong(at, "it is one of secret and iamUser", "use one")
		return
	}
	c.secretARN(at.to("secret"), a.Secret)
	c.arn(at.to("key"), a.Key, "kms", "key/", c.Regions.Primary)
	switch {
	case a.IAMUser == "":
		if a.ResourceID != "" {
			c.wrong(at.to("resourceId"), "it belongs to iamUser", "remove it")
		}
	case db.Engine == Redshift && a.ResourceID != "":
		c.wrong(at.to("resourceId"), "Redshift has none", "remove it")
	case db.Engine == Redshift && db.Cluster == "" && db.Workgroup == "":
		c.wrong(at, "temporary credentials are for a cluster or a workgroup", "name cluster:, or workgroup: beside host:")
	case db.Engine == Redshift:
	case a.ResourceID == "":
		c.wrong(at, "iamUser needs the resource's id for its permission", "add resourceId: db-… or cluster-…, from aws rds describe-db-instances or describe-db-clusters")
	case a.Key != "":
		c.wrong(at.to("key"), "there is no secret that it could encrypt", "remove it")
	}
}

// The most characters of a user's name, and what tells the second of a pair.
var longestName = map[Engine]int{
	Postgres: 63, AuroraPostgres: 63, MySQL: 32, AuroraMySQL: 32, MariaDB: 80, Redshift: 127,
}

const cloneSuffix = "_clone"

func (c *checker) user(at path, key Name, db Database, turns map[string]Name) {
	u := db.Users[key]
	name := u.Username
	if name == "" {
		name = string(key)
	}
	names := []string{name}
	if alternates(db, u) {
		other := name + cloneSuffix
		if base, isClone := strings.CutSuffix(name, cloneSuffix); isClone {
			other = base
		}
		names = append(names, other)
	}
	for _, n := range names {
		if most := longestName[db.Engine]; most > 0 && len(n) > most {
			c.wrong(at.to("username"), fmt.Sprintf("%q has %d bytes", n, len(n)), fmt.Sprintf("%s allows %d", db.Engine, most))
		}
		if other, taken := turns[n]; taken && other != key {
			c.wrong(at, fmt.Sprintf("the user %q is that of %s already", n, other), "give each user one entry; alternating users are two, the other is …"+cloneSuffix)
			break
		}
		turns[n] = key
	}
	if db.Admin != nil && slices.Contains(names, db.Admin.IAMUser) {
		c.wrong(at, "it is the administrator, who has no password", "name another user")
	}
	c.strategy(at.to("strategy"), u.Strategy, db)
}

// alternates: the user has a second one, as far as the file tells.
func alternates(db Database, u DatabaseUser) bool {
	return u.Strategy == Alternating || db.Admin != nil && (u.Strategy == Auto || u.Strategy == "")
}

// twoPasswords: a user of the server can have two, so that the old one is retired.
func (e Engine) twoPasswords() bool { return e == MySQL || e == AuroraMySQL || e == MariaDB }

func (c *checker) strategy(at path, s Strategy, db Database) {
	switch {
	case s == Dual && db.Engine != "" && !db.Engine.twoPasswords():
		c.wrong(at, fmt.Sprintf("a user of %s has one password", db.Engine), "use alternating with an admin, or single")
	case s == Dual && db.Admin != nil:
		c.wrong(at, "with an administrator users take turns, and need no second password", "use alternating, or take the admin out")
	case s == Alternating && db.Admin == nil:
		c.wrong(at, "alternating users need an administrator", "add admin: to the database, or use another strategy")
	}
}
