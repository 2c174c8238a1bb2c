// Package ocsf writes findings as Detection Findings of the Open Cybersecurity Schema
// Framework, version 1.3.0, which Security Lake and SIEMs read.
//
// https://schema.ocsf.io/1.3.0/classes/detection_finding
package ocsf

import (
	"cmp"
	"encoding/json"
	"net/netip"
	"time"

	"github.com/rekey-aws/rekey/shared/audit"
)

// Version is that of the schema.
const Version = "1.3.0"

// The class and its activities.
const (
	category = 2
	class    = 2004
	create   = 1
	closed   = 3
)

// DetectionFinding is the class, as far as findings have something to say.
type DetectionFinding struct {
	ActivityID   int         `json:"activity_id"`
	ActivityName string      `json:"activity_name"`
	CategoryUID  int         `json:"category_uid"`
	CategoryName string      `json:"category_name"`
	ClassUID     int         `json:"class_uid"`
	ClassName    string      `json:"class_name"`
	TypeUID      int         `json:"type_uid"`
	TypeName     string      `json:"type_name"`
	Time         int64       `json:"time"` // Unix milliseconds
	SeverityID   int         `json:"severity_id"`
	Severity     string      `json:"severity"`
	StatusID     int         `json:"status_id"`
	Status       string      `json:"status"`
	Count        int         `json:"count"`
	Message      string      `json:"message"`
	Metadata     metadata    `json:"metadata"`
	Cloud        cloud       `json:"cloud"`
	FindingInfo  findingInfo `json:"finding_info"`
	Actor        *actor      `json:"actor,omitempty"`
	API          *api        `json:"api,omitempty"`
	SrcEndpoint  *endpoint   `json:"src_endpoint,omitempty"`
	Resources    []resource  `json:"resources,omitempty"`
	Remediation  remediation `json:"remediation"`
	Unmapped     *unmapped   `json:"unmapped,omitempty"`
}

type metadata struct {
	Version  string   `json:"version"`
	Product  product  `json:"product"`
	UID      string   `json:"uid"`
	Profiles []string `json:"profiles"`
}

type product struct {
	Name       string `json:"name"`
	VendorName string `json:"vendor_name"`
}

type cloud struct {
	Provider string   `json:"provider"`
	Region   string   `json:"region,omitempty"`
	Account  *account `json:"account,omitempty"`
}

type account struct {
	UID string `json:"uid"`
}

type findingInfo struct {
	UID         string    `json:"uid"`
	Title       string    `json:"title"`
	Desc        string    `json:"desc,omitempty"`
	CreatedTime int64     `json:"created_time"`
	Types       []string  `json:"types,omitempty"`
	Analytic    *analytic `json:"analytic,omitempty"`
	Attacks     []attack  `json:"attacks,omitempty"`
	RelatedUIDs []related `json:"related_events,omitempty"`
}

type analytic struct {
	UID    string `json:"uid"`
	Name   string `json:"name"`
	TypeID int    `json:"type_id"` // 1: a rule
	Type   string `json:"type"`
}

type attack struct {
	Technique technique `json:"technique"`
}

type technique struct {
	UID string `json:"uid"`
}

type related struct {
	UID string `json:"uid"`
}

type actor struct {
	User      *user  `json:"user,omitempty"`
	InvokedBy string `json:"invoked_by,omitempty"`
}

type user struct {
	UID  string `json:"uid,omitempty"`
	Name string `json:"name,omitempty"`
	Type string `json:"type,omitempty"`
}

type api struct {
	Operation string    `json:"operation"`
	Service   *service  `json:"service,omitempty"`
	Request   *request  `json:"request,omitempty"`
	Response  *response `json:"response,omitempty"`
}

type service struct {
	Name string `json:"name"`
}

type request struct {
	UID string `json:"uid"`
}

type response struct {
	Error string `json:"error"`
}

type endpoint struct {
	IP     string `json:"ip,omitempty"`
	Domain string `json:"domain,omitempty"`
}

type resource struct {
	UID    string `json:"uid,omitempty"`
	Name   string `json:"name,omitempty"`
	Type   string `json:"type"`
	Region string `json:"region,omitempty"`
}

type remediation struct {
	Desc string `json:"desc"`
}

