//! `tinyci cancel`: cancels a job or a run of another process.

use tinyci::{
    Outcome,
    intervention::{CancelRequest, CanceledJob, Cancellation},
    selection::Wait,
};

use crate::{
    console::{
        exit_codes::{FAILED, OK},
        failure::Failure,
        signals,
        terminal::{Stdout, print_error},
    },
    globals::Globals,
};

const EXAMPLES: &str = "\
Examples:
  tinyci cancel f40785c -m 'it hangs'
                                    cancel the job of this commit; the run continues
  tinyci cancel                     cancel the active run
  tinyci -r cancel topic --kill     kill it, on the server of the remote `origin`

A commit whose job was canceled has no verdict; `tinyci run --retry` tests it again. If you cancel a \
run, its commits are pending again. If only one job was active, that commit counts as canceled and \
needs `--retry`. A second cancel kills the commands. Deployments are not jobs: cancel one with Ctrl-C \
where it was started.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CancelArgs {
    /// The commit whose job to cancel [default: the whole run]
    #[arg(value_name = "REV")]
    revision: Option<String>,
    /// The reason, for the record
    #[arg(short = 'm', long, value_name = "TEXT")]
    reason: Option<String>,
    /// Kill commands at once, without a grace period and without `after_all`
    #[arg(long)]
    kill: bool,
    /// Do not wait until the job or the run has ended
    #[arg(long)]
    no_wait: bool,
    /// Print the canceled jobs as one line of JSON
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
        print_report(&canceled, &mut stdout);
    }
    let late = canceled.jobs.iter().filter(|job| !canceled.whole_run && is_late(job));
    let late: Vec<&CanceledJob> = late.collect();
    for job in &late {
        let outcome = job.outcome.map(|it| it.to_string()).unwrap_or_default();
        print_error(Failure::failed(format!(
            "cannot cancel {}: its job has already ended with {outcome}",
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

/// Returns true if the job ended before it could be canceled.
fn is_late(job: &CanceledJob) -> bool {
    job.outcome.is_some_and(|outcome| outcome != Outcome::Canceled)
}

fn print_report(canceled: &Cancellation, stdout: &mut Stdout) {
    // The only job of a run counts as named.
    let is_named = canceled.jobs.len() == 1;
    for job in &canceled.jobs {
        let short = job.commit.short();
        match job.outcome {
            Some(Outcome::Canceled) if is_named => stdout.line(format_args!(
                "Canceled {}; `tinyci run --retry {short}` tests it again",
                job.commit
            )),
            Some(Outcome::Canceled) => {
                stdout.line(format_args!("Canceled {}; it is pending again", job.commit));
            }
            // Its run, or an error message, reports it.
            Some(_) => {}
            None => stdout.line(format_args!("Canceling {}", job.commit)),
        }
    }
    if canceled.whole_run {
        stdout.line("Canceled the run");
    }
}
