package secretsmanager

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/rekey-aws/rekey/local/iampolicy"
)

// secret is one secret with its versions. A published secret is never changed: writers
// clone it. The exported fields are what the state file keeps.
type secret struct {
	Record      string // names its records in the state file; says nothing of the secret
	Account     string
	Region      string
	Name        string
	ARN         string
	Description string `json:",omitempty"`
	Tags        []tag  `json:",omitempty"`
	CreateToken string // makes CreateSecret idempotent for a secret without a value
	KmsKeyId    string `json:",omitempty"` // empty: the account's key for the service
	Owner       string `json:",omitempty"` // the AWS service that manages it; see Server.SetOwner

	Created  time.Time
	Changed  time.Time
	Accessed time.Time // to the day, as AWS reports it
	DeleteAt time.Time // zero: not marked for deletion

	Versions []*version // oldest first
	NextSeq  uint64

	Rotation *rotationConfig `json:",omitempty"` // nil: never configured
	InFlight *inFlight       `json:",omitempty"` // the rotation that has begun and not ended

	Replicas      []replica `json:",omitempty"` // of a primary secret
	PrimaryRegion string    `json:",omitempty"` // of a replica

	Policy string            `json:",omitempty"` // resource policy, as it was put
	policy *iampolicy.Policy // what Policy says; nil for none
}

type version struct {
	Seq      uint64 // names its value's record in the state file; never reused
	ID       string
	Created  time.Time
	Accessed time.Time
	Stages   []string // sorted
	KmsKeyId string   `json:",omitempty"` // that the value is encrypted with
	value    *value   // nil for the placeholder that a rotation begins with
}

// value is what a version holds: a text or bytes. It is never changed.
type value struct {
	Text   *string `json:",omitempty"`
	Binary []byte  `json:",omitempty"`
}

func (v *value) equal(o *value) bool {
	if v == nil || o == nil {
		return v == o
	}
	if (v.Text == nil) != (o.Text == nil) {
		return false
	}
	if v.Text != nil {
		return *v.Text == *o.Text
	}
	return bytes.Equal(v.Binary, o.Binary)
}

// String keeps a value out of logs and errors, should one ever be formatted.
func (value) String() string { return "[secret value]" }

// GoString is String for %#v.
func (value) GoString() string { return "[secret value]" }

func (s *secret) clone() *secret {
	c := *s
	c.Tags, c.Replicas = slices.Clone(s.Tags), slices.Clone(s.Replicas)
	c.Versions = make([]*version, len(s.Versions))
	for i, v := range s.Versions {
		copied := *v
		copied.Stages = slices.Clone(v.Stages)
		c.Versions[i] = &copied
	}
	if s.Rotation != nil {
		r := *s.Rotation
		c.Rotation = &r
	}
	if s.InFlight != nil {
		f := *s.InFlight
		c.InFlight = &f
	}
	return &c
}

func (s *secret) place() place { return place{s.Account, s.Region} }

// complete makes what the state file does not keep.
func (s *secret) complete() error {
	if s.Account == "" { // written before there were several
		s.Account = accountOf(s.ARN)
	}
	if s.Policy == "" {
		return nil
	}
	var err error
	s.policy, err = iampolicy.Parse(s.Policy, conditionKeys)
	return err
}

func (s *secret) gone(now time.Time) bool {
	return s.deleted() && !now.Before(s.DeleteAt)
}

// deleted says whether the secret is marked for deletion.
func (s *secret) deleted() bool { return !s.DeleteAt.IsZero() }

// live refuses what cannot be done to a secret that is marked for deletion.
func (s *secret) live() error {
	if s.deleted() {
		return errMarkedDeleted()
	}
	return nil
}

func (s *secret) version(id string) *version {
	for _, v := range s.Versions {
		if v.ID == id {
			return v
		}
	}
	return nil
}

