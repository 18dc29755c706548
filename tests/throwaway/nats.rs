//! A nats-server of one's own.

use crate::{
    programs::{folder_of, free_port},
    watchdog::{Plan, Watchdog},
};

/// It asks who is there, as any other does that more than one machine reaches.
const USER: &str = "countersign";
const PASSWORD: &str = "password-of-the-throwaway";

/// A running nats-server.
#[derive(Debug)]
pub struct Nats {
    watchdog: Watchdog,
    port: u16,
}

impl Nats {
    /// Starts one. Says what is missing where it cannot, for [`require`](crate::require) with the name `nats`.
    pub async fn start() -> Result<Self, String> {
        let Some(folder) = folder_of(&["nats-server"]) else {
            return Err("there is no nats-server: install it, or put it on the path".to_owned());
        };
        let port = free_port();
        let program = folder.join("nats-server").display().to_string();
        let login = ["--user", USER, "--pass", PASSWORD];
        let listen = ["--addr", "127.0.0.1", "--port", &port.to_string()];
        let arguments = [&login[..], &listen].concat().into_iter().map(str::to_owned);
        let watchdog = Watchdog::start(Plan {
            command: [program].into_iter().chain(arguments).collect(),
            prepare: String::new(),
            ready: "Server is ready",
            stop: "KILL",
            instead_of_root: None,
        });
        Ok(Self { watchdog: watchdog.await?, port })
    }

    /// How to reach it, with its password: `nats://…@127.0.0.1:…`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://{USER}:{PASSWORD}@127.0.0.1:{}", self.port)
    }

    /// Ends it at once.
    pub async fn stop(&self) {
        self.watchdog.stop().await;
    }

    /// Starts it again, where it was.
    pub async fn start_again(&self) {
        self.watchdog.start_again().await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::{io::AsyncReadExt, net::TcpStream};

    use super::*;
    use crate::require;

    #[tokio::test]
    async fn it_greets_until_it_is_stopped_and_when_it_runs_again() {
        let Some(nats) = require("nats", Nats::start().await) else { return };
        let greeting = async || {
            let mut greeting = [0; 4];
            let mut stream = TcpStream::connect(("127.0.0.1", nats.port)).await?;
            stream.read_exact(&mut greeting).await.map(|_| greeting)
        };
        assert_eq!(greeting().await.unwrap(), *b"INFO");
        nats.stop().await;
        assert!(greeting().await.is_err());
        nats.start_again().await;
        assert_eq!(greeting().await.unwrap(), *b"INFO");
    }
}
