//! Ends what this process started, should this process be killed.
//!
//! A shell beside it is told of every process group that begins and ends. When this process dies,
//! however it dies, the kernel closes the socket between them; the shell reads the end of its
//! input and kills the groups that are left. It alone shares the open file of the run's lock, so
//! that no other run can take the lock before that is done.

use std::{
    collections::BTreeSet,
    fs::File,
    io,
    os::{
        fd::OwnedFd,
        unix::{net::UnixStream, process::CommandExt},
    },
    process::{Command as Builder, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rustix::{
    net::{SendFlags, send},
    process::Signal,
};

use crate::{
    error::{Error, ErrorKind},
    process::{
        child::{Child, State},
        group::Group,
    },
};

/// What the shell runs.
///
/// It kills first and waits for the dead afterwards, since for the waiting it needs `sleep` and
/// thereby a fork, which a bomb that is still going off may deny it. The wait has a bound: in a
/// container without a proper init nobody ever reaps them, and `kill` finds zombies too.
const SCRIPT: &str = r#"
trap '' HUP INT QUIT TERM TSTP
groups=' '
while read -r verb group; do
    case $verb in
    add) groups="$groups$group " ;;
    remove)
        case $groups in
        *" $group "*) groups="${groups%%" $group "*} ${groups#*" $group "}" ;;
        esac ;;
    esac
done
for group in $groups; do
    kill -s KILL -- "-$group"
done
rounds=0
for group in $groups; do
    while kill -s KILL -- "-$group" && [ "$rounds" -lt 40 ]; do
        rounds=$((rounds + 1))
        sleep 0.05 || sleep 1
    done
done
"#;

/// The guard of one run, shared by its workers. It costs nothing until the first command.
pub(crate) struct Guard {
    state: Mutex<Guarded>,
}

/// What has to be ended, and who would do it.
struct Guarded {
    lock: Option<File>,
    groups: BTreeSet<Group>,
    shell: Option<Shell>,
}

impl Guard {
    /// A guard that holds this lock as long as it lives: another descriptor of the lock's own open
    /// file ([`File::try_clone`]), not the file opened anew.
    pub(crate) fn new(lock: Option<File>) -> Self {
        Self { state: Mutex::new(Guarded { lock, groups: BTreeSet::new(), shell: None }) }
    }

    /// Makes sure that it is there before something is started.
    ///
    /// # Errors
    ///
    /// [`Spawn`](ErrorKind::Spawn): what can't be guarded is not started.
    pub(super) fn start(&self) -> Result<(), Error> {
        let mut state = self.state();
        if state.shell.is_some() { Ok(()) } else { state.start_shell() }
    }

    /// Puts a group under guard.
    ///
    /// # Errors
    ///
    /// [`Spawn`](ErrorKind::Spawn) where the shell was lost and there is no room for another.
    pub(super) fn add(&self, group: Group) -> Result<(), Error> {
        let mut state = self.state();
        state.groups.insert(group);
        state.tell("add", group)
    }

    /// Releases a group: from now on its number may become somebody else's.
    pub(super) fn remove(&self, group: Group) {
        let mut state = self.state();
        state.groups.remove(&group);
        // The shell that could not be told is gone. If there was no room for another one, the next
        // command will say so.
        let _ = state.tell("remove", group);
    }

    /// Sends the guard away and waits until it has let go of the lock.
    pub(crate) fn finish(&self) {
        let mut state = self.state();
        state.shell = None;
        state.lock = None;
    }

    fn state(&self) -> MutexGuard<'_, Guarded> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guarded {
    /// Tells the shell; one that can't be told any more is replaced by one that knows all.
    fn tell(&mut self, verb: &str, group: Group) -> Result<(), Error> {
        let told = self.shell.as_ref().map(|shell| shell.tell(&line(verb, group)));
        match told {
            Some(Ok(())) => Ok(()),
            _ => self.start_shell(),
        }
    }

