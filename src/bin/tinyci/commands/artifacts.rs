//! `tinyci artifacts`: lists and fetches the files that jobs kept.

use std::{
    ffi::OsString,
    io::{BufRead, BufReader, Read},
};

use tinyci::{
    CancelToken, Error, ErrorKind,
    artifact::{
        Artifact, ArtifactList, ArtifactOptions, ArtifactPlace, ArtifactReader, ArtifactWriter,
    },
    format::format_bytes,
};

use crate::{
    console::{
        exit_codes::{CANCELED, OK},
        failure::Failure,
        signals,
        terminal::{Palette, Stdout, printable, warn},
    },
    globals::Globals,
    remote::forward,
};

/// The directory name for standard output.
const STDOUT: &str = "-";

/// The maximum size of a list from a server.
const LIST_BYTES_MAX: u64 = 64 << 20;

const EXAMPLES: &str = "\
Examples:
  tinyci artifacts                  list the files that the newest job of HEAD kept
  tinyci artifacts v1.2 -o out      fetch all of them to the directory `out`
  tinyci artifacts main 'reports/**' app
                                    fetch some of them to the current directory
  tinyci artifacts main app -o - | tar -t
                                    write one file to standard output
  tinyci -r artifacts main app      fetch it from the server of the remote `origin`";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ArtifactsArgs {
    /// The commit
    #[arg(value_name = "REV", default_value = "HEAD", hide_default_value = false)]
    revision: String,
    /// Fetch these files, directories and globs [default: list all]
    #[arg(value_name = "PATH")]
    paths: Vec<String>,
    /// Fetch to this directory, or write the contents to standard output with `-` [default: the current
    /// directory]
    #[arg(short, long, value_name = "DIR")]
    output: Option<String>,
    /// Use the job with this id [default: the newest job of the commit that kept files]
    #[arg(long, value_name = "ID")]
    job: Option<String>,
    /// Overwrite existing files
    #[arg(short, long)]
    force: bool,
    /// Print the list as one line of JSON; with `-o -`, before the contents
    #[arg(long)]
    json: bool,
}

impl ArtifactsArgs {
    /// Returns true if files are fetched, not listed.
    pub(crate) fn is_fetch(&self) -> bool {
        !self.paths.is_empty() || self.output.is_some()
    }

    fn options(&self) -> ArtifactOptions {
        let mut options = ArtifactOptions::new(&self.revision);
        options.paths.clone_from(&self.paths);
        options.job_id.clone_from(&self.job);
        options
    }

    /// Returns the writer of files; `None` for standard output.
    fn writer(&self) -> Option<ArtifactWriter> {
        let dir = self.output.as_deref().unwrap_or(".");
        (dir != STDOUT).then(|| ArtifactWriter::new(dir).force(self.force))
    }

    /// Returns the command that makes the server write the list and then all contents.
    fn words(&self, globals: &Globals) -> Vec<OsString> {
        let mut words: Vec<OsString> = Vec::new();
        words.extend(globals.is_quiet().then(|| "--quiet".into()));
        words.extend(["artifacts".into(), "--json".into(), "--output=-".into()]);
        words.extend(self.job.iter().map(|job| format!("--job={job}").into()));
        words.extend(["--".into(), OsString::from(&self.revision)]);
        words.extend(self.paths.iter().map(OsString::from));
        words
    }
}

pub(crate) fn execute(args: &ArtifactsArgs, globals: &Globals) -> Result<u8, Failure> {
    let engine = globals.reading_engine()?;
    let options = args.options();
    if !args.is_fetch() {
        return show(&engine.artifacts(&options)?, args, globals);
    }
    let cancel = signals::cancel_on_interrupt()?;
    if let Some(writer) = args.writer() {
        let list = engine.copy_artifacts(&options, &writer, &cancel)?;
        return fetched(&list, args, globals);
    }
    let mut stdout = Stdout::new();
    let list = engine.artifacts(&options)?;
    if args.json {
        stdout.line(list.to_json());
    }
    // By the job id: a newer job may have kept files in the meantime.
    let options = options.job_id(&list.job_id);
    let read = engine
        .read_artifacts(&options, &cancel, &mut |_, contents| copy(contents, &mut stdout, &cancel));
    let is_closed = stdout.is_closed();
    stdout.finish()?;
    match read {
        Err(error) if error.kind() == ErrorKind::Canceled => {
            Ok(if is_closed { OK } else { CANCELED })
        }
        read => read.map(|_| OK).map_err(Failure::from),
    }
}

