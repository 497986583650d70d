//! Manages the lines of `receive.hideRefs`, which list the refs that a push may not write.
//!
//! git applies the last line that matches a ref, so the order counts. tinyci stores the lines that an
//! install added in its state, and an uninstall removes only these lines. If a line already exists,
//! tinyci adds it with one more slash at the end, which git ignores.

use std::{fs, io, path::PathBuf};

use crate::{
    model::{
        error::{Error, ErrorKind},
        stored_names::{families, refs, state},
    },
    repo::{HIDE_REFS, READ, Repo, Writer, is_ref_name, is_written_by_tinyci},
    util::{state_file, suggestion::hinted},
};

/// The state file with the lines that an install added to git's configuration.
const MEMORY: &str = state::HIDDEN_REFS;

/// The notes that people write with `git notes`.
const NOTES_OF_PEOPLE: &str = "refs/notes/commits";

/// Returns the warning about a server that does not hide the refs.
pub(crate) fn forgeable() -> String {
    let hint = "`tinyci install --hide-refs` refuses such pushes (`receive.hideRefs`)";
    hinted("anyone who can push can forge verdicts", hint)
}

/// Returns true if no push can write a ref that tinyci trusts.
pub(crate) fn hides_refs(repo: &Repo) -> Result<bool, Error> {
    let hidden = repo.hidden_refs(&[])?;
    let ours = READ.iter().filter(|(_, writer)| *writer == Writer::Tinyci);
    let mut names: Vec<String> = ours.map(|(name, _)| (*name).to_owned()).collect();
    if ignores_case(repo)? {
        names.extend([families::NOTES, families::TINYCI].map(in_other_letters));
    }
    let mut excepted = hidden.excepted();
    // git compares these lines with the letters of a push, and the file system ignores them.
    excepted.retain(|path| is_written_by_tinyci(path) && !hidden.hides(path));
    let is_forgeable = ignores_case(repo)? && !excepted.is_empty();
    Ok(!is_forgeable && names.iter().all(|name| hidden.hides(name)))
}

/// Makes git refuse pushes to notes and tinyci's refs, except approvals, the notes of others, and the
/// refs in `named`. Returns true if anything changed, and messages of one sentence each.
pub(super) fn hide(repo: &Repo, named: &[String]) -> Result<(bool, Vec<String>), Error> {
    let named = named.iter().map(|name| checked(name)).collect::<Result<Vec<_>, _>>()?;
    let mut lines = Lines::read(repo)?;
    let before = lines.added.len();
    if !hides_refs(repo)? {
        for name in hidden_families(repo)? {
            lines.add("", name)?;
        }
    }
    let theirs = repo.hidden_refs(&lines.added)?;
    let mut shown = vec![refs::APPROVALS.to_owned(), NOTES_OF_PEOPLE.to_owned()];
    if ignores_case(repo)? {
        shown.extend(["refs/heads".to_owned(), "refs/tags".to_owned()]);
    }
    shown.extend(repo.notes_of_others()?);
    shown.extend(theirs.excepted().into_iter().filter(|path| !is_written_by_tinyci(path)));
    // Refs that the operator hides stay hidden, unless the operator names them now.
    shown.retain(|path| !theirs.hides(path) && !lines.was_removed(path));
    shown.extend(named);
    let mut reported: Vec<String> = Vec::new();
    for path in shown.iter().map(|path| path.trim_end_matches('/')) {
        if repo.hidden_refs(&[])?.hides(path) {
            lines.add("!", path)?;
        }
        if !reported.iter().any(|known| known == path) {
            reported.push(path.to_owned());
        }
    }
    let changed = lines.added.len() > before;
    let mut notes = Vec::new();
    if changed {
        notes.extend(report(&hidden_families(repo)?, &reported));
    }
    if !hides_refs(repo)? {
        let still = "anyone who can push can still forge verdicts";
        let hint = format!(
            "a later line of `transfer.hideRefs` or `{HIDE_REFS}` with `!` lets them: \
             `git config --show-origin --get-regexp hiderefs` shows it"
        );
        notes.push(hinted(still, &hint));
    }
    Ok((changed, notes))
}

fn report(hidden: &[&str], shown: &[String]) -> [String; 2] {
    let listed = |names: Vec<&str>| format!("`{}`", names.join("`, `"));
    let shown = shown.iter().map(String::as_str).collect();
    [
        format!("git now refuses pushes to {} (`{HIDE_REFS}`)", listed(hidden.to_vec())),
        format!("pushes can still write {}", listed(shown)),
    ]
}