    fn start_shell(&mut self) -> Result<(), Error> {
        // One that still runs must not take its end for ours.
        self.shell = None;
        let groups: String = self.groups.iter().map(|group| line("add", *group)).collect();
        let started = Shell::start(self.lock.as_ref()).and_then(|shell| {
            shell.tell(&groups)?;
            Ok(shell)
        });
        self.shell = Some(started.map_err(|error| {
            Error::new(ErrorKind::Spawn, "cannot start `/bin/sh` to guard the commands")
                .with_source(error)
        })?);
        Ok(())
    }
}

fn line(verb: &str, group: Group) -> String {
    format!("{verb} {}\n", group.number())
}

/// The shell that runs [`SCRIPT`].
struct Shell {
    child: Child,
    input: UnixStream,
}

impl Shell {
    fn start(lock: Option<&File>) -> io::Result<Self> {
        let (input, its_input) = UnixStream::pair()?;
        #[cfg(target_vendor = "apple")]
        rustix::net::sockopt::set_socket_nosigpipe(&input, true)?;
        // Standard output is but a place to keep the lock: nothing is written to it.
        let lock = lock.map(File::try_clone).transpose()?;
        let mut builder = Builder::new("/bin/sh");
        builder.arg("-c").arg(SCRIPT).current_dir("/").process_group(0);
        builder.env_clear().env("PATH", "/usr/bin:/bin");
        builder.stdin(OwnedFd::from(its_input)).stderr(Stdio::null());
        builder.stdout(lock.map_or_else(Stdio::null, Stdio::from));
        Ok(Self { child: Child::new(&builder.spawn()?), input })
    }

    /// Never waits and never raises SIGPIPE: a shell that is dead or does not read is an error.
    fn tell(&self, lines: &str) -> io::Result<()> {
        #[cfg(target_vendor = "apple")]
        let flags = SendFlags::DONTWAIT;
        #[cfg(not(target_vendor = "apple"))]
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        let sent = if lines.is_empty() { 0 } else { send(&self.input, lines.as_bytes(), flags)? };
        // Half a line would be worse than none, and its reader goes with it.
        if sent == lines.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
    }
}

impl Drop for Shell {
    /// Killed rather than told to go: it can be in any state, even stopped, and must not take the
    /// end of its input for the end of this process.
    fn drop(&mut self) {
        while self.child.state() == State::Running {
            self.child.group().signal(Signal::KILL);
            self.child.wait(Duration::from_millis(100));
        }
        self.child.reap();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use std::{
        fs::{self, TryLockError},
        net::Shutdown,
        path::Path,
    };

    use rustix::process::{Pid, kill_process};
    use tempfile::TempDir;

    use super::*;
    use crate::{
        cancel::{CancelToken, CancelView},
        executor::{Command, Program},
        process::{
            Context, run,
            testing::{is_alive, wait_until},
        },
    };

    /// A process that leads a group and stays.
    fn sleeper() -> Child {
        let mut builder = Builder::new("sleep");
        builder.arg("600").process_group(0).stdout(Stdio::null());
        Child::new(&builder.spawn().unwrap())
    }

    fn number_in(path: &Path) -> Option<i32> {
        fs::read_to_string(path).ok()?.strip_suffix('\n')?.parse().ok()
    }

    impl Guard {
        fn signal_shell(&self, signal: Signal) {
            self.state().shell.as_ref().unwrap().child.group().signal(signal);
        }

        /// What the shell sees when this process dies.
        fn hang_up(&self) {
            self.state().shell.as_ref().unwrap().input.shutdown(Shutdown::Both).unwrap();
        }
    }

    fn wait_for_death(child: &Child) {
        wait_until(|| child.has_ended());
        child.reap();
    }

    #[test]
    fn at_the_end_of_its_input_it_kills_whoever_is_left() {
        let guard = Guard::new(None);
        let [first, gone, last] = [sleeper(), sleeper(), sleeper()];
        for child in [&first, &gone, &last] {
            guard.add(child.group()).unwrap();
        }
        guard.remove(gone.group());
        guard.hang_up();
        wait_for_death(&first);
        wait_for_death(&last);
        assert!(!gone.has_ended(), "it was released");
        gone.group().signal(Signal::KILL);
        wait_for_death(&gone);
    }

    #[test]
    fn one_that_died_or_hangs_is_replaced_and_loses_nobody() {
        for signal in [Signal::KILL, Signal::STOP] {
            let guard = Guard::new(None);
            let [before, after] = [sleeper(), sleeper()];
            guard.add(before.group()).unwrap();
            guard.signal_shell(signal);
            let shell = || guard.state().shell.as_ref().unwrap().child.group();
            let lost = shell();
            // A stopped one is noticed only when the socket is full, a dead one at once.
            wait_until(|| {
                (0..100).for_each(|_| guard.add(after.group()).unwrap());
                shell() != lost
            });
            guard.hang_up();
            wait_for_death(&before);
            wait_for_death(&after);
        }
    }

    #[test]
    fn it_shares_the_lock_until_it_is_sent_away() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("lock");
        let lock = File::create(&path).unwrap();
        lock.try_lock().unwrap();
        let guard = Guard::new(Some(lock.try_clone().unwrap()));
        guard.start().unwrap();
        guard.signal_shell(Signal::STOP);
        drop(lock);
        let other = File::open(&path).unwrap();
        assert!(matches!(other.try_lock(), Err(TryLockError::WouldBlock)));
        guard.finish();
        // A child that another test is just starting may share the lock for a moment.
        wait_until(|| other.try_lock().is_ok());
        assert_eq!(fs::read(&path).unwrap(), b"", "nothing is ever written to it");
    }

