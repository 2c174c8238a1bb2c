package redshiftapitest

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"strings"
)

// protocol is how a service is answered.
type protocol interface {
	send(w http.ResponseWriter, operation string, out any)
	refuse(w http.ResponseWriter, code, message string)
}

// read takes a request out of its protocol: AWS JSON 1.1, or AWS Query.
func (f *Fake) read(r *http.Request) (request, protocol) {
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		prefix, operation, _ := strings.Cut(target, ".")
		req := request{service: map[string]string{"RedshiftData": "redshift-data", "RedshiftServerless": "redshift-serverless"}[prefix], operation: operation}
		if err := json.NewDecoder(r.Body).Decode(&req.in); err != nil {
			f.t.Errorf("%s: the body is not JSON: %v", target, err)
		}
		return req, asJSON{}
	}
	if err := r.ParseForm(); err != nil {
		f.t.Errorf("Redshift: a request that is no form: %v", err)
	}
	req := request{service: "redshift", operation: r.PostForm.Get("Action"), in: map[string]any{}}
	if v := r.PostForm.Get("Version"); v != "2012-12-01" {
		f.t.Errorf("Redshift: the version %q", v)
	}
	for name, values := range r.PostForm {
		if name != "Action" && name != "Version" {
			req.in[name] = values[0]
		}
	}
	return req, asXML{}
}

type asJSON struct{}

func (asJSON) send(w http.ResponseWriter, _ string, out any) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	if err := json.NewEncoder(w).Encode(out); err != nil {
		panic(err) // these structures can be encoded
	}
}

func (asJSON) refuse(w http.ResponseWriter, code, message string) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(status(code))
	_ = json.NewEncoder(w).Encode(map[string]string{"__type": code, "message": message, "Message": message})
}

type asXML struct{}

const namespace = "http://redshift.amazonaws.com/doc/2012-12-01/"

func (asXML) send(w http.ResponseWriter, operation string, out any) {
	var body strings.Builder
	e := xml.NewEncoder(&body)
	if err := e.EncodeElement(out, xml.StartElement{Name: xml.Name{Local: operation + "Result"}}); err != nil {
		panic(err) // these structures can be encoded
	}
	w.Header().Set("Content-Type", "text/xml")
	fmt.Fprintf(w, `<%sResponse xmlns="%s">%s<ResponseMetadata><RequestId>the-request</RequestId></ResponseMetadata></%[1]sResponse>`, operation, namespace, body.String())
}

func (asXML) refuse(w http.ResponseWriter, code, message string) {
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(status(code))
	fmt.Fprintf(w, `<ErrorResponse xmlns="%s"><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>the-request</RequestId></ErrorResponse>`, namespace, code, message)
}

func status(code string) int {
	switch {
	case strings.HasPrefix(code, "AccessDenied"):
		return http.StatusForbidden
	case strings.Contains(code, "NotFound") && !strings.HasSuffix(code, "Exception"):
		return http.StatusNotFound
	case strings.HasPrefix(code, "Internal"), code == "ExecuteStatementException":
		return http.StatusInternalServerError
	}
	return http.StatusBadRequest
}
