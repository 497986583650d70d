//! Files that jobs keep after their build: listing, reading and copying them.
//!
//! [`Engine::artifacts`](crate::Engine::artifacts) lists them, and
//! [`Engine::read_artifacts`](crate::Engine::read_artifacts) reads their contents.
//!
//! ```no_run
//! use tinyci::{Engine, artifact::ArtifactOptions};
//!
//! let engine = Engine::open("/srv/git/app.git")?;
//! for artifact in engine.artifacts(&ArtifactOptions::new("main"))?.artifacts {
//!     println!("{} {}", artifact.path, artifact.bytes);
//! }
//! # Ok::<(), tinyci::Error>(())
//! ```

pub use crate::{
    model::artifact::{
        Artifact, ArtifactList, ArtifactOptions, ArtifactPlace, ArtifactReader, ArtifactTotal,
    },
    workspace::artifact_writer::ArtifactWriter,
};
