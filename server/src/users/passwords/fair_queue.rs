//! The queue of passwords that wait for a thread: fair by network, without a cap.
//!
//! It holds no lock, no clock and no thread. Networks take turns, and so do the customers within a network. A network may use every
//! place that no other network waits for. When the queue is full, a newcomer takes the place of the newest job of the network
//! that holds most, unless its own network holds as many. A quarter of the places, and of the turns, is kept for known devices.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
};

use crate::{limits, model::Email};

/// One in so many places and turns is kept for known devices.
const KEPT_FOR_KNOWN_DEVICES: usize = 4;

/// Which clients a job shares its turns with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::users) enum Client {
    /// A known device: first its network, since accounts are cheap, then its user within the network.
    KnownDevice([String; 2]),
    /// Any other client: first its network, then its customer within the network.
    Stranger([String; 2]),
}

/// What happened to a job that was added.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Admission<T> {
    /// It waits.
    Queued,
    /// It waits, in the place of this one.
    Displaced(T),
    /// There is no place for it.
    Rejected(T),
}

/// Jobs in the order of their turns.
pub(super) struct FairQueue<T> {
    places: usize,
    kept: usize,
    known: Ring<Ring<VecDeque<T>>>,
    strangers: Ring<Ring<VecDeque<T>>>,
    /// Turns of strangers since the last one of a known device.
    turns_of_strangers: usize,
}

impl Client {
    /// A client without a known device. Clients without a known address share their turns.
    pub(in crate::users) fn stranger(from: Option<IpAddr>) -> Self {
        Self::Stranger(limits::queue_path(from))
    }

    /// A known device of this user. All devices of one user in a network share their turns.
    pub(in crate::users) fn known(user: &Email, from: Option<IpAddr>) -> Self {
        let [network, _customer] = limits::queue_path(from);
        Self::KnownDevice([network, user.as_str().to_owned()])
    }
}

impl<T> FairQueue<T> {
    /// An empty queue with so many places.
    pub(super) fn new(places: usize) -> Self {
        Self {
            places,
            kept: places / KEPT_FOR_KNOWN_DEVICES,
            known: Ring::default(),
            strangers: Ring::default(),
            turns_of_strangers: 0,
        }
    }

    /// Adds a job, where there is a place for it or it has more right to one than another job.
    pub(super) fn push(&mut self, client: &Client, job: T) -> Admission<T> {
        let is_full = self.known.len() + self.strangers.len() >= self.places;
        let displaced = match client {
            Client::KnownDevice(path) => {
                let displaced = if is_full { self.displace_for_known(path) } else { None };
                if is_full && displaced.is_none() {
                    return Admission::Rejected(job);
                }
                self.known.push(path, job);
                displaced
            }
            Client::Stranger(path) => {
                let has_share = self.strangers.len() < self.places - self.kept;
                let displaced = match (is_full, has_share) {
                    (false, true) => None,
                    // Known devices hold more than what is kept for them.
                    (true, true) => self.known.shed(),
                    (_, false) => self.strangers.displace(path),
                };
                if (is_full || !has_share) && displaced.is_none() {
                    return Admission::Rejected(job);
                }
                self.strangers.push(path, job);
                displaced
            }
        };
        displaced.map_or(Admission::Queued, Admission::Displaced)
    }

    /// What a known device displaces in a full queue: the newest job of whoever holds most, other known devices included.
    fn displace_for_known(&mut self, path: &[String; 2]) -> Option<T> {
        let own = self.known.length_of(&path[0]);
        let of_strangers = self.strangers.longest();
        if of_strangers >= self.known.longest() && of_strangers > own + 1 {
            self.strangers.shed()
        } else {
            self.known.displace(path)
        }
    }

    /// Removes the job whose turn it is.
    pub(super) fn pop(&mut self) -> Option<T> {
        let is_turn_of_known =
            self.strangers.len() == 0 || self.turns_of_strangers + 1 >= KEPT_FOR_KNOWN_DEVICES;
        if is_turn_of_known && let Some(job) = self.known.pop() {
            self.turns_of_strangers = 0;
            return Some(job);
        }
        self.turns_of_strangers = self.turns_of_strangers.saturating_add(1);
        self.strangers.pop()
    }
}

/// Jobs that wait in one line, or in lines that take turns.
trait Line<T>: Default {
    fn len(&self) -> usize;
    fn push(&mut self, path: &[String], job: T);
    fn pop(&mut self) -> Option<T>;
    /// Removes the newest job of the longest line.
    fn shed(&mut self) -> Option<T>;
    /// Makes a place for a job of this path: removes the newest job of the longest line, where that line stays at least as long as
    /// the newcomer's becomes.
    fn displace(&mut self, path: &[String]) -> Option<T>;
}

impl<T> Line<T> for VecDeque<T> {
    fn len(&self) -> usize {
        Self::len(self)
    }

    fn push(&mut self, _: &[String], job: T) {
        self.push_back(job);
    }

    fn pop(&mut self) -> Option<T> {
        self.pop_front()
    }

    fn shed(&mut self) -> Option<T> {
        self.pop_back()
    }

    fn displace(&mut self, _: &[String]) -> Option<T> {
        None
    }
}

/// Lines that take turns: each that is not empty has one in a round.
struct Ring<L> {
    lines: HashMap<String, L>,
    /// The keys of the lines, the next turn first.
    turns: VecDeque<String>,
    len: usize,
}

impl<L> Default for Ring<L> {
    fn default() -> Self {
        Self { lines: HashMap::new(), turns: VecDeque::new(), len: 0 }
    }
}

impl<L> Ring<L> {
    fn len(&self) -> usize {
        self.len
    }

    fn length_of<T>(&self, key: &str) -> usize
    where
        L: Line<T>,
    {
        self.lines.get(key).map_or(0, Line::len)
    }

    /// The length of the longest line.
    fn longest<T>(&self) -> usize
    where
        L: Line<T>,
    {
        self.lines.values().map(Line::len).max().unwrap_or_default()
    }

    /// Removes one job of a line, and the line when it has none left.
    fn remove<T>(&mut self, key: &str, remove: impl FnOnce(&mut L) -> Option<T>) -> Option<T>
    where
        L: Line<T>,
    {
        let line = self.lines.get_mut(key)?;
        let job = remove(line)?;
        self.len -= 1;
        if line.len() == 0 {
            self.lines.remove(key);
            self.turns.retain(|turn| turn != key);
        }
        Some(job)
    }
}

impl<T, L: Line<T>> Line<T> for Ring<L> {
    fn len(&self) -> usize {
        self.len
    }

    fn push(&mut self, path: &[String], job: T) {
        let Some((key, rest)) = path.split_first() else { return };
        if !self.lines.contains_key(key) {
            self.turns.push_back(key.clone());
        }
        self.lines.entry(key.clone()).or_default().push(rest, job);
        self.len += 1;
    }

    fn pop(&mut self) -> Option<T> {
        let key = self.turns.front()?.clone();
        let job = self.remove(&key, Line::pop);
        if self.lines.contains_key(&key) {
            self.turns.rotate_left(1);
        }
        job
    }

    fn shed(&mut self) -> Option<T> {
        let longest = self.turns.iter().max_by_key(|key| self.length_of(key))?.clone();
        self.remove(&longest, Line::shed)
    }

    fn displace(&mut self, path: &[String]) -> Option<T> {
        let (key, rest) = path.split_first()?;
        if self.longest() > self.length_of(key) + 1 {
            return self.shed();
        }
        self.remove(key, |line| line.displace(rest))
    }
}

#[cfg(test)]
mod tests;
