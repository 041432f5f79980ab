"""The relay of relay.py, read by a client with no dependencies."""

import json
import time
import urllib.request


def events(url, prompt):
    """The relay's events, as (name, data, seconds since the request)."""
    body = json.dumps({"messages": [{"role": "user", "content": prompt}]}).encode()
    request = urllib.request.Request(f"{url}/chat", body, {"content-type": "application/json"}, method="POST")
    started = time.monotonic()
    with urllib.request.urlopen(request, timeout=20) as response:
        assert response.headers["content-type"] == "text/event-stream"
        fields = {}
        for line in response:
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name:
                fields[name] = value
            else:
                yield fields.pop("event"), json.loads(fields.pop("data")), time.monotonic() - started


def test_relay_renames_every_event(relay_url):
    seen = [(name, data) for name, data, _ in events(relay_url, "moon")]
    names = [name for name, _ in seen]
    assert names == ["prompt-checked", "token", "token", "token", "token", "token", "finish"]
    assert seen[0][1]["filters"][0]["content_filter_results"]["hate"] == {"filtered": False, "severity": "safe"}
    assert "".join(data["text"] for name, data in seen if name == "token") == "望月の夜 🌕"
    assert seen[-1] == ("finish", {"reason": "stop"})


def test_relay_passes_tokens_on_as_they_come(relay_url):
    times = [at for name, _, at in events(relay_url, "slowly") if name == "token"]
    assert len(times) == 30
    assert times[-1] - times[0] > 2.5, "30 tokens, 100 ms apart"


def test_relay_reports_a_blocked_prompt(relay_url):
    ((name, data, _),) = events(relay_url, "forbidden")
    assert (name, data["kind"]) == ("failure", "InvalidRequestError")
    assert "content management policy" in data["message"]
