//! Finds documents that an operation uses just now, so that operations with equal text share one.
//!
//! The cache beside it holds neither long documents nor those that hold a text. The invariant: no text is stored, only its
//! hash, and a document that nothing uses any more is not kept alive.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use sha2::{Digest as _, Sha256};

/// From how many entries on those of documents that are gone are removed.
const FIRST_SWEEP: usize = 64;

/// The hash of a document's text.
pub(super) type TextHash = [u8; 32];

/// The documents in use, by the hash of their text.
pub(super) struct DocumentsInUse<Document>(Mutex<Entries<Document>>);

struct Entries<Document> {
    documents: HashMap<TextHash, Weak<Document>>,
    /// How many entries the last sweep left.
    left_by_sweep: usize,
}

impl<Document> Default for DocumentsInUse<Document> {
    fn default() -> Self {
        Self(Mutex::new(Entries { documents: HashMap::new(), left_by_sweep: 0 }))
    }
}

/// Returns the hash that a document is found by.
pub(super) fn hash(text: &str) -> TextHash {
    Sha256::digest(text).into()
}

impl<Document> DocumentsInUse<Document> {
    /// Returns the document with this text, if anything uses it.
    pub(super) fn find(&self, hash: &TextHash) -> Option<Arc<Document>> {
        self.entries().documents.get(hash)?.upgrade()
    }

    /// Adds a document that was just parsed.
    pub(super) fn insert(&self, hash: TextHash, document: &Arc<Document>) {
        let mut entries = self.entries();
        entries.documents.insert(hash, Arc::downgrade(document));
        // Twice as many as last time: then a sweep costs each insertion the same, however many there are.
        if entries.documents.len() >= FIRST_SWEEP.max(2 * entries.left_by_sweep) {
            entries.documents.retain(|_, document| document.strong_count() > 0);
            entries.documents.shrink_to_fit();
            entries.left_by_sweep = entries.documents.len();
        }
    }

    fn entries(&self) -> std::sync::MutexGuard<'_, Entries<Document>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries().documents.len()
    }
}
