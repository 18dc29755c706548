//! The threads that hash, and which job runs next.
//!
//! Plain threads that sleep on a condition variable while there is no job. A work-stealing pool looks for work for a while before its
//! threads sleep, on cores that others need.

use std::{
    collections::VecDeque,
    io,
    panic::{self, AssertUnwindSafe},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use super::fair_queue::{Admission, Client, FairQueue};

/// What happens to a job when it leaves the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It runs.
    Now,
    /// It does not run: the queue is full.
    Never,
}

type Job = Box<dyn FnOnce(Turn) + Send>;

/// Threads, and the jobs that wait for one. Dropping it ends the threads, each after the job that it runs.
pub(super) struct Pool(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    wakeup: Condvar,
}

struct State {
    /// Threads that sleep, or wake up for a job that was assigned to them.
    idle: usize,
    /// Jobs for idle threads: never more than there are of those.
    assigned: VecDeque<Job>,
    /// Jobs that wait because no thread is idle.
    queue: FairQueue<Job>,
    is_closed: bool,
}

impl Pool {
    /// A pool of so many threads, with so many places to wait. Each thread calls `begin` first.
    pub(super) fn start(threads: usize, places: usize, begin: fn()) -> io::Result<Self> {
        let state =
            State { idle: 0, assigned: VecDeque::new(), queue: FairQueue::new(places), is_closed: false };
        // From here on dropping it ends the threads that have started.
        let pool = Self(Arc::new(Shared { state: Mutex::new(state), wakeup: Condvar::new() }));
        for number in 0..threads {
            // Not when it first sleeps: a job that comes before that is assigned to it.
            pool.0.lock().idle += 1;
            let shared = pool.0.clone();
            thread::Builder::new().name(format!("hash-{number}")).spawn(move || {
                begin();
                shared.work();
            })?;
        }
        Ok(pool)
    }

    /// Runs a job as soon as it is its client's turn, or tells it, or the one that it displaces, that there is no place.
    pub(super) fn submit(&self, client: &Client, job: Job) {
        let mut state = self.0.lock();
        if state.assigned.len() < state.idle {
            state.assigned.push_back(job);
            drop(state);
            return self.0.wakeup.notify_one();
        }
        let admission = state.queue.push(client, job);
        drop(state);
        match admission {
            Admission::Queued => {}
            Admission::Displaced(job) | Admission::Rejected(job) => job(Turn::Never),
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.0.lock().is_closed = true;
        self.0.wakeup.notify_all();
    }
}

impl Shared {
    /// The life of a thread, which is counted as idle when it begins.
    fn work(&self) {
        while let Some(first) = self.wait_for_job() {
            let mut job = Some(first);
            while let Some(next) = job {
                // A panic costs one person an error, and not everybody a thread.
                let _panicked = panic::catch_unwind(AssertUnwindSafe(|| next(Turn::Now)));
                job = self.next_in_queue();
            }
        }
    }

    /// Sleeps until a job is assigned; `None` when the pool is closed.
    fn wait_for_job(&self) -> Option<Job> {
        let is_waiting = |state: &mut State| state.assigned.is_empty() && !state.is_closed;
        let woken = self.wakeup.wait_while(self.lock(), is_waiting);
        let mut state = woken.unwrap_or_else(PoisonError::into_inner);
        state.idle -= 1;
        state.assigned.pop_front()
    }

    /// The job whose turn it is; where there is none, the calling thread becomes idle.
    fn next_in_queue(&self) -> Option<Job> {
        let mut state = self.lock();
        let job = state.queue.pop();
        if job.is_none() {
            state.idle += 1;
        }
        job
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
