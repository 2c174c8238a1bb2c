package audit

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/rekey-aws/rekey/shared/audit/internal/jsonscan"
)

// ErrMalformed says that a payload is not JSON, or no event of a form that is known. Retrying
// does not help; it belongs to the dead letters.
var ErrMalformed = errors.New("not an event")

// Normalize reads one event: what EventBridge delivers, or a CloudTrail record without that
// envelope. It wraps ErrMalformed, saying what is wrong without quoting the payload. An event
// of a service that no detection looks at is read like any other. Payload is not kept.
func Normalize(payload []byte) (Event, error) {
	var n Normalizer
	var e Event
	err := n.Event(payload, &e)
	return e, err
}

// Normalizer reads events one after the other, and keeps its memory for the next. The zero
// value is ready. It is not for several goroutines.
type Normalizer struct {
	scan jsonscan.Scanner
	form form
	text []byte // what is kept of an event's texts: they share one string
	kept []keeping
	late late

	watchedOnly bool // what no detection looks at is not read to its end
}

// late are texts that only help to fill in fields.
type late struct{ secretID, principalID, name, region string }

// keeping is a text that belongs to a field of the event.
type keeping struct {
	field    *string
	from, to int
}

// Event reads an event into e, which is overwritten. See Normalize.
func (n *Normalizer) Event(payload []byte, e *Event) error {
	n.scan, n.watchedOnly = jsonscan.New(payload), false
	if n.scan.Next() != '{' {
		return fmt.Errorf("%w: it is not a JSON object", ErrMalformed)
	}
	if err := n.next(e); err != nil {
		return err
	}
	if n.scan.Next() != 0 {
		return fmt.Errorf("%w: there is more after the JSON object", ErrMalformed)
	}
	return nil
}

// form is what must be known of the whole before fields can be filled in: members come in any
// order. Its texts are parts of the payload.
type form struct {
	envelope       bool // EventBridge's
	detailType     []byte
	eventType      []byte
	other          bool // of a service that no detection looks at
	digest         bool // of a trail: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-digest-file-structure.html
	eventTime      time.Time
	id             []byte
	account        []byte
	region         []byte
	recipient      []byte
	message        []byte // of an error
	policy         []byte
	secret         [secretSources][]byte
	name           []byte // requestParameters.name: of a secret, or a trail
	issuer, user   []byte
	principalID    []byte
	labelName      []byte
	labelUpdated   []byte
	labelVersion   []byte
	filters, calls int // of a batch read; those that take everything
}

// The places where a secret is named, the surest first.
const (
	inResponse = iota
	inAdditional
	inServiceDetails
	inResources
	inRequest
	secretSources
)

// next reads the object that comes next.
func (n *Normalizer) next(e *Event) error {
	*e = Event{}
	n.form, n.text, n.kept = form{}, n.text[:0], n.kept[:0]
	n.late = late{}
	if n.scan.Object() {
		n.members(e, 0)
	}
	if err := n.scan.Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if n.form.other {
		return errOther
	}
	return n.fill(e)
}

// members reads those of a record, of EventBridge's envelope around one, or of what
// LookupEvents gives. depth is that of envelopes.
func (n *Normalizer) members(e *Event, depth int) {
	s, f := &n.scan, &n.form
	for s.Member() {
		switch string(s.Name()) {
		case "detail":
			if depth == 0 && s.Object() {
				f.envelope = true
				n.members(e, depth+1)
			} else if depth > 0 {
				s.Skip()
			}
		case "detail-type":
			f.detailType = s.Text()
		case "eventName":
			n.keep(&e.Name, s.Text(), isToken, 128)
		case "eventSource":
			source := s.Text()
			if n.keep(&e.Source, source, isToken, 128); n.watchedOnly && !isWatched(string(source)) {
				f.other = true
				s.Leave()
				return
			}
		case "eventID":
			n.keep(&e.ID, s.Text(), isToken, 128)
		case "sharedEventID":
			n.keep(&e.SharedID, s.Text(), isToken, 128)
		case "eventTime", "time":
			n.time(s.Text())
		case "eventType":
			f.eventType = s.Text()
		case "id":
			f.id = s.Text()
		case "account":
			f.account = s.Text()
		case "region":
			f.region = s.Text()
		case "awsRegion":
			n.keep(&e.Region, s.Text(), isRegion, 32)
		case "recipientAccountId":
			f.recipient = s.Text()
		case "requestID":
			n.keep(&e.RequestID, s.Text(), isToken, 2304)
		case "errorCode":
			n.keep(&e.ErrorCode, s.Text(), isToken, 128)
		case "CloudTrailEvent":
			n.quoted(e, s.Text(), depth)
		default:
			n.further(e)
		}
	}
}