func (s *secret) add(id string, v *value, now time.Time) *version {
	added := &version{Seq: s.NextSeq, ID: id, Created: now, KmsKeyId: s.KmsKeyId, value: v}
	s.NextSeq++
	s.Versions = append(s.Versions, added)
	return added
}

func (s *secret) remove(id string) {
	s.Versions = slices.DeleteFunc(s.Versions, func(v *version) bool { return v.ID == id })
}

// stages maps the versions that have labels to them; nil if none has.
func (s *secret) stages() map[string][]string {
	var m map[string][]string
	for _, v := range s.Versions {
		if len(v.Stages) > 0 {
			if m == nil {
				m = map[string][]string{}
			}
			m[v.ID] = v.Stages
		}
	}
	return m
}

// Versions without labels are kept up to this number, and for at least a day:
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
const (
	keptDeprecated = 100
	keptFor        = 24 * time.Hour
)

// prune removes the oldest deprecated versions, as the service does.
func (s *secret) prune(now time.Time) {
	deprecated := 0
	for _, v := range s.Versions {
		if len(v.Stages) == 0 {
			deprecated++
		}
	}
	s.Versions = slices.DeleteFunc(s.Versions, func(v *version) bool {
		if len(v.Stages) > 0 || deprecated <= keptDeprecated || now.Sub(v.Created) < keptFor {
			return false
		}
		deprecated--
		return true
	})
}

const suffixAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// newARN makes the ARN of a new secret: six random characters keep a secret that is created
// again under an old name from inheriting the access of the old one.
func newARN(where place, name string) string {
	return fmt.Sprintf("arn:%s:secretsmanager:%s:%s:secret:%s-%s",
		partition(where.region), where.region, where.account, name, randomFrom(suffixAlphabet, 6))
}

func accountOf(arn string) string { return strings.SplitN(arn, ":", 6)[4] }

func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

// splitID reads a SecretId: a name, an ARN, or an ARN without its random suffix. It returns
// where to look for which name and, for an ARN, what hasARN must confirm.
//
// The last seven characters of an ARN, if they have the form of a suffix, are taken for it:
// a partial ARN of a secret whose own name ends like that finds nothing, as on AWS
// (https://docs.aws.amazon.com/secretsmanager/latest/userguide/troubleshoot.html#ARN_secretnamehyphen).
// An ARN of another Region finds nothing either.
func splitID(from place, id string) (where place, name, arn string) {
	part := strings.SplitN(id, ":", 7)
	if len(part) < 7 || part[0] != "arn" || part[2] != "secretsmanager" || part[5] != "secret" {
		return from, id, ""
	}
	where, name = place{part[4], part[3]}, part[6]
	if where.region != from.region {
		return from, "", id
	}
	if n := len(name) - suffixLength; n > 0 && isSuffix(name[n:]) {
		name = name[:n]
	}
	return where, name, id
}

const suffixLength = len("-AbCdEf")

func isSuffix(s string) bool {
	for i := 1; i < len(s); i++ {
		if !strings.Contains(suffixAlphabet, s[i:i+1]) {
			return false
		}
	}
	return s[0] == '-'
}

// hasARN says whether this is the secret's ARN, complete or without its random suffix.
func (s *secret) hasARN(arn string) bool {
	return s.ARN == arn || s.ARN[:len(s.ARN)-suffixLength] == arn
}

func randomFrom(alphabet string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[randomBelow(len(alphabet))]
	}
	return string(b)
}

// randomBelow is uniform in [0, n).
func randomBelow(n int) int {
	i, _ := rand.Int(rand.Reader, big.NewInt(int64(n))) // never fails: https://pkg.go.dev/crypto/rand#Read
	return int(i.Int64())
}

func newUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	text := make([]byte, 0, 36)
	for i, part := range [][]byte{b[:4], b[4:6], b[6:8], b[8:10], b[10:]} {
		if i > 0 {
			text = append(text, '-')
		}
		text = hex.AppendEncode(text, part)
	}
	return string(text)
}
