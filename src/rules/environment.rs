//! The environment variables of commands: which inherited variables pass, and which are added. This
//! file gets the process's environment as an argument and never reads it.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
    path::Path,
};

use crate::{model::executor::EnvChange, util::suggestion::hinted};

/// A complete environment.
pub(crate) type Variables = BTreeMap<OsString, OsString>;

/// The variables that always pass: commands usually need them, and they contain no secrets.
const ALWAYS_PASSED: [&str; 10] =
    ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TZ", "LANG", "LANGUAGE", "LC_*"];

/// The pattern that matches every name.
const MATCH_ALL: &str = "*";

/// Variables that set one output directory for all checkouts. If a rollback's build inherited one,
/// it would deploy the output of the version that it leaves. Caches addressed by content, such as
/// `GOCACHE` or `CCACHE_DIR`, are safe and not in the list.
const OUTPUT_DIRS: [&str; 9] = [
    "CABAL_BUILDDIR",
    "CARGO_BUILD_BUILD_DIR",
    "CARGO_BUILD_TARGET_DIR",
    "CARGO_TARGET_DIR",
    "DUNE_BUILD_DIR",
    "KBUILD_OUTPUT",
    "MIX_BUILD_PATH",
    "MIX_BUILD_ROOT",
    "REBAR_BASE_DIR",
];

/// Variables that every shell sets itself. Notices do not mention them.
const SHELL_VARIABLES: [&str; 4] = ["OLDPWD", "PWD", "SHLVL", "_"];

/// The variable that marks all descendants of a deployment, through any number of runs.
pub(crate) const DEPLOYING: &str = "TINYCI_DEPLOYING";

/// The maximum number of names in one notice.
const NAMES_MAX: usize = 12;

/// Selects the inherited variables that commands and scripts get, in addition to their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EnvFilter {
    /// Names, and prefixes of names before a `*`.
    patterns: Vec<String>,
}

impl EnvFilter {
    /// Makes the filter from the values of `tinyci.passEnv`. Values with a `+` add to those without
    /// one. If there are none without one, they add to all variables with `pass_all`, or else to
    /// the few that always pass.
    pub(crate) fn new(pass_all: bool, values: &[String]) -> Self {
        let plain = || values.iter().filter(|value| !value.starts_with('+'));
        let base = (pass_all && plain().next().is_none()).then_some(MATCH_ALL);
        let added = values.iter().map(|value| value.strip_prefix('+').unwrap_or(value));
        let patterns =
            ALWAYS_PASSED.into_iter().chain(base).chain(added).map(str::to_owned).collect();
        Self { patterns }
    }

    /// Separates the variables that pass from the others.
    pub(crate) fn resolve(&self, process: &Variables) -> Resolved {
        let (mut passed, mut kept_back) = (Variables::new(), KeptBack::default());
        for (name, value) in process {
            if self.passes(name.as_bytes()) {
                passed.insert(name.clone(), value.clone());
            } else {
                kept_back.add(name);
            }
        }
        Resolved { passed, kept_back }
    }

    fn passes(&self, name: &[u8]) -> bool {
        let mut patterns = self.patterns.iter();
        if name == DEPLOYING.as_bytes() {
            true
        } else if never_passes(name) {
            false
        } else if is_output_dir(name) {
            patterns.any(|pattern| pattern.as_bytes() == name)
        } else {
            patterns.any(|pattern| matches(pattern, name))
        }
    }
}

/// Returns true for variables that never pass: git's variables name the repository and the
/// quarantine of a push. tinyci's own variables belong to another command, and so perhaps to
/// another commit.
fn never_passes(name: &[u8]) -> bool {
    name.starts_with(b"GIT_") || name.starts_with(b"TINYCI_")
}

fn is_output_dir(name: &[u8]) -> bool {
    OUTPUT_DIRS.iter().any(|dir| dir.as_bytes() == name)
}

fn matches(pattern: &str, name: &[u8]) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning.as_bytes()),
        None => name == pattern.as_bytes(),
    }
}

/// Returns true if it is a valid value of `tinyci.passEnv`: a name, or a prefix and `*`, optionally
/// after a `+`. An empty value means an empty list.
pub(crate) fn is_pattern(text: &str) -> bool {
    let added = text.strip_prefix('+');
    let pattern = added.unwrap_or(text);
    let name = pattern.strip_suffix('*').unwrap_or(pattern);
    added != Some("")
        && !name.starts_with(|letter: char| letter.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// A process's environment after the filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resolved {
    /// The variables that commands get.
    pub(crate) passed: Variables,
    pub(crate) kept_back: KeptBack,
}

/// The sorted names of the variables that a filter kept back, without those that never pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KeptBack {
    output_dirs: Vec<String>,
    others: Vec<String>,
}

impl KeptBack {
    fn add(&mut self, name: &OsStr) {
        let bytes = name.as_bytes();
        let names = if is_output_dir(bytes) { &mut self.output_dirs } else { &mut self.others };
        if !never_passes(bytes)
            && !SHELL_VARIABLES.iter().any(|variable| variable.as_bytes() == bytes)
        {
            names.push(name.to_string_lossy().replace(char::is_control, "\u{fffd}"));
        }
    }

