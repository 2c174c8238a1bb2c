package secretsmanager

import (
	"slices"
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
	return s.reveal(c, id, in.VersionId, in.VersionStage)
}

// reveal is the heart of GetSecretValue.
func (s *Server) reveal(c *caller, id string, versionID, stage *string) (*getSecretValueOutput, error) {
	sec, err := s.lookup(c, id)
	if err != nil {
		return nil, err
	}
	if err := first(sec.live(), sec.readableBy(c)); err != nil {
		return nil, err
	}
	ver, err := sec.find(versionID, stage)
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
	s.writing.Lock()
	defer s.writing.Unlock()
	old := s.at(sec.place(), sec.Name)
	if old == nil || old.ARN != sec.ARN {
		return nil // deleted meanwhile
	}
	next := old.clone() // replicas have days of their own: nothing spreads
	next.Accessed = day
	if v := next.version(ver.ID); v != nil {
		v.Accessed = day
	}
	return s.commit(change{old, next})
}

// description is a secret without its values, as DescribeSecret and ListSecrets give it.
type description struct {
	ARN                    string
	Name                   string
	Description            string              `json:",omitempty"`
	KmsKeyId               string              `json:",omitempty"`
	OwningService          string              `json:",omitempty"`
	PrimaryRegion          string              `json:",omitempty"`
	ReplicationStatus      []replicationStatus `json:",omitempty"` // in DescribeSecret
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
		ARN: s.ARN, Name: s.Name, Description: s.Description, Tags: s.Tags, KmsKeyId: s.KmsKeyId,
		OwningService: s.Owner, PrimaryRegion: primaryRegion(s),
		CreatedDate: date(s.Created), LastChangedDate: date(s.Changed), LastAccessedDate: date(s.Accessed), DeletedDate: date(s.DeleteAt),
	}
	if r := s.Rotation; r != nil {
		d.RotationEnabled, d.RotationLambdaARN, d.RotationRules = &r.Enabled, r.FunctionARN, r.Rules
		d.LastRotatedDate = date(r.Last)
		if r.Enabled && r.Rules != nil {
			d.NextRotationDate = date(r.Next.LastMoment())
		}
	}
	return d
}

// primaryRegion is reported for secrets with replicas and for replicas only: recorded in
// https://github.com/rebuy-de/aws-nuke/issues/1127.
func primaryRegion(s *secret) string {
	if len(s.Replicas) > 0 {
		return s.Region
	}
	return s.PrimaryRegion
}

func (s *Server) describeSecret(c *caller, in *onlySecretID) (*description, error) {
	id, err := secretID(in.SecretId)
	if err != nil {
		return nil, err
	}
	sec, err := s.lookup(c, id)
	if err != nil {
		return nil, err
	}
	d := sec.describe()
	d.VersionIdsToStages, d.ReplicationStatus = sec.stages(), s.replicationStatus(sec)
	return d, nil
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
	sec, err := s.lookup(c, id)
	if err != nil {
		return nil, err
	}
	if err := sec.live(); err != nil {
		return nil, err
	}
	list := slices.DeleteFunc(slices.Clone(sec.Versions), func(v *version) bool {
		return len(v.Stages) == 0 && !deref(in.IncludeDeprecated)
	})
	list, next, err := versionsPage(list, sec.ARN, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &listSecretVersionIdsOutput{ARN: sec.ARN, Name: sec.Name, Versions: []versionEntry{}, NextToken: next}
	for _, v := range list {
		out.Versions = append(out.Versions, versionEntry{
			VersionId: v.ID, VersionStages: v.Stages, LastAccessedDate: date(v.Accessed), CreatedDate: date(v.Created),
			KmsKeyIds: v.encrypted(),
		})
	}
	return out, nil
}

// versionsPage is the part of a list of versions that a token and MaxResults ask for.
func versionsPage(list []*version, arn string, most *int64, token *string) ([]*version, string, error) {
	from, err := readCursor(token, arn)
	if err != nil {
		return nil, "", err
	}
	if from != nil {
		list = slices.DeleteFunc(list, func(v *version) bool { return v.Seq <= from.Seq })
	}
	n := pageSize(most, 100)
	if len(list) <= n {
		return list, "", nil
	}
	return list[:n], cursor{Of: arn, Seq: list[n-1].Seq}.String(), nil
}