/// Removes the lines that [`hide`] added. Returns true if there were any.
pub(super) fn show(repo: &Repo) -> Result<bool, Error> {
    let lines = Lines::read(repo)?;
    let mut changed = false;
    for value in &lines.added {
        changed |= repo.config_unset(HIDE_REFS, value)?;
    }
    match fs::remove_file(memory(repo)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(changed),
        removed => {
            removed.map(|()| changed).map_err(|source| Error::io("remove", &memory(repo), source))
        }
    }
}

/// Returns the prefixes to hide. On a file system that ignores case, a push to
/// `refs/Notes/tinyci-result` would replace the verdicts. There, all refs are hidden except those that
/// are listed.
fn hidden_families(repo: &Repo) -> Result<Vec<&'static str>, Error> {
    let all = ignores_case(repo)?;
    Ok(if all { vec!["refs/"] } else { vec![families::NOTES, families::TINYCI] })
}

fn ignores_case(repo: &Repo) -> Result<bool, Error> {
    Ok(repo.config_bool("core.ignoreCase")? == Some(true))
}

fn in_other_letters(name: &str) -> String {
    name.to_uppercase().replacen("REFS/", "refs/", 1)
}

/// Checks the name of a ref that the operator gave. Fails if it is invalid or pushes to it could forge
/// verdicts.
fn checked(name: &str) -> Result<String, Error> {
    let path = name.trim_end_matches('/');
    if !is_ref_name(path) {
        let message = format!("invalid ref `{name}`: expected a name such as `refs/notes/review`");
        return Err(Error::new(ErrorKind::InvalidArg, message));
    }
    if is_written_by_tinyci(path) {
        let message = format!("refusing to let pushes write `{name}`: it could forge verdicts");
        return Err(Error::new(ErrorKind::InvalidArg, message));
    }
    Ok(path.to_owned())
}

/// The lines that installs added.
struct Lines<'a> {
    repo: &'a Repo,
    added: Vec<String>,
}

impl<'a> Lines<'a> {
    fn read(repo: &'a Repo) -> Result<Self, Error> {
        let path = memory(repo);
        let text = match state_file::read_text(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            read => read.map_err(|source| Error::io("read", &path, source))?,
        };
        Ok(Self { repo, added: text.lines().map(str::to_owned).collect() })
    }

    /// Adds a line at the end. Records it first, so that an uninstall finds every line. A recorded line
    /// that is not in the configuration is harmless.
    fn add(&mut self, sign: &str, path: &str) -> Result<(), Error> {
        let known = self.repo.config_values(HIDE_REFS)?;
        let mut value = format!("{sign}{path}");
        while known.contains(&value) {
            value.push('/');
        }
        if !self.added.contains(&value) {
            self.added.push(value.clone());
            let text: String = self.added.iter().map(|value| format!("{value}\n")).collect();
            self.repo.write_state(MEMORY, text.as_bytes())?;
        }
        self.repo.config_add(HIDE_REFS, &value)?;
        Ok(())
    }

    /// Returns true if an install excepted this path and someone removed the line.
    fn was_removed(&self, path: &str) -> bool {
        let line = format!("!{}", path.trim_end_matches('/'));
        let is_it = |value: &String| value.trim_end_matches('/') == line;
        let is_there = self.repo.config_values(HIDE_REFS).is_ok_and(|it| it.iter().any(is_it));
        self.added.iter().any(is_it) && !is_there
    }
}

fn memory(repo: &Repo) -> PathBuf {
    repo.common_dir().join(state::DIR).join(MEMORY)
}

#[cfg(test)]
mod tests {
    use std::process::Output;

    use super::*;
    use crate::testing::TestRepo;

    /// A server, a clone of it with a commit, and pushes from there.
    struct Stage {
        server: TestRepo,
        client: TestRepo,
        commit: String,
    }

    impl Stage {
        fn new(lines: &[(&str, &str)]) -> Self {
            let (server, client) = (TestRepo::bare(), TestRepo::new());
            lines
                .iter()
                .for_each(|(key, value)| drop(server.git(&["config", "--add", key, value])));
            let commit = client.commit("one");
            client.git(&["remote", "add", "origin", server.path().to_str().unwrap()]);
            Self { server, client, commit }
        }

        fn repo(&self) -> Repo {
            Repo::open(self.server.path()).unwrap()
        }

