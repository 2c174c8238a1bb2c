package config

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rekey-aws/rekey/shared/schedule"
)

// where is the path of a resolved secret.
func (r Resolved) where() path { return strings.Split(r.Path, ".") }

// likeSuffix: Secrets Manager puts a hyphen and six characters behind the name in an ARN.
var likeSuffix = regexp.MustCompile(`-[A-Za-z0-9]{6}$`)

func (c *checker) secret(r Resolved) {
	at := r.where()
	c.settings(at, r.own().Settings)
	c.existing(at, r)
	c.tags(at.to("tags"), r.own().Tags)
	c.interval(at, r)
	if r.Existing == "" {
		c.used(at, r)
	}
	if r.OnlyFromVPC {
		c.onlyFromVPC(at, r)
	}
	switch {
	case r.APIKey != nil:
		c.apiKey(at, r.APIKey)
	case r.Generated != nil:
		c.generated(at, r)
	}
}

// used: a secret that is made has no value, and a policy that lets in who is named.
func (c *checker) used(at path, r Resolved) {
	if r.Readers.nobody() {
		c.wrong(at, "nobody may read it", "add readers:, here or in defaults")
	}
	if r.Writers.nobody() {
		c.wrong(at, "nobody may put its first value", "add writers:, here or in defaults; for a secret that exists: existing:")
	}
}

func (p Principals) nobody() bool {
	return len(p.ARNs) == 0 && len(p.Tagged) == 0 && len(p.Pipelines) == 0
}

// own is what the entry itself says.
func (r Resolved) own() Secret {
	switch {
	case r.User != nil:
		return r.User.Secret
	case r.APIKey != nil:
		return r.APIKey.Secret
	}
	return r.Generated.Secret
}

func (c *checker) existing(at path, r Resolved) {
	if r.Existing == "" {
		if likeSuffix.MatchString(r.Name) && c.said(at.to("secretName")) {
			c.wrong(at.to("secretName"), "a name that ends with a hyphen and six characters is taken for an ARN's end", "use another name")
		}
		return
	}
	c.secretARN(at.to("existing"), r.Existing)
	if _, _, account, _ := r.Existing.Parts(); account != string(c.Account) && c.Account != "" {
		c.wrong(at.to("existing"), "it is in the account "+account, "a secret is rotated in its own account: deploy there")
	}
	if c.said(at.to("secretName")) {
		c.wrong(at.to("secretName"), "the existing secret has a name", "remove it, or existing")
	}
}

// settings are checked where they are said.
func (c *checker) settings(at path, s Settings) {
	if s.Schedule != nil && c.said(at.to("schedule")) {
		c.schedule(at.to("schedule"), *s.Schedule)
	}
	if s.Readers != nil {
		c.who(at.to("readers"), *s.Readers)
	}
	if s.Writers != nil {
		c.who(at.to("writers"), *s.Writers)
	}
}

func (c *checker) schedule(at path, s Schedule) {
	if (s.Every == "") == (s.Cron == "") {
		n := 0
		if s.Every != "" {
			n = 2
		}
		c.wrong(at, several(n)+" of every and cron is there", "use one: every: 30d, or cron: \"0 3 ? * SUN *\"")
		return
	}
	below := at.to("every")
	if s.Cron != "" {
		below = at.to("cron")
	}
	if every := s.Every.Time(); every%time.Hour != 0 {
		c.wrong(below, "rotations are so many whole hours or days apart", "use h or d: at least 4h")
		return
	}
	if inner, wrapped := strings.CutPrefix(s.Cron, "cron("); wrapped {
		c.wrong(below, "the words cron( ) are put around it for you", "write "+strconv.Quote(strings.TrimSuffix(inner, ")")))
		return
	}
	parsed, err := schedule.Parse(s.Expression())
	if err != nil {
		c.wrong(below, err.Error(), "")
		return
	}
	if s.Window == "" {
		return
	}
	hours, most := s.Window.Time(), parsed.LongestWindow()
	if hours%time.Hour != 0 || hours < time.Hour || hours > time.Duration(most)*time.Hour {
		c.wrong(at.to("window"), "a window must not reach into the next one, nor past midnight UTC", fmt.Sprintf("use whole hours, 1h to %dh", most))
	}
}

