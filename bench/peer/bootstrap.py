"""Runs a handler that was written for AWS Lambda's Python runtime, as that runtime does:
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html

HANDLER is the file, AUTHORITY the certificates that its database is verified with.
With the argument "import" it finds out whether the file can be imported, and ends.
"""
import http.client
import importlib.util
import json
import logging
import os
import sys

sys.dont_write_bytecode = True  # the folder of a function in Lambda is read-only


def handler():
    spec = importlib.util.spec_from_file_location("lambda_function", os.environ["HANDLER"])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for driver in "pgdb", "pymysql":
        if driver in sys.modules:
            trust(sys.modules[driver])
    return module.lambda_handler


def trust(driver):
    """The templates name a file that there is on Amazon Linux only."""
    connect, authority = driver.connect, os.environ["AUTHORITY"]

    def trusting(*args, **settings):
        if "sslrootcert" in settings:
            settings["sslrootcert"] = authority
        if settings.get("ssl"):
            settings["ssl"] = {**settings["ssl"], "ca": authority}
        return connect(*args, **settings)

    driver.connect = trusting


class Context:
    def __init__(self, headers):
        self.aws_request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        self.invoked_function_arn = headers["Lambda-Runtime-Invoked-Function-Arn"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]


def failure(error):
    return json.dumps({"errorType": type(error).__name__, "errorMessage": str(error)})


def main():
    runtime = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])

    def ask(method, path, body=None):
        runtime.request(method, "/2018-06-01/runtime/" + path, body)
        reply = runtime.getresponse()
        return reply.headers, reply.read()

    logging.getLogger().addHandler(logging.StreamHandler(sys.stdout))
    try:
        handle = handler()
    except Exception as error:
        ask("POST", "init/error", failure(error))
        raise
    while True:
        headers, event = ask("GET", "invocation/next")
        context = Context(headers)
        try:
            end, answer = "response", json.dumps(handle(json.loads(event), context))
        except Exception as error:
            end, answer = "error", failure(error)
        ask("POST", "invocation/" + context.aws_request_id + "/" + end, answer)


if sys.argv[1:] == ["import"]:
    try:
        handler()
    except Exception as error:
        sys.exit(f"{type(error).__name__}: {error}")
else:
    main()
