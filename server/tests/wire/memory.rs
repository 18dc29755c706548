//! How much a client makes its sockets keep: memory, and watchers of a login.

use std::io::{Read as _, Write as _};

use allocation_counter::measure;
use countersign::http::HttpSettings;
use serde_json::{Value, json};
use throwaway::report;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{Connection, Service, lift_admission};

/// As many as a socket runs.
const SUBSCRIPTIONS: usize = 16;
/// What a socket takes beside what is limited: its buffers and its task.
const SOCKET_BYTES: i64 = 64 * 1024;

/// What a socket takes here to read into.
const FRAME_BYTES: i64 = 256 * 1024;

/// A socket, spoken by hand: a library would allocate on this thread as well.
struct Socket {
    stream: TcpStream,
    frame: Vec<u8>,
}

impl Socket {
    async fn open(service: &Service) -> Self {
        let mut stream = TcpStream::connect(service.address).await.unwrap();
        throwaway::open_socket(&mut stream).await;
        let mut socket = Self { stream, frame: vec![0; usize::try_from(FRAME_BYTES).unwrap()] };
        socket.send(r#"{"type":"connection_init"}"#).await;
        assert!(socket.next().await.contains("connection_ack"));
        socket
    }

    async fn send(&mut self, text: &str) {
        let length = u64::try_from(text.len()).unwrap();
        // A text, masked with zeros, which leave it as it is.
        self.stream.write_all(&[0x81, 0xff]).await.unwrap();
        self.stream.write_all(&length.to_be_bytes()).await.unwrap();
        self.stream.write_all(&[0; 4]).await.unwrap();
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    /// The next message; pings are passed over.
    async fn next(&mut self) -> &str {
        loop {
            let opcode = self.stream.read_u8().await.unwrap() & 0x0f;
            let length = match self.stream.read_u8().await.unwrap() {
                126 => u64::from(self.stream.read_u16().await.unwrap()),
                127 => self.stream.read_u64().await.unwrap(),
                short => u64::from(short),
            };
            let length = usize::try_from(length).unwrap();
            self.stream.read_exact(&mut self.frame[..length]).await.unwrap();
            match opcode {
                0x1 => return std::str::from_utf8(&self.frame[..length]).unwrap(),
                0x9 => {}
                other => panic!("opcode {other}"),
            }
        }
    }
}

/// Where a provider is that answers everything with success. It runs on a thread of its own, where nothing is measured.
fn provider() -> String {
    const BODY: &str = r#"{"success":true,"user":{"id":7},"approval_request":{"uuid":"5d3e2f10-0000-4000-8000-000000000007"}}"#;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // Its requests are small, and arrive at once or in two pieces; the answer does not depend on them.
            let _read = stream.read(&mut [0; 16 * 1024]).unwrap();
            let length = BODY.len();
            let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
            stream.write_all((head + BODY).as_bytes()).unwrap();
        }
    });
    format!("http://{address}")
}

