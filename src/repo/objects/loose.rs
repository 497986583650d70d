//! Reads loose objects: one file each, compressed by zlib. libgit2 does not read them, because it never
//! stops on a truncated file.
//!
//! The size in a file's header is checked before memory is allocated. If the file's bytes cannot unpack
//! to that size, the file is damaged. Objects are compared with their id, because the checksum of zlib
//! misses some flipped bits. Large blobs are not, because that would cost too much.

use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use flate2::{Decompress, FlushDecompress, Status};
use git2::ObjectType;
use sha1_smol::Sha1;

use crate::util::hex;

/// More bytes than any header has: the longest kind, twenty digits, a space and a NUL.
const HEADER_BYTES_MAX: usize = 32;

/// The maximum number of bytes that zlib unpacks from one byte.
const EXPANSION_MAX: u64 = 1032;

/// The size limit of blobs that are compared with their id. For larger ones, that would cost as much as
/// reading them.
const COMPARED_BLOB_BYTES_MAX: usize = 4096;

/// The number of bytes that are read from a file at once. Most objects are smaller.
const CHUNK: usize = 8192;

/// The directories with a repository's loose objects, in the order in which they are searched.
#[derive(Debug)]
pub(in crate::repo) struct LooseObjects {
    dirs: Vec<PathBuf>,
}

/// An open loose object: the fields of its header, and a reader of its contents.
pub(in crate::repo) struct LooseObject {
    pub(in crate::repo) kind: ObjectType,
    /// The number of bytes of the contents.
    pub(in crate::repo) size: u64,
    id: [u8; 20],
    path: PathBuf,
    stream: Inflate,
    /// The first bytes of the contents, which were unpacked together with the header.
    early: Vec<u8>,
    /// The number of bytes of the contents that are not read yet.
    left: u64,
}

/// An error for a file that exists but is not a valid object.
#[derive(Debug)]
pub(in crate::repo) struct Damage {
    path: PathBuf,
    why: Why,
}

#[derive(Debug)]
enum Why {
    Unreadable(io::Error),
    NotAFile,
    Empty,
    Corrupt,
    Header,
    Short,
    Long,
    Size(u64),
    Contents,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.why {
            Why::Unreadable(error) => write!(f, "cannot read the loose object `{path}`: {error}"),
            Why::NotAFile => write!(f, "the loose object `{path}` is not a file"),
            Why::Empty => write!(f, "the loose object `{path}` is damaged: the file is empty"),
            Why::Corrupt => write!(f, "the loose object `{path}` is damaged: it does not unpack"),
            Why::Header => {
                write!(f, "the loose object `{path}` is damaged: it has no valid header")
            }
            Why::Short => write!(f, "the loose object `{path}` is damaged: its end is missing"),
            Why::Long => write!(f, "the loose object `{path}` is damaged: it is too long"),
            Why::Contents => {
                write!(f, "the loose object `{path}` is damaged: its contents do not match its id")
            }
            Why::Size(size) => {
                write!(f, "the loose object `{path}` is damaged: it cannot have {size} bytes")
            }
        }
    }
}

impl LooseObjects {
    pub(in crate::repo) fn new(dirs: Vec<PathBuf>) -> Self {
        Self { dirs }
    }

    /// Opens an object. Returns `None` if no directory contains its file.
    pub(in crate::repo) fn open(&self, id: &[u8; 20]) -> Result<Option<LooseObject>, Damage> {
        let digits = hex::encode(id);
        let (fan_out, name) = digits.split_at(2);
        for dir in &self.dirs {
            let path = dir.join(fan_out).join(name);
            // Do not block if the path is a FIFO.
            let opened = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&path);
            match opened {
                Ok(file) => return LooseObject::new(*id, path, file).map(Some),
                Err(error) if is_absent(&error) => {}
                Err(error) => return Err(Damage { path, why: Why::Unreadable(error) }),
            }
        }
        Ok(None)
    }
}

/// The objects that an abbreviated id matches.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::repo) enum Completed {
    None,
    One([u8; 20]),
    Several,
}

