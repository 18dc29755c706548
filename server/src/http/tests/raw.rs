//! A connection spoken by hand, byte by byte, for what no client library would send.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::harness::{Server, in_time};

pub(super) struct Raw(pub(super) TcpStream);

impl Raw {
    pub(super) async fn connect(server: &Server) -> Self {
        Self(in_time(TcpStream::connect(server.address)).await.unwrap())
    }

    /// A connection that was upgraded to a WebSocket.
    pub(super) async fn socket(server: &Server) -> Self {
        let mut raw = Self::connect(server).await;
        in_time(throwaway::open_socket(&mut raw.0)).await;
        raw
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) {
        in_time(self.0.write_all(bytes)).await.unwrap();
    }

    /// The head of an answer.
    pub(super) async fn head(&mut self) -> String {
        in_time(throwaway::read_head(&mut self.0)).await
    }

    /// Everything until the server ends the connection.
    pub(super) async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        in_time(self.0.read_to_end(&mut rest)).await.unwrap();
        rest
    }

    /// Whether the server ends the connection without a word.
    pub(super) async fn is_hung_up_on(&mut self) -> bool {
        let mut rest = Vec::new();
        let _ended_or_reset = in_time(self.0.read_to_end(&mut rest)).await;
        rest.is_empty()
    }

    /// Sends this again and again, until the server cuts the connection off.
    pub(super) async fn is_cut_off_while_sending(&mut self, bytes: &[u8]) -> bool {
        in_time(async { while self.0.write_all(bytes).await.is_ok() {} }).await;
        true
    }

    pub(super) async fn frame(&mut self, opcode: u8, payload: &[u8]) {
        self.send(&frame(opcode, payload)).await;
    }

    pub(super) async fn text(&mut self, text: &str) {
        self.frame(0x1, text.as_bytes()).await;
    }

    /// The next frame: its opcode and payload. Nothing is answered.
    pub(super) async fn next_frame(&mut self) -> (u8, Vec<u8>) {
        let opcode = in_time(self.0.read_u8()).await.unwrap() & 0x0f;
        let length = match in_time(self.0.read_u8()).await.unwrap() {
            126 => u64::from(in_time(self.0.read_u16()).await.unwrap()),
            127 => in_time(self.0.read_u64()).await.unwrap(),
            short => u64::from(short),
        };
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        in_time(self.0.read_exact(&mut payload)).await.unwrap();
        (opcode, payload)
    }

    /// The code with which the server closes, whatever it sends before; nothing is answered.
    pub(super) async fn close_code(&mut self) -> u16 {
        loop {
            if let (0x8, payload) = self.next_frame().await {
                return u16::from_be_bytes([payload[0], payload[1]]);
            }
        }
    }
}

/// A whole frame, masked with zeros (which leaves the payload as it is).
pub(super) fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    match payload.len() {
        short @ 0..=125 => frame.push(0x80 | u8::try_from(short).unwrap()),
        long => {
            frame.push(0xfe);
            frame.extend(u16::try_from(long).unwrap().to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}
