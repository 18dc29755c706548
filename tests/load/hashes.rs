//! Password hashes alone: as many as these threads make on the server's cores, with the server's parameters and nothing
//! else to do. A process of its own, so that it has the server's allocator and nobody's memory.

use std::{
    io::Write as _,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use argon2::password_hash::PasswordHasher as _;
use argon2::{Algorithm, Argon2, Params, Version, password_hash::PasswordVerifier as _};

/// Verifies passwords for so long, and prints how many a second.
pub(crate) fn run(threads: usize, length: Duration) -> anyhow::Result<()> {
    let params = Params::new(Params::DEFAULT_M_COST, Params::DEFAULT_T_COST, Params::DEFAULT_P_COST, None);
    let params = params.map_err(|error| anyhow::anyhow!("{error}"))?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash =
        argon2.hash_password_with_salt(b"correct horse battery", b"a salt for a test").map_err(failed)?;
    let (hashes, begun) = (AtomicU64::new(0), Instant::now());
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while begun.elapsed() < length {
                    if argon2.verify_password(b"correct horse battery", &hash).is_ok() {
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

fn failed(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow::anyhow!("{error}")
}
