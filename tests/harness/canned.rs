//! Somebody who listens on a port of this machine and always says the same, whatever is asked; or nothing at all.

use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
};

use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use throwaway::Certificate;

/// Says this to whoever sends a request, and hangs up. Returns the port.
#[must_use]
pub fn say_always(answer: &'static str) -> u16 {
    serve(move |stream| converse(stream, |_| answer))
}

/// Says what stands beside the path of a request, and hangs up; without a word where it is no path of these.
#[must_use]
pub fn say_by_path(answers: &[(&'static str, &'static str)]) -> u16 {
    let answers = answers.to_vec();
    serve(move |stream| {
        let answer = |head: &str| {
            let asked = head.split(' ').nth(1).unwrap_or_default();
            answers.iter().find(|(path, _)| *path == asked).map_or("", |(_, answer)| answer)
        };
        converse(stream, answer)
    })
}

/// The same by TLS, with this certificate.
#[must_use]
pub fn say_always_by_tls(answer: &'static str, certificate: &Certificate) -> u16 {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let chain = vec![CertificateDer::from_pem_slice(certificate.server.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(certificate.server_key.as_bytes()).unwrap();
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
    let config = Arc::new(config);
    serve(move |stream| {
        let connection = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(connection, stream);
        converse(&mut stream, |_| answer)?;
        stream.conn.send_close_notify();
        stream.flush()
    })
}

/// Takes every connection and never says a word. Returns the port.
#[must_use]
pub fn say_nothing() -> u16 {
    serve(|mut stream| {
        // Until the other side has had enough.
        io::copy(&mut stream, &mut io::sink()).map(drop)
    })
}

/// Each connection has a thread; all end with the process.
fn serve(talk: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let talk = Arc::new(talk);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let talk = talk.clone();
            // Whoever does not like the answer hangs up.
            thread::spawn(move || drop(talk(stream)));
        }
    });
    port
}

/// Hears a request without a body worth reading, and answers what its head calls for, in small letters.
fn converse<'a>(mut stream: impl Read + Write, answer: impl FnOnce(&str) -> &'a str) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    let head = String::from_utf8_lossy(&head).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or_default()];
    stream.read_exact(&mut body)?;
    stream.write_all(answer(&head).as_bytes())?;
    stream.flush()
}
