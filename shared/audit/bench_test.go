package audit_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/rekey-aws/rekey/shared/audit"
	"github.com/rekey-aws/rekey/shared/audit/fixture"
)

// Run them with -cpu 1: the figures are of one core.

// ordinaryRead is what most events are: an application's role reads its secret. It has the size
// that CloudTrail gives it.
func ordinaryRead(i int) []byte {
	return fmt.Appendf(nil, `{"version":"0","id":"6a7e8feb-b491-4cf7-a9f1-%012x","detail-type":"AWS API Call via CloudTrail","source":"aws.secretsmanager","account":"123456789012","time":"2026-07-15T15:20:30Z","region":"us-east-1","resources":[],"detail":{"eventVersion":"1.11","userIdentity":{"type":"AssumedRole","principalId":"AROAEXAMPLEEXAMPLEEXA:session","arn":"arn:aws:sts::123456789012:assumed-role/web/i-%d","accountId":"123456789012","accessKeyId":"ASIAEXAMPLEEXAMPLE00","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"AROAEXAMPLEEXAMPLEEXA","arn":"arn:aws:iam::123456789012:role/web","accountId":"123456789012","userName":"web"},"attributes":{"creationDate":"2026-07-15T15:00:00Z","mfaAuthenticated":"false"}}},"eventTime":"2026-07-15T15:20:30Z","eventSource":"secretsmanager.amazonaws.com","eventName":"GetSecretValue","awsRegion":"us-east-1","sourceIPAddress":"10.1.2.3","userAgent":"aws-sdk-go-v2/1.47.7 ua/2.1 os/linux lang/go#1.26.8 md/GOOS#linux md/GOARCH#amd64 api/secretsmanager#1.50.10","requestParameters":{"secretId":"prod/db%d","versionStage":"AWSCURRENT"},"responseElements":null,"requestID":"%08x-497a-4758-a6fc-%012x","eventID":"%08x-6ba3-4340-9d21-%012x","readOnly":true,"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"123456789012","eventCategory":"Management","tlsDetails":{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"secretsmanager.us-east-1.amazonaws.com"}}}`, id(i), i%50, i%10, id(i)>>16, id(i), id(i)>>8&0xffffffff, id(i)>>3)
}

// id is as hard to compress as a real one.
func id(i int) uint64 { return (uint64(i) + 1) * 0x9e3779b97f4a7c15 >> 16 }

// stream is a day's events: all that the fixtures have, each among 99 ordinary reads.
func stream() [][]byte {
	var all [][]byte
	for _, c := range fixture.Cases() {
		for _, payload := range c.Events {
			all = append(all, payload)
			for range 99 {
				all = append(all, ordinaryRead(len(all)))
			}
		}
	}
	return all
}

// perSecond reports events for each second of processor time: what other programs take of the
// machine meanwhile is left out, the garbage collector's part is not.
func perSecond(b *testing.B, n int, since time.Duration) {
	if used := cpuTime() - since; used > 0 {
		b.ReportMetric(float64(b.N)*float64(n)/used.Seconds(), "events/cpu-s")
	}
}

func BenchmarkNormalize(b *testing.B) {
	payload := ordinaryRead(1)
	var n audit.Normalizer
	var e audit.Event
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	since := cpuTime()
	for b.Loop() {
		if err := n.Event(payload, &e); err != nil {
			b.Fatal(err)
		}
	}
	perSecond(b, 1, since)
}

// BenchmarkExamine is the whole catalogue on events that are normalised.
func BenchmarkExamine(b *testing.B) {
	payloads := stream()
	list := make([]audit.Event, len(payloads))
	for i, p := range payloads {
		e, err := audit.Normalize(p)
		if err != nil {
			b.Fatal(err)
		}
		list[i] = e
	}
	d, err := audit.NewDetector(fixture.Config(), audit.NewMemory())
	if err != nil {
		b.Fatal(err)
	}
	var findings []audit.Finding
	b.ReportAllocs()
	since := cpuTime()
	for b.Loop() {
		for i := range list {
			findings = d.Examine(b.Context(), &list[i], findings[:0])
		}
	}
	perSecond(b, len(list), since)
}

// BenchmarkDetect is both, from JSON to findings.
func BenchmarkDetect(b *testing.B) {
	payloads := stream()
	d, err := audit.NewDetector(fixture.Config(), audit.NewMemory())
	if err != nil {
		b.Fatal(err)
	}
	size := 0
	for _, p := range payloads {
		size += len(p)
	}
	var n audit.Normalizer
	var e audit.Event
	var findings []audit.Finding
	b.SetBytes(int64(size))
	b.ReportAllocs()
	since := cpuTime()
	for b.Loop() {
		for _, p := range payloads {
			if err := n.Event(p, &e); err != nil {
				b.Fatal(err)
			}
			findings = d.Examine(b.Context(), &e, findings[:0])
		}
	}
	perSecond(b, len(payloads), since)
}

// BenchmarkReplay reads log files as S3 has them.
func BenchmarkReplay(b *testing.B) {
	var plain bytes.Buffer
	plain.WriteString(`{"Records":[`)
	events := 0
	for i, p := range stream() {
		if i > 0 {
			plain.WriteByte(',')
		}
		var e struct{ Detail json.RawMessage }
		if err := json.Unmarshal(p, &e); err != nil {
			b.Fatal(err)
		}
		plain.Write(e.Detail)
		events++
	}
	plain.WriteString("]}")
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	w.Write(plain.Bytes())
	w.Close()
	for name, gz := range map[string]bool{"plain": false, "gzip": true} {
		b.Run(name, func(b *testing.B) {
			d, err := audit.NewDetector(fixture.Config(), audit.NewMemory())
			if err != nil {
				b.Fatal(err)
			}
			var n audit.Normalizer
			var findings []audit.Finding
			b.SetBytes(int64(plain.Len()))
			b.ReportAllocs()
			since := cpuTime()
			for b.Loop() {
				var r interface{ Read([]byte) (int, error) } = bytes.NewReader(plain.Bytes())
				if gz {
					if r, err = gzip.NewReader(bytes.NewReader(packed.Bytes())); err != nil {
						b.Fatal(err)
					}
				}
				counts, err := n.Records(r, func(e *audit.Event) { findings = d.Examine(b.Context(), e, findings[:0]) })
				if err != nil || counts.Events != events {
					b.Fatal(counts, err)
				}
			}
			perSecond(b, events, since)
			b.ReportMetric(float64(plain.Len())/float64(packed.Len()), "ratio")
		})
	}
}
