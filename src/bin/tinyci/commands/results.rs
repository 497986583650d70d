//! `tinyci results`: what became of commits.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tinyci::{Commit, Engine, ErrorKind, Outcome, Record, RecordFilter, record::ForgetReport};

use crate::{
    commands::format::{Format, PLACEHOLDERS},
    console::{
        failure::{CANCELED, FAILED, Failure, OK},
        question, signals,
        terminal::{Palette, Stdout, complain, printable},
    },
    globals::{DEFAULT_REMOTE, Globals, is_range},
};

const EXAMPLES: &str = "\
Examples:
  tinyci results -n 10              the newest ten
  tinyci results --outcome success -n 1 --format '%H'
                                    the newest commit that passed
  tinyci results main..topic        the commits of a branch
  tinyci results --forget HEAD      have HEAD tested again
  tinyci results --forget-all       begin anew, and give up what was deleted from outside
  git fetch && tinyci results --merge
                                    make the verdicts of `origin` one's own";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = format!("{PLACEHOLDERS}\n\n{EXAMPLES}"))]
pub(crate) struct ResultsArgs {
    /// Commits and ranges; without any, every commit that was tested
    #[arg(value_name = "REV")]
    revisions: Vec<String>,
    /// Show only this outcome: success, failure, timed_out, skipped, no_verdict or canceled
    #[arg(long, value_name = "OUTCOME", value_parser = outcome)]
    outcome: Option<Outcome>,
    /// Show the newest N only
    #[arg(short, long = "limit", value_name = "N")]
    number: Option<usize>,
    /// Show every attempt, not only the one that counts
    #[arg(long)]
    all_attempts: bool,
    /// Print a line of this form for each: '%H %h %s %N', as git log has it
    ///
    /// See the list of placeholders below.
    #[arg(long, value_name = "FORMAT", conflicts_with = "json")]
    format: Option<String>,
    /// Print records as JSON, one per line; with --merge and --forget-all what was done, as one line
    #[arg(long)]
    json: bool,
    /// Take this commit's verdict away, so that it is tested again
    #[arg(
        long, value_name = "REV",
        conflicts_with_all = ["revisions", "outcome", "number", "all_attempts", "format", "json"]
    )]
    forget: Option<String>,
    /// Forget the verdicts and records of all commits, so that they are tested again
    ///
    /// Also gives up what others deleted of tinyci's refs, such as by a fetch with --prune: every run
    /// restores that, and this is the one way to make such a loss final. Deployments, approvals and
    /// the baseline stay where they are there, and so does what was fetched of remotes.
    #[arg(
        long,
        conflicts_with_all = ["revisions", "outcome", "number", "all_attempts", "format", "forget"]
    )]
    forget_all: bool,
    /// With --forget-all, do not ask
    #[arg(short, long, requires = "forget_all")]
    yes: bool,
    /// Merge what was last fetched of this remote into one's own verdicts and records
    ///
    /// All records are kept; of two verdicts the one holds whose run finished last. Without this,
    /// `results` shows both as one, and commits that only the remote has judged stay due here.
    #[arg(
        long, value_name = "REMOTE", num_args = 0..=1, default_missing_value = DEFAULT_REMOTE,
        conflicts_with_all =
            ["revisions", "outcome", "number", "all_attempts", "format", "forget", "forget_all"]
    )]
    merge: Option<String>,
}