impl LooseObjects {
    /// Finds the object whose id begins with the first `digits` digits of `short`. Fewer than two match
    /// none.
    pub(in crate::repo) fn complete(&self, short: &[u8; 20], digits: usize) -> Completed {
        let text = hex::encode(short);
        let Some((fan_out, prefix)) = text.get(..digits).and_then(|it| it.split_at_checked(2))
        else {
            return Completed::None;
        };
        let mut found = Completed::None;
        for dir in &self.dirs {
            let Ok(entries) = fs::read_dir(dir.join(fan_out)) else { continue };
            for name in entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()) {
                let Some(id) = name.starts_with(prefix).then(|| whole(fan_out, &name)).flatten()
                else {
                    continue;
                };
                found = match found {
                    Completed::One(other) if other != id => return Completed::Several,
                    _ => Completed::One(id),
                };
            }
        }
        found
    }
}

fn whole(fan_out: &str, name: &str) -> Option<[u8; 20]> {
    let mut id = [0; 20];
    hex::decode_into(format!("{fan_out}{name}").as_bytes(), &mut id)?;
    Some(id)
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

impl LooseObject {
    fn new(id: [u8; 20], path: PathBuf, file: File) -> Result<Self, Damage> {
        match Self::with_header(id, &path, file) {
            Ok(object) => Ok(object),
            Err(why) => Err(Damage { path, why }),
        }
    }

    fn with_header(id: [u8; 20], path: &Path, file: File) -> Result<Self, Why> {
        let about = file.metadata().map_err(Why::Unreadable)?;
        if !about.is_file() {
            return Err(Why::NotAFile);
        }
        if about.len() == 0 {
            return Err(Why::Empty);
        }
        let mut stream = Inflate::new(file);
        let mut start = [0; HEADER_BYTES_MAX];
        let count = stream.fill(&mut start)?;
        let start = start.get(..count).unwrap_or_default();
        let (kind, size, body) = parse_header(start).ok_or(Why::Header)?;
        if size > about.len().saturating_mul(EXPANSION_MAX) {
            return Err(Why::Size(size));
        }
        let early = start.get(body..).unwrap_or_default().to_vec();
        if early.len() as u64 > size {
            return Err(Why::Long);
        }
        Ok(Self { kind, size, id, path: path.to_path_buf(), stream, early, left: size })
    }

    /// Reads the whole contents. Fails if they do not end where the header says, or the file continues
    /// after them.
    pub(in crate::repo) fn read_into(mut self, contents: &mut [u8]) -> Result<(), Damage> {
        let read = self.take_exactly(contents).and_then(|()| self.compare(contents));
        read.map_err(|why| Damage { path: self.path, why })
    }

    fn compare(&self, contents: &[u8]) -> Result<(), Why> {
        if self.kind == ObjectType::Blob && contents.len() > COMPARED_BLOB_BYTES_MAX {
            return Ok(());
        }
        let mut hash = Sha1::new();
        hash.update(format!("{} {}\0", self.kind, contents.len()).as_bytes());
        hash.update(contents);
        if hash.digest().bytes() == self.id { Ok(()) } else { Err(Why::Contents) }
    }

    /// Fills the whole buffer.
    fn take_exactly(&mut self, contents: &mut [u8]) -> Result<(), Why> {
        let mut filled = 0;
        while let Some(rest) = contents.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.take(rest)? {
                0 => return Err(Why::Short),
                count => filled += count,
            }
        }
        // `take` checks the end of the file with the last byte. Empty contents have no last byte.
        if contents.is_empty() { self.stream.expect_end() } else { Ok(()) }
    }

    /// Reads the next bytes of the contents, or 0 bytes after the last. With the last byte, checks that
    /// the file ends too.
    fn take(&mut self, out: &mut [u8]) -> Result<usize, Why> {
        let room = usize::try_from(self.left).unwrap_or(usize::MAX).min(out.len());
        let Some(out) = out.get_mut(..room) else { return Ok(0) };
        let count = if self.early.is_empty() {
            self.stream.fill(out)?
        } else {
            let count = self.early.len().min(room);
            let early = self.early.drain(..count);
            out.iter_mut().zip(early).for_each(|(to, from)| *to = from);
            count
        };
        self.left -= count as u64;
        match (count, self.left) {
            (_, 0) => self.stream.expect_end()?,
            (0, _) if room > 0 => return Err(Why::Short),
            _ => {}
        }
        Ok(count)
    }
}

impl Read for LooseObject {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Ok(0);
        }
        self.take(out)
            .map_err(|why| io::Error::other(Damage { path: self.path.clone(), why }.to_string()))
    }
}

