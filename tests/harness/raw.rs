//! A connection spoken by hand, byte by byte: what no client library would do.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Lets this process have so many connections open.
pub fn allow_open_files(count: u64) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_some_and(|current| current < count) {
        let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(count), maximum });
        raised.unwrap_or_else(|_| panic!("this needs {count} open files: raise the limit (ulimit -n)"));
    }
}

/// A connection over TCP.
#[derive(Debug)]
pub struct Raw(TcpStream);

impl Raw {
    /// Connects to `http://host:port`.
    pub async fn connect(address: &str) -> Self {
        let host = address.strip_prefix("http://").unwrap();
        Self(TcpStream::connect(host).await.unwrap())
    }

    /// A socket of `graphql-transport-ws`, on which nothing has been said.
    pub async fn socket(address: &str) -> Self {
        let mut raw = Self::connect(address).await;
        throwaway::open_socket(&mut raw.0).await;
        raw
    }

    /// Sends these bytes.
    pub async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// Sends these bytes, unless the other side has ended the connection.
    pub async fn send_if_open(&mut self, bytes: &[u8]) {
        let _ = self.0.write_all(bytes).await;
    }

    /// Sends a text of at most 65,535 bytes in one frame, masked with zeros, which leaves it as it is.
    pub async fn say(&mut self, text: &str) {
        let mut frame = vec![0x81, 0xfe];
        frame.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
        frame.extend([0; 4]);
        frame.extend(text.as_bytes());
        self.send(&frame).await;
    }

    /// Says no more, and reads whatever the other side still has to say, until it ends the connection.
    pub async fn end(mut self) {
        // It may have ended the connection already, and reset it for what it did not read.
        let _ = self.0.shutdown().await;
        let mut rest = Vec::new();
        let _ = self.0.read_to_end(&mut rest).await;
    }
}
