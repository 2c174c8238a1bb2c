// Package sns is Amazon SNS on one machine, as far as this project publishes to it: Publish to
// a topic, in the Query protocol. What it does not know it refuses.
//
// https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
package sns

import (
	"crypto/rand"
	"encoding/xml"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// Message is one that was published.
type Message struct {
	Topic, Subject, Text string
	Group, Deduplication string            // of a FIFO topic
	Attributes           map[string]string // by name; texts only
}

// SNS serves the API. Set its fields before it is served; it is safe for concurrent use.
type SNS struct {
	Topics []string // the ARNs of those that exist

	OnCall func(action string) // as for awsjson.Service
	// Fault, unless it is nil, decides the code that a call fails with; "" for none.
	Fault func() (code string)

	mu       sync.Mutex
	messages []Message
	seen     map[string]bool // deduplication ids of FIFO topics
}

// Messages are those that were published. A FIFO topic takes one of each deduplication id.
func (s *SNS) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.messages)
}

// maxMessage is the size of the largest message.
const maxMessage = 256 << 10

// ServeHTTP serves one call.
func (s *SNS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 4*maxMessage) // of which each byte may be escaped
	if err := r.ParseForm(); err != nil || r.PostForm.Get("Action") != "Publish" {
		refuse(w, http.StatusBadRequest, "InvalidAction", "the stand-in knows Publish only")
		return
	}
	if s.OnCall != nil {
		s.OnCall("sns:Publish")
	}
	if s.Fault != nil {
		if code := s.Fault(); code != "" {
			refuse(w, http.StatusServiceUnavailable, code, "because the test says so")
			return
		}
	}
	m, wrong := read(r)
	switch {
	case wrong != "":
		refuse(w, http.StatusBadRequest, "InvalidParameter", "Invalid parameter: "+wrong)
		return
	case !slices.Contains(s.Topics, m.Topic):
		refuse(w, http.StatusNotFound, "NotFound", "Topic does not exist")
		return
	}
	s.keep(m)
	type result struct {
		MessageID string `xml:"MessageId"`
	}
	answer(w, http.StatusOK, struct {
		XMLName xml.Name `xml:"PublishResponse"`
		Result  result   `xml:"PublishResult"`
	}{Result: result{rand.Text()}})
}

func (s *SNS) keep(m Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.Deduplication != "" {
		if s.seen[m.Deduplication] {
			return
		}
		if s.seen == nil {
			s.seen = map[string]bool{}
		}
		s.seen[m.Deduplication] = true
	}
	s.messages = append(s.messages, m)
}

// read returns the message, or what is wrong with it.
func read(r *http.Request) (m Message, wrong string) {
	m.Attributes = map[string]string{}
	for name, values := range r.PostForm {
		v := values[0]
		switch name {
		case "Action", "Version":
		case "TopicArn":
			m.Topic = v
		case "Subject":
			m.Subject = v
		case "Message":
			m.Text = v
		case "MessageGroupId":
			m.Group = v
		case "MessageDeduplicationId":
			m.Deduplication = v
		default:
			entry, is := strings.CutPrefix(name, "MessageAttributes.entry.")
			if !is {
				return m, name + " is not known here"
			}
			if number, field, _ := strings.Cut(entry, "."); field == "Name" {
				m.Attributes[v] = r.PostForm.Get("MessageAttributes.entry." + number + ".Value.StringValue")
			}
		}
	}
	fifo := strings.HasSuffix(m.Topic, ".fifo")
	switch {
	case m.Text == "" || len(m.Text) > maxMessage:
		return m, "Message must have 1 to 262144 bytes"
	case !validSubject(m.Subject):
		return m, "Subject"
	case fifo != (m.Group != ""):
		return m, "The MessageGroupId parameter is required for FIFO topics, and for those only"
	case m.Deduplication != "" && (!fifo || len(m.Deduplication) > 128):
		return m, "MessageDeduplicationId"
	}
	return m, ""
}

// validSubject is SNS's own rule: "ASCII text that begins with a letter, number, or
// punctuation mark; must not include line breaks or control characters; and must be less than
// 100 characters long".
func validSubject(s string) bool {
	return len(s) < 100 && !strings.HasPrefix(s, " ") && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	type failure struct{ Type, Code, Message string }
	answer(w, status, struct {
		XMLName   xml.Name `xml:"ErrorResponse"`
		Error     failure
		RequestID string `xml:"RequestId"`
	}{Error: failure{"Sender", code, message}, RequestID: rand.Text()})
}

func answer(w http.ResponseWriter, status int, document any) {
	text, err := xml.Marshal(document)
	if err != nil {
		panic(err) // the documents above always marshal
	}
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(status)
	_, _ = w.Write(text)
}
