"""Three replicas behind nginx answer as one process does, and the death of one is the matter of its sessions."""

import concurrent.futures
import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.parse
from pathlib import Path

import openai
import pytest

HERE = Path(__file__).resolve().parent
CONFIG = re.search(r"```nginx\n(.*?)```", (HERE.parents[1] / "docs" / "scale.md").read_text(), re.S)[1]
SOLO = os.environ["MOCK_URL"]
SESSIONS = [f"user-{number}" for number in range(40)]
WITHIN = 20  # seconds, for what takes a moment on a quiet machine


def until(what, probe):
    """What `probe` finds, asked until it finds something."""
    deadline = time.monotonic() + WITHIN
    while not (found := probe()):
        assert time.monotonic() < deadline, f"no {what} within {WITHIN} s"
        time.sleep(0.02)
    return found


class Replica:
    """One llmirage, and what its journal says."""

    def __init__(self, scratch, number):
        ready = scratch / f"ready-{number}"
        command = [os.environ["MOCK_BINARY"], str(HERE / "fixtures.json"), "--seed", "7"]
        command += ["--listen", "127.0.0.1:0", "--ready-file", str(ready)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.address = until("replica", lambda: ready.exists() and ready.read_text().removeprefix("http://"))

    def journal(self, session=None):
        query = f"?session={session}" if session else ""
        return json.loads(ask(f"http://{self.address}", "GET", f"/__admin/requests{query}").body)["requests"]


class Answer:
    """A whole response, as it came."""

    def __init__(self, response):
        self.status = response.status
        self.body = response.read()
        # nginx frames and orders for itself; names have no case.
        own = ("connection", "transfer-encoding", "keep-alive")
        lines = [(name.lower(), value) for name, value in response.getheaders()]
        self.headers = sorted(line for line in lines if line[0] not in own)


def ask(base, method, path, body=None, headers=None):
    where = urllib.parse.urlsplit(base)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=60)
    with contextlib.closing(connection):
        content = None if body is None else json.dumps(body)
        sent = {"content-type": "application/json", "authorization": "Bearer sk-any"} | (headers or {})
        connection.request(method, path, content, sent if body is not None else headers or {})
        return Answer(connection.getresponse())


def chat(text, **more):
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": text}]} | more


@pytest.fixture()
def cluster(tmp_path):
    """Three replicas and the base URL of nginx before them."""
    replicas = [Replica(tmp_path, number) for number in range(3)]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = CONFIG.replace("127.0.0.1:4010", f"127.0.0.1:{port}")
    for number, replica in enumerate(replicas):
        assert f"127.0.0.1:{4011 + number} " in config
        config = config.replace(f"127.0.0.1:{4011 + number} ", f"{replica.address} ")
    (tmp_path / "nginx.conf").write_text(config)
    (tmp_path / "logs").mkdir()
    extra = f"daemon off; pid {tmp_path}/nginx.pid; error_log {tmp_path}/error.log;"
    command = [os.environ["NGINX"], "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf"), "-g", extra]
    balancer = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def healthy():
        assert balancer.poll() is None, (tmp_path / "error.log").read_text()
        with contextlib.suppress(OSError):
            return ask(f"http://127.0.0.1:{port}", "GET", "/health").status == 200

    try:
        until("balancer", healthy)
        yield replicas, f"http://127.0.0.1:{port}"
    finally:
        for process in (balancer, *(replica.process for replica in replicas)):
            process.terminate()
        for process in (balancer, *(replica.process for replica in replicas)):
            process.wait(15)


def homes(replicas, sessions=SESSIONS):
    """The replica of each session; it has exactly one."""
    found = {}
    for replica in replicas:
        for entry in replica.journal():
            if entry["session"] in sessions:
                assert found.setdefault(entry["session"], replica) is replica, entry["session"]
    return found


def test_the_same_requests_give_the_same_bytes_as_one_process(cluster):
    replicas, base = cluster
    for number, session in enumerate(SESSIONS):
        azure = "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21"
        asks = [
            ("/v1/chat/completions", chat("count")),
            ("/v1/chat/completions", chat("count", stream=True, stream_options={"include_usage": True})),
            ("/v1/chat/completions", chat("count", stream=True)),
            (azure, chat("say anything", stream=True)),
            (azure, chat("say anything")),
            ("/v1/chat/completions", {"model": "gpt-4o"}),
        ]
        for path, body in asks:
            # One half names the session in the path, the other in a header.
            prefix = f"/session/{session}" if number % 2 else ""
            headers = {} if number % 2 else {"x-llmirage-session": session}
            alone, behind = (ask(url, "POST", prefix + path, body, headers) for url in (SOLO, base))
            assert (behind.status, behind.body) == (alone.status, alone.body), (session, path)
            assert behind.headers == alone.headers, (session, path)
    home = homes(replicas)
    assert set(home) == set(SESSIONS)
    assert set(home.values()) == set(replicas), "every replica has sessions"


