package secretsmanager

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"
)

type getSecretValueInput struct {
	SecretId     *string
	VersionId    *string
	VersionStage *string
}

type getSecretValueOutput struct {
	ARN           string
	Name          string
	VersionId     string
	SecretString  *string  `json:",omitempty"`
	SecretBinary  []byte   `json:",omitempty"`
	VersionStages []string `json:",omitempty"`
	CreatedDate   *epoch
}

func (s *Server) getSecretValue(c *caller, in *getSecretValueInput) (*getSecretValueOutput, error) {
	id, err := secretID(in.SecretId)
	if err != nil {
		return nil, err
	}
	if err := first(length("VersionId", in.VersionId, 32, 64), length("VersionStage", in.VersionStage, 1, 256)); err != nil {
		return nil, err
	}
	sec, err := s.lookup(c.region, id)
	if err != nil {
		return nil, err
	}
	if err := sec.live(); err != nil {
		return nil, err
	}
	ver, err := sec.find(in.VersionId, in.VersionStage)
	if err != nil {
		return nil, err
	}
	if err := s.touch(sec, ver); err != nil {
		return nil, err
	}
	return &getSecretValueOutput{
		ARN: sec.ARN, Name: sec.Name, VersionId: ver.ID, VersionStages: ver.Stages, CreatedDate: date(ver.Created),
		SecretString: ver.value.Text, SecretBinary: ver.value.Binary,
	}, nil
}

// find is the version that holds the value asked for, by id, by label, or by both.
func (s *secret) find(id, stage *string) (*version, error) {
	if id == nil {
		label := current
		if stage != nil {
			label = *stage
		}
		if v := s.holder(label); v != nil && v.value != nil {
			return v, nil
		}
		return nil, errNoStage(label)
	}
	v := s.version(*id)
	switch {
	case v == nil || v.value == nil && (stage == nil || v.has(*stage)):
		return nil, errNoVersion(*id)
	case stage != nil && !v.has(*stage):
		return nil, invalidRequest("You provided a VersionStage that is not associated to the provided VersionId.")
	}
	return v, nil
}

// touch records the day a value was read, which costs a write on the first read of a day only.
func (s *Server) touch(sec *secret, ver *version) error {
	day := s.opt.Now().UTC().Truncate(24 * time.Hour)
	if sec.Accessed.Equal(day) && ver.Accessed.Equal(day) {
		return nil
	}
	_, err := s.change(sec.Region, sec.ARN, func(sec *secret) error {
		sec.Accessed = day
		if v := sec.version(ver.ID); v != nil {
			v.Accessed = day
		}
		return nil
	})
	return err
}

// description is a secret without its values, as DescribeSecret and ListSecrets give it.
type description struct {
	ARN                    string
	Name                   string
	Description            string              `json:",omitempty"`
	RotationEnabled        *bool               `json:",omitempty"`
	RotationLambdaARN      string              `json:",omitempty"`
	RotationRules          *rotationRules      `json:",omitempty"`
	LastRotatedDate        *epoch              `json:",omitempty"`
	LastChangedDate        *epoch              `json:",omitempty"`
	LastAccessedDate       *epoch              `json:",omitempty"`
	DeletedDate            *epoch              `json:",omitempty"`
	NextRotationDate       *epoch              `json:",omitempty"`
	Tags                   []tag               `json:",omitempty"`
	VersionIdsToStages     map[string][]string `json:",omitempty"` // in DescribeSecret
	SecretVersionsToStages map[string][]string `json:",omitempty"` // in ListSecrets
	CreatedDate            *epoch              `json:",omitempty"`
}

func (s *secret) describe() *description {
	d := &description{
		ARN: s.ARN, Name: s.Name, Description: s.Description, Tags: s.Tags,
		CreatedDate: date(s.Created), LastChangedDate: date(s.Changed), LastAccessedDate: date(s.Accessed), DeletedDate: date(s.DeleteAt),
	}
	if r := s.Rotation; r != nil {
		d.RotationEnabled, d.RotationLambdaARN, d.RotationRules = &r.Enabled, r.FunctionARN, r.Rules
		d.LastRotatedDate = date(r.Last)
		if r.Enabled && r.Rules != nil {
			d.NextRotationDate = date(r.Next.lastMoment())
		}
	}
	return d
}

func (s *Server) describeSecret(c *caller, in *onlySecretID) (*description, error) {
	id, err := secretID(in.SecretId)
	if err != nil {
		return nil, err
	}
	sec, err := s.lookup(c.region, id)
	if err != nil {
		return nil, err
	}
	d := sec.describe()
	d.VersionIdsToStages = sec.stages()
	return d, nil
}

