//! The threads that hash, and which job runs next.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::fair_queue::{Admission, Client, FairQueue};

/// What a job is told when it leaves the queue.
pub(super) enum Turn {
    /// It runs, and holds a thread until it drops this.
    Now(Slot),
    /// It does not run: the queue is full.
    Never,
}

type Job = Box<dyn FnOnce(Turn) + Send>;

/// Threads, and the jobs that wait for one.
pub(super) struct Pool {
    threads: rayon::ThreadPool,
    state: Mutex<State>,
}

struct State {
    free: usize,
    queue: FairQueue<Job>,
}

/// A thread that a job has. Dropping it starts the next job, also where this one panicked.
pub(super) struct Slot(Arc<Pool>);

impl Pool {
    /// A pool over these threads, with so many places to wait.
    pub(super) fn new(threads: rayon::ThreadPool, places: usize) -> Self {
        let free = threads.current_num_threads();
        Self { threads, state: Mutex::new(State { free, queue: FairQueue::new(places) }) }
    }

    /// Runs a job as soon as it is its client's turn, or tells it, or the one that it displaces, that there is no place.
    pub(super) fn submit(self: &Arc<Self>, client: &Client, job: Job) {
        let mut state = self.lock();
        if state.free > 0 {
            state.free -= 1;
            drop(state);
            return self.start(job);
        }
        let admission = state.queue.push(client, job);
        drop(state);
        match admission {
            Admission::Queued => {}
            Admission::Displaced(job) | Admission::Rejected(job) => job(Turn::Never),
        }
    }

    fn start(self: &Arc<Self>, job: Job) {
        let slot = Slot(self.clone());
        self.threads.spawn(move || job(Turn::Now(slot)));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        let Some(job) = state.queue.pop() else {
            state.free += 1;
            return;
        };
        drop(state);
        self.0.start(job);
    }
}