    /// Returns the notices for the user: none if nothing was kept back, and never a value.
    pub(crate) fn notices(&self) -> Vec<String> {
        let dirs = self.output_dirs.first().map(|first| {
            let (what, one) = match self.output_dirs.len() {
                1 => ("an output directory", "it"),
                _ => ("output directories", "one of them"),
            };
            let message = format!(
                "not passed to commands: {}, {what} that all commits would share; a rollback could \
                 deploy another commit's build",
                listed(&self.output_dirs)
            );
            hinted(
                &message,
                &format!("`git config --add tinyci.passEnv +{first}` passes {one} anyway"),
            )
        });
        let others = (!self.others.is_empty()).then(|| {
            format!("not passed to commands (see `tinyci.passEnv`): {}", listed(&self.others))
        });
        dirs.into_iter().chain(others).collect()
    }
}

/// Joins a readable number of names.
fn listed(names: &[String]) -> String {
    let shown = names.iter().take(NAMES_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMES_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// The sources of a command's environment. Later ones override earlier ones.
pub(crate) struct StepEnv<'a> {
    /// The inherited variables that passed.
    pub(crate) passed: &'a Variables,
    /// The build directory, above which git searches for no repository.
    pub(crate) build_dir: &'a Path,
    /// The facts of commit and step, by their placeholder names.
    pub(crate) facts: &'a [(&'static str, String)],
    /// The changes of the embedding program.
    pub(crate) host: &'a [EnvChange],
}

impl StepEnv<'_> {
    /// Returns the environment, without the changes of the step itself.
    pub(crate) fn variables(&self) -> Variables {
        let mut variables = self.passed.clone();
        let ceiling = ("GIT_CEILING_DIRECTORIES", self.build_dir.as_os_str().to_owned());
        let fixed = [("CI", "true".into()), ("TINYCI", "1".into()), ceiling];
        variables.extend(fixed.map(|(name, value)| (name.into(), value)));
        if self.facts.iter().any(|(name, _)| *name == "environment") {
            variables.insert(DEPLOYING.into(), "1".into());
        }
        let facts = self.facts.iter().map(|(name, value)| (variable_of(name), value.into()));
        variables.extend(facts);
        change(&mut variables, self.host);
        variables
    }
}

/// Returns the variable of a fact: `TINYCI_COMMIT` for `commit`.
fn variable_of(fact: &str) -> OsString {
    format!("TINYCI_{}", fact.to_ascii_uppercase()).into()
}

