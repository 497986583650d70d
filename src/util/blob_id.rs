//! [`BlobId`]: computes the id that git gives to the contents of a file, piece by piece. libgit2
//! computes it only for a whole file at a path, and that call cannot be interrupted.

use sha1_smol::Sha1;

/// Computes the blob id of contents whose length is known beforehand.
pub(crate) struct BlobId(Sha1);

impl BlobId {
    pub(crate) fn new(bytes: u64) -> Self {
        let mut hash = Sha1::new();
        hash.update(format!("blob {bytes}\0").as_bytes());
        Self(hash)
    }

    /// Returns the blob id of these contents.
    pub(crate) fn of(contents: &[u8]) -> String {
        let mut id = Self::new(contents.len() as u64);
        id.update(contents);
        id.hex()
    }

    pub(crate) fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// Returns the id as `git hash-object` prints it: 40 hexadecimal digits.
    pub(crate) fn hex(&self) -> String {
        self.0.digest().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_id_of_git() {
        assert_eq!(BlobId::of(b""), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
        let mut id = BlobId::new(6);
        id.update(b"hel");
        id.update(b"lo\n");
        assert_eq!(id.hex(), "ce013625030ba8dba906f756967f9e9ca394464a");
    }
}
