//! The providers of a service, in the order in which codes are sent by them.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{
    Provider,
    authy::{self, Authy, AuthyConfig, AuthyConfigError},
    guarded::{GuardedProvider, SharedPauses},
};
use crate::{
    background::{Schedule, Task, TaskError},
    clock::Clock,
};

/// How often the pauses of other instances are read.
const READ_PAUSES_EVERY: Duration = Duration::from_secs(3);

/// One provider to use, with its settings.
#[derive(Debug)]
pub enum ProviderSettings {
    /// Authy: pushes and codes.
    Authy(AuthyConfig),
}

impl ProviderSettings {
    /// Returns the provider's name as it is stored.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Authy(_) => authy::NAME,
        }
    }
}

/// The providers of a service. Clones share them.
#[derive(Clone)]
pub struct Providers(Arc<[GuardedProvider]>);

impl Providers {
    /// Prepares the providers that are configured. Nothing is sent yet.
    ///
    /// The process must have installed a rustls crypto provider before.
    pub fn from_settings(
        settings: Vec<ProviderSettings>,
        pauses: &Arc<dyn SharedPauses>,
        clock: &Clock,
        call_timeout: Duration,
    ) -> Result<Self, AuthyConfigError> {
        let providers = settings.into_iter().map(|settings| {
            let provider: Box<dyn Provider> = match settings {
                ProviderSettings::Authy(config) => Box::new(Authy::new(config)?),
            };
            Ok(GuardedProvider::new(provider, pauses.clone(), clock.clone(), call_timeout))
        });
        providers.collect::<Result<Vec<_>, _>>().map(Self::new)
    }

    /// Takes these providers, in this order.
    #[must_use]
    pub fn new(providers: Vec<GuardedProvider>) -> Self {
        Self(providers.into())
    }

    /// Returns them in order.
    pub fn iter(&self) -> impl Iterator<Item = &GuardedProvider> {
        self.0.iter()
    }

    /// Returns the provider of that name, if it is configured.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&GuardedProvider> {
        self.iter().find(|provider| provider.name() == name)
    }
}

/// Reads the pauses that other instances were asked for.
#[async_trait]
impl Task for Providers {
    fn schedule(&self) -> Schedule {
        Schedule::every(READ_PAUSES_EVERY, "read_provider_pauses").in_machine_time()
    }

    async fn run(&mut self, _now: DateTime<Utc>) -> Result<(), TaskError> {
        for provider in self.iter() {
            provider.read_pauses().await?;
        }
        Ok(())
    }
}
