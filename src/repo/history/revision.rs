//! Resolves revisions and ranges in git's syntax.

use git2::{ErrorCode, ObjectType, Oid};

use super::walk;
use crate::model::{
    commit::CommitId,
    error::{Error, ErrorKind},
};
use crate::repo::repository::{Repo, because, commit_id};

impl Repo {
    /// Returns the commit that a revision names, in any of git's syntax. Annotated tags are peeled.
    ///
    /// A revision is never read as an option, even if it begins with `-`.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) if it names nothing, several objects, or an object that is
    /// not a commit; [`InvalidArg`](ErrorKind::InvalidArg) if it is empty or a range.
    pub(crate) fn resolve(&self, revision: &str) -> Result<CommitId, Error> {
        commit_id(self.resolve_oid(revision)?)
    }

    /// Returns the commits of a range, oldest first: `a..b`, `a...b`, or words such as `b ^a`.
    ///
    /// An omitted side means HEAD. A single revision means its whole history. Parents come before
    /// their children. Of several that could come next, the one with the earlier time comes first,
    /// then the one with the smaller id.
    ///
    /// # Errors
    ///
    /// As [`resolve`](Repo::resolve).
    pub(crate) fn resolve_range(&self, range: &str) -> Result<Vec<CommitId>, Error> {
        let (mut tips, mut hidden) = (Vec::new(), Vec::new());
        for word in words(range) {
            if let Some((left, right)) = word.split_once("...") {
                let (left, right) = (self.side(left)?, self.side(right)?);
                tips.extend([left, right]);
                hidden.extend(walk::merge_bases(&self.git, left, right)?);
            } else if let Some((left, right)) = word.split_once("..") {
                hidden.push(self.side(left)?);
                tips.push(self.side(right)?);
            } else if let Some(revision) = word.strip_prefix('^') {
                hidden.push(self.resolve_oid(revision)?);
            } else {
                tips.push(self.resolve_oid(word)?);
            }
        }
        if tips.is_empty() {
            let message = format!("invalid range `{range}`: expected a range such as `a..b`");
            return Err(Error::new(ErrorKind::InvalidArg, message));
        }
        let nodes = walk::oldest_first(walk::between(&self.git, &tips, &hidden)?);
        nodes.into_iter().map(|node| commit_id(node.id)).collect()
    }

    fn side(&self, revision: &str) -> Result<Oid, Error> {
        self.resolve_oid(if revision.is_empty() { "HEAD" } else { revision })
    }

    fn resolve_oid(&self, revision: &str) -> Result<Oid, Error> {
        if revision.trim().is_empty() {
            return Err(Error::new(ErrorKind::InvalidArg, "invalid revision: it is empty"));
        }
        if revision.contains("..") || revision.starts_with('^') {
            let message =
                format!("invalid revision `{revision}`: expected one commit, got a range");
            return Err(Error::new(ErrorKind::InvalidArg, message));
        }
        let object = match self.git.revparse_single(revision) {
            Ok(object) => object,
            Err(error) if error.code() == ErrorCode::Ambiguous => {
                return self.disambiguate(revision, error);
            }
            Err(source) => {
                let plain = self.plain_revision(revision)?;
                return plain.ok_or_else(|| self.not_found(revision, source));
            }
        };
        let kind = object.kind().map_or("object", |kind| kind.str());
        self.peeled(object.id())?.ok_or_else(|| {
            let message = format!("`{revision}` names a {kind}, not a commit, in {self}");
            Error::new(ErrorKind::NotFound, message)
        })
    }

    /// The same by our own reader of commits, since libgit2 does not go through a malformed one: an
    /// id, the name of a ref or HEAD, and steps such as `~2`. None for any other revision, and for
    /// one that names nothing.
    fn plain_revision(&self, revision: &str) -> Result<Option<Oid>, Error> {
        let (base, mut steps) =
            revision.split_at(revision.find(['~', '^']).unwrap_or(revision.len()));
        let Some(base) = self.plain_base(base) else { return Ok(None) };
        let Some(mut id) = self.peeled(base)? else { return Ok(None) };
        while let Some(kind) = steps.chars().next() {
            let rest = steps.get(1..).unwrap_or_default();
            if let Some(after) = rest.strip_prefix("{commit}").or_else(|| rest.strip_prefix("{}")) {
                steps = after;
                continue;
            }
            let end = rest.find(|digit: char| !digit.is_ascii_digit()).unwrap_or(rest.len());
            let (digits, after) = rest.split_at(end);
            let number = if digits.is_empty() { Some(1) } else { digits.parse::<usize>().ok() };
            let (Some(number), '~' | '^') = (number, kind) else { return Ok(None) };
            let walked =
                if kind == '~' { self.back(id, number)? } else { self.parent(id, number)? };
            let Some(there) = walked else { return Ok(None) };
            (id, steps) = (there, after);
        }
        Ok(Some(id))
    }

