//! Whole stories, told through `countersign-client` against a spawned server and sandbox. One file a story.

#![expect(clippy::unwrap_used, reason = "scenarios fail by panicking")]

mod account_page;
mod attempts;
mod breaker;
mod browser;
mod callback;
mod code;
mod commands;
mod confirm;
mod cookies;
mod crowd;
mod database;
mod demo;
mod desk;
mod devices;
mod doctor;
mod expiry;
mod fatigue;
mod faults;
mod fleet;
mod flood;
mod guessed_codes;
mod guesses;
mod hints;
mod input;
#[cfg(target_os = "linux")]
mod load;
mod metrics;
mod older_client;
mod outage;
mod outgoing_proxy;
mod page_obstacles;
mod pages;
mod password_queue;
mod passwords;
mod published_clients;
mod pumping;
mod push;
mod restart;
mod shutdown;
mod signup;
mod spying;
mod started_logins;
mod storm;
mod tracing;
mod typescript;
mod watch;
mod wire;