/// Parses `<kind> <size> NUL`. Returns the kind, the size, and the offset of the contents.
fn parse_header(start: &[u8]) -> Option<(ObjectType, u64, usize)> {
    let end = start.iter().position(|byte| *byte == 0)?;
    let text = std::str::from_utf8(start.get(..end)?).ok()?;
    let (kind, size) = text.split_once(' ')?;
    if size.is_empty() || !size.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let kind = match kind {
        "commit" => ObjectType::Commit,
        "tree" => ObjectType::Tree,
        "blob" => ObjectType::Blob,
        "tag" => ObjectType::Tag,
        _ => return None,
    };
    Some((kind, size.parse().ok()?, end + 1))
}

/// A file that is unpacked while it is read.
struct Inflate {
    file: File,
    packed: Box<[u8]>,
    /// The start of the part of `packed` that is not unpacked yet. It ends at `to`.
    from: usize,
    to: usize,
    zlib: Decompress,
    has_ended: bool,
}

impl Inflate {
    fn new(file: File) -> Self {
        let packed = vec![0; CHUNK].into_boxed_slice();
        Self { file, packed, from: 0, to: 0, zlib: Decompress::new(true), has_ended: false }
    }

    /// Unpacks until the buffer is full or the stream has ended. Returns the number of bytes written.
    fn fill(&mut self, out: &mut [u8]) -> Result<usize, Why> {
        let mut filled = 0;
        while let Some(rest) = out.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            if self.has_ended {
                break;
            }
            filled += self.step(rest)?;
        }
        Ok(filled)
    }

    /// Unpacks some of the file. Fails if that neither consumes nor produces bytes.
    fn step(&mut self, out: &mut [u8]) -> Result<usize, Why> {
        if self.from == self.to {
            self.from = 0;
            self.to = read_some(&mut self.file, &mut self.packed).map_err(Why::Unreadable)?;
        }
        let packed = self.packed.get(self.from..self.to).unwrap_or_default();
        let (taken, made) = (self.zlib.total_in(), self.zlib.total_out());
        let status = self.zlib.decompress(packed, out, FlushDecompress::None);
        let status = status.map_err(|_| Why::Corrupt)?;
        let count = |now: u64, before: u64| usize::try_from(now - before).unwrap_or(usize::MAX);
        let taken = count(self.zlib.total_in(), taken);
        let made = count(self.zlib.total_out(), made);
        self.from += taken;
        self.has_ended = status == Status::StreamEnd;
        match (taken, made) {
            (0, 0) if !self.has_ended => {
                Err(if packed.is_empty() { Why::Short } else { Why::Corrupt })
            }
            _ => Ok(made),
        }
    }

    /// Fails if the stream or the file continues.
    fn expect_end(&mut self) -> Result<(), Why> {
        while !self.has_ended {
            if self.step(&mut [0])? > 0 {
                return Err(Why::Long);
            }
        }
        let more = self.from < self.to
            || read_some(&mut self.file, &mut self.packed).map_err(Why::Unreadable)? > 0;
        if more { Err(Why::Long) } else { Ok(()) }
    }
}

