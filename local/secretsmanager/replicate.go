package secretsmanager

import (
	"regexp"
	"slices"
)

type replicaRegion struct {
	Region   *string
	KmsKeyId *string
}

// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ReplicaRegionType.html
var replicaRegionForm = regexp.MustCompile(`^([a-z]+-)+[0-9]+$`)

// replicaRegions checks AddReplicaRegions for a primary in a Region. "Invalid replica region."
// is recorded in https://github.com/aws-samples/aws-health-aware/pull/32.
func (s *Server) replicaRegions(list []replicaRegion, primary string) error {
	seen := map[string]bool{primary: true}
	for _, r := range list {
		if err := length("AddReplicaRegions.Region", r.Region, 1, 128); err != nil {
			return err
		}
		region := deref(r.Region)
		if !replicaRegionForm.MatchString(region) || seen[region] || partition(region) != partition(primary) {
			return invalidParameter("Invalid replica region.")
		}
		seen[region] = true
		if err := s.kmsKey(r.KmsKeyId, region); err != nil {
			return err
		}
	}
	return nil
}

// replicateTo notes the Regions to copy a secret to. One that failed is tried again, one that
// exists gets the key that is named now.
func (s *secret) replicateTo(list []replicaRegion, overwrite bool) {
	for _, r := range list {
		next := replica{Region: *r.Region, KmsKeyId: deref(r.KmsKeyId), Overwrite: overwrite, Status: inProgress}
		if old := s.replicaIn(*r.Region); old != nil {
			*old = next
		} else {
			s.Replicas = append(s.Replicas, next)
		}
	}
}

type replicateInput struct {
	SecretId                    *string
	AddReplicaRegions           []replicaRegion
	ForceOverwriteReplicaSecret *bool
}

type replicateOutput struct {
	ARN               string
	ReplicationStatus []replicationStatus
}

func (s *Server) replicateSecretToRegions(c *caller, in *replicateInput) (*replicateOutput, error) {
	id, err := secretID(in.SecretId)
	if err != nil {
		return nil, err
	}
	if err := atLeastOne("AddReplicaRegions", in.AddReplicaRegions); err != nil {
		return nil, err
	}
	sec, err := s.change(c, id, func(sec *secret) error {
		if err := first(sec.live(), s.replicaRegions(in.AddReplicaRegions, sec.Region)); err != nil {
			return err
		}
		sec.replicateTo(in.AddReplicaRegions, deref(in.ForceOverwriteReplicaSecret))
		sec.Changed = s.opt.Now()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &replicateOutput{ARN: sec.ARN, ReplicationStatus: s.begun(sec, in.AddReplicaRegions)}, nil
}

type removeRegionsInput struct {
	SecretId             *string
	RemoveReplicaRegions []string
}

// removeRegionsFromReplication deletes replicas, "immediately", and is idempotent:
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RemoveRegionsFromReplication.html
func (s *Server) removeRegionsFromReplication(c *caller, in *removeRegionsInput) (*replicateOutput, error) {
	id, err := secretID(in.SecretId)
	if err != nil {
		return nil, err
	}
	if err := atLeastOne("RemoveReplicaRegions", in.RemoveReplicaRegions); err != nil {
		return nil, err
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	old, err := s.lookup(c, id)
	if err != nil {
		return nil, err
	}
	if err := first(old.mayChange(), old.live()); err != nil {
		return nil, err
	}
	next := old.clone()
	next.Replicas = nil
	var changes []change
	for _, r := range old.Replicas {
		if !slices.Contains(in.RemoveReplicaRegions, r.Region) {
			next.Replicas = append(next.Replicas, r)
		} else if copied := s.at(place{old.Account, r.Region}, old.Name); copied != nil && copied.isReplicaOf(old) {
			changes = append(changes, change{copied, nil})
		}
	}
	if err := s.commit(append(changes, change{old, next})...); err != nil {
		return nil, err
	}
	return &replicateOutput{ARN: next.ARN, ReplicationStatus: s.replicationStatus(next)}, nil
}

type onlyARN struct{ ARN string }

// stopReplicationToReplica makes a replica a secret of its own.
func (s *Server) stopReplicationToReplica(c *caller, in *onlySecretID) (*onlyARN, error) {
	id, err := secretID(in.SecretId)
	if err != nil {
		return nil, err
	}
	sec, err := s.changeReplica(c, id, func(own *secret, primary *secret) {
		own.PrimaryRegion = ""
		own.Changed = s.opt.Now()
		if primary != nil {
			primary.Replicas = slices.DeleteFunc(primary.Replicas, func(r replica) bool { return r.Region == own.Region })
		}
	})
	if err != nil {
		return nil, err
	}
	return &onlyARN{ARN: sec.ARN}, nil
}

// changeReplica changes a replica and what its primary, if it still exists, knows of it.
func (s *Server) changeReplica(c *caller, id string, edit func(own, primary *secret)) (*secret, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	old, err := s.lookup(c, id)
	if err != nil {
		return nil, err
	}
	if !old.isReplica() {
		return nil, invalidRequest("The secret %s is not a replica: name a replica, in its own Region.", old.ARN)
	}
	changes := []change{{old, old.clone()}}
	primary := s.at(place{old.Account, old.PrimaryRegion}, old.Name)
	if primary != nil && old.isReplicaOf(primary) {
		changes = append(changes, change{primary, primary.clone()})
		edit(changes[0].next, changes[1].next)
	} else {
		edit(changes[0].next, nil)
	}
	return changes[0].next, s.commit(changes...)
}
