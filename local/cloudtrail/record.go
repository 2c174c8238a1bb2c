package cloudtrail

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	"github.com/rekey-aws/rekey/local/eventbus"
)

// Record is what CloudTrail writes of one call or one service event. Fields are in AWS's order:
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
type Record struct {
	EventVersion        string         `json:"eventVersion"`
	UserIdentity        Identity       `json:"userIdentity"`
	EventTime           time.Time      `json:"eventTime"` // to the second, in UTC
	EventSource         string         `json:"eventSource"`
	EventName           string         `json:"eventName"`
	AWSRegion           string         `json:"awsRegion"`
	SourceIPAddress     string         `json:"sourceIPAddress"`
	UserAgent           string         `json:"userAgent"`
	ErrorCode           string         `json:"errorCode,omitempty"`
	ErrorMessage        string         `json:"errorMessage,omitempty"`
	RequestParameters   map[string]any `json:"requestParameters"` // nil is null
	ResponseElements    map[string]any `json:"responseElements"`  // nil is null
	AdditionalEventData map[string]any `json:"additionalEventData,omitempty"`
	RequestID           string         `json:"requestID"`
	EventID             string         `json:"eventID"`
	ReadOnly            bool           `json:"readOnly"`
	EventType           string         `json:"eventType"` // AwsApiCall or AwsServiceEvent
	ManagementEvent     bool           `json:"managementEvent"`
	RecipientAccountID  string         `json:"recipientAccountId"`
	EventCategory       string         `json:"eventCategory"`
	TLSDetails          *TLSDetails    `json:"tlsDetails,omitempty"`
}

// TLSDetails is how the caller connected.
type TLSDetails struct {
	TLSVersion               string `json:"tlsVersion"`
	CipherSuite              string `json:"cipherSuite"`
	ClientProvidedHostHeader string `json:"clientProvidedHostHeader"`
}

const (
	eventVersion = "1.11"
	eventSource  = "secretsmanager.amazonaws.com"
	busSource    = "aws.secretsmanager"
	apiCall      = "AwsApiCall"
	serviceEvent = "AwsServiceEvent"

	viaService   = "AWS Service Event via CloudTrail"
	labelUpdated = "Secret Label Updated"
)

// maxErrorMessage and maxUserAgent are CloudTrail's limits: see the reference above.
const (
	maxErrorMessage = 1000
	maxUserAgent    = 1000
)

// newRecord has what all records of the service share.
func newRecord(now time.Time, account, region, name string) Record {
	return Record{
		EventVersion: eventVersion, EventTime: now.UTC().Truncate(time.Second), EventSource: eventSource, EventName: name,
		AWSRegion: region, EventID: newUUID(), ManagementEvent: true, RecipientAccountID: account, EventCategory: "Management",
	}
}

// Event is what EventBridge makes of a record. Its resources are empty: those that the
// service has published are (the user guide's examples, and the records named in service.go).
func (rec Record) Event() (eventbus.Event, error) {
	detail, err := json.Marshal(rec)
	if err != nil {
		return eventbus.Event{}, fmt.Errorf("encoding the record of %s: %w", rec.EventName, err)
	}
	detailType := eventbus.CallViaCloudTrail
	if rec.EventType == serviceEvent {
		detailType = viaService
	}
	return eventbus.Event{
		Version: "0", ID: newUUID(), DetailType: detailType, Source: busSource, Account: rec.RecipientAccountID,
		Time: rec.EventTime, Region: rec.AWSRegion, Resources: []string{}, Detail: detail,
	}, nil
}

func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: https://pkg.go.dev/crypto/rand#Read
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