/// A login that waits.
fn login_token(service: &Service) -> String {
    let input = json!({"fullName": "Ada", "email": "ada@example.com", "countryCode": "44", "phone": "7400 123456",
                       "password": "correct-horse-battery-staple-9"});
    let query =
        "mutation($input: SignupInput!) { signup(input: $input) { loginToken errors { code message } } }";
    let body = json!({"query": query, "variables": {"input": input}}).to_string();
    let answer = async { Connection::open(service).await.post(&body).await.1 };
    let answer: Value = serde_json::from_slice(&service.runtime.block_on(answer)).unwrap();
    answer["data"]["signup"]["loginToken"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

/// A long subscription: a document with six times so many fields, and variables that it does not declare.
fn fat(login_token: &str, number: usize, fields: usize) -> String {
    let fields = "sequence state nextStep failure matchNumber codeChannel ".repeat(fields);
    // Its length keeps it out of the cache, and a number from being shared.
    let query = format!(
        "subscription($t: String!) {{ loginStatus(loginToken: $t) {{ {fields} s{number}: state }} }} # {}",
        "x".repeat(16_000)
    );
    let undeclared = vec![1; 15_000];
    let id = format!("{number}-{}", "i".repeat(100));
    let payload = json!({"query": query, "variables": {"t": login_token, "undeclared": undeclared}});
    json!({"type": "subscribe", "id": id, "payload": payload}).to_string()
}

/// Bytes that a socket keeps after it was sent these, and how many of them were refused.
fn kept(service: &Service, messages: &[String]) -> (i64, usize) {
    let (mut refused, mut socket) = (0, None);
    let measured = measure(|| {
        socket = Some(service.runtime.block_on(async {
            let mut socket = Socket::open(service).await;
            for message in messages {
                socket.send(message).await;
                let answer = socket.next().await;
                if answer.contains("SOCKET_MEMORY_LIMIT") {
                    refused += 1;
                } else {
                    assert!(answer.contains(r#""type":"next""#) && !answer.contains("errors"), "{answer}");
                }
            }
            socket
        }));
    });
    drop(socket);
    (measured.bytes_current - FRAME_BYTES, refused)
}

fn attack(fields: usize, adjust: impl FnOnce(&mut HttpSettings)) -> (i64, usize) {
    let service = Service::with_provider(&provider(), |http| {
        lift_admission(http);
        adjust(http);
    });
    let login_token = login_token(&service);
    let messages: Vec<_> = (0..=SUBSCRIPTIONS).map(|number| fat(&login_token, number, fields)).collect();
    // What is made once is there before anything is measured.
    kept(&service, &messages[SUBSCRIPTIONS..]);
    kept(&service, &messages[..SUBSCRIPTIONS])
}

#[test]
fn a_socket_full_of_fat_subscriptions_keeps_no_more_than_its_limit() {
    let limit = i64::try_from(HttpSettings::default().websocket.max_bytes).unwrap();
    let (unlimited, _) = attack(150, |http| {
        http.websocket.max_bytes = 1 << 30;
        http.websocket.max_bytes_per_address = 1 << 30;
    });
    report(&format!("{SUBSCRIPTIONS} fat subscriptions on a socket: {unlimited} bytes without a limit"));
    for fields in [150, 50, 10] {
        let (bytes, refused) = attack(fields, |_| {});
        report(&format!("with documents of {} fields: {bytes} bytes, {refused} refused", fields * 6));
        assert!(bytes <= limit + SOCKET_BYTES && refused > 0, "{bytes} bytes are kept, {refused} refused");
    }
}

#[test]
fn sixteen_usual_subscriptions_of_one_document_fit_on_a_socket() {
    let service = Service::with_provider(&provider(), lift_admission);
    let login_token = login_token(&service);
    let query = "subscription Watch($loginToken: String!) { loginStatus(loginToken: $loginToken) { sequence state nextStep \
                 failure matchNumber codeChannel toldAt expiresAt resendAvailableAt session { token deviceToken \
                 expiresAt user { id fullName email countryCode maskedPhone createdAt } } } }";
    let subscribe = |id: usize| {
        let payload = json!({"query": query, "variables": {"loginToken": login_token}});
        json!({"type": "subscribe", "id": id.to_string(), "payload": payload}).to_string()
    };
    let messages: Vec<_> = (0..SUBSCRIPTIONS).map(subscribe).collect();
    kept(&service, &messages[..1]);
    let (bytes, refused) = kept(&service, &messages);
    report(&format!("{SUBSCRIPTIONS} usual subscriptions on a socket: {bytes} bytes"));
    assert_eq!(refused, 0);
}

#[test]
fn the_seventeenth_watcher_of_a_login_ends_the_first() {
    let service = Service::with_provider(&provider(), lift_admission);
    let login_token = login_token(&service);
    let subscribe = |id: usize| {
        let query = "subscription($t: String!) { loginStatus(loginToken: $t) { state } }";
        let payload = json!({"query": query, "variables": {"t": login_token}});
        json!({"type": "subscribe", "id": id.to_string(), "payload": payload}).to_string()
    };
    service.runtime.block_on(async {
        let (mut first, mut second) = (Socket::open(&service).await, Socket::open(&service).await);
        for id in 0..SUBSCRIPTIONS {
            first.send(&subscribe(id)).await;
            assert!(first.next().await.contains("PENDING"));
        }
        second.send(&subscribe(0)).await;
        assert!(second.next().await.contains("PENDING"));
        let ended: Value = serde_json::from_str(first.next().await).unwrap();
        let code = &ended["payload"]["errors"][0]["extensions"]["code"];
        assert_eq!((&ended["id"], code), (&json!("0"), &json!("TOO_MANY_WATCHERS")), "{ended}");
        assert_eq!(first.next().await, r#"{"type":"complete","id":"0"}"#);
    });
}
