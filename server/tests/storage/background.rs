//! Background tasks of several instances on one database.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use countersign::{
    background::{Driver, Outcome, Schedule, Statuses, Task, TaskError},
    clock::Clock,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::*;

const TASK: &str = "count";
const MINUTE: Duration = Duration::from_mins(1);

/// A task that counts its runs.
struct Count(Arc<AtomicU64>);

#[async_trait]
impl Task for Count {
    fn schedule(&self) -> Schedule {
        Schedule::every(MINUTE, TASK).leased()
    }

    async fn run(&mut self, _now: DateTime<Utc>) -> Result<(), TaskError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

async fn of_the_instances_one_runs_a_leased_task_in_each_interval(database: &Database) {
    let (clock, tasks, shutdown) = (Clock::system(), TaskTracker::new(), CancellationToken::new());
    let count = Arc::<AtomicU64>::default();
    let instances: Vec<Statuses> = std::iter::repeat_with(|| {
        let driver = Driver::new(database.store.clone(), clock.clone());
        driver.start(vec![Box::new(Count(count.clone()))], &tasks, &shutdown);
        driver.statuses()
    })
    .take(3)
    .collect();
    for interval in 1..=4 {
        let mut outcomes = Vec::new();
        for instance in &instances {
            outcomes.push(instance.after_runs(TASK, interval).await.last_run.unwrap().outcome);
        }
        let succeeded = outcomes.iter().filter(|outcome| **outcome == Outcome::Succeeded).count();
        let skipped = outcomes.iter().filter(|outcome| **outcome == Outcome::Skipped).count();
        assert_eq!((succeeded, skipped, count.load(Ordering::Relaxed)), (1, 2, interval), "{outcomes:?}");
        // Beyond the moment of whoever was last.
        clock.advance(MINUTE + Duration::from_secs(10));
    }
    shutdown.cancel();
    tasks.close();
    tasks.wait().await;
}

async fn a_lease_that_cannot_be_read_fails_the_run(database: &Database) {
    let (clock, tasks, shutdown) = (Clock::system(), TaskTracker::new(), CancellationToken::new());
    let count = Arc::<AtomicU64>::default();
    database.execute("drop table leases").await;
    let driver = Driver::new(database.store.clone(), clock);
    driver.start(vec![Box::new(Count(count.clone()))], &tasks, &shutdown);
    let status = driver.statuses().after_runs(TASK, 1).await;
    assert!(matches!(status.last_run.unwrap().outcome, Outcome::Failed { .. }));
    assert_eq!((status.failures_in_a_row, count.load(Ordering::Relaxed)), (1, 0));
    shutdown.cancel();
}

on_both_databases! {
    afterwards every_query_used_an_index: of_the_instances_one_runs_a_leased_task_in_each_interval,
}

mod without_leases {
    use super::{Database, a_lease_that_cannot_be_read_fails_the_run};

    super::on_both_databases! {
        afterwards nothing_is_counted: a_lease_that_cannot_be_read_fails_the_run,
    }
}
