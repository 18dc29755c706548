//! What is counted of requests, as whoever reads the counts finds it.

use metrics_exporter_prometheus::PrometheusBuilder;

use super::{
    harness::{Server, client, in_time},
    raw::Raw,
};

/// What a story has counted. All of it runs on this thread: other tests count for themselves.
fn counted(story: impl Future<Output = ()>) -> String {
    let recorder = PrometheusBuilder::new().build_recorder();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    metrics::with_local_recorder(&recorder, || runtime.block_on(story));
    recorder.handle().render()
}

fn assert_counted(counts: &str, series: &str, count: u32) {
    let line = format!("{series} {count}");
    assert!(counts.lines().any(|found| found == line), "{line} is not in\n{counts}");
}

#[test]
fn a_request_whose_peer_hangs_up_while_its_session_is_looked_up_was_stopped() {
    let counts = counted(async {
        // With room for one connection, a second one is served only when the first has ended.
        let server = Server::with(|settings| settings.listener.max_connections = 1).await;
        let mut raw = Raw::connect(&server).await;
        let head =
            "GET /graphql?query={__typename} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer stuck\r\n\r\n";
        raw.send(head.as_bytes()).await;
        server.probes.started.wait().await;
        drop(raw);
        assert_eq!(server.get("/health/live").await.status(), 200);
    });
    let labels = r#"kind="query",operation="typename",transport="get",outcome="stopped""#;
    assert_counted(&counts, &format!("countersign_graphql_operations_total{{{labels}}}"), 1);
}

#[test]
fn a_callback_whose_body_cannot_be_read_was_refused() {
    let counts = counted(async {
        let server = Server::start().await;
        let request = client().post(server.url("/authy/callback")).body(vec![b'x'; 64 * 1024 + 1]);
        assert_eq!(in_time(request.send()).await.unwrap().status(), 401);
    });
    assert_counted(&counts, r#"countersign_callbacks_total{answer="refused"}"#, 1);
}