    fn plain_base(&self, base: &str) -> Option<Oid> {
        if base.len() == 40
            && let Ok(id) = base.parse()
        {
            return Some(id);
        }
        let name = if base == "@" { "HEAD" } else { base };
        let reference = self.git.resolve_reference_from_short_name(name);
        if let Ok(reference) = reference.and_then(|reference| reference.resolve()) {
            return reference.target();
        }
        let digits = (4..40).contains(&base.len()) && base.bytes().all(|it| it.is_ascii_hexdigit());
        let short = digits.then(|| Oid::from_str(&format!("{base:0<40}")).ok()).flatten()?;
        self.git.odb().ok()?.exists_prefix(short, base.len()).ok()
    }

    /// The first parent of the first parent, and so on.
    fn back(&self, mut id: Oid, generations: usize) -> Result<Option<Oid>, Error> {
        for _ in 0..generations {
            match self.parent(id, 1)? {
                Some(parent) => id = parent,
                None => return Ok(None),
            }
        }
        Ok(Some(id))
    }

    /// A parent by its number, as git counts: 0 is the commit itself.
    fn parent(&self, id: Oid, number: usize) -> Result<Option<Oid>, Error> {
        let Some(at) = number.checked_sub(1) else { return Ok(Some(id)) };
        Ok(walk::read_node(&self.git, id)?.parents.get(at).copied())
    }

    /// Returns the only commit among several objects with this short id, as git does.
    fn disambiguate(&self, revision: &str, source: git2::Error) -> Result<Oid, Error> {
        let commits = self.commits_with_prefix(revision);
        if let [commit] = commits.as_slice() {
            return Ok(*commit);
        }
        let shown: Vec<_> = commits.iter().take(5).map(|id| format!("`{id}`")).collect();
        let of = if shown.is_empty() { String::new() } else { format!(": {}", shown.join(", ")) };
        let message = format!("ambiguous revision `{revision}` in {self}{of}");
        let error = Error::new(ErrorKind::NotFound, message).with_hint("use more digits of the id");
        Err(because(error, &source))
    }

    /// Returns the commits whose ids begin with this. Reads all object ids, so call it only for
    /// ambiguous ids.
    fn commits_with_prefix(&self, prefix: &str) -> Vec<Oid> {
        let prefix = prefix.to_ascii_lowercase();
        let Ok(odb) = self.git.odb() else { return Vec::new() };
        let mut commits = Vec::new();
        let listed = odb.foreach(|id| {
            let is_commit = || odb.read_header(*id).is_ok_and(|(_, k)| k == ObjectType::Commit);
            if id.to_string().starts_with(&prefix) && is_commit() {
                commits.push(*id);
            }
            true
        });
        // If the objects cannot be listed, the id remains ambiguous.
        if listed.is_err() {
            commits.clear();
        }
        commits.sort();
        commits.dedup();
        commits
    }

    fn not_found(&self, revision: &str, source: git2::Error) -> Error {
        let advice = if let Some(branch) = self.unborn(revision) {
            format!(": its branch `{branch}` has no commit yet")
        } else if let Some(name) = self.similar(revision) {
            format!("; did you mean `{name}`?")
        } else if self.git.is_shallow() {
            " (a shallow clone has no older commits)".to_owned()
        } else {
            String::new()
        };
        let message = format!("unknown revision `{revision}` in {self}{advice}");
        let error = Error::new(ErrorKind::NotFound, message);
        // For an invalid revision, git's message adds nothing to ours.
        if source.code() == ErrorCode::InvalidSpec { error } else { because(error, &source) }
    }

