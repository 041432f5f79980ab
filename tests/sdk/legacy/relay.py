"""A small application as many were built on openai-python 0.28: a Flask route that relays the SDK's
generator as server-sent events with names of its own, for a browser to read."""

import json

import flask
import openai


def event(name, data):
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"


def application(url, key):
    """The relay in front of an Azure OpenAI endpoint."""
    app = flask.Flask(__name__)

    def relay(messages):
        try:
            answer = openai.ChatCompletion.create(
                api_type="azure",
                api_base=url,
                api_key=key,
                api_version="2024-02-01",
                deployment_id="gpt-35-turbo",
                messages=messages,
                stream=True,
            )
            for chunk in answer:
                if not chunk["choices"]:
                    yield event("prompt-checked", {"filters": chunk.get("prompt_filter_results", [])})
                    continue
                choice = chunk["choices"][0]
                if choice["delta"].get("content"):
                    yield event("token", {"text": choice["delta"]["content"]})
                if choice["finish_reason"]:
                    yield event("finish", {"reason": choice["finish_reason"]})
        except openai.error.OpenAIError as error:
            yield event("failure", {"kind": type(error).__name__, "message": str(error)})

    @app.post("/chat")
    def chat():
        stream = flask.stream_with_context(relay(flask.request.get_json()["messages"]))
        return flask.Response(stream, content_type="text/event-stream", headers={"cache-control": "no-cache"})

    return app
