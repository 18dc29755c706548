//! Password hashes alone: as many as these threads make on the server's cores, with the server's parameters and nothing
//! else to do. A process of its own, so that it has the server's allocator and nobody's memory.

use std::{
    io::Write as _,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use argon2::{Algorithm, Argon2, Block, Params, Version};

/// Hashes a password again and again for so long, each thread in memory of its own, and prints how many a second.
pub(crate) fn run(threads: usize, length: Duration) -> anyhow::Result<()> {
    let params = Params::new(Params::DEFAULT_M_COST, Params::DEFAULT_T_COST, Params::DEFAULT_P_COST, None);
    let params = params.map_err(|error| anyhow::anyhow!("{error}"))?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let (hashes, begun) = (AtomicU64::new(0), Instant::now());
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut blocks = vec![Block::new(); argon2.params().block_count()];
                let (password, salt, mut hash) = (b"correct horse battery", b"a salt for a test", [0; 32]);
                while begun.elapsed() < length {
                    if argon2.hash_password_into_with_memory(password, salt, &mut hash, &mut blocks).is_ok() {
                        hashes.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    #[expect(clippy::cast_precision_loss, reason = "counts of a few seconds")]
    let a_second = hashes.into_inner() as f64 / begun.elapsed().as_secs_f64();
    writeln!(std::io::stdout(), "{a_second}").context("standard output is closed")
}