    fn unborn(&self, revision: &str) -> Option<String> {
        let named = revision == "@" || revision.split(['~', '^', '@']).next() == Some("HEAD");
        let branch = self.head_branch().ok().flatten().filter(|_| named)?;
        let branch = String::from_utf8_lossy(&branch).into_owned();
        let missing = self.git.find_reference(&branch).is_err();
        missing.then(|| branch.trim_start_matches("refs/heads/").to_owned())
    }

    /// Returns the branch or tag with the most similar name, at most two edits away.
    fn similar(&self, revision: &str) -> Option<String> {
        let references = self.git.references().ok()?;
        let names = references.filter_map(Result::ok).filter(|r| r.is_branch() || r.is_tag());
        let names = names.filter_map(|r| r.shorthand().map(str::to_owned).ok());
        let near = names.map(|name| (strsim::osa_distance(revision, &name), name));
        let (_, name) = near.filter(|(distance, _)| *distance <= 2).min()?;
        Some(name)
    }
}

/// Splits a range at white space, except in braces such as `main@{1 day ago}`.
fn words(range: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    let outside = |letter: char| {
        match letter {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && letter.is_whitespace()
    };
    range.split(outside).filter(|word| !word.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestRepo;

    fn open(repo: &TestRepo) -> Repo {
        Repo::open(repo.path()).unwrap()
    }

    #[test]
    fn revisions_resolve_as_in_git() {
        let repo = TestRepo::new();
        let (one, two) = (repo.commit("one"), repo.commit("two"));
        repo.git(&["tag", "-a", "v1", "-m", "tag", &one]);
        repo.git(&["tag", "-a", "nested", "-m", "tag", "v1"]);
        repo.git(&["branch", "side", &one]);
        let opened = open(&repo);
        let cases = [
            ("HEAD", &two),
            ("@", &two),
            ("main", &two),
            ("HEAD~1", &one),
            ("main^", &one),
            ("v1", &one),
            ("nested", &one),
            ("refs/heads/side", &one),
            (":/one", &one),
            (&two[..8], &two),
            (&two, &two),
            ("v1^{commit}", &one),
            ("v1-0-gabcdef1", &one),
        ];
        for (revision, expected) in &cases[..12] {
            assert_eq!(opened.resolve(revision).unwrap().to_string(), **expected, "{revision}");
        }
        let described = format!("v1-1-g{}", &two[..9]);
        assert_eq!(opened.resolve(&described).unwrap().to_string(), two);
    }

    #[test]
    fn what_names_no_commit_is_an_error_that_helps() {
        let repo = TestRepo::new();
        let opened = open(&repo);
        let error = opened.resolve("HEAD~1").unwrap_err();
        assert!(error.to_string().contains("`main` has no commit yet"), "{error}");
        repo.write("file", "text");
        repo.commit("one");
        repo.git(&["tag", "-a", "of-tree", "-m", "x", "HEAD^{tree}"]);
        let cases = [
            ("mian", ErrorKind::NotFound, "did you mean `main`"),
            ("HEAD~7", ErrorKind::NotFound, "unknown revision `HEAD~7`"),
            ("--output=pwn", ErrorKind::NotFound, "unknown revision `--output=pwn`"),
            ("-h", ErrorKind::NotFound, "unknown revision `-h`"),
            ("0123456789012345678901234567890123456789", ErrorKind::NotFound, "unknown revision"),
            ("of-tree", ErrorKind::NotFound, "names a tag, not a commit"),
            ("HEAD:file", ErrorKind::NotFound, "names a blob, not a commit"),
            ("HEAD^{tree}", ErrorKind::NotFound, "names a tree, not a commit"),
            ("a b", ErrorKind::NotFound, "unknown revision `a b`"),
            ("a\0b", ErrorKind::NotFound, "unknown revision"),
            ("", ErrorKind::InvalidArg, "empty"),
            ("main..HEAD", ErrorKind::InvalidArg, "got a range"),
        ];
        for (revision, kind, text) in cases {
            let error = opened.resolve(revision).unwrap_err();
            assert_eq!(error.kind(), kind, "{revision}: {error}");
            assert!(error.to_string().contains(text), "{revision}: {error}");
            assert!(!error.report().contains("object_t"), "{}", error.report());
            assert!(!error.report().contains("revision specifier"), "{}", error.report());
        }
        assert!(!repo.path().join("pwn").exists());
    }

    /// Writes commits until two of them share the first four digits.
    fn shared_prefix(repo: &TestRepo) -> (String, String) {
        let mut seen = std::collections::HashMap::new();
        let tree = repo.git(&["mktree", "--missing"]);
        let git = git2::Repository::open(repo.path()).unwrap();
        let tree = git.find_tree(tree.parse().unwrap()).unwrap();
        let ada = git2::Signature::new("Ada", "ada@example.org", &git2::Time::new(1, 0)).unwrap();
        for number in 0.. {
            let id = git.commit(None, &ada, &ada, &number.to_string(), &tree, &[]).unwrap();
            let id = id.to_string();
            if let Some(other) = seen.insert(id[..4].to_owned(), id.clone()) {
                return (other, id);
            }
        }
        unreachable!("numbers do not end")
    }

    #[test]
    fn ambiguous_short_ids_say_so() {
        let repo = TestRepo::new();
        let (one, two) = shared_prefix(&repo);
        let error = open(&repo).resolve(&one[..4]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let text = error.to_string();
        assert!(text.contains("ambiguous") && text.contains(&one) && text.contains(&two), "{text}");
    }

    #[test]
    fn a_short_id_of_one_commit_and_a_blob_is_the_commit() {
        let repo = TestRepo::new();
        let commit = repo.commit("x");
        let git = git2::Repository::open(repo.path()).unwrap();
        let shares = |text: &String| {
            let id = Oid::hash_object(ObjectType::Blob, text.as_bytes()).unwrap();
            id.to_string()[..4] == commit[..4]
        };
        let text = (0_u32..).map(|number| number.to_string()).find(shares).unwrap();
        git.blob(text.as_bytes()).unwrap();
        assert_eq!(open(&repo).resolve(&commit[..4]).unwrap().to_string(), commit);
    }

    fn listed(repo: &TestRepo, args: &[&str]) -> Vec<String> {
        let output = repo.git(&[&["rev-list", "--topo-order", "--reverse"], args].concat());
        output.lines().map(str::to_owned).collect()
    }

    #[test]
    fn ranges_hold_what_rev_list_lists() {
        let repo = TestRepo::new();
        for name in ["one", "two", "three"] {
            repo.commit(name);
        }
        repo.git(&["checkout", "-q", "-b", "side", "HEAD~2"]);
        repo.commit("four");
        repo.commit("five");
        repo.git(&["checkout", "-q", "main"]);
        repo.git(&["merge", "-q", "--no-ff", "-m", "merge", "side"]);
        repo.commit("six");
        let opened = open(&repo);
        let cases: [(&str, &[&str]); 8] = [
            ("HEAD~3..HEAD", &["HEAD~3..HEAD"]),
            ("side..", &["side..HEAD"]),
            ("..side", &["HEAD..side"]),
            ("side...main", &["side...main"]),
            ("main~2...side", &["main~2...side"]),
            ("^side main", &["^side", "main"]),
            ("main ^side~1", &["main", "^side~1"]),
            ("main", &["main"]),
        ];
        for (range, args) in cases {
            let found: Vec<_> =
                opened.resolve_range(range).unwrap().iter().map(CommitId::to_string).collect();
            let mut expected = listed(&repo, args);
            let at = |id: &str| found.iter().position(|other| other == id);
            for id in &found {
                for parent in listed(&repo, &["--no-walk", &format!("{id}^@")]) {
                    assert!(at(&parent).is_none_or(|before| Some(before) < at(id)), "{range}");
                }
            }
            let mut sorted = found.clone();
            sorted.sort();
            expected.sort();
            assert_eq!(sorted, expected, "{range}");
        }
        for bad in ["", "^side", "nowhere..main"] {
            assert!(opened.resolve_range(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn histories_without_a_common_commit_have_a_symmetric_difference() {
        let repo = TestRepo::new();
        let one = repo.commit("one");
        repo.git(&["checkout", "-q", "--orphan", "other"]);
        let two = repo.commit("two");
        let found = open(&repo).resolve_range("main...other").unwrap();
        assert_eq!(found.iter().map(CommitId::to_string).collect::<Vec<_>>(), [one, two]);
    }

    #[test]
    fn words_of_a_range_keep_braces_whole() {
        assert_eq!(words(" ^a  b@{1 day ago}..c "), ["^a", "b@{1 day ago}..c"]);
    }
}
