//! The settings of a database's connections.

use std::time::Duration;

use clap::{Args, builder::RangedU64ValueParser};

use crate::model::parse_short_duration;

/// What survives a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Every commit (`synchronous = full`), but for light ones.
    PowerCut,
    /// Every commit survives the process, the newest may not survive a power cut (`synchronous = normal`). For `dev`.
    Process,
}

/// The settings of a database's connections.
#[derive(Args, Clone, Copy, Debug, PartialEq, Eq)]
#[command(next_help_heading = "Database and instances")]
pub struct StoreSettings {
    /// What survives a power cut; SQLite only.
    #[arg(skip = Durability::PowerCut)]
    pub durability: Durability,
    /// Connections of this instance to PostgreSQL. SQLite has one writer and ignores it.
    #[arg(long, env = "DATABASE_POOL_SIZE", default_value_t = 16, value_parser = RangedU64ValueParser::<usize>::new().range(2..=1_000))]
    pub database_pool_size: usize,
    /// How long a query waits for a free connection.
    #[arg(long, env = "DATABASE_POOL_WAIT", default_value = "5s", value_parser = parse_short_duration)]
    pub database_pool_wait: Duration,
    /// How long connecting to PostgreSQL may take.
    #[arg(long, env = "DATABASE_CONNECT_TIMEOUT", default_value = "3s", value_parser = parse_short_duration)]
    pub database_connect_timeout: Duration,
    /// How long one statement may take on PostgreSQL, waiting for locks included.
    #[arg(long, env = "DATABASE_STATEMENT_TIMEOUT", default_value = "5s", value_parser = parse_short_duration)]
    pub database_statement_timeout: Duration,
}

impl Default for StoreSettings {
    /// The settings of a command that has no flags for them, such as `migrate`. A test keeps them equal to the defaults above.
    fn default() -> Self {
        Self {
            durability: Durability::PowerCut,
            database_pool_size: 16,
            database_pool_wait: Duration::from_secs(5),
            database_connect_timeout: Duration::from_secs(3),
            database_statement_timeout: Duration::from_secs(5),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches as _;

    use super::*;

    #[test]
    fn commands_without_the_flags_use_their_defaults() {
        let command = StoreSettings::augment_args(clap::Command::new("test"));
        let matches = command.mut_args(|argument| argument.env(None::<&str>)).get_matches_from(["test"]);
        assert_eq!(StoreSettings::from_arg_matches(&matches).unwrap(), StoreSettings::default());
    }
}
