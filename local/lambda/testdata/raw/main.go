// Command raw speaks the Runtime API by itself, to do what no library does.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

var base = "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime"

func post(path, body string) string {
	resp, err := http.Post(base+path, "application/json", strings.NewReader(body))
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return fmt.Sprintf("%d %s", resp.StatusCode, strings.TrimSpace(string(text)))
}

func next() string {
	resp, err := http.Get(base + "/invocation/next")
	if err != nil {
		os.Exit(9)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.Header.Get("Lambda-Runtime-Aws-Request-Id")
}

func main() {
	switch os.Getenv("MODE") {
	case "init-error":
		fmt.Println(post("/init/error", `{"errorType":"Config.Missing","errorMessage":"no table","stackTrace":["main.js:1"]}`))
		os.Exit(1)
	case "twice":
		for {
			id := next()
			fmt.Println("first:", post("/invocation/"+id+"/response", `"one"`))
			fmt.Println("second:", post("/invocation/"+id+"/response", `"two"`))
			fmt.Println("other:", post("/invocation/unknown/response", `"three"`))
		}
	case "die-after-answer":
		id := next()
		fmt.Println(post("/invocation/"+id+"/response", `"done"`))
		os.Exit(7)
	case "odd-error":
		for {
			fmt.Println(post("/invocation/"+next()+"/error", "not JSON"))
		}
	case "ask-twice": // asks again without an answer: gets the same invocation
		first := next()
		second := next()
		post("/invocation/"+second+"/response", fmt.Sprint(first == second))
		next()
	}
}
