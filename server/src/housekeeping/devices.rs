//! Deletes known devices once `DEVICE_TTL` has passed since their last login.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{delete_older, every_minute};
use crate::{
    background::{Schedule, Task, TaskError},
    storage::Store,
};

/// Deletes known devices once `DEVICE_TTL` has passed since their last login.
pub struct DeleteDevices {
    /// Storage.
    pub store: Store,
}

#[async_trait]
impl Task for DeleteDevices {
    fn schedule(&self) -> Schedule {
        every_minute("delete_devices")
    }

    async fn run(&mut self, now: DateTime<Utc>) -> Result<(), TaskError> {
        delete_older("devices", now, Duration::ZERO, |before, limit| self.store.remove_devices(before, limit))
            .await
    }
}
