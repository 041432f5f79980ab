//! A service that speaks HTTP/2 over TLS.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use llmirage::Recorder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::acceptor;

/// Serves one connection, and says what is asked; gives its address and certificate.
async fn service() -> (String, String) {
    let (acceptor, pem) = acceptor("h2");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        let stream = acceptor.accept(socket).await.unwrap();
        let answer = service_fn(|request: Request<Incoming>| async {
            assert_eq!(request.version(), Version::HTTP_2);
            let said = format!(
                "{} {} {:?}",
                request.method(),
                request.uri(),
                request.headers().get("authorization")
            );
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let said = format!("{said} {}", String::from_utf8_lossy(&body));
            Ok::<_, Infallible>(
                Response::builder()
                    .header("content-type", "text/plain")
                    .body(Full::new(Bytes::from(said)))
                    .unwrap(),
            )
        });
        let mut http = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        http.auto_date_header(false);
        // A client that has its answer leaves.
        let _ = http.serve_connection(TokioIo::new(stream), answer).await;
    });
    (format!("https://localhost:{}", address.port()), pem)
}

#[tokio::test]
async fn http_2_is_spoken_where_the_service_does() {
    let (url, pem) = service().await;
    let recorder = Recorder::builder().upstream(format!("{url}/base")).trust_pem(pem).start().await.unwrap();
    let mut client = TcpStream::connect(recorder.address()).await.unwrap();
    let request = "PUT /v1/x?a=b HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer k\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello";
    client.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    let said = format!("PUT {url}/base/v1/x?a=b Some(Sensitive) hello");
    let plain = format!("PUT {url}/base/v1/x?a=b Some(\"Bearer k\") hello");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(body == said || body == plain, "{body}");
    assert_eq!(
        head,
        format!("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {}", body.len())
    );
    recorder.settled(1).await;
    let transcript = recorder.transcripts().remove(0);
    assert_eq!(transcript.request.unwrap().path, "/v1/x?a=b");
    assert_eq!(transcript.response.bytes(), body);
}