// quoted reads a record that is the text of another one, as LookupEvents gives it:
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_Event.html
func (n *Normalizer) quoted(e *Event, record []byte, depth int) {
	if depth > 0 || record == nil {
		return
	}
	outer := n.scan
	n.scan = jsonscan.New(record)
	if n.scan.Object() {
		n.members(e, depth+1)
	}
	n.scan = outer
}

// further reads the members that not every record has.
func (n *Normalizer) further(e *Event) {
	s, f := &n.scan, &n.form
	switch string(s.Name()) {
	case "userIdentity":
		if s.Object() {
			n.identity(&e.Actor)
		}
	case "sourceIPAddress":
		n.keep(&e.SourceIP, s.Text(), isToken, 128)
	case "userAgent":
		agent := s.Text()
		n.keep(&e.UserAgent, agent[:min(len(agent), 256)], isLine, 256)
	case "vpcEndpointId":
		n.keep(&e.VPCEndpoint, s.Text(), isToken, 64)
	case "vpcEndpointAccountId":
		n.keep(&e.VPCEndpointAccount, s.Text(), isAccount, 12)
	case "requestParameters":
		if s.Object() {
			n.request(e)
		}
	case "errorMessage":
		f.message = s.Text()
	case "readOnly":
		e.ReadOnly = s.Bool()
	case "digestS3Bucket":
		f.digest = true
		s.Skip()
	case "responseElements":
		n.secretIn(inResponse, "arn", "aRN", "ARN")
	case "additionalEventData":
		n.secretIn(inAdditional, "SecretId", "secretId", "secretARN")
	case "serviceEventDetails":
		n.secretIn(inServiceDetails, "secretId", "SecretId", "secretARN")
	case "resources":
		n.resources()
	// Of "Secret Label Updated":
	// https://docs.aws.amazon.com/secretsmanager/latest/userguide/event-detail-secret-label-updated-secretsmanager.html
	case "name":
		f.labelName = s.Text()
	case "labelUpdated":
		f.labelUpdated = s.Text()
	case "versionId":
		f.labelVersion = s.Text()
	default:
		s.Skip()
	}
}

// time takes the record's own before the envelope's, which is the same, or that of delivery.
func (n *Normalizer) time(text []byte) {
	var at time.Time
	if text == nil || at.UnmarshalText(text) != nil {
		return
	}
	if string(n.scan.Name()) == "eventTime" || n.form.eventTime.IsZero() {
		n.form.eventTime = at.UTC().Truncate(time.Second)
	}
}

// secretIn reads a member of an object.
func (n *Normalizer) secretIn(source int, names ...string) {
	s := &n.scan
	if !s.Object() {
		return
	}
	for s.Member() {
		found := false
		for _, name := range names {
			if string(s.Name()) == name {
				found = true
				break
			}
		}
		if !found {
			s.Skip()
		} else if text := s.Text(); text != nil {
			n.form.secret[source] = text
		}
	}
}

// secretsARN is in the ARN of a secret, in any partition.
var secretsARN = []byte(":secretsmanager:")

// resources are texts in an event, and objects in a record.
func (n *Normalizer) resources() {
	s := &n.scan
	if !s.Array() {
		return
	}
	for s.Element() {
		var arn []byte
		if s.Next() == '"' {
			arn = s.Text()
		} else if s.Object() {
			for s.Member() {
				if string(s.Name()) == "ARN" {
					arn = s.Text()
				} else {
					s.Skip()
				}
			}
		}
		if bytes.Contains(arn, secretsARN) {
			n.form.secret[inResources] = arn
		}
	}
}

// keep copies a text of the right form for a field. One of another form is dropped; nil is
// none.
func (n *Normalizer) keep(field *string, text []byte, ok func(byte) bool, longest int) {
	if len(text) == 0 || len(text) > longest {
		return
	}
	for _, c := range text {
		if !ok(c) {
			return
		}
	}
	from := len(n.text)
	n.text = append(n.text, text...)
	n.kept = append(n.kept, keeping{field, from, len(n.text)})
}

// settle gives the fields their texts, which share one string.
func (n *Normalizer) settle() {
	if len(n.kept) == 0 {
		return
	}
	all := string(n.text)
	for _, k := range n.kept {
		*k.field = all[k.from:k.to]
	}
	n.kept = n.kept[:0]
}

// isToken is for ids, names and ARNs: ASCII that can be seen.
func isToken(c byte) bool { return c > ' ' && c <= '~' }

// isLine is for what may have spaces too.
func isLine(c byte) bool { return c >= ' ' && c <= '~' }

func isAccount(c byte) bool { return c >= '0' && c <= '9' }

func isRegion(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' }
