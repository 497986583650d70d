//! A disk that is soon full.

use std::{
    fs::{self, File},
    io::Write,
    path::PathBuf,
    process::Command,
};

/// A file system of a few megabytes in memory, unmounted with this value.
pub(crate) struct SmallDisk {
    pub(crate) path: PathBuf,
}

impl SmallDisk {
    /// None where this process may not mount.
    pub(crate) fn mount(path: PathBuf) -> Option<Self> {
        Self::mount_with(path, "size=6m")
    }

    /// The same with these options of `tmpfs`.
    pub(crate) fn mount_with(path: PathBuf, options: &str) -> Option<Self> {
        fs::create_dir(&path).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "none"]).arg(&path);
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        mounted.then_some(Self { path })
    }

    fn ballast(&self) -> PathBuf {
        self.path.join("ballast")
    }

    /// Fills it up, but for so many bytes.
    pub(crate) fn fill_but(&self, free: u64) {
        let mut ballast = File::create(self.ballast()).unwrap();
        let piece = [0; 4096];
        let mut length = 0;
        while ballast.write_all(&piece).is_ok() {
            length += piece.len() as u64;
        }
        ballast.set_len(length.saturating_sub(free)).unwrap();
    }

    pub(crate) fn free(&self) {
        fs::remove_file(self.ballast()).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.path).status();
    }
}
