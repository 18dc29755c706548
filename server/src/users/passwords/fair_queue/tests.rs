//! The queue alone: who waits, who has to leave, whose turn it is.

use super::*;

fn from(address: &str) -> Client {
    Client::stranger(Some(address.parse().unwrap()))
}

/// A known device, in a network that users whose emails begin alike share.
fn known(user: &str) -> Client {
    known_at(user, &format!("10.{}.0.1", user.as_bytes()[0]))
}

fn known_at(user: &str, address: &str) -> Client {
    Client::known(&Email::parse(user).unwrap(), Some(address.parse().unwrap()))
}

/// Adds so many jobs of a client. Returns how many of them wait.
fn fill(queue: &mut FairQueue<String>, client: &Client, name: &str, count: usize) -> usize {
    (0..count)
        .filter(|number| !matches!(queue.push(client, format!("{name} {number}")), Admission::Rejected(_)))
        .count()
}

fn drain(queue: &mut FairQueue<String>) -> Vec<String> {
    std::iter::from_fn(|| queue.pop()).collect()
}

/// The first word of each job.
fn names(jobs: &[String]) -> Vec<&str> {
    jobs.iter().map(|job| job.split(' ').next().unwrap()).collect()
}

#[test]
fn a_network_may_use_every_place_that_no_other_waits_for() {
    let mut queue = FairQueue::new(128);
    assert_eq!(fill(&mut queue, &from("203.0.113.5"), "one", 150), 96);
    // In the order in which they came.
    let jobs = drain(&mut queue);
    assert_eq!((jobs.len(), jobs[0].as_str(), jobs[95].as_str()), (96, "one 0", "one 95"));
}

#[test]
fn a_newcomer_displaces_the_newest_of_the_largest_network() {
    let mut queue = FairQueue::new(16);
    fill(&mut queue, &from("203.0.113.5"), "large", 8);
    fill(&mut queue, &from("198.51.100.5"), "small", 4);
    let admission = queue.push(&from("192.0.2.5"), "new".to_owned());
    assert_eq!(admission, Admission::Displaced("large 7".to_owned()));
    let jobs = drain(&mut queue);
    assert_eq!(names(&jobs)[..6], ["large", "small", "new", "large", "small", "large"]);
    assert_eq!(jobs.len(), 12);
}

#[test]
fn among_networks_that_hold_equally_many_nobody_is_displaced() {
    let mut queue = FairQueue::new(16);
    for network in 0..12 {
        assert_eq!(queue.push(&from(&format!("10.0.{network}.1")), network), Admission::Queued);
    }
    for newcomer in [from("10.0.0.1"), from("10.1.0.1"), Client::stranger(None)] {
        assert_eq!(queue.push(&newcomer, 99), Admission::Rejected(99));
    }
}

#[test]
fn the_owner_is_never_refused_however_many_connections_attack() {
    let mut queue = FairQueue::new(128);
    let (attacker, owner) = (from("203.0.113.5"), from("198.51.100.5"));
    for login in 0..28 {
        fill(&mut queue, &attacker, "attack", 150);
        let admission = queue.push(&owner, "owner".to_owned());
        assert!(matches!(admission, Admission::Displaced(_)), "login {login}: {admission:?}");
        fill(&mut queue, &attacker, "attack", 150);
        let next: Vec<_> = (0..2).map_while(|_| queue.pop()).collect();
        assert!(next.contains(&"owner".to_owned()), "login {login}: {next:?}");
    }
}

#[test]
fn customers_of_one_network_share_its_turns() {
    let mut queue = FairQueue::new(16);
    // A home line is one customer whatever addresses it uses, and its region is one network.
    fill(&mut queue, &from("2001:db8:0:100::1"), "home", 6);
    fill(&mut queue, &from("2001:db8:0:1ff::1"), "home", 6);
    let neighbour = queue.push(&from("2001:db8:0:200::1"), "neighbour 0".to_owned());
    assert!(matches!(neighbour, Admission::Displaced(_)));
    fill(&mut queue, &from("2001:db8:1::1"), "elsewhere", 3);
    let jobs = drain(&mut queue);
    assert_eq!(names(&jobs)[..6], ["home", "elsewhere", "neighbour", "elsewhere", "home", "elsewhere"]);
}

