//! [`BlobId`]: the id that git gives the contents of a file, made as they pass by. libgit2 has it
//! only of a whole file at a path, which nothing can interrupt.

use sha1_smol::Sha1;

/// The id of contents whose length is known beforehand.
pub(crate) struct BlobId(Sha1);

impl BlobId {
    pub(crate) fn new(bytes: u64) -> Self {
        let mut hash = Sha1::new();
        hash.update(format!("blob {bytes}\0").as_bytes());
        Self(hash)
    }

    /// The id of contents that are at hand.
    pub(crate) fn of(contents: &[u8]) -> String {
        let mut id = Self::new(contents.len() as u64);
        id.update(contents);
        id.hex()
    }

    pub(crate) fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// What `git hash-object` prints.
    pub(crate) fn hex(&self) -> String {
        self.0.digest().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_git_says() {
        assert_eq!(BlobId::of(b""), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
        let mut id = BlobId::new(6);
        id.update(b"hel");
        id.update(b"lo\n");
        assert_eq!(id.hex(), "ce013625030ba8dba906f756967f9e9ca394464a");
    }
}