// unmapped is what the schema has no place for.
type unmapped struct {
	Incident   string       `json:"incident"`
	Cause      *audit.Cause `json:"cause,omitempty"`
	Unverified string       `json:"unverified,omitempty"`
	Due        *time.Time   `json:"due,omitempty"`
	Counted    int          `json:"counted,omitempty"`
	Controls   []string     `json:"controls,omitempty"`
}

// From maps a finding. One that resolves others closes them: it has the activity Close, and
// names their incidents.
func From(f audit.Finding) DetectionFinding {
	d := DetectionFinding{
		ActivityID: create, ActivityName: "Create", CategoryUID: category, CategoryName: "Findings", ClassUID: class,
		ClassName: "Detection Finding", Time: f.Time.UnixMilli(), SeverityID: int(f.Detection.Severity) + 1,
		Severity: severities[f.Detection.Severity], StatusID: 1, Status: "New", Count: f.Count, Message: f.Sentence(),
		Metadata: metadata{Version, product{"rekey", "rekey"}, f.Key, []string{"cloud"}},
		FindingInfo: findingInfo{
			UID: f.Key, Title: f.Detection.Title, Desc: f.Detection.Why, CreatedTime: f.Time.UnixMilli(),
			Types: []string{f.Detection.ID}, Analytic: &analytic{f.Detection.ID, f.Detection.Title, 1, "Rule"},
		},
		Remediation: remediation{f.Detection.Do},
		Unmapped: &unmapped{
			Incident: f.Incident, Cause: f.Cause, Unverified: f.Unverified, Due: f.Due, Counted: f.Counted, Controls: f.Detection.Controls,
		},
	}
	if len(f.Resolves) > 0 {
		d.ActivityID, d.ActivityName, d.StatusID, d.Status = closed, "Close", 4, "Resolved"
		for _, incident := range f.Resolves {
			d.FindingInfo.RelatedUIDs = append(d.FindingInfo.RelatedUIDs, related{incident})
		}
	}
	d.TypeUID = class*100 + d.ActivityID
	d.TypeName = d.ClassName + ": " + d.ActivityName
	for _, id := range f.Detection.Techniques {
		d.FindingInfo.Attacks = append(d.FindingInfo.Attacks, attack{technique{id}})
	}
	d.place(f)
	d.call(f)
	return d
}

// severities are those of the schema, whose ids begin with 1 for Informational.
var severities = [...]string{"Informational", "Low", "Medium", "High", "Critical"}

// place says where it happened, and to what.
func (d *DetectionFinding) place(f audit.Finding) {
	d.Cloud = cloud{Provider: "AWS", Region: cmp.Or(f.Secret.Region, f.Event.Region)}
	if uid := cmp.Or(f.Secret.Account, f.Event.Account); uid != "" {
		d.Cloud.Account = &account{uid}
	}
	if f.Secret.Name != "" {
		d.Resources = append(d.Resources, resource{f.Secret.ARN, f.Secret.Name, "AWS::SecretsManager::Secret", f.Secret.Region})
	}
	for _, other := range []struct{ uid, kind string }{
		{f.Event.Request.Key, "AWS::KMS::Key"},
		{f.Event.Request.Trail, "AWS::CloudTrail::Trail"},
		{f.Event.Request.Function, "AWS::Lambda::Function"},
	} {
		if other.uid != "" {
			d.Resources = append(d.Resources, resource{UID: other.uid, Type: other.kind, Region: f.Event.Region})
		}
	}
}

// call says who did what, if someone did.
func (d *DetectionFinding) call(f audit.Finding) {
	if f.Event.Kind != audit.Call {
		return
	}
	d.Actor = &actor{&user{UID: cmp.Or(f.Actor.ARN, f.Actor.Principal), Name: cmp.Or(f.Actor.Session, f.Actor.Name), Type: f.Actor.Type}, f.Actor.InvokedBy}
	d.API = &api{Operation: f.Event.Name, Service: &service{f.Event.Source}}
	if f.Event.RequestID != "" {
		d.API.Request = &request{f.Event.RequestID}
	}
	if f.Event.ErrorCode != "" {
		d.API.Response = &response{f.Event.ErrorCode}
	}
	switch ip := f.Event.SourceIP; {
	case ip == "":
	case isAddress(ip):
		d.SrcEndpoint = &endpoint{IP: ip}
	default:
		d.SrcEndpoint = &endpoint{Domain: ip}
	}
}

// JSON is a finding as one line, without its end.
func JSON(f audit.Finding) ([]byte, error) { return json.Marshal(From(f)) }

func isAddress(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}