// interval: the old credential must be gone before the next rotation needs its place.
func (c *checker) interval(at path, r Resolved) {
	parsed, err := schedule.Parse(r.Schedule.Expression())
	if err != nil || !r.Retires() {
		return
	}
	// Forty windows show the shortest distance of every schedule that a person writes.
	t := parsed.After(time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)).Start
	shortest := parsed.After(t).Start.Sub(t)
	for range 40 {
		next := parsed.After(t).Start
		shortest = min(shortest, next.Sub(t))
		t = next
	}
	if r.Grace.Time() > shortest {
		c.wrong(at.to("schedule"), fmt.Sprintf("it rotates every %s, and the old credential shall live %s", plain(shortest), r.Grace),
			fmt.Sprintf("rotate less often, or set functions.%s.grace", r.Function))
	}
}

func plain(d time.Duration) string {
	if d%(24*time.Hour) == 0 {
		return count(int(d.Hours())/24, "day")
	}
	return count(int(d.Hours()), "hour")
}

func (c *checker) onlyFromVPC(at path, r Resolved) {
	n := c.Network
	if n == nil || n.OutsideVPC || !n.MakesEndpoints() && n.VPC != nil && n.VPC.SecretsManagerEndpoint == "" {
		c.wrong(at.to("onlyFromVpc"), "there is no endpoint of Secrets Manager that it could be read through", "use network.create, or name network.vpc.secretsManagerEndpoint")
	}
	for _, replica := range c.Regions.Replicas {
		if r.Replicate && replica.Endpoint == "" {
			c.wrong(at.to("onlyFromVpc"), fmt.Sprintf("its replica in %s could not be read: the policy is replicated too", replica.Region),
				"name the endpoint of that Region in regions.replicas, or use replicate: false")
		}
	}
}

// names: no two entries are one secret.
func (c *checker) names() {
	seen := map[string]string{}
	for _, r := range c.File.Secrets() {
		id := r.Name
		if r.Existing != "" {
			id = string(r.Existing)
		}
		if first, taken := seen[id]; taken {
			c.wrong(r.where(), "it is the same secret as "+first, "give each a name of its own")
		}
		seen[id] = r.Path
	}
}

func (c *checker) who(at path, p Principals) {
	c.principals(at.to("arns"), p.ARNs)
	for i, name := range p.Pipelines {
		if _, ok := c.Pipelines[name]; !ok && name != "" {
			var all []string
			for n := range c.Pipelines {
				all = append(all, string(n))
			}
			slices.Sort(all)
			remedy := "add it to pipelines:"
			if near := nearest(string(name), all); near != "" {
				remedy = "did you mean " + near + "?"
			}
			c.wrong(at.to("pipelines", strconv.Itoa(i)), fmt.Sprintf("there is no pipeline %q", name), remedy)
		}
	}
	if c.said(at) && p.nobody() {
		c.wrong(at, "it names nobody", "add arns:, tagged: or pipelines:, or leave it out")
	}
}

// principals are roles and users, and no whole account.
func (c *checker) principals(at path, all []ARN) {
	for i, a := range all {
		service, _, _, resource := a.Parts()
		below := at.to(strconv.Itoa(i))
		switch {
		case a == "":
		case service == "sts":
			c.wrong(below, "it is a session of a role", "name the role: arn:…:iam::…:role/…")
		case service != "iam":
			c.wrong(below, "this is no principal", "use the ARN of a role or user: arn:…:iam::…:role/…")
		case resource == "root":
			c.wrong(below, "it is a whole account", "name the roles that are meant")
		case !strings.HasPrefix(resource, "role/") && !strings.HasPrefix(resource, "user/"):
			c.wrong(below, "this is neither role nor user", "use arn:…:iam::…:role/… or …:user/…")
		}
	}
}

func (c *checker) tags(at path, tags map[string]string) {
	if len(tags) > 40 {
		c.wrong(at, fmt.Sprintf("%d tags are more than a secret may have beside ours", len(tags)), "use at most 40")
	}
	for key, value := range tags {
		switch {
		case strings.HasPrefix(strings.ToLower(key), "aws:"):
			c.wrong(at.to(key), "tags that begin with aws: belong to AWS", "use another key")
		case len(key) > 128 || len(value) > 256:
			c.wrong(at.to(key), "it is too long", "a key has at most 128 characters, a value 256")
		}
	}
}
