// Command handler is a function on aws-lambda-go that does what its event, or for the
// start the variable INIT, asks for.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type request struct {
	Do    string
	Sleep int // milliseconds
	Lines int
	Text  string
}

type answer struct {
	PID        int
	Echo       string
	Invocation int
	DeadlineMS int64
	RequestID  string
	ARN        string
	Trace      string
	Env        []string
	Dir        string
}

type teapotError struct{ temperature int }

func (e *teapotError) Error() string { return fmt.Sprintf("too cold: %d", e.temperature) }

var invocations int

func handle(ctx context.Context, r request) (any, error) {
	invocations++
	time.Sleep(time.Duration(r.Sleep) * time.Millisecond)
	for i := range r.Lines {
		fmt.Printf("pid %d line %d %s\n", os.Getpid(), i, strings.Repeat("x", 100))
	}
	switch r.Do {
	case "error":
		return nil, &teapotError{temperature: 4}
	case "panic":
		panic("out of tea")
	case "exit":
		fmt.Println("leaving")
		os.Exit(1)
	case "exit0":
		os.Exit(0)
	case "partial":
		fmt.Print("no end of line")
	case "large":
		return strings.Repeat("x", 7<<20), nil
	case "memory":
		block := make([]byte, 64<<20)
		for i := range block {
			block[i] = byte(i)
		}
		return len(block), nil
	case "raw":
		return json.RawMessage(r.Text), nil
	}
	deadline, _ := ctx.Deadline()
	lc, _ := lambdacontext.FromContext(ctx)
	dir, _ := os.Getwd()
	return answer{
		PID: os.Getpid(), Echo: r.Text, Invocation: invocations, DeadlineMS: deadline.UnixMilli(),
		RequestID: lc.AwsRequestID, ARN: lc.InvokedFunctionArn, Trace: os.Getenv("_X_AMZN_TRACE_ID"),
		Env: os.Environ(), Dir: dir,
	}, nil
}

func main() {
	switch os.Getenv("INIT") {
	case "slow":
		time.Sleep(150 * time.Millisecond)
	case "stuck":
		fmt.Println("starting")
		time.Sleep(time.Hour)
	case "panic":
		panic("no configuration")
	case "second": // the first start fails, the next does not
		if marker := os.Getenv("MARKER"); os.Mkdir(marker, 0o700) == nil {
			os.Exit(3)
		}
	}
	lambda.Start(handle)
}
