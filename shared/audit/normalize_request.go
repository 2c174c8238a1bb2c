package audit

import (
	"bytes"
	"strings"
)

// request reads requestParameters: the members named here, of the operations that detections
// look at, and no other. A value, a token, a tag or a description is not among them.
func (n *Normalizer) request(e *Event) {
	s, r, f := &n.scan, &e.Request, &n.form
	for s.Member() {
		switch string(s.Name()) {
		case "secretId":
			f.secret[inRequest] = s.Text()
		case "versionStage":
			n.keep(&r.VersionStage, s.Text(), isToken, 256)
		case "versionId", "moveToVersionId":
			n.version(&r.VersionID, s.Text())
		case "versionStages":
			r.Stages = n.list(r.Stages, 256)
		case "recoveryWindowInDays":
			r.RecoveryDays = max(s.Number(), 0)
		case "forceDeleteWithoutRecovery":
			r.ForceDelete = s.Bool()
		case "kmsKeyId", "keyId":
			n.keep(&r.Key, s.Text(), isToken, 2048)
		case "rotationLambdaARN", "functionName":
			n.keep(&r.Function, s.Text(), isToken, 512)
		case "removeReplicaRegions":
			r.Regions = n.list(r.Regions, 32)
		case "addReplicaRegions":
			n.replicas(r)
		case "resourcePolicy":
			f.policy = s.Text()
		case "filters":
			n.filters()
		case "name", "trailName", "eventDataStore", "trailARN", "rule": // rule: of RemoveTargets
			f.name = s.Text()
		default:
			s.Skip()
		}
	}
}

// version takes what has the form of a version's id, of 32 to 64 characters.
func (n *Normalizer) version(field *string, id []byte) {
	if len(id) >= 32 {
		n.keep(field, id, isToken, 64)
	}
}

// maxList bounds what is kept of a list; the API allows no more of any.
const maxList = 100

// list reads an array of texts. Lists are rare: each text is a string of its own.
func (n *Normalizer) list(texts []string, longest int) []string {
	s := &n.scan
	if !s.Array() {
		return texts
	}
	for s.Element() {
		text := s.Text()
		if len(texts) < maxList && len(text) > 0 && len(text) <= longest && !bytes.ContainsFunc(text, isNoToken) {
			texts = append(texts, string(text))
		}
	}
	return texts
}

func isNoToken(r rune) bool { return r <= ' ' || r > '~' }

func (n *Normalizer) replicas(r *Request) {
	s := &n.scan
	if !s.Array() {
		return
	}
	for s.Element() {
		var region []byte
		n.pick(&region, "region")
		if len(r.Regions) < maxList && len(region) > 0 && len(region) <= 32 && !bytes.ContainsFunc(region, isNoToken) {
			r.Regions = append(r.Regions, string(region))
		}
	}
}

// filters counts those of a batch read, and those of them that take every secret: each value
// begins with !, which excludes what probably does not exist.
func (n *Normalizer) filters() {
	s := &n.scan
	if !s.Array() {
		return
	}
	for s.Element() {
		values, negated := 0, 0
		if !s.Object() {
			continue
		}
		for s.Member() {
			if string(s.Name()) != "values" {
				s.Skip()
				continue
			}
			if !s.Array() {
				continue
			}
			for s.Element() {
				values++
				if bytes.HasPrefix(s.Text(), []byte("!")) {
					negated++
				}
			}
		}
		n.form.filters++
		if values > 0 && negated == values {
			n.form.calls++
		}
	}
}

// rotationFailure is the text of a failed rotation, as Secrets Manager writes it: "Error when
// executing lambda ARN during setSecret step". Two words of it are kept.
func (n *Normalizer) rotationFailure(r *Request, message []byte) {
	const begin, middle, end = "Error when executing lambda ", " during ", " step"
	rest, found := bytes.CutPrefix(message, []byte(begin))
	if !found {
		return
	}
	function, rest, found := bytes.Cut(rest, []byte(middle))
	if !found || !bytes.HasPrefix(function, []byte("arn:")) {
		return
	}
	n.keep(&r.Function, function, isToken, 512)
	step, _, _ := bytes.Cut(rest, []byte(end))
	switch string(step) {
	case "createSecret", "setSecret", "testSecret", "finishSecret":
		n.keep(&r.Step, step, isToken, 16)
	}
}

// rotationVersion is the version under rotation, which a service event tells only in its
// requestID: Rotation-ARN-VERSION. Its suffix has five groups, as a UUID.
func rotationVersion(requestID string, s Secret) string {
	rest, found := strings.CutPrefix(requestID, "Rotation-"+s.ARN+"-")
	if !found || s.ARN == "" || len(rest) < 32 || len(rest) > 64 {
		return ""
	}
	return rest
}
