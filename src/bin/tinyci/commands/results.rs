//! `tinyci results`: shows, deletes and merges results.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tinyci::{Commit, Engine, ErrorKind, Outcome, Record, RecordFilter, record::ForgetReport};

use crate::{
    commands::format::{Format, PLACEHOLDERS},
    console::{
        exit_codes::{CANCELED, FAILED, OK},
        failure::Failure,
        question, signals,
        terminal::{Palette, Stdout, print_error, printable},
    },
    globals::{DEFAULT_REMOTE, Globals, is_range},
};

const EXAMPLES: &str = "\
Examples:
  tinyci results -n 10              show the 10 newest results
  tinyci results --outcome success -n 1 --format '%H'
                                    print the newest commit with verdict `success`
  tinyci results main..topic        show the commits of a branch
  tinyci results --forget HEAD      delete the verdict of HEAD so that it is tested again
  tinyci results --forget-all       delete all results and start over
  git fetch && tinyci results --merge
                                    add the results of `origin` to yours";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = format!("{PLACEHOLDERS}\n\n{EXAMPLES}"))]
pub(crate) struct ResultsArgs {
    /// Commits and ranges [default: every tested commit]
    #[arg(value_name = "REV")]
    revisions: Vec<String>,
    /// Show only this outcome: success, failure, timed_out, skipped, error or canceled
    #[arg(long, value_name = "OUTCOME", value_parser = outcome)]
    outcome: Option<Outcome>,
    /// Show only the newest N
    #[arg(short, long = "limit", value_name = "N")]
    number: Option<usize>,
    /// Show every attempt, not only the latest result of each commit
    #[arg(long)]
    all_attempts: bool,
    /// Print one line per result in this format, as in git log: '%H %h %s %N'
    ///
    /// The placeholders are listed below.
    #[arg(long, value_name = "FORMAT", conflicts_with = "json")]
    format: Option<String>,
    /// Print records as JSON, one per line; with --merge or --forget-all, a report as one line
    #[arg(long)]
    json: bool,
    /// Delete this commit's verdict so that it is tested again
    #[arg(
        long, value_name = "REV",
        conflicts_with_all = ["revisions", "outcome", "number", "all_attempts", "format", "json"]
    )]
    forget: Option<String>,
    /// Delete the verdicts and records of all commits so that they are tested again
    ///
    /// If something else deleted tinyci's refs, such as a fetch with --prune, the next run restores
    /// them. This option makes such a loss final. It keeps existing deployments, approvals and the
    /// baseline, and everything that was fetched from remotes.
    #[arg(
        long,
        conflicts_with_all = ["revisions", "outcome", "number", "all_attempts", "format", "forget"]
    )]
    forget_all: bool,
    /// Do not ask (with --forget-all)
    #[arg(short, long, requires = "forget_all")]
    yes: bool,
    /// Merge the last fetched verdicts and records of this remote into those of this repository
    ///
    /// All records are kept. If two verdicts differ, the run that finished last wins. Without --merge,
    /// `results` shows both together, but commits with a verdict only from the remote stay pending.
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
            unrecognized_lines(&engine, &args.revisions, &mut stdout)?;
        }
        if records.is_empty() && !globals.is_quiet() {
            print_error("tinyci: no results");
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
        let what = if forgotten { "is pending again" } else { "had no verdict" };
        stdout.line(format_args!("{} {what}", commit.short()));
    }
    stdout.finish()?;
    Ok(OK)
}

fn forget_all(engine: &Engine, args: &ResultsArgs, globals: &Globals) -> Result<u8, Failure> {
    let cancel = signals::cancel_on_interrupt()?;
    let question = "Permanently delete the verdicts and records of all commits?";
    let hint = "`tinyci results --forget-all --yes` does not ask";
    if !args.yes && !question::confirmed(question, hint, &cancel)? {
        print_error("tinyci: nothing was deleted");
        return Ok(if cancel.level() > 0 { CANCELED } else { FAILED });
    }
    let forgotten = engine.forget_all()?;
    let mut stdout = Stdout::new();
    if args.json {
        stdout.line(forgotten.to_json());
    } else if !globals.is_quiet() {
        let ForgetReport { removed, given_up, .. } = &forgotten;
        removed.iter().for_each(|name| stdout.line(format_args!("deleted {name}")));
        given_up
            .iter()
            .for_each(|name| stdout.line(format_args!("will not restore what {name} had lost")));
        if removed.is_empty() && given_up.is_empty() {
            stdout.line("nothing to delete");
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
            stdout.line(format_args!("{} now has the newer verdict of `{remote}`", id.short()));
        }
        let (records, verdicts) = (merged.records, merged.added.len());
        stdout.line(format_args!("added {records} records and {verdicts} verdicts of `{remote}`"));
    }
    stdout.finish()?;
    Ok(OK)
}

/// Shows the lines among the records of named commits that are not records.
fn unrecognized_lines(
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
                _ => "not a tinyci record".to_owned(),
            };
            stdout.line(format_args!("{short} unrecognized {what}: {}", printable(&text)));
        }
    }
    Ok(())
}

/// Returns the commits of records; `None` for a commit that git has deleted since.
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
        let is_explained = record.outcome == Outcome::Skipped || record.failed_in_parts();
        let why = record.why().filter(|_| is_explained);
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
        if stdout.is_closed() {
            return;
        }
    }
}

/// Returns the age and the duration of a job; dashes if only the verdict is known.
fn times(record: &Record, now: SystemTime) -> (String, String) {
    if record.job_id.is_empty() || record.finished <= UNIX_EPOCH {
        return ("-".to_owned(), "-".to_owned());
    }
    let age = now.duration_since(record.finished).unwrap_or_default();
    (roughly(age), precisely(record.duration))
}

/// Returns a duration in one unit, for ages.
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

/// Returns a duration in at most two units.
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