/// Sets and removes variables in this order.
pub(crate) fn change(variables: &mut Variables, changes: &[EnvChange]) {
    for (name, value) in changes {
        match value {
            Some(value) => variables.insert(name.into(), value.into()),
            None => variables.remove(OsStr::new(name)),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(names: &[&str]) -> Variables {
        names.iter().map(|name| ((*name).into(), "value".into())).collect()
    }

    fn resolved(pass_all: bool, setting: &[&str]) -> Resolved {
        let process = variables(&[
            "CARGO_TARGET_DIR",
            "DEPLOY",
            "DEPLOY_KEY",
            "GIT_DIR",
            "GOCACHE",
            "LC_ALL",
            "PATH",
            "PWD",
            "TOKEN",
        ]);
        let setting: Vec<String> = setting.iter().map(|value| (*value).to_owned()).collect();
        EnvFilter::new(pass_all, &setting).resolve(&process)
    }

    fn passing(pass_all: bool, setting: &[&str]) -> String {
        let names: Vec<OsString> = resolved(pass_all, setting).passed.into_keys().collect();
        names.join(OsStr::new(" ")).to_string_lossy().into_owned()
    }

    #[test]
    fn a_plain_value_replaces_what_passes_and_one_with_a_plus_adds_to_it() {
        for (pass_all, setting, expected) in [
            (false, &[][..], "LC_ALL PATH"),
            (true, &[], "DEPLOY DEPLOY_KEY GOCACHE LC_ALL PATH PWD TOKEN"),
            (true, &["DEPLOY_*"], "DEPLOY_KEY LC_ALL PATH"),
            (true, &[""], "LC_ALL PATH"),
            (false, &["+TOKEN"], "LC_ALL PATH TOKEN"),
            (true, &["+TOKEN"], "DEPLOY DEPLOY_KEY GOCACHE LC_ALL PATH PWD TOKEN"),
            (true, &["+TOKEN", "DEPLOY"], "DEPLOY LC_ALL PATH TOKEN"),
            (false, &["*"], "DEPLOY DEPLOY_KEY GOCACHE LC_ALL PATH PWD TOKEN"),
            (false, &["+*"], "DEPLOY DEPLOY_KEY GOCACHE LC_ALL PATH PWD TOKEN"),
        ] {
            assert_eq!(passing(pass_all, setting), expected, "{pass_all} {setting:?}");
        }
    }

    #[test]
    fn an_output_directory_passes_by_its_name_alone_and_what_is_git_s_never() {
        let plain = passing(true, &["CARGO_TARGET_DIR", "GIT_*", "GIT_DIR"]);
        assert_eq!(plain, "CARGO_TARGET_DIR LC_ALL PATH");
        assert!(passing(true, &["+CARGO_TARGET_DIR"]).starts_with("CARGO_TARGET_DIR DEPLOY "));
        for not_named in ["CARGO_*", "+CARGO_TARGET_*", "*", "+*"] {
            assert!(!passing(true, &[not_named]).contains("CARGO"), "{not_named}");
        }
    }

    #[test]
    fn of_another_run_only_that_it_is_a_deployment_s_passes() {
        let process = variables(&["TINYCI_BRANCH", "TINYCI_DEPLOYING", "TINYCI_ENVIRONMENT"]);
        for (pass_all, values) in [(true, vec![]), (false, vec![]), (false, vec!["*".to_owned()])] {
            let resolved = EnvFilter::new(pass_all, &values).resolve(&process);
            assert_eq!(resolved.passed, variables(&["TINYCI_DEPLOYING"]));
            assert_eq!(resolved.kept_back.notices(), [""; 0]);
        }
        for (fact, is_told) in [("environment", true), ("step", false)] {
            let (passed, facts) = (&Variables::new(), &[(fact, "deploy".to_owned())]);
            let step_env = StepEnv { passed, build_dir: Path::new("/b"), facts, host: &[] };
            assert_eq!(step_env.variables().contains_key(OsStr::new(DEPLOYING)), is_told);
        }
    }

    #[test]
    fn what_was_kept_back_is_told_by_name() {
        let notices = resolved(true, &[]).kept_back.notices();
        let [dir] = notices.as_slice() else { panic!("{notices:?}") };
        assert!(dir.contains("`git config --add tinyci.passEnv +CARGO_TARGET_DIR`"), "{dir}");
        assert!(dir.contains(": CARGO_TARGET_DIR, an output directory that"), "{dir}");
        let two = variables(&["CARGO_TARGET_DIR", "KBUILD_OUTPUT"]);
        let notices = EnvFilter::new(true, &[]).resolve(&two).kept_back.notices().concat();
        assert!(notices.contains("KBUILD_OUTPUT, output directories that"), "{notices}");
        let notices = resolved(false, &["+CARGO_TARGET_DIR"]).kept_back.notices();
        let expected =
            ["not passed to commands (see `tinyci.passEnv`): DEPLOY, DEPLOY_KEY, GOCACHE, TOKEN"];
        assert_eq!(notices, expected);
        assert_eq!(resolved(true, &["+CARGO_TARGET_DIR"]).kept_back.notices(), [""; 0]);
        let names: Vec<String> = (10..40).map(|number| format!("N{number}")).collect();
        let many = variables(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let notices = EnvFilter::new(false, &[]).resolve(&many).kept_back.notices();
        assert!(
            notices.concat().ends_with(
                ": N10, N11, N12, N13, N14, N15, N16, N17, N18, N19, N20, N21 and 18 more"
            )
        );
    }

    #[test]
    fn names_and_values_need_not_be_text() {
        let name = OsStr::from_bytes(b"OTHER\xff\n").to_owned();
        let process = Variables::from([(name.clone(), OsStr::from_bytes(b"\xfe").to_owned())]);
        assert_eq!(EnvFilter::new(true, &[]).resolve(&process).passed, process);
        let kept_back = EnvFilter::new(false, &[]).resolve(&process).kept_back;
        assert_eq!(kept_back.others, ["OTHER\u{fffd}\u{fffd}"]);
    }

    #[test]
    fn later_layers_lie_over_earlier_ones() {
        let set = |name: &str, value: &str| (name.to_owned(), Some(value.to_owned()));
        let host = [set("A", "host"), set("TINYCI", "2"), ("PATH".to_owned(), None)];
        let step_env = StepEnv {
            passed: &variables(&["A", "CI", "PATH", "TINYCI_COMMIT"]),
            build_dir: Path::new("/b"),
            facts: &[("commit", "abc".to_owned())],
            host: &host,
        };
        let mut found = step_env.variables();
        change(&mut found, &[set("A", "step"), ("CI".to_owned(), None)]);
        let expected = [
            ("A", "step"),
            ("GIT_CEILING_DIRECTORIES", "/b"),
            ("TINYCI", "2"),
            ("TINYCI_COMMIT", "abc"),
        ];
        let expected = expected.map(|(name, value)| (name.into(), value.into()));
        assert_eq!(found, Variables::from(expected));
    }

    #[test]
    fn a_pattern_is_a_name_or_its_beginning() {
        for good in ["", "A", "A_*", "*", "_x1", "+A", "+A_*", "+*"] {
            assert!(is_pattern(good), "{good}");
        }
        for bad in ["1A", "*_A", "A=B", "A B", "A-B", "é", "A?", "+", "++A", "A+", "+1"] {
            assert!(!is_pattern(bad), "{bad}");
        }
    }
}
