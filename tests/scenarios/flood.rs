//! Thousands of peers that want nothing but to be there: others are served meanwhile, and nothing of them stays.

use std::fs;

use futures_util::{StreamExt, stream};
use harness::{Database, Person, Raw, World, allow_open_files, in_time, report, require};

/// Of each kind.
const PEERS: usize = 2_000;
/// How many connect at once, so that none waits for the system's queue to have room.
const AT_ONCE: usize = 64;

/// What a peer does.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// A socket without `connection_init`.
    Silent,
    /// A socket that says much, and reads nothing of what it is answered.
    Deaf,
    /// A socket that sends a byte now and then.
    Slow,
    /// A connection without a request.
    Idle,
    /// A request whose head comes a byte now and then.
    Dripping,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Silent, Self::Deaf, Self::Slow, Self::Idle, Self::Dripping];

    async fn open(self, address: &str) -> Raw {
        match self {
            Self::Silent | Self::Slow => Raw::socket(address).await,
            Self::Deaf => {
                let mut raw = Raw::socket(address).await;
                raw.say(r#"{"type":"connection_init"}"#).await;
                for _ in 0..20 {
                    raw.say(r#"{"type":"ping","payload":{"is":"anybody there"}}"#).await;
                }
                raw
            }
            Self::Idle | Self::Dripping => Raw::connect(address).await,
        }
    }

    /// What it sends when its turn has come. On a busy machine the service may have ended the oldest by then.
    async fn drip(self, raw: &mut Raw, turn: usize) {
        match self {
            Self::Slow => raw.send_if_open(&[[0x81, 0xfe, 0x01, 0x00, 0, 0, 0, 0][turn]]).await,
            Self::Dripping => raw.send_if_open(&[b"GET /hea"[turn]]).await,
            Self::Silent | Self::Deaf | Self::Idle => {}
        }
    }
}

/// Peers of all kinds come, somebody else logs in, and the peers go. The memory while they were there, in kB.
async fn round(world: &World, person: &Person) -> u64 {
    let address = world.service_address();
    let kinds = Kind::ALL.iter().flat_map(|kind| std::iter::repeat_n(*kind, PEERS));
    let opening = stream::iter(kinds).map(|kind| async move { (kind, kind.open(address).await) });
    let mut peers: Vec<_> = opening.buffer_unordered(AT_ONCE).collect().await;
    for turn in 0..4 {
        for (kind, raw) in &mut peers {
            kind.drip(raw, turn).await;
        }
        let session = in_time(async {
            let begun = world.begin_login(person).await;
            world.approve(person, &begun.status).await;
            world.session(&begun.login_token).await
        });
        assert_eq!(session.await.user.email, person.email);
    }
    let memory = world.service_memory_kb();
    stream::iter(peers).for_each_concurrent(None, |(_, raw)| raw.end()).await;
    memory
}

/// The allocator that the service is measured with: that of glibc keeps what is free between what is in use, more each time.
fn jemalloc() -> Result<String, String> {
    const LIBRARY: &str = "libjemalloc.so.2";
    let folders = fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    let library = folders.map(|folder| folder.join(LIBRARY)).find(|library| library.exists());
    library
        .map(|library| library.display().to_string())
        .ok_or_else(|| format!("there is no {LIBRARY} below /usr/lib: install it (Debian: libjemalloc2)"))
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_peers_keep_nobody_from_logging_in_and_leave_nothing_behind() {
    let Some(allocator) = require("jemalloc", jemalloc()) else { return };
    allow_open_files(12_000);
    let limit = (Kind::ALL.len() * PEERS * 2).to_string();
    let world = World::builder(Database::Sqlite)
        .spawned()
        .set("CONNECTIONS_PER_ADDRESS", &limit)
        .set("SOCKETS_PER_ADDRESS", &limit)
        // What hashing needs comes and goes, and would hide what is looked for.
        .set("HASH_MEMORY_KIB", "64")
        .set("LD_PRELOAD", &allocator)
        // Free memory goes back to the system at once, so that what is held is what is in use.
        .set("MALLOC_CONF", "dirty_decay_ms:0,muzzy_decay_ms:0,narenas:1,tcache:false")
        .start()
        .await;
    let person = Person::new();
    world.sign_up(&person).await;
    // What is made once and kept, threads and statements, is there before anything is compared.
    futures_util::future::join_all((0..64).map(|_| world.begin_login(&person))).await;
    let (first, after_first) = (round(&world, &person).await, world.service_memory_kb());
    let (second, after_second) = (round(&world, &person).await, world.service_memory_kb());
    report(&format!(
        "{} peers of each of {} kinds: {first} kB while they were there, {after_first} kB afterwards; {second} kB and \
         {after_second} kB the second time",
        PEERS,
        Kind::ALL.len()
    ));
    assert!(
        after_second * 100 <= after_first * 105,
        "they left {after_first} kB, and then {after_second} kB"
    );
}
