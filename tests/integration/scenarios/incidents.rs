//! Each scenario: what makes it that incident.

use super::events::{calls, chunks, data, finishes, is_done, is_part, is_whole, text};
use super::*;
use crate::raw::http_date;
use jiff::SignedDuration;

#[tokio::test(start_paused = true)]
async fn azures_filter_ends_a_stream_between_chunks_without_choices_and_without_deltas() {
    each("azure-content-filter-mid-stream", 1, |seen| {
        let seen = &seen[0];
        assert_eq!((seen.status, seen.complete), (200, true));
        let chunks = chunks(seen);
        let choices = |index: usize| chunks[index]["choices"].as_array().unwrap();
        assert!(choices(0).is_empty() && chunks[0].get("prompt_filter_results").is_some(), "{}", chunks[0]);
        assert_eq!(choices(1)[0]["delta"]["role"], "assistant");
        assert_eq!(text(seen), "The old knight raised his");
        for index in [7, 9] {
            let choice = &choices(index)[0];
            assert!(
                choice.get("delta").is_none() && choice.get("content_filter_offsets").is_some(),
                "{choice}"
            );
        }
        assert_eq!(choices(9)[0]["content_filter_results"]["violence"]["filtered"], true);
        assert_eq!((finishes(seen), chunks.len(), is_done(seen)), (vec!["content_filter".into()], 10, true));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn azures_limiter_asks_for_a_day_every_time() {
    each("azure-retry-after-a-day", 3, |seen| {
        for seen in seen {
            assert_eq!((seen.status, seen.header("retry-after")), (429, Some("86400")), "{}", seen.head);
            let body: Value = serde_json::from_str(&seen.body()).unwrap();
            assert_eq!(body["error"]["code"], "429");
            let message = body["error"]["message"].as_str().unwrap();
            assert!(message.contains("Please retry after 86400 seconds."), "{message}");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_clean_cut_is_valid_http_and_says_nothing_of_an_end() {
    each("clean-cut", 1, |seen| {
        is_part(&seen[0], "one two three four five six seven eight nine ten");
        assert_eq!(text(&seen[0]), "one two three four five six");
        assert!(seen[0].complete);
        assert_eq!(seen[0].ending, Ending::Complete);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_deploy_finishes_the_open_stream_and_refuses_new_connections_for_two_seconds() {
    each("deploy-roll", 2, |seen| {
        is_whole(&seen[0], "This stream was open when the deploy began, and it is finished in peace.");
        let refuse = Duration::from_secs(2);
        assert_eq!(seen[0].ending, Ending::Refuse { refuse, complete: true });
        is_whole(&seen[1], "The new instance answers.");
        assert_eq!(seen[1].ending, Ending::Complete);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_disconnect_comes_after_text_and_the_replay_is_whole() {
    let whole = "The ferry leaves at seven in the morning and again at noon.";
    each("disconnect-and-replay", 2, |seen| {
        is_part(&seen[0], whole);
        assert!(!seen[0].complete);
        assert_eq!(seen[0].ending, Ending::Reset { drain: true });
        is_whole(&seen[1], whole);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_edge_gives_up_late_with_html_and_the_next_attempt_has_heartbeats() {
    each("edge-timeout-524", 2, |seen| {
        assert_eq!((seen[0].status, seen[0].first), (524, 60_000), "100 s, bounded by --max-hold");
        assert!(seen[0].header("content-type").is_some_and(|kind| kind.starts_with("text/html")));
        is_whole(&seen[1], "The report is ready: revenue grew by four percent.");
        let heartbeats = seen[1].body().matches("keep-alive\n\n").count();
        // 1 s before the first content, 1.4 s of content.
        assert!((3..=5).contains(&heartbeats), "{heartbeats}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_gateway_writes_its_error_into_an_open_event_and_closes() {
    each("gateway-injects-error", 1, |seen| {
        let seen = &seen[0];
        assert!(!seen.complete);
        assert_eq!(seen.ending, Ending::Close);
        assert_eq!((finishes(seen), is_done(seen)), (Vec::new(), false));
        let glued: Vec<_> =
            data(seen).into_iter().filter(|data| serde_json::from_str::<Value>(data).is_err()).collect();
        assert_eq!(glued.len(), 1, "{}", seen.body());
        let values = serde_json::Deserializer::from_str(&glued[0]).into_iter::<Value>();
        let values: Vec<Value> = values.map(Result::unwrap).collect();
        assert_eq!(values.len(), 2, "{}", glued[0]);
        assert!(values[1].get("error").is_some(), "{}", glued[0]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn characters_are_split_at_every_byte() {
    each("half-emoji", 1, |seen| {
        assert!(seen[0].chunks.iter().all(|chunk| chunk.len() == 1), "{}", seen[0].body());
        is_whole(&seen[0], "你好🌍👩‍👩‍👧");
        assert!(seen[0].body().contains('🌍'), "as UTF-8, not as an escape");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_halves_of_a_surrogate_pair_come_in_two_events() {
    each("half-emoji-surrogates", 1, |seen| {
        let data = data(&seen[0]);
        let of = |half: &str| data.iter().position(|data| data.to_ascii_lowercase().contains(half));
        let (high, low) = (of(r"\ud83d").unwrap(), of(r"\ude00").unwrap());
        assert_eq!(low, high + 1, "{data:#?}");
        assert_eq!((finishes(&seen[0]), is_done(&seen[0])), (vec!["stop".into()], true));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_stall_is_silent_or_full_of_comments_and_bounded() {
    let whole = "Let me look that up for you.";
    for path in PATHS {
        let silent = &ask("silent-stall", path, raw::ASK, 1).await[0];
        let beating = &ask("heartbeat-stall", path, raw::ASK, 1).await[0];
        for seen in [silent, beating] {
            assert!(
                !seen.complete && (60_000..=60_200).contains(&seen.took),
                "{} {}",
                seen.took,
                seen.body()
            );
            assert!(whole.starts_with(&text(seen)), "{}", seen.body());
            assert_eq!((data(seen).len(), finishes(seen)), (3, Vec::new()), "{}", seen.body());
        }
        assert_eq!(silent.body().matches(": keep-alive").count(), 0);
        let beats = beating.body().matches(": keep-alive\n\n").count();
        assert!((59..=60).contains(&beats), "{beats}");
    }
}

#[tokio::test(start_paused = true)]
async fn idle_connections_are_closed_after_200_ms() {
    for path in PATHS {
        let service = server();
        let mut client = connect(&service, 64 * 1024);
        let path = format!("/fault/scenario:idle-socket-roulette{path}");
        let ask = chat(&path, "", raw::ASK);
        assert_eq!(raw::exchange(&mut client, &ask).await.status(), 200);
        tokio::time::advance(Duration::from_millis(150)).await;
        assert_eq!(raw::exchange(&mut client, &ask).await.status(), 200, "before the FIN");
        let start = Instant::now();
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
        assert_eq!(start.elapsed().as_millis(), 200);
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_used_again_fails_and_a_new_one_does_not() {
    for path in PATHS {
        for (scenario, reuse) in
            [("idle-socket-reset", Reuse::Reset), ("idle-socket-blackhole", Reuse::Blackhole)]
        {
            assert_eq!(ask(scenario, path, raw::ASK, 1).await[0].ending, Ending::Reuse(reuse));
            let service = server();
            let mut client = connect(&service, 64 * 1024);
            let ask = chat(&format!("/fault/scenario:{scenario}{path}"), "", raw::ASK);
            assert_eq!(raw::exchange(&mut client, &ask).await.status(), 200);
            client.write_all(ask.as_bytes()).await.unwrap();
            let start = Instant::now();
            let (bytes, _) = rest(&mut client, start).await;
            assert_eq!(String::from_utf8_lossy(&bytes), "", "{scenario}");
            let waited = start.elapsed().as_secs();
            assert_eq!(waited, if reuse == Reuse::Reset { 0 } else { 60 }, "{scenario}");
            assert_eq!(raw::once(&service, &ask).await.status(), 200, "{scenario}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_portal_answers_200_with_html_every_time() {
    each("login-page-200", 2, |seen| {
        for seen in seen {
            assert_eq!((seen.status, seen.complete), (200, true));
            assert!(seen.header("content-type").is_some_and(|kind| kind.starts_with("text/html")));
            assert!(seen.body().contains("<html") && !seen.body().contains("data:"), "{}", seen.body());
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_overload_is_an_error_in_a_200_and_gone_at_the_second_attempt() {
    let error = |seen: &Seen| {
        let errors: Vec<Value> =
            chunks(seen).into_iter().filter(|chunk| chunk.get("error").is_some()).collect();
        assert_eq!(errors.len(), 1, "{}", seen.body());
        assert!(errors[0].to_string().contains("overloaded_error"), "{}", errors[0]);
        assert_eq!((seen.status, seen.complete, is_done(seen)), (200, true, false));
        assert!(chunks(seen).last().unwrap().get("error").is_some(), "nothing follows");
    };
    each("overloaded-mid-stream", 2, |seen| {
        error(&seen[0]);
        is_part(&seen[0], "Here are the three steps to restore the backup.");
        is_whole(&seen[1], "Here are the three steps to restore the backup.");
    })
    .await;
    each("overloaded-at-once", 2, |seen| {
        error(&seen[0]);
        assert_eq!(chunks(&seen[0]).len(), 1, "{}", seen[0].body());
        is_whole(&seen[1], "Now there is room for your request.");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn parallel_calls_share_an_index_or_have_none_but_have_their_ids() {
    each("parallel-tools-one-index", 3, |seen| {
        for (hit, seen) in seen.iter().enumerate() {
            let calls = calls(seen);
            let index = if hit % 2 == 0 { Some(0) } else { None };
            assert!(calls.iter().all(|call| call.get("index").map(|index| index.as_u64().unwrap()) == index));
            let ids: Vec<_> = calls.iter().filter_map(|call| call.get("id")?.as_str()).collect();
            assert_eq!(ids, ["call_paris", "call_oslo", "call_time"]);
            assert_eq!(finishes(seen), ["tool_calls"]);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn two_proxies_answer_502_with_html_before_the_upstream_is_back() {
    each("proxy-502-html", 3, |seen| {
        assert_eq!(seen.iter().map(|seen| seen.status).collect::<Vec<_>>(), [502, 502, 200]);
        for (seen, vendor) in seen.iter().zip(["nginx", "awselb"]) {
            assert!(seen.header("content-type").is_some_and(|kind| kind.starts_with("text/html")));
            let server = seen.header("server").unwrap_or_default();
            assert!(seen.body().contains(vendor) || server.contains(vendor), "{seen:?}");
        }
        is_whole(&seen[2], "The upstream is back.");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_used_up_quota_stays_used_up() {
    each("quota-wall", 4, |seen| {
        for seen in seen {
            let body: Value = serde_json::from_str(&seen.body()).unwrap();
            assert_eq!((seen.status, &body["error"]["code"]), (429, &Value::from("insufficient_quota")));
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_storm_asks_for_longer_each_time_and_recovers() {
    each("rate-limit-storm-then-recover", 4, |seen| {
        assert_eq!(seen.iter().map(|seen| seen.status).collect::<Vec<_>>(), [429, 429, 429, 200]);
        let asked: Vec<_> = seen.iter().take(3).filter_map(|seen| seen.header("retry-after")).collect();
        let ahead = http_date(asked[2]).duration_since(http_date(seen[2].header("date").unwrap()));
        assert_eq!((&asked[..2], ahead), (&["1", "1.5"][..], SignedDuration::from_secs(2)));
        is_whole(&seen[3], "The storm is over.");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn clients_that_count_their_retries_have_a_storm_each() {
    let service = server();
    let path = "/fault/scenario:rate-limit-storm-then-recover/v1/chat/completions";
    for (retry, status) in [(0, 429), (0, 429), (2, 429), (1, 429), (3, 200), (3, 200)] {
        let header = format!("x-stainless-retry-count: {retry}\r\n");
        let answer = raw::once(&service, &chat(path, &header, raw::ASK)).await;
        assert_eq!(answer.status(), status, "{retry}");
        if retry == 0 {
            assert_eq!(answer.header("retry-after"), Some("1"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_relay_sends_what_is_odd_and_the_answer_is_whole_all_the_same() {
    each("relay-soup", 1, |seen| {
        let seen = &seen[0];
        assert!(seen.complete && text(seen) == "Soup is still food.", "{}", seen.body());
        let body = seen.body();
        assert!(body.contains("\r\n\r\n") && !body.replace("\r\n", "").contains('\n'), "{body:?}");
        assert!(body.contains(": RELAY PROCESSING\r\n\r\n"), "{body:?}");
        assert!(body.contains("data:{") && !body.contains("data: "), "{body:?}");
        let chunks = chunks(seen);
        let (usage, spoken) = chunks.split_last().unwrap();
        assert!(spoken.iter().all(|chunk| chunk["choices"][0]["delta"]["role"] == "assistant"));
        assert_eq!(spoken.iter().filter(|chunk| chunk["choices"][0]["finish_reason"] == "").count(), 5);
        assert_eq!((finishes(seen), is_done(seen)), (vec!["stop".into()], false));
        assert!(usage["choices"].as_array().unwrap().is_empty() && usage["usage"]["total_tokens"] == 13);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_arguments_of_a_tool_call_end_after_its_target() {
    each("truncated-tool-call", 1, |seen| {
        let calls = calls(&seen[0]);
        assert_eq!(calls[0]["function"]["name"], "delete_records");
        let arguments = calls.iter().filter_map(|call| call.pointer("/function/arguments")?.as_str());
        assert_eq!(arguments.collect::<String>(), r#"{"target":"#);
        assert_eq!((finishes(&seen[0]), is_done(&seen[0])), (vec!["tool_calls".into()], true));
    })
    .await;
}
