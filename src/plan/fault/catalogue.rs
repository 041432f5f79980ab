//! What people want to know of each fault beside what it does: who breaks on it, what a good client does,
//! and where it was seen.
//!
//! The words follow incident reports and measurements of SDKs; numbers like `litellm#4312` are issues.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Entry, Layer};

/// What a good client makes of a fault.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expected {
    /// The same text, tool calls and finish as without the fault.
    #[default]
    Tolerate,
    /// Retried, after at least the time asked for, and then a success.
    RetryOk,
    /// One attempt and a typed error; no retry.
    FailFast,
    /// Retries as the policy allows, then a typed error.
    FailTyped,
    /// The partial output is kept and marked incomplete: no success, and not replayed into the same output.
    Incomplete,
    /// A typed error within the idle budget that was configured.
    Timeout,
    /// The tool call must not run.
    RefuseTool,
    /// A state of its own that is neither success nor error, such as filtered.
    Surface,
}

impl Expected {
    /// Every outcome.
    pub const ALL: [Self; 8] = [
        Self::Tolerate,
        Self::RetryOk,
        Self::FailFast,
        Self::FailTyped,
        Self::Incomplete,
        Self::Timeout,
        Self::RefuseTool,
        Self::Surface,
    ];

    /// The code in the catalogue and in fixture files.
    pub fn code(self) -> &'static str {
        match self {
            Self::Tolerate => "tolerate",
            Self::RetryOk => "retry-ok",
            Self::FailFast => "fail-fast",
            Self::FailTyped => "fail-typed",
            Self::Incomplete => "incomplete",
            Self::Timeout => "timeout",
            Self::RefuseTool => "refuse-tool",
            Self::Surface => "surface",
        }
    }

    /// What the code means.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Tolerate => "the same text, tool calls and finish as without the fault",
            Self::RetryOk => "retried, after at least the time asked for, and then a success",
            Self::FailFast => "one attempt and a typed error; no retry",
            Self::FailTyped => "retries as the policy allows, then a typed error",
            Self::Incomplete => {
                "the partial output is kept and marked incomplete: no success, and not replayed into the same output"
            }
            Self::Timeout => "a typed error within the idle budget that was configured",
            Self::RefuseTool => "the tool call must not run",
            Self::Surface => "a state of its own that is neither success nor error, such as filtered",
        }
    }

    /// The outcome with this code.
    pub fn find(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.code() == code)
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.code())
    }
}

/// What people want to know of a fault.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Words {
    /// The fault's name.
    pub name: &'static str,
    /// Who breaks on it, and how.
    pub breaks: &'static str,
    /// What a good client does.
    pub client: &'static str,
    /// Reports of it, or what showed it.
    pub seen: &'static str,
}

impl Entry {
    /// What people want to know of it.
    pub fn words(&self) -> &'static Words {
        WORDS.iter().find(|words| words.name == self.name).expect("every fault has words: a test asks each")
    }

    /// What a good client makes of it.
    pub fn outcome(&self) -> Expected {
        Expected::find(self.expect).expect("every fault expects an outcome: a test asks each")
    }
}

impl Layer {
    /// Every layer, in the order in which they are applied.
    pub const ALL: [Self; 4] = [Self::Answer, Self::Event, Self::Stream, Self::Transport];

    /// What its faults are about.
    pub fn about(self) -> &'static str {
        match self {
            Self::Answer => "what is answered instead, or under which head",
            Self::Event => "what the events say",
            Self::Stream => "how events are framed, cut into pieces and timed",
            Self::Transport => {
                "how HTTP frames the response, how it ends, and what becomes of the connection"
            }
        }
    }

    /// The name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Event => "event",
            Self::Stream => "stream",
            Self::Transport => "transport",
        }
    }
}

