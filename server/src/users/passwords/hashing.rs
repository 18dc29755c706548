//! One argon2id hash, in memory that the thread keeps.
//!
//! Memory that is asked for anew with each hash is given out page by page and taken back from every core: a third of a hash's
//! time, and a stumble for all other threads of the process.

use std::cell::RefCell;

use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::phc::{Output, ParamsString, PasswordHash, Salt},
};
use zeroize::Zeroize as _;

use super::{PasswordError, argon2_failed};

/// Those that are made of password and salt alone.
const FIRST_BLOCKS: usize = 2;

thread_local! {
    /// As much as the largest hash of this thread has needed, and no more than one of today does.
    static BLOCKS: RefCell<Vec<Block>> = const { RefCell::new(Vec::new()) };
}

/// Hashes a password with this salt, as a PHC string tells it.
pub(super) fn hash(argon2: &Argon2<'_>, password: &[u8], salt: &[u8]) -> Result<PasswordHash, PasswordError> {
    let length = argon2.params().output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
    Ok(PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(argon2.params()).map_err(argon2_failed)?,
        salt: Some(Salt::new(salt).map_err(argon2_failed)?),
        hash: Some(derive(argon2, (password, salt), length, argon2.params().block_count())?),
    })
}

/// Whether the password is that of the hash, with the parameters that the hash was made with; of the memory, `kept` blocks are
/// kept. Takes the same time whatever differs.
pub(super) fn is_of(password: &[u8], hash: &PasswordHash, kept: usize) -> Result<bool, PasswordError> {
    let (Some(salt), Some(expected)) = (&hash.salt, &hash.hash) else {
        return Err(PasswordError::Argon2("a hash without a salt or without its end".to_owned()));
    };
    let algorithm = Algorithm::try_from(hash.algorithm.as_str()).map_err(argon2_failed)?;
    let version = hash.version.map(Version::try_from).transpose().map_err(argon2_failed)?.unwrap_or_default();
    let argon2 = Argon2::new(algorithm, version, Params::try_from(hash).map_err(argon2_failed)?);
    // Compared in constant time, as `Output` does.
    Ok(derive(&argon2, (password, salt), expected.len(), kept)? == *expected)
}

fn derive(
    argon2: &Argon2<'_>,
    (password, salt): (&[u8], &[u8]),
    length: usize,
    kept: usize,
) -> Result<Output, PasswordError> {
    let needed = argon2.params().block_count();
    BLOCKS.with_borrow_mut(|blocks| {
        if blocks.len() < needed {
            blocks.reserve_exact(needed - blocks.len());
            blocks.resize(needed, Block::new());
        }
        let mut output = [0; Output::MAX_LENGTH];
        let output = output.get_mut(..length).ok_or_else(|| argon2_failed("too long a hash"))?;
        let hashed = argon2.hash_password_into_with_memory(password, salt, output, &mut blocks[..needed]);
        blocks.iter_mut().take(guessable(argon2.params())).for_each(Block::zeroize);
        blocks.truncate(kept);
        blocks.shrink_to(kept);
        hashed.map_err(argon2_failed)?;
        Output::new(output).map_err(argon2_failed)
    })
}

/// How many blocks must not stay as they are: those that a guess could be held against without filling all of them. The second
/// pass goes over every block with what comes of the whole first one. Without it each block stays what the few before it make of
/// password and salt, and the third one is as good for guessing as the first.
fn guessable(params: &Params) -> usize {
    if params.t_cost() == 1 { params.block_count() } else { FIRST_BLOCKS }
}

/// How many blocks this thread keeps.
#[cfg(test)]
pub(super) fn kept_blocks() -> usize {
    BLOCKS.with_borrow(Vec::capacity)
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};

    use super::*;

    fn argon2(memory_kib: u32, passes: u32) -> Argon2<'static> {
        let params = Params::new(memory_kib, passes, 1, None).unwrap();
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
    }

    #[test]
    fn hashes_are_those_of_the_library_whatever_lay_in_the_memory_before() {
        let salt = b"sixteen bytes it";
        for (memory_kib, passes) in [(256, 1), (64, 3), (128, 2), (64, 1)] {
            let argon2 = argon2(memory_kib, passes);
            let ours = hash(&argon2, b"correct horse", salt).unwrap();
            assert_eq!(ours, argon2.hash_password_with_salt(b"correct horse", salt).unwrap());
            let is_of = |password| is_of(password, &ours, 256).unwrap();
            assert!(is_of(b"correct horse") && !is_of(b"correct horsf"));
            assert!(argon2.verify_password(b"correct horse", &ours).is_ok());
        }
    }

    #[test]
    fn nothing_stays_that_a_guess_could_be_held_against_without_the_rest() {
        let is_empty = |block: &Block| block.as_ref().iter().all(|word| *word == 0);
        hash(&argon2(64, 1), b"correct horse", b"sixteen bytes it").unwrap();
        BLOCKS.with_borrow(|blocks| assert!(blocks.len() == 64 && blocks.iter().all(is_empty)));
        hash(&argon2(64, 2), b"correct horse", b"sixteen bytes it").unwrap();
        BLOCKS.with_borrow(|blocks| {
            assert!(blocks[..FIRST_BLOCKS].iter().all(is_empty));
            assert!(!blocks[FIRST_BLOCKS..].iter().any(is_empty), "this is what is looked at");
        });
    }

    #[test]
    fn no_more_memory_is_kept_than_todays_hashes_need() {
        let (salt, today) = (b"sixteen bytes it", argon2(64, 2));
        let old = hash(&argon2(256, 2), b"correct horse", salt).unwrap();
        assert_eq!(kept_blocks(), 256);
        assert!(is_of(b"correct horse", &old, today.params().block_count()).unwrap());
        assert_eq!(kept_blocks(), 64);
        // One that needs less leaves the rest where it is.
        let older = hash(&argon2(32, 2), b"correct horse", salt).unwrap();
        assert_eq!(kept_blocks(), 32);
        hash(&today, b"correct horse", salt).unwrap();
        assert!(is_of(b"correct horse", &older, today.params().block_count()).unwrap());
        assert_eq!(kept_blocks(), 64);
    }

    #[test]
    fn a_hash_without_an_end_is_nobodys() {
        let unfinished = PasswordHash::new("$argon2id$v=19$m=64,t=1,p=1$c2l4dGVlbiBieXRlcyBpdA").unwrap();
        assert!(matches!(is_of(b"", &unfinished, 0), Err(PasswordError::Argon2(_))));
    }
}
