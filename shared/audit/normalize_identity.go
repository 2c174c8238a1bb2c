package audit

import "strings"

// identity reads userIdentity:
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
func (n *Normalizer) identity(i *Identity) {
	s := &n.scan
	for s.Member() {
		switch string(s.Name()) {
		case "type":
			n.keep(&i.Type, s.Text(), isToken, 64)
		case "arn":
			n.keep(&i.ARN, s.Text(), isToken, 2048)
		case "accountId":
			n.keep(&i.Account, s.Text(), isAccount, 12)
		case "accessKeyId":
			if id := s.Text(); isAccessKeyID(id) {
				n.keep(&i.AccessKeyID, id, isToken, 128)
			}
		case "userName":
			n.form.user = s.Text()
		case "principalId":
			n.form.principalID = s.Text()
		case "invokedBy":
			n.keep(&i.InvokedBy, s.Text(), isLine, 128)
		case "identityProvider":
			n.keep(&i.Provider, s.Text(), isToken, 256)
		case "sessionContext":
			if s.Object() {
				n.session(i)
			}
		case "onBehalfOf": // of IAM Identity Center
			n.pick(&n.form.user, "userId")
		default:
			s.Skip()
		}
	}
}

func (n *Normalizer) session(i *Identity) {
	s := &n.scan
	for s.Member() {
		switch string(s.Name()) {
		case "sessionIssuer":
			if !s.Object() {
				continue
			}
			for s.Member() {
				switch string(s.Name()) {
				case "arn":
					n.keep(&i.Principal, s.Text(), isToken, 2048)
				case "userName":
					n.form.issuer = s.Text()
				default:
					s.Skip()
				}
			}
		case "sourceIdentity":
			n.keep(&i.SourceIdentity, s.Text(), isToken, 64)
		case "webIdFederationData":
			var provider []byte
			n.pick(&provider, "federatedProvider")
			n.keep(&i.Provider, provider, isToken, 256)
		default:
			s.Skip()
		}
	}
}

// pick reads one member of an object.
func (n *Normalizer) pick(text *[]byte, name string) {
	s := &n.scan
	if !s.Object() {
		return
	}
	for s.Member() {
		if string(s.Name()) == name {
			*text = s.Text()
		} else {
			s.Skip()
		}
	}
}

// isAccessKeyID is of IAM's form, such as AKIA and 16 characters:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
func isAccessKeyID(id []byte) bool {
	if len(id) != 20 || string(id[:4]) != "AKIA" && string(id[:4]) != "ASIA" {
		return false
	}
	for _, c := range id {
		if (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// whoActed fills in what the identity only implies, after its texts are settled.
func (i *Identity) whoActed(principalID string) {
	resource := i.ARN[strings.LastIndexByte(i.ARN, ':')+1:]
	kind, rest, _ := strings.Cut(resource, "/")
	switch {
	case kind == "assumed-role" && strings.HasPrefix(i.ARN, "arn:"):
		role, session, _ := strings.Cut(rest, "/")
		i.Session = session
		if i.Name == "" {
			i.Name = role
		}
		if i.Principal == "" { // without the path, which only the issuer tells
			i.Principal = "arn:" + partitionOf(i.ARN) + ":iam::" + i.Account + ":role/" + role
		}
	case kind == "federated-user":
		i.Session = rest
	case i.Type == "AWSService" || i.ARN == "" && i.Type == "":
		if i.Principal == "" {
			i.Principal = i.InvokedBy
		}
	}
	if i.Session == "" {
		if _, session, found := strings.Cut(principalID, ":"); found && i.Type == "AssumedRole" {
			i.Session = session
		}
	}
	if i.Principal == "" {
		i.Principal = i.ARN
	}
	if i.Principal == "" && i.Name != "" { // SAMLUser, WebIdentityUser, IdentityCenterUser
		i.Principal = i.Provider + "/" + i.Name
	}
	if i.Principal == "" {
		i.Principal = i.Account
	}
	if i.Name == "" {
		i.Name = rest[strings.LastIndexByte(rest, '/')+1:]
	}
}

func partitionOf(arn string) string {
	_, rest, _ := strings.Cut(arn, ":")
	p, _, _ := strings.Cut(rest, ":")
	return p
}