pub(crate) fn execute(args: &ResultsArgs, globals: &Globals) -> Result<u8, Failure> {
    let format = args.format.as_deref().map(Format::parse).transpose()?;
    let engine = globals.reading_engine()?;
    if let Some(revision) = &args.forget {
        return forget(&engine, revision, globals);
    }
    if args.forget_all {
        return forget_all(&engine, args, globals);
    }
    if let Some(remote) = &args.merge {
        return merge(&engine, remote, args.json, globals);
    }
    let records = engine.records(&args.filter())?;
    let mut stdout = Stdout::new();
    if args.json {
        records.iter().for_each(|record| stdout.line(record.to_json()));
    } else if let Some(format) = format {
        let commits = if format.needs_commit() {
            commits_of(&engine, &records)?
        } else {
            vec![None; records.len()]
        };
        for (record, commit) in records.iter().zip(commits) {
            stdout.write(&format.fill(record, commit.as_ref()));
        }
    } else {
        table(&records, &commits_of(&engine, &records)?, &mut stdout);
        if args.all_attempts {
            foreign_lines(&engine, &args.revisions, &mut stdout)?;
        }
        if records.is_empty() && !globals.is_quiet() {
            complain("tinyci: no results");
        }
    }
    stdout.finish()?;
    Ok(OK)
}

impl ResultsArgs {
    fn filter(&self) -> RecordFilter {
        let mut filter = RecordFilter::new().all_attempts(self.all_attempts);
        for word in &self.revisions {
            filter = if is_range(word) { filter.range(word) } else { filter.revision(word) };
        }
        if let Some(outcome) = self.outcome {
            filter = filter.outcome(outcome);
        }
        if let Some(number) = self.number {
            filter = filter.limit(number);
        }
        filter
    }
}

fn outcome(text: &str) -> Result<Outcome, String> {
    text.parse().map_err(|error: tinyci::Error| error.message().to_owned())
}

fn forget(engine: &Engine, revision: &str, globals: &Globals) -> Result<u8, Failure> {
    let commit = engine.resolve(revision)?;
    let forgotten = engine.forget(revision)?;
    let mut stdout = Stdout::new();
    if !globals.is_quiet() {
        let what = if forgotten { "is due again" } else { "had no verdict" };
        stdout.line(format_args!("{} {what}", commit.short()));
    }
    stdout.finish()?;
    Ok(OK)
}

fn forget_all(engine: &Engine, args: &ResultsArgs, globals: &Globals) -> Result<u8, Failure> {
    let cancel = signals::cancel_on_interrupt()?;
    let question = "Forget the verdicts and records of all commits, for good?";
    let otherwise = "`--yes` answers beforehand, `--forget REV` forgets one verdict";
    if !args.yes && !question::confirmed(question, otherwise, &cancel)? {
        complain("tinyci: nothing was forgotten");
        return Ok(if cancel.level() > 0 { CANCELED } else { FAILED });
    }
    let forgotten = engine.forget_all()?;
    let mut stdout = Stdout::new();
    if args.json {
        stdout.line(forgotten.to_json());
    } else if !globals.is_quiet() {
        let ForgetReport { removed, given_up, .. } = &forgotten;
        removed.iter().for_each(|name| stdout.line(format_args!("removed {name}")));
        given_up.iter().for_each(|name| stdout.line(format_args!("gave up what {name} had lost")));
        if removed.is_empty() && given_up.is_empty() {
            stdout.line("there was nothing to forget");
        }
    }
    stdout.finish()?;
    Ok(OK)
}

fn merge(engine: &Engine, remote: &str, json: bool, globals: &Globals) -> Result<u8, Failure> {
    let merged = engine.merge_results(remote)?;
    let mut stdout = Stdout::new();
    if json {
        stdout.line(merged.to_json());
    } else if !globals.is_quiet() {
        for id in &merged.replaced {
            stdout
                .line(format_args!("{} has the verdict of `{remote}`, the newer one", id.short()));
        }
        let (records, settled) = (merged.records, merged.added.len());
        stdout.line(format_args!("{records} records and {settled} verdicts of `{remote}` are new"));
    }
    stdout.finish()?;
    Ok(OK)
}

