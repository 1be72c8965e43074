"""Answers with OPA's library: jobs as JSON on stdin, answers as JSON on stdout.

A job has modules by path, a query and an input. The argument is the folder of `opa_bindings`.
"""

import json
import re
import sys

sys.path.insert(0, sys.argv[1])
from opa_bindings.engine import OpaEngine  # noqa: E402


def builtins():
    """Names of all builtins that the library knows, from the newest list it carries."""
    library = open(sys.argv[1] + "/opa_bindings/libopabridge.so", "rb").read()
    names = []
    for found in re.finditer(rb'\{\s*"builtins": \[', library):
        text = library[found.start() : found.start() + 400_000].decode("utf-8", "replace")
        listed, _ = json.JSONDecoder().raw_decode(text)
        if len(listed["builtins"]) >= len(names):
            names = [builtin["name"] for builtin in listed["builtins"]]
    return names


def answer(job):
    try:
        with OpaEngine() as engine:
            for path, source in job["modules"].items():
                engine.add_policy(path, source)
            return {"value": engine.eval_query(job["query"], job["input"])}
    except Exception as error:
        return {"error": str(error)}


request = json.load(sys.stdin)
print(json.dumps({"builtins": builtins(), "answers": [answer(job) for job in request]}))