    /// Where the test below tells its engine to work.
    const FOLDER: &str = "FOLDER_OF_THE_ENGINE_TO_BE_KILLED";

    #[test]
    fn a_killed_engine_frees_its_lock_only_after_its_commands_are_dead() {
        let dir = TempDir::new().unwrap();
        let [leader, child] = ["leader", "child"].map(|name| dir.path().join(name));
        let mut engine = Builder::new(std::env::current_exe().unwrap());
        engine.args(["--exact", "process::guard::tests::an_engine_to_be_killed", "--ignored"]);
        let mut engine = engine.env(FOLDER, dir.path()).stdout(Stdio::null()).spawn().unwrap();
        wait_until(|| number_in(&leader).is_some() && number_in(&child).is_some());

        let lock = File::open(dir.path().join("lock")).unwrap();
        assert!(matches!(lock.try_lock(), Err(TryLockError::WouldBlock)));
        let pid = Pid::from_child(&engine);
        kill_process(pid, Signal::KILL).unwrap();
        wait_until(|| lock.try_lock().is_ok());
        for file in [leader, child] {
            let number = number_in(&file).unwrap();
            assert!(!is_alive(number), "{} lives on", file.display());
        }
        engine.wait().unwrap();
    }

    #[test]
    #[ignore = "run by the test above, and killed"]
    fn an_engine_to_be_killed() {
        let dir = std::env::var_os(FOLDER).expect("the test above sets it");
        let dir = Path::new(&dir);
        let lock = File::create(dir.join("lock")).unwrap();
        lock.try_lock().unwrap();
        let guard = Guard::new(Some(lock.try_clone().unwrap()));
        let inherited = crate::inherited::Inherited::default();
        let context =
            Context { guard: &guard, grace: Duration::ZERO, inherited: &inherited, nice: 0 };
        let script = "trap '' TERM HUP
            (trap '' TERM HUP; sh -c 'echo $PPID' > child; while :; do sleep 1; done) &
            echo $$ > leader
            while :; do sleep 1; done";
        let command = Command::new(Program::Shell(script.to_owned()), dir);
        let cancel = CancelView::new(&CancelToken::new(), 1);
        let _ = run(&command, &context, &mut |_| {}, &cancel);
    }
}