        fn config(&self) -> String {
            fs::read_to_string(self.server.path().join("config")).unwrap()
        }

        fn values(&self) -> Vec<String> {
            let all = self.server.try_git(&["config", "--get-all", HIDE_REFS]).stdout;
            String::from_utf8(all).unwrap().lines().map(str::to_owned).collect()
        }

        fn push(&self, what: &str) -> Output {
            self.client.try_git(&["push", "-q", "origin", what])
        }

        /// Returns true if git refuses a push that creates or deletes this ref, because the ref is
        /// hidden.
        fn refuses(&self, name: &str) -> bool {
            let to_name = format!("+{}:{name}", self.commit);
            let refusals = [to_name, format!(":{name}")].map(|what| {
                let pushed = self.push(&what);
                let said = String::from_utf8_lossy(&pushed.stderr).into_owned();
                !pushed.status.success() && said.contains("hidden ref")
            });
            assert_eq!(refusals[0], refusals[1], "{name}");
            refusals[0]
        }
    }

    /// Returns names that a reader of this name would find, or that would conflict with it.
    fn samples(name: &str) -> Vec<String> {
        let start = name.trim_end_matches('*');
        match start.strip_suffix('/') {
            Some(dir) => vec![
                dir.to_owned(),
                format!("{dir}/x"),
                format!("{dir}/x/tinyci-result"),
                format!("{dir}/x/runs/tinyci"),
                format!("{dir}/x/deployments/production"),
            ],
            None => vec![start.to_owned(), format!("{start}/x"), format!("{start}-x")],
        }
    }

    #[test]
    fn no_push_writes_a_ref_that_tinyci_believes_wherever_it_is_read() {
        for letters in ["false", "true"] {
            let stage = Stage::new(&[("core.ignoreCase", letters)]);
            let repo = stage.repo();
            assert!(!hides_refs(&repo).unwrap());
            assert!(hide(&repo, &[]).unwrap().0);
            assert!(hides_refs(&stage.repo()).unwrap());
            let exact = [refs::BASELINE.to_owned() + "-x", refs::RECORDS.to_owned() + "-x"];
            for (name, writer) in READ {
                for sample in samples(name) {
                    let hidden = writer == Writer::Tinyci || exact.contains(&sample);
                    assert_eq!(stage.refuses(&sample), hidden, "{sample}");
                    let other = in_other_letters(&sample);
                    assert!(letters == "false" || stage.refuses(&other), "{other}");
                }
            }
            for free in ["refs/heads/main", "refs/tags/v1", "refs/notes/commits"] {
                assert!(!stage.refuses(free), "{free}");
            }
            assert!(stage.refuses("refs/notes/unknown"));
        }
    }

