//! `tinyci cancel`: ends a job, or a run, that is in progress in another process.

use tinyci::{
    Outcome,
    intervention::{CancelRequest, CanceledJob, Cancellation},
    selection::Wait,
};

use crate::{
    console::{
        failure::{FAILED, Failure, OK},
        signals,
        terminal::{Stdout, complain},
    },
    globals::Globals,
};

const EXAMPLES: &str = "\
Examples:
  tinyci cancel f40785c -m 'it hangs'
                                    end the job of this commit; the run goes on
  tinyci cancel                     end the run that is in progress
  tinyci -r cancel topic --kill     at once, on the host of the remote `origin`

A commit whose job was canceled has no verdict, and waits for `tinyci run --retry`. The commits of a
run that was ended are due again; if just one was in progress, it counts as canceled by name. A second
cancel kills. Deployments are no jobs: they end where they were started.

Exit codes:
  0    it was canceled; with --no-wait, it is being canceled
  1    the job was over before it could be canceled
  2    nothing of the kind is in progress, or the command line is wrong
  3    the run does not take up the request
  4    tinyci could not do its work
  130  Ctrl-C ended the wait, not the cancel";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CancelArgs {
    /// The commit whose job is to end; the whole run without one
    #[arg(value_name = "REV")]
    revision: Option<String>,
    /// Why: it is kept in the record
    #[arg(short = 'm', long, value_name = "TEXT")]
    reason: Option<String>,
    /// Kill commands at once, without a grace period and without `after_all`
    #[arg(long)]
    kill: bool,
    /// Do not wait until it has ended
    #[arg(long)]
    no_wait: bool,
    /// Print what was canceled as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn execute(args: &CancelArgs, globals: &Globals) -> Result<u8, Failure> {
    let engine = globals.engine()?;
    let interrupt = signals::cancel_on_interrupt()?;
    let canceled = engine.cancel(&args.request(), &interrupt)?;
    let mut stdout = Stdout::new();
    if args.json {
        stdout.line(canceled.to_json());
    } else if !globals.is_quiet() {
        tell(&canceled, &mut stdout);
    }
    let late = canceled.jobs.iter().filter(|job| !canceled.whole_run && is_late(job));
    let late: Vec<&CanceledJob> = late.collect();
    for job in &late {
        let outcome = job.outcome.map(|it| it.to_string()).unwrap_or_default();
        complain(Failure::failed(format!(
            "{} was over before it could be canceled: {outcome}",
            job.commit
        )));
    }
    stdout.finish()?;
    Ok(if late.is_empty() { OK } else { FAILED })
}

impl CancelArgs {
    fn request(&self) -> CancelRequest {
        let mut request = match &self.revision {
            Some(revision) => CancelRequest::revision(revision),
            None => CancelRequest::run(),
        };
        request.reason.clone_from(&self.reason);
        request.kill(self.kill).wait(if self.no_wait { Wait::Never } else { Wait::Forever })
    }
}

/// Whether it came to something else than it was to.
fn is_late(job: &CanceledJob) -> bool {
    job.outcome.is_some_and(|outcome| outcome != Outcome::Canceled)
}

fn tell(canceled: &Cancellation, stdout: &mut Stdout) {
    // The only job of a run counts as named.
    let is_named = canceled.jobs.len() == 1;
    for job in &canceled.jobs {
        let short = job.commit.short();
        match job.outcome {
            Some(Outcome::Canceled) if is_named => stdout.line(format_args!(
                "Canceled {}: it waits for `tinyci run --retry {short}`",
                job.commit
            )),
            Some(Outcome::Canceled) => {
                stdout.line(format_args!("Canceled {}: it is due again", job.commit));
            }
            // Said as a complaint, or by its own end.
            Some(_) => {}
            None => stdout.line(format_args!("{} is being canceled", job.commit)),
        }
    }
    if canceled.whole_run {
        stdout.line("Canceled the run");
    }
}
