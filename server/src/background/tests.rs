//! The driver, with a clock that is moved and tasks that report what they do.

use std::sync::Arc;

use chrono::TimeDelta;
use metrics_exporter_prometheus::PrometheusBuilder;
use tempfile::TempDir;
use tokio::sync::{Notify, mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::*;
use crate::{
    clock::Clock,
    storage::{Store, StoreSettings},
};

const MINUTE: Duration = Duration::from_mins(1);

/// What a run of a [`Probe`] does.
#[derive(Clone, Copy)]
enum Act {
    Succeed,
    Fail(&'static str),
    Panic,
    Hang,
}

/// A task that does these, one a run, then succeeds; it sends the time of each run.
struct Probe {
    schedule: Schedule,
    acts: Vec<Act>,
    ran: mpsc::UnboundedSender<DateTime<Utc>>,
    wake_up: Arc<Notify>,
}

#[async_trait]
impl Task for Probe {
    fn schedule(&self) -> Schedule {
        self.schedule
    }

    async fn run(&mut self, now: DateTime<Utc>) -> Result<(), TaskError> {
        self.ran.send(now).unwrap();
        let act = if self.acts.is_empty() { Act::Succeed } else { self.acts.remove(0) };
        match act {
            Act::Succeed => Ok(()),
            Act::Fail(error) => Err(error.into()),
            Act::Panic => panic!("on purpose"),
            Act::Hang => std::future::pending().await,
        }
    }

    async fn woken(&mut self) {
        self.wake_up.notified().await;
    }
}

/// A driver with one task, or several.
struct World {
    clock: Clock,
    driver: Driver,
    statuses: Statuses,
    tasks: TaskTracker,
    shutdown: CancellationToken,
    _folder: TempDir,
}

impl World {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let url = format!("sqlite:{}", folder.path().join("test.db").display());
        let store = Store::open(&url, &StoreSettings::default()).unwrap();
        let clock = Clock::system();
        let driver = Driver::new(store, clock.clone());
        let (statuses, tasks, shutdown) = (driver.statuses(), <_>::default(), <_>::default());
        Self { clock, driver, statuses, tasks, shutdown, _folder: folder }
    }

    /// Starts a probe. Returns the times of its runs and what wakes it.
    fn start(
        &self,
        schedule: Schedule,
        acts: &[Act],
    ) -> (mpsc::UnboundedReceiver<DateTime<Utc>>, Arc<Notify>) {
        let ((ran, runs), wake_up) = (mpsc::unbounded_channel(), Arc::<Notify>::default());
        let probe = Probe { schedule, acts: acts.to_vec(), ran, wake_up: wake_up.clone() };
        self.driver.start(vec![Box::new(probe)], &self.tasks, &self.shutdown);
        (runs, wake_up)
    }
}

#[tokio::test]
async fn a_task_runs_at_the_start_and_once_an_interval() {
    let world = World::new();
    let (mut runs, _) = world.start(Schedule::every(MINUTE, "probe"), &[]);
    let first = runs.recv().await.unwrap();
    world.statuses.after_runs("probe", 1).await;
    world.clock.advance(MINUTE);
    let second = runs.recv().await.unwrap();
    assert!(second - first >= TimeDelta::minutes(1), "{first} {second}");
    assert!(runs.is_empty());
}

#[tokio::test]
async fn a_task_that_does_not_run_at_the_start_waits_an_interval() {
    let world = World::new();
    let started = world.clock.now();
    let (mut runs, _) = world.start(Schedule::every(MINUTE, "probe").not_at_start(), &[]);
    // It begins to wait.
    tokio::task::yield_now().await;
    world.clock.advance(MINUTE);
    assert!(runs.recv().await.unwrap() - started >= TimeDelta::minutes(1));
}

#[tokio::test]
async fn a_wake_up_runs_a_task_at_once() {
    let world = World::new();
    let (mut runs, wake_up) = world.start(Schedule::every(MINUTE, "probe"), &[]);
    let first = runs.recv().await.unwrap();
    wake_up.notify_one();
    let second = runs.recv().await.unwrap();
    assert!(second - first < TimeDelta::minutes(1), "{first} {second}");
}

#[tokio::test]
async fn the_machines_time_is_not_moved_with_the_clock() {
    let world = World::new();
    let (mut moved, _) = world.start(Schedule::every(MINUTE, "moved"), &[]);
    let (mut unmoved, wake_up) = world.start(Schedule::every(MINUTE, "unmoved").in_machine_time(), &[]);
    let (_, first) = (moved.recv().await, unmoved.recv().await.unwrap());
    world.clock.advance(MINUTE);
    moved.recv().await.unwrap();
    wake_up.notify_one();
    let second = unmoved.recv().await.unwrap();
    assert!(second - first >= TimeDelta::minutes(1), "the second run is the one that was woken");
    assert!(unmoved.is_empty());
}

#[tokio::test]
async fn a_failure_is_kept_until_a_run_succeeds() {
    let world = World::new();
    let acts = [Act::Succeed, Act::Fail("no room"), Act::Fail("no room"), Act::Succeed];
    let (mut runs, _) = world.start(Schedule::every(MINUTE, "probe"), &acts);
    let first = runs.recv().await.unwrap();
    let mut status = world.statuses.after_runs("probe", 1).await;
    assert_eq!((status.last_success, status.failures_in_a_row), (Some(first), 0));
    for failures in 1..=2 {
        world.clock.advance(MINUTE);
        let began = runs.recv().await.unwrap();
        status = world.statuses.after_runs("probe", 1 + failures).await;
        assert_eq!((status.last_success, status.failures_in_a_row), (Some(first), failures));
        let last = status.last_run.unwrap();
        assert_eq!((last.started_at, last.outcome), (began, Outcome::Failed { error: "no room".to_owned() }));
    }
    world.clock.advance(MINUTE);
    let fourth = runs.recv().await.unwrap();
    status = world.statuses.after_runs("probe", 4).await;
    assert_eq!((status.last_success, status.failures_in_a_row), (Some(fourth), 0));
    assert_eq!(status.running_since, None);
}

#[tokio::test]
async fn a_failure_that_people_wait_for_is_repeated_before_the_interval_ends() {
    let world = World::new();
    let schedule = Schedule::every(MINUTE, "probe").retried_after(Duration::from_millis(1));
    let (mut runs, _) = world.start(schedule, &[Act::Fail("no room")]);
    let (first, second) = (runs.recv().await.unwrap(), runs.recv().await.unwrap());
    assert!(second - first < TimeDelta::minutes(1), "{first} {second}");
}

#[tokio::test]
async fn a_panic_ends_neither_its_task_nor_another_and_is_counted() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let counts = recorder.handle();
    let _counting = metrics::set_default_local_recorder(&recorder);
    let world = World::new();
    let (mut panicking, _) = world.start(Schedule::every(MINUTE, "panicking"), &[Act::Panic]);
    let (mut calm, _) = world.start(Schedule::every(MINUTE, "calm"), &[]);
    let (_, began) = (panicking.recv().await, calm.recv().await);
    let status = world.statuses.after_runs("panicking", 1).await;
    assert_eq!(status.last_run.unwrap().outcome, Outcome::Panicked);
    world.statuses.after_runs("calm", 1).await;
    world.clock.advance(MINUTE);
    assert!(panicking.recv().await > began && calm.recv().await > began);
    for (task, runs) in [("panicking", 2), ("calm", 2)] {
        world.statuses.after_runs(task, runs).await;
    }
    let text = counts.render();
    for (labels, count) in [
        (r#"task="panicking",outcome="panicked""#, 1),
        (r#"task="panicking",outcome="succeeded""#, 1),
        (r#"task="calm",outcome="succeeded""#, 2),
    ] {
        assert!(text.contains(&format!("countersign_background_runs_total{{{labels}}} {count}")), "{text}");
    }
    let newest = format!("timestamp_seconds{{task=\"calm\"}} {}", world.clock.now().timestamp());
    let a_second_before = format!("timestamp_seconds{{task=\"calm\"}} {}", world.clock.now().timestamp() - 1);
    assert!(text.contains(&newest) || text.contains(&a_second_before), "{text}");
}

#[tokio::test]
async fn shutdown_ends_tasks_that_wait_and_tasks_that_run() {
    let world = World::new();
    let (mut waiting, _) = world.start(Schedule::every(MINUTE, "waiting"), &[]);
    let (mut hanging, _) = world.start(Schedule::every(MINUTE, "hanging"), &[Act::Hang]);
    let (_, began) = (waiting.recv().await, hanging.recv().await);
    assert_eq!(world.statuses.after_runs("hanging", 0).await.running_since, began);
    world.shutdown.cancel();
    world.tasks.close();
    world.tasks.wait().await;
    assert_eq!((waiting.recv().await, hanging.recv().await), (None, None));
}
