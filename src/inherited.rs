//! [`Inherited`]: which variables of this process's environment reach commands. Pure.

/// What a command can hardly do without, and what holds no secrets: passed whatever is listed.
const ALWAYS: [&str; 10] =
    ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TZ", "LANG", "LANGUAGE", "LC_*"];

/// Which variables of the host's environment commands and scripts get, beside their own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Inherited {
    /// Names, and beginnings of names before a `*`; all variables without a list.
    listed: Option<Vec<String>>,
}

impl Inherited {
    /// Only these, and the few that always pass.
    pub(crate) fn only(listed: Vec<String>) -> Self {
        Self { listed: Some(listed) }
    }

    /// Lists one more; the first one ends that all pass.
    pub(crate) fn list(&mut self, pattern: &str) {
        self.listed.get_or_insert_default().push(pattern.to_owned());
    }

    /// Whether a variable of this name passes. Git's never do: they name the repository that was
    /// pushed to, and its quarantine.
    pub(crate) fn passes(&self, name: &[u8]) -> bool {
        let Some(listed) = &self.listed else { return !name.starts_with(b"GIT_") };
        let listed = ALWAYS.into_iter().chain(listed.iter().map(String::as_str));
        !name.starts_with(b"GIT_") && listed.into_iter().any(|pattern| matches(pattern, name))
    }
}

fn matches(pattern: &str, name: &[u8]) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning.as_bytes()),
        None => name == pattern.as_bytes(),
    }
}

/// Whether a text is the name of a variable, or the beginning of names and a `*`. An empty one is
/// a list of nothing.
pub(crate) fn is_pattern(text: &str) -> bool {
    let name = text.strip_suffix('*').unwrap_or(text);
    !name.starts_with(|letter: char| letter.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_but_gits_pass_without_a_list_and_few_with_one() {
        let passing = |inherited: &Inherited| -> Vec<&str> {
            let names = ["PATH", "LC_ALL", "GIT_DIR", "DEPLOY_KEY", "DEPLOY", "TOKEN"];
            names.into_iter().filter(|name| inherited.passes(name.as_bytes())).collect()
        };
        let all = Inherited::default();
        assert_eq!(passing(&all), ["PATH", "LC_ALL", "DEPLOY_KEY", "DEPLOY", "TOKEN"]);
        let some = Inherited::only(vec!["DEPLOY_*".into(), "GIT_*".into()]);
        assert_eq!(passing(&some), ["PATH", "LC_ALL", "DEPLOY_KEY"]);
        let none = Inherited::only(vec![String::new()]);
        assert_eq!(passing(&none), ["PATH", "LC_ALL"]);
        assert!(!some.passes(b"OTHER\xff") && all.passes(b"OTHER\xff"));
    }

    #[test]
    fn a_pattern_is_a_name_or_its_beginning() {
        for good in ["", "A", "A_*", "*", "_x1"] {
            assert!(is_pattern(good), "{good}");
        }
        for bad in ["1A", "*_A", "A=B", "A B", "A-B", "é", "A?"] {
            assert!(!is_pattern(bad), "{bad}");
        }
    }
}