#[test]
fn clients_without_a_known_address_have_one_share_together() {
    let mut queue = FairQueue::new(128);
    fill(&mut queue, &Client::stranger(None), "unknown", 150);
    assert!(matches!(queue.push(&from("192.0.2.5"), "known".to_owned()), Admission::Displaced(_)));
    assert_eq!(names(&drain(&mut queue))[..3], ["unknown", "known", "unknown"]);
}

#[test]
fn a_quarter_of_places_and_turns_is_kept_for_known_devices() {
    let mut queue = FairQueue::new(16);
    assert_eq!(fill(&mut queue, &from("203.0.113.5"), "stranger", 100), 12);
    assert_eq!(fill(&mut queue, &known("ada@example.com"), "known", 4), 4);
    let jobs = drain(&mut queue);
    let expected = ["stranger", "stranger", "stranger", "known"].repeat(4);
    assert_eq!(names(&jobs), expected);
}

#[test]
fn known_devices_give_back_what_they_borrowed() {
    let mut queue = FairQueue::new(16);
    assert_eq!(fill(&mut queue, &known("ada@example.com"), "ada", 20), 16);
    // A stranger has three quarters, another known user a fair part of the rest.
    let stranger = queue.push(&from("203.0.113.5"), "stranger 0".to_owned());
    assert_eq!(stranger, Admission::Displaced("ada 15".to_owned()));
    let other = queue.push(&known("grace@example.com"), "grace 0".to_owned());
    assert_eq!(other, Admission::Displaced("ada 14".to_owned()));
    assert!(fill(&mut queue, &from("203.0.113.5"), "stranger", 11) == 11);
    let jobs = drain(&mut queue);
    assert_eq!(names(&jobs).iter().filter(|name| **name == "stranger").count(), 12);
    assert_eq!(jobs.len(), 16);
}

#[test]
fn a_known_device_displaces_a_crowd_and_not_other_single_ones() {
    let mut queue = FairQueue::new(8);
    for user in ["a@example.com", "b@example.com"] {
        assert_eq!(queue.push(&known(user), user.to_owned()), Admission::Queued);
    }
    fill(&mut queue, &from("203.0.113.5"), "crowd", 6);
    let third = queue.push(&known("c@example.com"), "c".to_owned());
    assert_eq!(third, Admission::Displaced("crowd 5".to_owned()));
    // Nobody holds two by now who could spare one for another.
    let mut queue = FairQueue::new(4);
    for user in ["a@example.com", "b@example.com", "c@example.com", "d@example.com"] {
        queue.push(&known(user), user.to_owned());
    }
    let fifth = queue.push(&known("e@example.com"), "e".to_owned());
    assert_eq!(fifth, Admission::Rejected("e".to_owned()));
}

#[test]
fn accounts_of_one_network_share_what_is_kept_for_known_devices() {
    let mut queue = FairQueue::new(8);
    for number in 0..9 {
        let account = known_at(&format!("attacker{number}@example.com"), "203.0.113.5");
        queue.push(&account, format!("attacker {number}"));
    }
    let owner = queue.push(&known("owner@example.com"), "owner 0".to_owned());
    assert_eq!(owner, Admission::Displaced("attacker 7".to_owned()));
    assert_eq!(names(&drain(&mut queue))[..3], ["attacker", "owner", "attacker"]);
}

#[test]
fn networks_that_always_wait_get_equally_many_turns() {
    let mut queue = FairQueue::new(400);
    let mut turns = [0_usize; 7];
    for round in 0..700 {
        for network in 0..7_u8 {
            // Some come with a hundred connections, some with one.
            for _ in 0..=(usize::from(network) * (round % 5)).min(100) {
                queue.push(&from(&format!("10.0.{network}.1")), network);
            }
        }
        turns[usize::from(queue.pop().unwrap())] += 1;
    }
    assert_eq!(turns, [100; 7]);
}

#[test]
fn without_places_nobody_waits() {
    let mut queue = FairQueue::new(0);
    assert_eq!(queue.push(&from("192.0.2.5"), 1), Admission::Rejected(1));
    assert_eq!(queue.push(&known("ada@example.com"), 2), Admission::Rejected(2));
    assert_eq!(queue.pop(), None);
}
