"""The published .NET sample stream of Azure, to the byte: what a packet capture would show."""

import functools
import json
import re
import socket
import string
import urllib.parse
from pathlib import Path

GOLDEN = Path(__file__).parent.parent / "golden" / "dotnet-sample.sse"
TARGET = "/openai/deployments/gpt-35-turbo/chat/completions?api-version=2024-02-01"
PROMPT = "望月の"


def exchange(url):
    """Everything that the server sends for the sample's request: the head's lines, and the body as sent."""
    address = urllib.parse.urlsplit(url)
    body = json.dumps({"stream": True, "messages": [{"role": "user", "content": PROMPT}]}).encode()
    head = [
        f"POST {TARGET} HTTP/1.1",
        f"Host: {address.netloc}",
        "api-key: anything",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Connection: close",
    ]
    with socket.create_connection((address.hostname, address.port), timeout=20) as connection:
        connection.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + body)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.decode("ascii").split("\r\n"), body


def dechunked(body):
    """The content of a chunked body, which must end with its last chunk and nothing else."""
    content = b""
    while True:
        size, _, body = body.partition(b"\r\n")
        length = int(size, 16)
        content, end, body = content + body[:length], body[length : length + 2], body[length + 2 :]
        assert end == b"\r\n"
        if length == 0:
            assert body == b""
            return content


def base62(text):
    digits = string.digits + string.ascii_uppercase + string.ascii_lowercase
    return functools.reduce(lambda number, digit: number * 62 + digits.index(digit), text, 0)


def test_body_is_the_sample_to_the_byte(url):
    _, body = exchange(url)
    content = dechunked(body).decode()
    created, identity = re.search(r'"created":([1-9]\d*),"id":"(chatcmpl-[0-9A-Za-z]{29})"', content).groups()
    assert int(created) == 1576800000 + base62(identity.removeprefix("chatcmpl-")[:5]), "the id tells the time"
    golden = GOLDEN.read_bytes().decode()
    assert content == golden.replace("CREATED", created).replace("ID", identity)


def test_head_is_that_of_the_sample(url):
    (status, *lines), _ = exchange(url)
    assert status == "HTTP/1.1 200 OK"
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    assert headers["content-type"] == "text/event-stream"
    assert headers["cache-control"] == "no-cache, must-revalidate"
    assert headers["transfer-encoding"] == "chunked"
    assert "content-length" not in headers and "content-encoding" not in headers
