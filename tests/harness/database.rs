//! Which database a story is told on: each is told on both.

use throwaway::{Cluster, require};

use crate::Proxy;

/// Where a world or a fleet keeps what it has to keep. It is gone with them.
#[derive(Debug)]
pub enum Database {
    /// A file in their folder.
    Sqlite,
    /// A database of the cluster that the test process has started.
    Postgres(throwaway::Database),
}

impl Database {
    /// A database in the shared cluster; none where there is no PostgreSQL on this machine.
    pub async fn postgres() -> Option<Self> {
        let cluster = require("postgres", Cluster::shared().await)?;
        Some(Self::Postgres(cluster.create_database().await))
    }

    /// A line to it that can be cut. SQLite has none.
    pub async fn line(&self) -> Proxy {
        match self {
            Self::Sqlite => panic!("no line leads to a file"),
            Self::Postgres(database) => Proxy::start(database.url()).await,
        }
    }
}

/// Makes two tests of each story, one on each database. A story that is not listed is never told, and refused as dead
/// code.
#[macro_export]
macro_rules! on_both_databases {
    ($($story:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test]
            async fn $story() {
                super::$story($crate::Database::Sqlite).await;
            })+
        }
        mod on_postgres {
            $(#[tokio::test]
            async fn $story() {
                if let Some(database) = $crate::Database::postgres().await {
                    super::$story(database).await;
                }
            })+
        }
    };
}
