//! A collector of spans: what OTLP over HTTP brings, kept as bytes and read with the protocol's own messages.

use std::sync::{Arc, Mutex, PoisonError};

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value},
    trace::v1::Span,
};
use prost::Message;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// A running collector. Dropping it stops it.
#[derive(Debug)]
pub struct Collector {
    url: String,
    exports: Arc<Mutex<Vec<Export>>>,
    _task: JoinSet<()>,
}

/// One batch as it came.
#[derive(Clone, Debug)]
pub struct Export {
    /// The request's line and headers.
    pub head: String,
    /// Its body.
    pub body: Vec<u8>,
}

impl Collector {
    /// Starts one.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let exports = Arc::<Mutex<Vec<Export>>>::default();
        let (mut task, kept) = (JoinSet::new(), exports.clone());
        task.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(collect(stream, kept.clone()));
            }
        });
        Self { url, exports, _task: task }
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// All that has come so far.
    #[must_use]
    pub fn exports(&self) -> Vec<Export> {
        self.exports.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The spans that have come so far.
    #[must_use]
    pub fn spans(&self) -> Vec<Span> {
        let exports = self.exports();
        let resources = exports.iter().flat_map(|export| {
            ExportTraceServiceRequest::decode(export.body.as_slice()).unwrap().resource_spans
        });
        resources.flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans).collect()
    }

    /// What the exporter says of itself.
    #[must_use]
    pub fn resource(&self) -> Vec<KeyValue> {
        let first = self.exports().first().unwrap().body.clone();
        let request = ExportTraceServiceRequest::decode(first.as_slice()).unwrap();
        request.resource_spans[0].resource.clone().unwrap().attributes
    }

    /// Waits until a span has come that is it.
    pub async fn wait_for(&self, is_it: impl Fn(&Span) -> bool) -> Span {
        loop {
            if let Some(span) = self.spans().into_iter().find(&is_it) {
                return span;
            }
            tokio::task::yield_now().await;
        }
    }
}

/// An attribute as text; empty where there is none.
#[must_use]
pub fn attribute(attributes: &[KeyValue], key: &str) -> String {
    let found = attributes.iter().find(|attribute| attribute.key == key);
    match found.and_then(|attribute| attribute.value.clone()) {
        Some(AnyValue { value: Some(Value::StringValue(text)) }) => text,
        Some(AnyValue { value: Some(Value::IntValue(number)) }) => number.to_string(),
        Some(other) => format!("{other:?}"),
        None => String::new(),
    }
}

/// One connection, until the exporter ends it.
async fn collect(stream: TcpStream, exports: Arc<Mutex<Vec<Export>>>) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head).await.unwrap_or_default() == 0 {
                return;
            }
        }
        let head = head.to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        if stream.read_exact(&mut body).await.is_err() {
            return;
        }
        exports.lock().unwrap_or_else(PoisonError::into_inner).push(Export { head, body });
        let answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
        if stream.write_all(answer).await.is_err() {
            return;
        }
    }
}