/// By name; the order is that of the tables as far as it stays.
const WORDS: &[Words] = &[
    Words {
        name: "rate-limit",
        breaks: "All SDKs retry; they differ in what they read. A client that looks only at `retry-after` \
             misses Azure's answers that say it in the text, or in `x-ratelimit-reset-tokens` alone. Many \
             clients at once that wait equally long come back together.",
        client: "Wait at least as long as asked, cap the wait, add jitter, stop after the attempts that the \
             policy allows, and then tell of a rate limit, not of a failed request.",
        seen: "openai-python#937, TinyLLM#17, climb#1",
    },
    Words {
        name: "quota-exhausted",
        breaks: "openai-python and openai-node retry it twice, for they look at the status alone. Agents that \
             retry for ever go on asking for days.",
        client: "One request. Tell `insufficient_quota` from `rate_limit_exceeded` by the error's code, and say \
             what is used up.",
        seen: "langchainjs#1929, anton#284, openclaude#249, agentao#283",
    },
    Words {
        name: "server-error",
        breaks: "openai-python and openai-node send 408, 409, 429 and every 5xx three times, 529 and 524 too, \
             but 499 once. Clients that parse the body as JSON before they look at the status throw a \
             syntax error.",
        client: "Retry before any output, with a growing wait. Keep status and request id in the error.",
        seen: "LibreChat#6081, pr-reviewer-action#23, claude-code#3558",
    },
    Words {
        name: "prompt-blocked",
        breaks: "Gateways turn it into an error inside of a 200, and clients then ask five more times. Callers \
             that see only a 400 look for a mistake in their own request.",
        client: "Do not retry. Say that the content filter refused the prompt, and which category, from \
             `innererror`.",
        seen: "vercel/ai#4220, openai-dotnet#55, azure-sdk-for-go#23936, argo-proxy#91",
    },
    Words {
        name: "html-instead",
        breaks: "With 200, openai-python and openai-node (6 and 7) end the stream without any event and without \
             an error: a portal looks like an empty answer. With 5xx, clients that parse before they look \
             at the status throw a syntax error.",
        client: "Look at the status, then at the content type, then parse. 5xx may be retried; 200 with HTML is \
             a typed error.",
        seen: "ChatGPT#1340, claude-code#6781",
    },
    Words {
        name: "json-instead-of-stream",
        breaks: "openai-python and openai-node end the stream without any event and without an error, though \
             the whole answer is there.",
        client: "Look at the content type. Take the completion for what it is, or report a typed error.",
        seen: "sigoden/aichat#651, ollama#8991, 9router#3301",
    },
    Words {
        name: "redirect",
        breaks: "Some clients send a POST again as a GET after 301 and 302, lose the `authorization` header \
             across origins, or follow a loop until the stack ends. openai-python and openai-node follow \
             within an origin.",
        client: "Follow 307 and 308 with method and body, a bounded number of times, and never take the key to \
             another origin.",
        seen: "tonapi-sdk-js#11, django-oauth-toolkit#1851",
    },
    Words {
        name: "retry-after",
        breaks: "Three SDKs, three policies: for a day, openai-python gives up, openai-node 6 sleeps without a \
             cap, openai-node 7 retries after half a second. For `-1`, `soon` and negative milliseconds \
             openai-node 6 retries at once, in a hot loop. One client read `-3` as a year.",
        client: "`retry-after-ms` goes before `retry-after`. Read whole seconds, fractions and dates; take what \
             makes no sense for absent. Never sooner than asked, never longer than a cap: give up instead. \
             `x-should-retry` goes over the status.",
        seen: "openai-python#3555, openai-java#878, hermes#84738, azure-sdk-for-net#5268, pi#4991",
    },
    Words {
        name: "content-type-wrong",
        breaks: "Browsers' `EventSource` and strict clients refuse a stream that does not say \
             `text/event-stream`. Clients that believe another charset garble every character beyond ASCII.",
        client: "SSE is always UTF-8, whatever the charset says. A stream under a type that is neither SSE nor \
             JSON may be read or refused, but not taken for empty.",
        seen: "sigoden/aichat#651, 9router#3301, a2a-rs#134",
    },
    Words {
        name: "azure-prompt-filter-chunk",
        breaks: "Code that reads `choices[0]` of each chunk: IndexError, or `undefined (reading 'delta')`, on \
             the first event of every stream. Strict schemas also refuse the empty `object`.",
        client: "Skip chunks without choices; never index `choices` unasked.",
        seen: "pydantic-ai#164, langfuse#2833, simonw/llm#294, llama_index#7640, modelfusion#185",
    },
    Words {
        name: "azure-async-filter-chunk",
        breaks: "Code that reads `choice.delta.content`: `'NoneType' object has no attribute 'content'`, null \
             references in .NET and Kotlin. The empty id looks like the start of another completion.",
        client: "Read `finish_reason` first, then bear a delta that is missing or null. A null `finish_reason` \
             after a real one changes nothing.",
        seen: "openai-python#1677, openai-node#1015, litellm#3811, langchain#18977, autogen#6465",
    },
    Words {
        name: "filter-service-error",
        breaks: "Clients that search a chunk for any key called `error` end a healthy stream.",
        client: "Only an `error` at the top of the event is one of the stream. Keep the text; note that it was \
             not filtered, if anyone asks.",
        seen: "OpenAI-DotNet#274, litellm#1564",
    },
    Words {
        name: "content-filter-finish",
        breaks: "Chats that show a text which just stops, or a blank answer; loops that take it for a failure \
             and ask again.",
        client: "An outcome of its own: no success, no retry. Keep or withdraw the partial text by policy, and \
             say why it ended.",
        seen: "semantic-kernel#5289, semantic-kernel#5240, azure-search-openai-demo#2076",
    },
    Words {
        name: "tool-args-truncated",
        breaks: "openai-python and openai-node pass the broken JSON on without a word. Frameworks that repair \
             partial JSON run the tool with what is left: a deletion without its filter.",
        client: "Run a tool only if its arguments parse strictly and the finish is terminal. Never repair the \
             arguments of a call that has effects.",
        seen: "langchain#39275, langchainjs#11471, pi#6284, hermes#6847, open-webui/computer#300",
    },
    Words {
        name: "tool-call-identity",
        breaks: "Without `index`, the helper of openai-python throws a TypeError, that of openai-node 6 loses \
             the call, 7 throws. With one index for all, arguments join to `{\"a\":1}{\"b\":2}`. Ids that are empty or \
             repeated split one call into many.",
        client: "Tell calls apart by index, else by a new id. Never join two complete objects; where it is not \
             clear, fail.",
        seen: "AstrBot#6692, smolagents#1958, hermes#62937, lmdeploy#3412, pipecat#4987, vllm#18412",
    },
    Words {
        name: "choices-interleaved",
        breaks: "Code that keeps one text for the whole stream mixes the answers up, token by token.",
        client: "Keep a text, tool calls and a finish for each `index`, whatever the order of events.",
        seen: "dynamo#12639",
    },
    Words {
        name: "role-anomaly",
        breaks: "The `.stream()` helper of openai-python joins repeated roles to `assistantassistant`. Where no \
             role comes, messages without one are sent back and refused.",
        client: "Take the first role and ignore the others; without any it is `assistant`.",
        seen: "ollama#7626, litellm#9986, logfire#545, dynamo#12639; missing: agentgateway#3005, Portkey#1400",
    },
    Words {
        name: "content-null",
        breaks: "`text += None`: TypeError in Python, the word `null` or `undefined` in the text in others. \
             Reasoning alone is taken for an empty answer.",
        client: "Take null and absent for nothing. Keep reasoning apart from text.",
        seen: "GrokSearch#48, ms-swift#9881, agent-zero#887, cline#12132, nullclaw#594",
    },
    Words {
        name: "finish-with-content",
        breaks: "Clients that stop reading a chunk once it has a finish reason lose its text: the last words, \
             or a short answer altogether.",
        client: "Take the delta first, then the finish reason.",
        seen: "openrag#462, vllm#36944, bifrost#4963",
    },
    Words {
        name: "finish-stop-with-tools",
        breaks: "Agents that ask the finish reason alone end without running the tools; the other way round \
             they loop for ever.",
        client: "Look at the tool calls that came, not at the reason: run those that are whole; with none there \
             is nothing to run.",
        seen: "opencode#14973, vercel/workflow#1387, mlx-vlm#990; the other way round: mastra#14187",
    },
    Words {
        name: "finish-unknown",
        breaks: "Enums without a case for it: the decoder throws, at the end of a whole answer.",
        client: "Keep the text, and hand the reason on as it is. It is no `stop`.",
        seen: "ollama#4357, sglang#3912, spring-ai#5531, goose#10258",
    },
    Words {
        name: "finish-missing",
        breaks: "openai-python and openai-node end without an error. litellm invents `stop`, so that nobody can \
             tell. A few relays send whole answers like this.",
        client: "By policy: `[DONE]` may count as the end, or the answer is incomplete. Do not invent a reason.",
        seen: "vercel/ai#19165, litellm#40260, pydantic-ai#6610",
    },
    Words {
        name: "chunk-after-finish",
        breaks: "Clients that leave at the finish reason lose the usage that follows. Both official SDKs append \
             late text.",
        client: "Read up to `[DONE]`. Keep the usage; say what becomes of late text.",
        seen: "bifrost#191, tensorzero#2078",
    },
    Words {
        name: "usage-chunk",
        breaks: "Code that reads `choices[0]` fails at the very end of an answer that was whole. One client \
             took the chunk for a cut connection.",
        client: "Skip chunks whose choices are empty, absent or null, but keep their usage.",
        seen: "cline#8518, Portkey#1629, foundry-local#905, litellm#8751, hermes-agent#91373",
    },
    Words {
        name: "envelope-missing",
        breaks: "Strict decoders refuse chunks without `id`, `object`, `created` or `model`, or with a key that \
             they do not know.",
        client: "Need nothing but what is used; ignore what is unknown.",
        seen: "opencode#39061, opencode#26072, modelfusion#185",
    },
    Words {
        name: "surrogate-split",
        breaks: "Python gets two lone surrogates, and `.encode()` fails later, in a database or a log. \
             JavaScript joins them unharmed.",
        client: "Join the halves over events before the text is encoded; replace a half that stays alone.",
        seen: "KohakuTerrarium#48, elizaOS#30904, aider#3693, inspect_ai#3802",
    },
    Words {
        name: "unicode-separators",
        breaks: "`str.splitlines()` of Python, and what is built on it, cuts the data in the middle: a JSON \
             error in an answer that happens to quote such a character.",
        client: "Lines end with CR, LF or CR LF only.",
        seen: "httpx-sse#34, dify#39008, kagent#1480, langgraph#2560",
    },
    Words {
        name: "event-oversize",
        breaks: "Go's `bufio.Scanner` stops at 64 KiB with `token too long`; others have limits of 1 or 2 MiB. \
             Long tool arguments and images in text reach them.",
        client: "No limit below 16 MiB, but some limit, with an error of its own.",
        seen: "openai-go#368, goai#70, ragflow#15381, term-llm#298, hertz#1408",
    },
    Words {
        name: "duplicate-event",
        breaks: "Nobody removes it, and rightly so: events have no ids to tell a repetition from a repeated \
             word.",
        client: "Say what came. No crash, and no doubled tool call that runs twice.",
        seen: "measured: both SDKs say the text twice",
    },
    Words {
        name: "error-in-stream",
        breaks: "openai-python and openai-node 6 take `event: error` with a flat body for a chunk, without an \
             error. Retries by status never see it, for the status is 200.",
        client: "An `error` at the top, or `event: error`, ends the stream as an error. Before any output it \
             may be retried; later the output is incomplete.",
        seen: "openai-python#2487, #2796, #3587; celeste#192, vercel/ai#10653, anthropic-sdk-python#688",
    },
    Words {
        name: "stream-truncated",
        breaks: "openai-python and openai-node end without an error; the `.stream()` helper of node alone \
             complains. litellm invents `stop`. Truncated text is stored, and truncated code applied.",
        client: "Success needs a terminal signal: a finish reason, or `[DONE]`. Without one the answer is \
             incomplete.",
        seen: "litellm#40260, vercel/ai#19165, pydantic-ai#6610, CommandCode#785",
    },
    Words {
        name: "malformed-json",
        breaks: "openai-python and openai-node throw the parser's own exception, which code that catches the \
             SDK's errors does not catch.",
        client: "A typed error that keeps what came before. Do not skip the event: something is missing then.",
        seen: "measured: JSONDecodeError, SyntaxError",
    },
    Words {
        name: "events-glued",
        breaks: "All clients: the data is two JSON values, and the parser's own exception comes through.",
        client: "A typed error; the text before it is incomplete.",
        seen: "sub2api#1471",
    },
    Words {
        name: "invalid-utf8",
        breaks: "openai-python throws a UnicodeDecodeError, openai-node puts U+FFFD into the text without a \
             word.",
        client: "One or the other, but on purpose and documented; the error should be the client's own.",
        seen: "measured: UnicodeDecodeError in python, U+FFFD in node",
    },
    Words {
        name: "done-missing",
        breaks: "Clients that wait for `[DONE]` call a whole answer broken.",
        client: "With a finish reason and a proper end of the body, the answer is whole.",
        seen: "async-openai#542, openai-cf-workers-ai#7",
    },
    Words {
        name: "multi-line-data",
        breaks: "Parsers that take each `data:` line for an event.",
        client: "Join the lines of an event with line feeds, as SSE says.",
        seen: "inference-perf#781, ruby-openai#332",
    },
    Words {
        name: "control-only-event",
        breaks: "openai-python throws a JSONDecodeError for `retry:` and for `id:` with an extra blank line; \
             empty data breaks openai-node as well.",
        client: "An event without data is none: dispatch nothing.",
        seen: "openai-python#2722, #3833, #2943; openai-java#804",
    },
    Words {
        name: "comment-heartbeat",
        breaks: "Hand-written parsers and some in Go and Java take the comment for data. A gateway sent it on \
             as `data: : OPENROUTER PROCESSING`.",
        client: "Skip lines that start with a colon. They show that the connection lives, not that the answer \
             goes on.",
        seen: "openai-go#227, openai4j#90, docker-agent#2349, llm-gateway#2053",
    },
    Words {
        name: "noise-lines",
        breaks: "go-openai gives up after a number of lines without data (`emptyMessagesLimit`).",
        client: "Count bytes or time, not lines.",
        seen: "go-openai#70, go-openai#71",
    },
    Words {
        name: "data-no-space",
        breaks: "`startsWith(\"data: \")`: the whole stream is ignored, and the answer is empty.",
        client: "The space after the colon is optional; remove one, if it is there.",
        seen: "openai-python#498, opencodex#1170, term-llm#487, langchain_dart#778",
    },
    Words {
        name: "line-ending",
        breaks: "Parsers that split at two line feeds buffer everything and yield nothing. CR LF split over two \
             reads makes an extra blank line.",
        client: "Accept CR, LF and CR LF, and carry a CR over to the next read.",
        seen: "hey-api#3054, OrcaRouter-Lite#98, a2a-js#714, akka-sse#129",
    },
    Words {
        name: "bom",
        breaks: "openai-python loses the first event without a word. No server is known that sends it; SSE \
             allows it.",
        client: "Remove one byte order mark at the start of the stream.",
        seen: "openai-python#3819, assistant-ui#6954, eventsource-parser#41",
    },
    Words {
        name: "gzip",
        breaks: "Compression holds events back until its window is full. A truncated stream of gzip ends \
             openai-python and openai-node with what could be read, and without an error; openai-node 7 throws \
             a SyntaxError if that ends within an event.",
        client: "Ask for `identity`, or decompress as the bytes come. An end inside of gzip is a cut answer.",
        seen: "tower-http#419, starlette#2753; truncated: kanalizer#23",
    },
    Words {
        name: "event-split",
        breaks: "Code that parses each read as JSON: works on localhost, fails behind a proxy or at 8 KiB.",
        client: "Keep what is left of a line until the next read.",
        seen: "PortOS#7558, aibrix#2653, chatgpt-nuxt#16, ruby-openai#332, langchain4j#1848",
    },
    Words {
        name: "char-split",
        breaks: "Decoders without a state, `from_utf8_lossy` for each read: U+FFFD in text, and in files that \
             tools write.",
        client: "Decode UTF-8 with a state, or split lines as bytes first.",
        seen: "claude-code#62870, cohere-typescript#151, aionrs#238, openai-node#2714, opencode#39694",
    },
    Words {
        name: "slow-headers",
        breaks: "Clients without a budget for the head wait for ever; those with a short one kill models that \
             think before they answer, and ask again.",
        client: "A budget of its own for the head, long enough for reasoning models. When it ends: a typed \
             error, or a retry.",
        seen: "pi#5558, LibreChat#6081",
    },
    Words {
        name: "slow-first-event",
        breaks: "openai-node's `timeout` ends with the head, and waits for ever then. Idle timers of 90 s kill \
             healthy models: 54 to 164 s before the first content were measured.",
        client: "A budget for the first content, apart from that between events.",
        seen: "Franklin#74, OmniRoute#13620",
    },
    Words {
        name: "burst",
        breaks: "Azure's filter holds text back for about two seconds and then sends many events at once. \
             Screens that draw one event per read fall behind; idle timers shorter than the gap fire.",
        client: "Take every event of a read. Let the budget between events be longer than the gap.",
        seen: "vercel/ai#1066, azure-sdk-for-java#38092, one-api#568; by proxies: llama.cpp#24774",
    },
    Words {
        name: "dribble",
        breaks: "Idle timers never fire, for there is always a byte. Parsers that start again with each read \
             become slow.",
        client: "The total budget decides. Parse in one pass.",
        seen: "toxiproxy `slicer`, WireMock `chunkedDribbleDelay`",
    },
    Words {
        name: "bandwidth",
        breaks: "Timers over the whole request that were measured on a fast network.",
        client: "Budgets between events, beside a generous total.",
        seen: "toxiproxy `bandwidth`",
    },
    Words {
        name: "done-then-hold",
        breaks: "openai-node 6 waits for the end of the body after `[DONE]`, and hangs. Code that drains the \
             body before it reuses the connection hangs, too.",
        client: "Return at `[DONE]`; give the connection a moment, then close it.",
        seen: "pi#7954, openai-python#3510, #3566",
    },
    Words {
        name: "informational",
        breaks: "Clients that take the first head for the answer.",
        client: "Skip any number of 1xx heads.",
        seen: "RFC 9110, 15.2; no report of an LLM client",
    },
    Words {
        name: "trailers",
        breaks: "Parsers that stop at the last chunk leave the trailers in the connection, and the next answer \
             starts with them.",
        client: "Read trailers to their end. Do not look for the outcome there.",
        seen: "RFC 9112, 7.1.2; no report of an LLM client",
    },
    Words {
        name: "malformed-chunk",
        breaks: "HTTP libraries report it, some as a plain end of the body.",
        client: "The text so far is incomplete, whatever the transport calls the error.",
        seen: "WireMock `MALFORMED_RESPONSE_CHUNK`",
    },
    Words {
        name: "content-length-mismatch",
        breaks: "With a length that is too small, openai-python and openai-node 6 lose the tail without a \
             word. With one that is too large, openai-node 6 fails after a whole answer; the others left at \
             `[DONE]`.",
        client: "Success needs a terminal signal, whatever the length says.",
        seen: "measured: a length that is too small loses the tail without an error",
    },
    Words {
        name: "close-delimited",
        breaks: "The FIN is a valid end here, so no library can tell: openai-python and openai-node end without \
             an error.",
        client: "Success needs a terminal signal.",
        seen: "measured: no error in either SDK",
    },
    Words {
        name: "partial-head",
        breaks: "openai-python and openai-node ask three times, then report a connection error. A POST is sent \
             again blindly.",
        client: "No byte of an answer was read: retry on a new connection, a bounded number of times.",
        seen: "mockttp, WireMock",
    },
    Words {
        name: "garbage",
        breaks: "openai-python and openai-node ask three times, then report a connection error.",
        client: "A typed error; after the head: incomplete.",
        seen: "WireMock `RANDOM_DATA_THEN_CLOSE`",
    },
    Words {
        name: "close-mid-stream",
        breaks: "`incomplete chunked read`, `ERR_STREAM_PREMATURE_CLOSE`, `TypeError: terminated`: \
             openai-python wraps it in its own error, openai-node does not. Several a day on Azure. \
             Frameworks ask again and append.",
        client: "A typed error, the partial text kept and marked incomplete, and not replayed into it.",
        seen: "litellm#4312, #28474; langchain#9187, openai-node#294, cline#4207, konveyor/kai#622",
    },
    Words {
        name: "reset-mid-stream",
        breaks: "openai-python raises APIConnectionError, openai-node a raw `TypeError: terminated`. Agents \
             that ask again after visible text show it twice.",
        client: "As with a close: incomplete, and not replayed after output.",
        seen: "openai-node#294, nanobot#4038, claux#15, nuguard#455",
    },
    Words {
        name: "reset-undrained",
        breaks: "Tests that count on a number of events: how many arrive is left to chance. That is what resets \
             in the field are like.",
        client: "Incomplete, however much came.",
        seen: "measured: 272 to 2766 of 3000 events arrived",
    },
    Words {
        name: "stall",
        breaks: "openai-node's timeout ends with the head: it hangs for as long as the server does. \
             openai-python raises a timeout between reads. One service sat for ten minutes.",
        client: "A budget between events that starts anew with each; when it ends, close the connection, with a \
             typed error.",
        seen: "pi#5558, #7954; kimi-code#1050, oh-my-pi#3819, openhuman#4763",
    },
    Words {
        name: "stall-heartbeat",
        breaks: "Neither openai-python nor openai-node notices: each comment resets the timer of bytes. python \
             ran for 22 s, until the server stopped.",
        client: "Comments are no content. Three budgets: for the head, for the first content, between content.",
        seen: "pi#5558, OmniRoute#13620",
    },
    Words {
        name: "empty-response",
        breaks: "openai-python and openai-node ask three times, blindly: nobody knows whether the first was \
             worked on.",
        client: "Retry on a new connection, a bounded number of times; without a byte of an answer nothing was \
             shown.",
        seen: "measured: three requests in both SDKs",
    },
    Words {
        name: "reset-before-response",
        breaks: "As with an empty response; some libraries report it as a broken pipe while they still send.",
        client: "Retry on a new connection, a bounded number of times.",
        seen: "measured: three requests in both SDKs",
    },
    Words {
        name: "half-close",
        breaks: "Clients that go on sending, or wait for an answer that cannot come.",
        client: "The end of the server's side is the end: retry on a new connection.",
        seen: "mockttp; no report of an LLM client",
    },
    Words {
        name: "early-response",
        breaks: "A client that is still sending sees a reset or a broken pipe, and loses the answer that says \
             why.",
        client: "Read the answer while sending. Report the status, not the broken pipe; 413 is not mended by \
             asking again.",
        seen: "RFC 9112, 9.3; no report of an LLM client",
    },
    Words {
        name: "slow-close",
        breaks: "Clients that wait for the FIN though the body is over; pools that count the connection as \
             busy.",
        client: "The body ends with its last chunk, not with the connection.",
        seen: "toxiproxy `slow_close`",
    },
    Words {
        name: "accept-blackhole",
        breaks: "Clients without a budget for the head hang. The first request after ten idle minutes met this \
             behind a load balancer.",
        client: "A budget for the head; then a retry on a new connection.",
        seen: "azure-sdk-for-java#37773",
    },
    Words {
        name: "keepalive-close",
        breaks: "A request that is sent while the FIN is under way fails without an answer. In one report 42 % \
             of requests did so after 5 to 15 idle minutes.",
        client: "Drop idle connections before the server does; ask again once on a new one if no byte of an \
             answer came.",
        seen: "claude-code#89608, azure-sdk-for-cpp#1716, InsForge#1813, azure-cosmosdb-node#102",
    },
    Words {
        name: "keepalive-reset-on-reuse",
        breaks: "openai-node with `maxRetries: 0` reports a connection error; openai-python does not reuse a \
             connection after a stream. A black hole hangs whoever has no budget for the head.",
        client: "One retry on a new connection, only if the connection was reused and no byte of an answer \
             came.",
        seen: "claude-code#89608, openai-python#3510, httpx#3515",
    },
    Words {
        name: "connection-refused",
        breaks: "Clients whose retries are over within a second, while a deploy takes two.",
        client: "Retry with a growing wait, within the budget; it is the network's failure, not the model's.",
        seen: "toxiproxy `down`",
    },
];

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::*;

    #[test]
    fn every_fault_has_its_words_once_and_none_is_unknown() {
        let mut words: Vec<&str> = WORDS.iter().map(|words| words.name).collect();
        let mut entries: Vec<&str> = Kind::entries().map(|entry| entry.name).collect();
        words.sort_unstable();
        entries.sort_unstable();
        assert_eq!(words, entries);
        for Words { name, breaks, client, seen } in WORDS {
            for text in [breaks, client] {
                assert!(text.ends_with('.') && text.len() > 20, "{name}: {text:?}");
            }
            assert!(!seen.is_empty() && !seen.ends_with('.'), "{name}: {seen:?}");
        }
    }

    #[test]
    fn every_fault_expects_a_known_outcome() {
        for entry in Kind::entries() {
            assert!(Expected::find(entry.expect).is_some(), "{}: {:?}", entry.name, entry.expect);
        }
        for outcome in Expected::ALL {
            assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.code());
            assert_eq!(Expected::find(outcome.code()), Some(outcome));
        }
    }
}