    #[test]
    fn notes_of_others_stay_writable_and_those_that_look_like_verdicts_do_not() {
        let stage = Stage::new(&[]);
        let all = ["review", "a/b", "tinyci-x", "TinyCI-y", "runs/other", "remotes/origin/x"];
        for name in all {
            stage.push(&format!("{}:refs/notes/{name}", stage.commit));
        }
        let repo = stage.repo();
        let (changed, said) = hide(&repo, &["refs/notes/bot/".to_owned()]).unwrap();
        assert!(changed);
        let shown = "pushes can still write `refs/tinyci/approvals`, `refs/notes/commits`, \
                     `refs/notes/a/b`, `refs/notes/review`, `refs/notes/bot`";
        let hidden = "git now refuses pushes to `refs/notes/`, `refs/tinyci/` (`receive.hideRefs`)";
        assert_eq!(said, [hidden, shown]);
        for name in all {
            let is_free = ["review", "a/b"].contains(&name);
            assert_eq!(stage.refuses(&format!("refs/notes/{name}")), !is_free, "{name}");
        }
        assert!(!stage.refuses("refs/notes/bot/x") && stage.refuses("refs/notes/bots"));
        // There is nothing left to do. The next install finds notes that were added since.
        let before = stage.config();
        assert_eq!(hide(&repo, &[]).unwrap(), (false, Vec::new()));
        assert_eq!(stage.config(), before);
        let blob = stage.server.git(&["hash-object", "-w", "/dev/null"]);
        stage.server.git(&["update-ref", "refs/notes/late", &blob]);
        assert!(stage.refuses("refs/notes/late"));
        assert!(hide(&repo, &[]).unwrap().0 && !stage.refuses("refs/notes/late"));
        for wrong in
            ["refs/notes", "refs/notes/tinyci-x", "refs/tinyci/", "notes/x", "refs/notes/a b", ""]
        {
            assert!(hide(&repo, &[wrong.to_owned()]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn lines_of_the_operator_stay_and_keep_what_they_mean() {
        let lines = [
            (HIDE_REFS, "refs/notes/"),
            (HIDE_REFS, "!refs/notes/tinyci-result"),
            (HIDE_REFS, "!refs/notes/mine"),
            (HIDE_REFS, "refs/internal"),
            (HIDE_REFS, "refs/tinyci/approvals"),
        ];
        let stage = Stage::new(&lines);
        let before = stage.config();
        let repo = stage.repo();
        assert!(!hides_refs(&repo).unwrap());
        assert!(hide(&repo, &[]).unwrap().0);
        let values = stage.values();
        assert_eq!(values[..5], lines.map(|(_, value)| value.to_owned()));
        assert_eq!(values[5..], ["refs/notes//", "refs/tinyci/", "!refs/notes/mine/"]);
        for (name, hidden) in [
            (refs::VERDICTS, true),
            ("refs/notes/mine", false),
            ("refs/internal/x", true),
            // The operator hides these, so they must be named to be shown.
            ("refs/tinyci/approvals/x", true),
            (NOTES_OF_PEOPLE, true),
        ] {
            assert_eq!(stage.refuses(name), hidden, "{name}");
        }
        assert!(hide(&repo, &[NOTES_OF_PEOPLE.to_owned()]).unwrap().0);
        assert!(!stage.refuses(NOTES_OF_PEOPLE));
        assert!(show(&repo).unwrap() && !show(&repo).unwrap());
        assert_eq!(stage.config(), before);
    }

    #[test]
    fn an_exception_in_other_letters_is_one_if_the_file_system_ignores_them() {
        for (letters, is_protected) in [("false", true), ("true", false)] {
            let stage = Stage::new(&[("core.ignoreCase", letters)]);
            hide(&stage.repo(), &[]).unwrap();
            for exception in ["!refs/Notes", "!refs/notes/TinyCI-result"] {
                assert!(hides_refs(&stage.repo()).unwrap(), "{letters}");
                stage.server.git(&["config", "--add", HIDE_REFS, exception]);
                assert_eq!(hides_refs(&stage.repo()).unwrap(), is_protected, "{exception}");
                assert!(!stage.refuses("refs/Notes/x") || exception != "!refs/Notes");
                let value = format!("^{exception}$");
                stage.server.git(&["config", "--unset", HIDE_REFS, &value]);
            }
        }
    }

    #[test]
    fn an_exception_that_was_removed_stays_removed_and_a_later_line_is_told() {
        let stage = Stage::new(&[]);
        let repo = stage.repo();
        hide(&repo, &[]).unwrap();
        stage.server.git(&["config", "--unset", HIDE_REFS, "^!refs/notes/commits$"]);
        assert!(!hide(&repo, &[]).unwrap().0);
        assert!(stage.refuses(NOTES_OF_PEOPLE));
        // Another install restores the protection that a later line removed.
        stage.server.git(&["config", "--add", HIDE_REFS, "!refs/notes/tinyci-result"]);
        assert!(!hides_refs(&stage.repo()).unwrap() && !stage.refuses(refs::VERDICTS));
        assert!(hide(&repo, &[]).unwrap().0 && hides_refs(&stage.repo()).unwrap());
        assert!(stage.refuses(refs::VERDICTS) && !stage.refuses("refs/tinyci/approvals/x"));
        stage.server.git(&["config", "--add", "transfer.hideRefs", "!refs/notes"]);
        assert!(!hides_refs(&stage.repo()).unwrap() && !stage.refuses(refs::VERDICTS));
        assert!(hide(&repo, &[]).unwrap().0 && stage.refuses(refs::VERDICTS));
        // git reads this file after the one that an install writes.
        stage.server.git(&["config", "extensions.worktreeConfig", "true"]);
        stage.server.git(&["config", "--worktree", HIDE_REFS, "!refs/notes"]);
        let (_, said) = hide(&stage.repo(), &[]).unwrap();
        assert!(said.last().unwrap().contains("can still forge verdicts"), "{said:?}");
        assert!(!stage.refuses(refs::VERDICTS));
        stage.server.git(&["config", "--worktree", "--unset-all", HIDE_REFS]);
        show(&repo).unwrap();
        assert_eq!(stage.values(), ["!refs/notes/tinyci-result"]);
    }
}