/// Shows what stands among the records of named commits and is none.
fn foreign_lines(
    engine: &Engine,
    revisions: &[String],
    stdout: &mut Stdout,
) -> Result<(), Failure> {
    for revision in revisions.iter().filter(|word| !is_range(word)) {
        let short = engine.resolve(revision)?.short();
        for line in engine.unrecognized_lines(revision)? {
            let text = line.to_str_lossy();
            let what = match Record::from_json(&text) {
                Err(error) if error.kind() == ErrorKind::NewerFormat => error.to_string(),
                _ => "no record of tinyci's".to_owned(),
            };
            stdout.line(format_args!("{short} foreign    {what}: {}", printable(&text)));
        }
    }
    Ok(())
}

/// A record outlives its commit: one that git has removed is told of as far as it is known.
fn commits_of(engine: &Engine, records: &[Record]) -> Result<Vec<Option<Commit>>, Failure> {
    let ids: Vec<_> = records.iter().map(|record| record.commit).collect();
    Ok(engine.commits(&ids)?)
}

fn table(records: &[Record], commits: &[Option<Commit>], stdout: &mut Stdout) {
    let palette = Palette::of_stdout();
    let now = SystemTime::now();
    let branch = |record: &Record| {
        record
            .branch
            .as_ref()
            .map_or_else(|| "-".to_owned(), |name| printable(&name.to_str_lossy()))
    };
    let wide = |record: &Record| branch(record).chars().count();
    let branch_width = records.iter().map(wide).max().unwrap_or_default();
    for (record, commit) in records.iter().zip(commits) {
        let subject = match commit {
            Some(commit) => printable(&commit.subject.to_str_lossy()),
            None => "(no longer in the repository)".to_owned(),
        };
        let (age, duration) = times(record, now);
        let told = record.outcome == Outcome::Skipped || record.failed_in_parts();
        let why = record.why().filter(|_| told);
        let why = why.map(|why| format!(" ({})", printable(&why))).unwrap_or_default();
        stdout.line(format_args!(
            "{} {} {} {} {:branch_width$} {subject}{}",
            record.commit.short(),
            palette.outcome(record.outcome, &format!("{:10}", record.outcome)),
            palette.faint(&format!("{age:>4}")),
            palette.faint(&format!("{duration:>6}")),
            branch(record),
            palette.faint(&why),
        ));
        if stdout.is_gone() {
            return;
        }
    }
}

/// How long ago it ended and how long it took; dashes where only the verdict is known.
fn times(record: &Record, now: SystemTime) -> (String, String) {
    if record.job_id.is_empty() || record.finished <= UNIX_EPOCH {
        return ("-".to_owned(), "-".to_owned());
    }
    let age = now.duration_since(record.finished).unwrap_or_default();
    (roughly(age), precisely(record.duration))
}

/// One unit is enough to say how old something is.
pub(crate) fn roughly(age: Duration) -> String {
    const UNITS: [(u64, &str); 6] = [
        (365 * 24 * 3600, "y"),
        (7 * 24 * 3600, "w"),
        (24 * 3600, "d"),
        (3600, "h"),
        (60, "m"),
        (1, "s"),
    ];
    let seconds = age.as_secs();
    let unit = UNITS.iter().find(|(length, _)| seconds >= *length);
    unit.map_or_else(|| "now".to_owned(), |(length, name)| format!("{}{name}", seconds / length))
}

/// How long a run took, in at most two units.
pub(crate) fn precisely(duration: Duration) -> String {
    match duration.as_secs() {
        0..10 => format!("{:.1}s", duration.as_secs_f64()),
        seconds @ 10..60 => format!("{seconds}s"),
        seconds @ 60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        seconds => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short() {
        let ages = [(0, "now"), (59, "59s"), (3599, "59m"), (90_000, "1d"), (40_000_000, "1y")];
        for (seconds, text) in ages {
            assert_eq!(roughly(Duration::from_secs(seconds)), text);
        }
        let durations = [(340, "0.3s"), (59_900, "59s"), (185_000, "3m05s"), (3_720_000, "1h02m")];
        for (milliseconds, text) in durations {
            assert_eq!(precisely(Duration::from_millis(milliseconds)), text);
        }
    }
}
