package secretsmanager

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// replica is what a primary secret knows of its copy in another Region.
type replica struct {
	Region    string
	KmsKeyId  string    `json:",omitempty"`
	Status    string    // of the API's StatusType
	Message   string    `json:",omitempty"` // why it failed
	Overwrite bool      `json:",omitempty"` // it may take the name from another secret
	Due       time.Time // when the last change arrives; zero: it has
}

// The states of a replica:
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ReplicationStatusType.html
const (
	inSync     = "InSync"
	failed     = "Failed"
	inProgress = "InProgress"
)

// isReplica says whether the secret is one, which only its primary may change.
func (s *secret) isReplica() bool { return s.PrimaryRegion != "" }

func (s *secret) isReplicaOf(primary *secret) bool {
	return s.PrimaryRegion == primary.Region && s.ARN == inRegion(primary.ARN, s.Region)
}

// inRegion is the ARN of a replica: "the same as the original primary secret except the Region".
func inRegion(arn, region string) string {
	part := strings.SplitN(arn, ":", 5)
	part[3] = region
	return strings.Join(part, ":")
}

// mayChange refuses to change a replica: recorded, for example in
// https://github.com/gruntwork-io/cloud-nuke/issues/435.
func (s *secret) mayChange() error {
	if s.isReplica() {
		return invalidParameter("Operation not permitted on a replica secret. Call must be made in primary secret's region.")
	}
	return nil
}

// mayEnd refuses to delete a primary whose replicas remain, in AWS's words: recorded in the
// same issue.
func (s *secret) mayEnd() error {
	if len(s.Replicas) == 0 {
		return nil
	}
	var regions []string
	for _, r := range s.Replicas {
		regions = append(regions, r.Region)
	}
	return invalidParameter("You can't delete secret %s that still has replica regions [%s].", s.ARN, strings.Join(regions, ", "))
}

func (s *secret) replicaIn(region string) *replica {
	if i := slices.IndexFunc(s.Replicas, func(r replica) bool { return r.Region == region }); i >= 0 {
		return &s.Replicas[i]
	}
	return nil
}

// spread says what the new state of a primary changes in other Regions now, and notes in it
// how far it has come. The caller holds writing, and commits both together.
func (s *Server) spread(primary *secret) []change {
	var changes []change
	now := s.opt.Now()
	for i := range primary.Replicas {
		r := &primary.Replicas[i]
		if r.Status == failed {
			continue
		}
		if r.Due.IsZero() {
			r.Status, r.Due = inProgress, now.Add(s.opt.ReplicationDelay)
		}
		if now.Before(r.Due) {
			continue
		}
		r.Due = time.Time{}
		old := s.kept(place{primary.Account, r.Region}, primary.Name)
		if why := r.obstacle(primary, old, now); why != "" {
			r.Status, r.Message = failed, why
			s.happened(SecretEvent{Kind: ReplicationFailed, ARN: primary.ARN, Region: r.Region, Message: why})
			continue
		}
		r.Status = inSync
		changes = append(changes, change{old, primary.copyFor(r, old)})
	}
	return changes
}

// obstacle is why a replica cannot be where old is; empty if it can. Recorded:
// https://github.com/getmoto/moto, tests/test_secretsmanager/test_secrets_duplication.py, and
// for replicas of another secret by users of infrastructure code.
func (r *replica) obstacle(primary, old *secret, now time.Time) string {
	switch {
	case old == nil || old.gone(now) || old.isReplicaOf(primary):
		return ""
	case old.isReplica():
		return "Replication failed: Secret name " + primary.Name + " is currently replicated to " + r.Region + " with a different arn."
	case len(old.Replicas) > 0 || !r.Overwrite:
		return "Replication failed: Secret name " + primary.Name + " already exists in region " + r.Region + "."
	}
	return ""
}

// copyFor makes the next state of a replica. Rotation stays with the primary; when a replica
// was last read is its own.
func (s *secret) copyFor(r *replica, old *secret) *secret {
	c := s.clone()
	c.Record, c.Region, c.ARN, c.PrimaryRegion = newRecord(), r.Region, inRegion(s.ARN, r.Region), s.Region
	c.Replicas, c.Rotation, c.InFlight, c.Accessed = nil, nil, nil, time.Time{}
	same := old != nil && old.isReplicaOf(s)
	if same {
		c.Record, c.Accessed, c.Created = old.Record, old.Accessed, old.Created
	}
	c.KmsKeyId = r.KmsKeyId
	for _, v := range c.Versions {
		v.KmsKeyId, v.Accessed = r.KmsKeyId, time.Time{}
		if same {
			if before := old.version(v.ID); before != nil {
				v.Accessed = before.Accessed
			}
		}
	}
	return c
}

// dueReplicas says whether a change is to arrive somewhere.
func (s *secret) dueReplicas(now time.Time) bool {
	return slices.ContainsFunc(s.Replicas, func(r replica) bool { return !r.Due.IsZero() && !now.Before(r.Due) })
}

// replicationStatus is a replica as the API reports it.
type replicationStatus struct {
	Region           string
	KmsKeyId         string
	Status           string
	StatusMessage    string `json:",omitempty"`
	LastAccessedDate *epoch `json:",omitempty"`
}

func (s *Server) replicationStatus(sec *secret) []replicationStatus {
	var list []replicationStatus
	for _, r := range sec.Replicas {
		status := replicationStatus{Region: r.Region, KmsKeyId: cmp.Or(r.KmsKeyId, defaultKey), Status: r.Status, StatusMessage: r.Message}
		if copied := s.at(place{sec.Account, r.Region}, sec.Name); copied != nil && copied.isReplicaOf(sec) {
			status.LastAccessedDate = date(copied.Accessed)
		}
		list = append(list, status)
	}
	return list
}

// begun is replicationStatus in the reply to the call that begins a replication, which on AWS
// is still under way then, or has not been found impossible yet.
func (s *Server) begun(sec *secret, regions []replicaRegion) []replicationStatus {
	list := s.replicationStatus(sec)
	for i := range list {
		if slices.ContainsFunc(regions, func(r replicaRegion) bool { return *r.Region == list[i].Region }) {
			list[i].Status, list[i].StatusMessage = inProgress, ""
		}
	}
	return list
}