def test_a_fault_in_the_path_does_not_hide_the_session(cluster):
    replicas, base = cluster
    for session in SESSIONS:
        first = ask(base, "POST", f"/session/{session}/v1/chat/completions", chat("count"))
        path = f"/fault/rate-limit:first=1/session/{session}/v1/chat/completions"
        limited, second = (ask(base, "POST", path, chat("count")) for _ in range(2))
        texts = [json.loads(answer.body)["choices"][0]["message"]["content"] for answer in (first, second)]
        assert (texts[0], limited.status, texts[1]) == ("one", 429, "two"), session
    homes(replicas)


def test_a_killed_replica_takes_only_its_own_sessions_with_it(cluster):
    replicas, base = cluster
    for session in SESSIONS:
        ask(base, "POST", f"/session/{session}/v1/chat/completions", chat("count"))
    home = homes(replicas)
    victim = home[SESSIONS[0]]
    lost = [session for session in SESSIONS if home[session] is victim]
    kept = [session for session in SESSIONS if home[session] is not victim]
    # A few of each are asked something while it happens: answers that wait, and streams that run.
    asked = lost[:3] + kept[:4]
    # Made before: what happens at once must not wait for imports and certificates.
    clients = {
        session: openai.OpenAI(base_url=f"{base}/session/{session}/v1", api_key="sk-any", max_retries=5)
        for session in SESSIONS
    }

    begun = set()

    def late(session):
        return clients[session].chat.completions.create(**chat("wait")).choices[0].message.content

    def tale(session):
        chunks = clients[session].chat.completions.create(**chat("tell a tale", stream=True))
        told = ""
        for chunk in chunks:
            told += chunk.choices[0].delta.content or ""
            begun.add(session)
        return told

    def running(fixture):
        entries = [entry for replica in replicas for entry in replica.journal()]
        return [e for e in entries if e["fixture"] == fixture and e["outcome"]["kind"] == "running"]

    with concurrent.futures.ThreadPoolExecutor(2 * len(asked)) as pool:
        waits = {session: pool.submit(late, session) for session in asked}
        until("answers that wait", lambda: len(running("late")) == len(asked))
        tales = {session: pool.submit(tale, session) for session in asked}
        until("streams that run", lambda: len(begun) == len(asked))
        victim.process.send_signal(signal.SIGKILL)
        victim.process.wait()
        survivors = [replica for replica in replicas if replica is not victim]

        # No request is lost that the SDK asks again: those that had no answer yet get one elsewhere.
        assert {session: wait.result(60) for session, wait in waits.items()} == dict.fromkeys(asked, "Here at last.")
        # Streams of the others are whole; those of the dead one end early, and the SDK says so.
        whole = json.loads(ask(SOLO, "POST", "/v1/chat/completions", chat("tell a tale")).body)
        whole = whole["choices"][0]["message"]["content"]
        for session, told in tales.items():
            if session in kept:
                assert told.result(60) == whole
            else:
                with pytest.raises(openai.APIConnectionError):
                    told.result(60)

    # Each session goes on: the others with their second hit, those of the dead one with the first, elsewhere.
    answers = {session: clients[session].chat.completions.create(**chat("count")) for session in SESSIONS}
    said = {session: answer.choices[0].message.content for session, answer in answers.items()}
    assert said == dict.fromkeys(kept, "two") | dict.fromkeys(lost, "one")
    after = homes(survivors)
    assert {session: after[session] for session in kept} == {session: home[session] for session in kept}
    for session in lost:
        hits = [entry["hit"] for entry in after[session].journal(session) if entry["fixture"] == "counted"]
        assert hits == [1], session
        # The balancer finds the journal by the session, too.
        asked_for = json.loads(ask(base, "GET", f"/__admin/requests?session={session}").body)["requests"]
        assert asked_for == after[session].journal(session)