fn read_some(file: &mut File, into: &mut [u8]) -> io::Result<usize> {
    loop {
        match file.read(into) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::ZlibEncoder};

    use super::*;
    use crate::testing::TestRepo;

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    const TEXT: &[u8] = b"four";

    fn id_of(kind: &str, contents: &[u8]) -> [u8; 20] {
        let header = format!("{kind} {}\0", contents.len());
        Sha1::from([header.as_bytes(), contents].concat()).digest().bytes()
    }

    /// Returns a directory with a loose object of this id, whose file has these bytes.
    fn stored(id: [u8; 20], file: &[u8]) -> (tempfile::TempDir, LooseObjects) {
        let dir = tempfile::tempdir().unwrap();
        let digits = hex::encode(&id);
        let path = dir.path().join(&digits[..2]).join(&digits[2..]);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, file).unwrap();
        let objects = LooseObjects::new(vec![dir.path().to_path_buf()]);
        (dir, objects)
    }

    /// Reads such an object, at once and piece by piece, and returns the result.
    fn read(id: [u8; 20], file: &[u8]) -> Result<(ObjectType, Vec<u8>), String> {
        let (_dir, objects) = stored(id, file);
        let object = objects.open(&id).map_err(|damage| damage.to_string())?.unwrap();
        let mut contents = vec![0; usize::try_from(object.size).unwrap()];
        let kind = object.kind;
        object.read_into(&mut contents).map_err(|damage| damage.to_string())?;
        let mut streamed = Vec::new();
        objects.open(&id).unwrap().unwrap().read_to_end(&mut streamed).unwrap();
        assert_eq!(streamed, contents);
        Ok((kind, contents))
    }

    #[test]
    fn objects_are_those_that_git_wrote() {
        let repo = TestRepo::new();
        let large: String = (0..100_000).map(|number: u32| number.to_string()).collect();
        for (name, text) in [("empty", ""), ("small", "text"), ("large", large.as_str())] {
            repo.write(name, text);
        }
        repo.commit("three files");
        let objects = LooseObjects::new(vec![repo.path().join(".git/objects")]);
        for (name, text) in [("empty", ""), ("small", "text"), ("large", large.as_str())] {
            let id = repo.git(&["rev-parse", &format!("HEAD:{name}")]);
            let id = *id.parse::<crate::model::commit::CommitId>().unwrap().as_bytes();
            let mut object = objects.open(&id).unwrap().unwrap();
            assert_eq!((object.kind, object.size), (ObjectType::Blob, text.len() as u64));
            let mut read = String::new();
            object.read_to_string(&mut read).unwrap();
            assert_eq!(read, text);
        }
        assert!(objects.open(&[7; 20]).unwrap().is_none());
    }

    /// Tests that damage which the checksum of zlib misses is found by the id.
    #[test]
    fn every_cut_and_every_flipped_bit_is_damage_or_changes_nothing() {
        let text: Vec<u8> =
            (0..300_u32).flat_map(|number| number.to_string().into_bytes()).collect();
        let id = id_of("blob", &text);
        let whole = zlib(&[format!("blob {}\0", text.len()).as_bytes(), &text].concat());
        let right = Ok((ObjectType::Blob, text));
        assert_eq!(read(id, &whole), right);
        for cut in 0..whole.len() {
            let error = read(id, &whole[..cut]).unwrap_err();
            assert!(error.contains("damaged"), "{cut}: {error}");
        }
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let result = read(id, &flipped);
            assert!(result.is_err() || result == right, "bit {bit}");
        }
    }

    #[test]
    fn a_header_that_lies_takes_no_memory() {
        let cases: [(&[u8], &str); 10] = [
            (b"blob 3\0four", "it is too long"),
            (b"blob 5\0four", "its end is missing"),
            (b"blob 18446744073709551615\0four", "it cannot have 18446744073709551615 bytes"),
            (b"blob 99999999999999999999\0four", "it has no valid header"),
            (b"blob 1000000\0four", "it cannot have 1000000 bytes"),
            (b"blob +4\0four", "it has no valid header"),
            (b"blob \0four", "it has no valid header"),
            (b"bulb 4\0four", "it has no valid header"),
            (b"blob 4 four", "it has no valid header"),
            (b"tree 4\0four", "its contents do not match its id"),
        ];
        let id = id_of("blob", TEXT);
        assert_eq!(read(id, &zlib(b"blob 4\0four")), Ok((ObjectType::Blob, TEXT.to_vec())));
        for (contents, expected) in cases {
            let error = read(id, &zlib(contents)).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
        let garbage = [zlib(b"blob 4\0four"), vec![0]].concat();
        assert!(read(id, &garbage).unwrap_err().contains("it is too long"));
        assert!(read(id, b"").unwrap_err().contains("the file is empty"));
        assert!(read(id, &[0; 100]).unwrap_err().contains("it does not unpack"));
    }

    #[test]
    fn short_ids_are_completed() {
        let (id, mut other) = ([7; 20], [7; 20]);
        other[19] = 8;
        let (first, objects) = stored(id, b"");
        assert_eq!(objects.complete(&id, 4), Completed::One(id));
        assert_eq!(objects.complete(&[7; 20], 39), Completed::One(id));
        assert_eq!(objects.complete(&[8; 20], 4), Completed::None);
        let (second, _) = stored(other, b"");
        let dirs = [first.path(), second.path(), first.path()].map(Path::to_path_buf);
        let objects = LooseObjects::new(dirs.to_vec());
        assert_eq!(objects.complete(&id, 38), Completed::Several);
        assert_eq!(objects.complete(&id, 40), Completed::One(id));
    }

    #[test]
    fn a_pipe_in_its_place_is_not_waited_for() {
        let (dir, objects) = stored([7; 20], b"");
        let path = dir.path().join("07").join("07".repeat(19));
        fs::remove_file(&path).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
        let error = objects.open(&[7; 20]).err().unwrap().to_string();
        assert!(error.ends_with("is not a file"), "{error}");
    }
}
