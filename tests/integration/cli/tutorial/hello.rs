use llmirage::{At, Fault, MockServer, Outcome};

#[tokio::test]
async fn hello_is_answered_as_it_was_recorded() {
    let server = MockServer::builder().fixtures_from("tests/recorded").unwrap().time_scale(0.0).start().await.unwrap();

    assert_eq!(my_app::ask(server.base_url(), "hello").await.unwrap(), "Hello! How can I help you today?");
}

#[tokio::test]
async fn a_stream_that_breaks_is_noticed() {
    let builder = MockServer::builder().fixtures_from("tests/recorded").unwrap().time_scale(0.0);
    let server = builder.fault(Fault::close(At::event(3))).start().await.unwrap();

    assert!(my_app::ask(server.base_url(), "hello").await.is_err());
    assert!(matches!(server.journal().settled(1).await[0].outcome, Outcome::Faulted { events: 3, .. }));
}