/// Fetches from a server, which sends the list and then the contents.
pub(crate) fn fetch_over_ssh(
    args: &ArtifactsArgs,
    name: &str,
    globals: &Globals,
) -> Result<u8, Failure> {
    let cancel = signals::cancel_on_interrupt()?;
    let (words, mut list) = (args.words(globals), None);
    let code = forward::stream(name, globals, &words, &cancel, |from| {
        let mut from = BufReader::new(from);
        list = Some(receive(args, &mut from, &cancel)?);
        Ok(())
    })?;
    match list {
        Some(list) if args.output.as_deref() != Some(STDOUT) => fetched(&list, args, globals),
        _ => Ok(code),
    }
}

fn receive(
    args: &ArtifactsArgs,
    from: &mut dyn BufRead,
    cancel: &CancelToken,
) -> Result<ArtifactList, Failure> {
    let mut line = String::new();
    let read = Read::take(&mut *from, LIST_BYTES_MAX).read_line(&mut line);
    read.map_err(|error| Failure::broken(format!("cannot read from ssh: {error}")))?;
    let broken = |error: Error| {
        Failure::broken(format!("invalid answer from the server: {}", error.report()))
    };
    let list = ArtifactList::from_json(&line).map_err(broken)?;
    let (writer, mut stdout) = (args.writer(), Stdout::new());
    match &writer {
        Some(writer) => writer.check(&list.artifacts)?,
        None if args.json => stdout.line(list.to_json()),
        None => {}
    }
    for artifact in &list.artifacts {
        let mut contents = ArtifactReader::new(artifact, &mut *from);
        match &writer {
            Some(writer) => writer.write(artifact, &mut contents, cancel)?,
            None => match copy(&mut contents, &mut stdout, cancel) {
                // `finish` says whether that is an error.
                Err(_) if stdout.is_closed() => break,
                copied => copied?,
            },
        }
    }
    stdout.finish()?;
    Ok(list)
}

/// Writes contents to standard output.
fn copy(contents: &mut dyn Read, stdout: &mut Stdout, cancel: &CancelToken) -> Result<(), Error> {
    let mut piece = vec![0; 256 << 10];
    loop {
        if cancel.level() > 0 || stdout.is_closed() {
            return Err(Error::new(ErrorKind::Canceled, "canceled while reading artifacts"));
        }
        let read = contents.read(&mut piece).map_err(|source| {
            Error::new(ErrorKind::Io, "cannot read an artifact").with_source(source)
        })?;
        if read == 0 {
            return Ok(());
        }
        stdout.write_file(piece.get(..read).unwrap_or_default());
    }
}

/// Prints a summary of the fetched files.
fn fetched(list: &ArtifactList, args: &ArtifactsArgs, globals: &Globals) -> Result<u8, Failure> {
    let mut stdout = Stdout::new();
    if args.json {
        stdout.line(list.to_json());
    } else if !globals.is_quiet() {
        let bytes = list.artifacts.iter().fold(0, |sum: u64, it| sum.saturating_add(it.bytes));
        let to = printable(args.output.as_deref().unwrap_or("."));
        stdout.line(format_args!(
            "Fetched {} of job {} to {to}: {}",
            files(list.artifacts.len() as u64),
            printable(&list.job_id),
            format_bytes(bytes)
        ));
    }
    stdout.finish()?;
    Ok(OK)
}

fn show(list: &ArtifactList, args: &ArtifactsArgs, globals: &Globals) -> Result<u8, Failure> {
    let mut stdout = Stdout::new();
    if args.json {
        stdout.line(list.to_json());
    } else {
        let palette = Palette::of_stdout();
        stdout.line(format_args!(
            "job {} of commit {} ({}): {}, {}",
            printable(&list.job_id),
            list.commit.short(),
            palette.outcome(list.outcome, list.outcome.name()),
            files(list.files),
            format_bytes(list.bytes)
        ));
        list.artifacts.iter().for_each(|artifact| stdout.line(line(artifact, palette)));
        if !globals.is_quiet() {
            notes(list).iter().for_each(warn);
        }
    }
    stdout.finish()?;
    Ok(OK)
}

fn line(artifact: &Artifact, palette: Palette) -> String {
    format!(
        "{}  {:>10}  {}",
        palette.faint(&printable(&artifact.blob)),
        format_bytes(artifact.bytes),
        printable(&artifact.path)
    )
}

/// Notes about files that cannot be fetched or are not listed.
fn notes(list: &ArtifactList) -> Vec<String> {
    let short = list.commit.short();
    let gone = (list.place == ArtifactPlace::Missing).then(|| {
        format!(
            "these files were deleted with their build\nhint: `tinyci run --retry {short}` creates \
             them again"
        )
    });
    let listed = list.artifacts.len() as u64;
    let more = (listed < list.files).then(|| {
        format!("only {listed} of {} are listed: the complete list was deleted", files(list.files))
    });
    gone.into_iter().chain(more).collect()
}

fn files(count: u64) -> String {
    if count == 1 { "1 file".to_owned() } else { format!("{count} files") }
}
