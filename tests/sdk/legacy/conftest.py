"""What the tests of openai-python 0.28 share."""

import os
import threading

import openai
import pytest
import relay
import werkzeug.serving

URL = os.environ["MOCK_URL"]
KEY = os.environ["MOCK_KEY"]


@pytest.fixture
def azure():
    """Arguments that send a call to a deployment."""
    return {
        "api_type": "azure",
        "api_base": URL,
        "api_key": KEY,
        "api_version": "2024-02-01",
        "deployment_id": "gpt-35-turbo",
    }


@pytest.fixture
def plain():
    """Arguments that send a call to OpenAI."""
    return {"api_type": "open_ai", "api_base": f"{URL}/v1", "api_key": KEY, "model": "gpt-35-turbo"}


@pytest.fixture
def ask():
    return lambda text: [{"role": "user", "content": text}]


@pytest.fixture
def relay_url():
    """The base URL of the relay, served for one test."""
    server = werkzeug.serving.make_server("127.0.0.1", 0, relay.application(URL, KEY), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()


@pytest.fixture(autouse=True)
def fresh_connections():
    """0.28 keeps one `requests` session for the process; each test gets its own."""
    yield
    openai.api_requestor._thread_context.__dict__.clear()
