//go:build unix

package execute

import (
	"os"
	"testing"
	"time"

	"github.com/rekey-aws/rekey/client"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// A command that ended by itself just before a rotation was found is not started again.
func TestEndedByItself(t *testing.T) {
	version := func(v string) []held {
		return []held{{wanted{name: "app"}, client.NewSecret("", v, rotation.TextValue("example"), time.Now())}}
	}
	j := &job{
		command: &Command{Restart: true, Grace: time.Minute, Command: []string{"sh", "-c", "exit 3"}}, program: "/bin/sh",
		secrets: reader{current: version("1")}, complain: t.Errorf,
	}
	c, err := j.start(t.Context(), nil, &output{stdout: os.Stdout, stderr: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	<-c.ended
	r := &running{job: j, child: c, patience: time.NewTimer(time.Minute)}
	if r.hear(news{current: version("2")}); r.restarting {
		t.Error("it would be started again")
	}
}