type listSecretsInput struct {
	IncludePlannedDeletion *bool
	MaxResults             *int64
	NextToken              *string
	SortOrder              *string
}

type listSecretsOutput struct {
	SecretList []*description
	NextToken  string `json:",omitempty"`
}

func (s *Server) listSecrets(c *caller, in *listSecretsInput) (*listSecretsOutput, error) {
	if err := first(number("MaxResults", in.MaxResults, 1, 100), length("NextToken", in.NextToken, 1, 4096)); err != nil {
		return nil, err
	}
	order := strings.ToLower(deref(in.SortOrder))
	if order != "" && order != "asc" && order != "desc" {
		return nil, violation("", "SortOrder", "Member must satisfy enum value set: [asc, desc]")
	}
	now := s.opt.Now()
	found := slices.DeleteFunc(s.all(c.region), func(sec *secret) bool {
		return sec.gone(now) || sec.deleted() && !deref(in.IncludePlannedDeletion)
	})
	key := func(sec *secret) string { return fmt.Sprintf("%016x %s", sec.Created.UnixNano(), sec.ARN) }
	slices.SortFunc(found, func(a, b *secret) int { return cmp.Compare(key(a), key(b)) })
	if order == "desc" {
		slices.Reverse(found)
	}
	found, next, err := page(found, in.MaxResults, in.NextToken, key, order == "desc")
	if err != nil {
		return nil, err
	}
	out := &listSecretsOutput{SecretList: []*description{}, NextToken: next}
	for _, sec := range found {
		d := sec.describe()
		d.SecretVersionsToStages = sec.stages()
		out.SecretList = append(out.SecretList, d)
	}
	return out, nil
}

// tokenMark tells our tokens from what someone else made.
const tokenMark = "rekey:"

// page returns what follows the element that token names in a list sorted by key, and names
// the last one it returns if there are more. That element may be gone by then.
func page[T any](list []T, most *int64, token *string, key func(T) string, descending bool) ([]T, string, error) {
	if token != nil {
		raw, err := base64.RawURLEncoding.DecodeString(*token)
		last, ours := strings.CutPrefix(string(raw), tokenMark)
		if err != nil || !ours {
			return nil, "", errBadToken()
		}
		rest := slices.IndexFunc(list, func(e T) bool {
			order := cmp.Compare(key(e), last)
			return order > 0 && !descending || order < 0 && descending
		})
		if rest < 0 {
			return nil, "", nil
		}
		list = list[rest:]
	}
	n := 100
	if most != nil {
		n = int(*most)
	}
	if len(list) <= n {
		return list, "", nil
	}
	list = list[:n]
	return list, base64.RawURLEncoding.EncodeToString([]byte(tokenMark + key(list[n-1]))), nil
}

type listSecretVersionIdsInput struct {
	SecretId          *string
	IncludeDeprecated *bool
	MaxResults        *int64
	NextToken         *string
}

type listSecretVersionIdsOutput struct {
	ARN       string
	Name      string
	Versions  []versionEntry
	NextToken string `json:",omitempty"`
}

type versionEntry struct {
	VersionId        string
	VersionStages    []string `json:",omitempty"`
	LastAccessedDate *epoch   `json:",omitempty"`
	CreatedDate      *epoch
	KmsKeyIds        []string
}

func (s *Server) listSecretVersionIds(c *caller, in *listSecretVersionIdsInput) (*listSecretVersionIdsOutput, error) {
	id, err := secretID(in.SecretId)
	if err != nil {
		return nil, err
	}
	if err := first(number("MaxResults", in.MaxResults, 1, 100), length("NextToken", in.NextToken, 1, 4096)); err != nil {
		return nil, err
	}
	sec, err := s.lookup(c.region, id)
	if err != nil {
		return nil, err
	}
	if err := sec.live(); err != nil {
		return nil, err
	}
	list := slices.DeleteFunc(slices.Clone(sec.Versions), func(v *version) bool {
		return len(v.Stages) == 0 && !deref(in.IncludeDeprecated)
	})
	list, next, err := page(list, in.MaxResults, in.NextToken, func(v *version) string { return fmt.Sprintf("%016x", v.Seq) }, false)
	if err != nil {
		return nil, err
	}
	out := &listSecretVersionIdsOutput{ARN: sec.ARN, Name: sec.Name, Versions: []versionEntry{}, NextToken: next}
	for _, v := range list {
		out.Versions = append(out.Versions, versionEntry{
			VersionId: v.ID, VersionStages: v.Stages, LastAccessedDate: date(v.Accessed), CreatedDate: date(v.Created),
			KmsKeyIds: []string{"DefaultEncryptionKey"}, // what AWS reports for its own key
		})
	}
	return out, nil
}
