"""Asks with openai-python what tests/sdk/behaviour says, many at once, and prints what became of each.

From stdin: {"key", "timeout", "cut", "at_once", "controls", "cases"}, the last two lists of
{"id", "url", "body", "via", "twice", "retries"}. The controls are done before the cases begin.
To stdout: {"versions", "told": {id: what happened}}. A case that is not done after `cut` seconds is told as it
stands then. With `--versions`, the versions alone.
"""

import json
import os
import ssl
import sys
import threading
import time

import openai

# One for all: reading the certificates of every authority takes longer than a call, and nothing here is TLS.
TLS = ssl.create_default_context()


class Case:
    """One call, or two on one client, and what is known of it so far."""

    def __init__(self, order, case):
        self.order, self.case = order, case
        self.choices, self.chunks, self.error, self.done = {}, 0, None, False
        self.attempts = []  # [when, status or None]
        self.started = self.ended = None

    def run(self):
        self.started = time.monotonic()
        try:
            hooks = {"request": [self.sent], "response": [self.came]}
            with openai.DefaultHttpxClient(verify=TLS, event_hooks=hooks) as http:
                client = openai.OpenAI(
                    base_url=self.case["url"],
                    api_key=self.order["key"],
                    timeout=self.order["timeout"],
                    max_retries=self.case["retries"],
                    http_client=http,
                )
                self.started = time.monotonic()
                self.ask(client)
                if self.case["twice"]:
                    time.sleep(0.3)
                    self.choices, self.chunks = {}, 0
                    self.ask(client)
        except Exception as error:  # Whatever it is, it is what is asked for.
            self.error = chain(error)
        self.ended = time.monotonic()
        self.done = True

    def ask(self, client):
        if self.case["via"] == "helper":
            with client.chat.completions.stream(**self.case["body"]) as stream:
                for event in stream:
                    self.chunks += event.type == "chunk"
                for choice in stream.get_final_completion().choices:
                    calls = choice.message.tool_calls or []
                    self.choices[choice.index] = {
                        "role": choice.message.role,
                        "text": choice.message.content or "",
                        "calls": [[call.function.name, call.function.arguments] for call in calls],
                        "finish": choice.finish_reason,
                    }
            return
        for chunk in client.chat.completions.create(**self.case["body"], stream=True):
            self.chunks += 1
            for choice in chunk.choices or []:
                self.add(choice)

    def add(self, choice):
        """As a careful user puts a stream together: by the indices that come."""
        empty = {"role": None, "text": "", "calls": {}, "finish": None}
        seen = self.choices.setdefault(choice.index, empty)
        if choice.finish_reason is not None:
            seen["finish"] = choice.finish_reason
        if choice.delta is None:
            return
        seen["role"] = seen["role"] or choice.delta.role
        seen["text"] += choice.delta.content or ""
        for call in choice.delta.tool_calls or []:
            parts = seen["calls"].setdefault(str(call.index), ["", ""])
            if call.function is not None:
                parts[0] += call.function.name or ""
                parts[1] += call.function.arguments or ""

    def sent(self, _request):
        self.attempts.append([time.monotonic(), None])

    def came(self, response):
        self.attempts[-1][1] = response.status_code

    def told(self):
        now = self.ended or time.monotonic()
        choices = {}
        for index, choice in sorted(self.choices.items(), key=lambda pair: str(pair[0])):
            calls = choice["calls"]
            calls = [calls[key] for key in sorted(calls)] if isinstance(calls, dict) else calls
            # Lone surrogates are shown, since they cannot be written.
            text = choice["text"].encode("utf-8", "backslashreplace").decode()
            choices[str(index)] = {**choice, "text": text, "calls": calls}
        return {
            "done": self.done,
            "choices": choices,
            "chunks": self.chunks,
            "error": self.error,
            "seconds": now - self.started,
            "last": now - self.attempts[-1][0] if self.attempts else 0,
            "statuses": [status for _, status in self.attempts],
        }


def chain(error):
    """The classes of an exception and of what it was raised from, outermost first."""
    names = []
    while error is not None and len(names) < 6:
        code = getattr(error, "errno", None)
        names.append(type(error).__name__ + (f" {code}" if code else ""))
        # As a traceback shows it: `raise … from None` hides what was being handled.
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return names


def main():
    versions = {"openai": openai.__version__, "runtime": "Python " + sys.version.split()[0]}
    if sys.argv[1:] == ["--versions"]:
        print(json.dumps(versions))
        return
    order = json.load(sys.stdin)
    permits = threading.Semaphore(order["at_once"])
    told = {}

    def run(case):
        with permits:
            it = Case(order, case)
            thread = threading.Thread(target=it.run, daemon=True)
            thread.start()
            thread.join(order["cut"])
            told[case["id"]] = it.told()

    for cases in (order["controls"], order["cases"]):
        threads = [threading.Thread(target=run, args=(case,)) for case in cases]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    json.dump({"versions": versions, "told": told}, sys.stdout)
    sys.stdout.flush()
    # Threads that hang would keep the process.
    os._exit(0)


main()
