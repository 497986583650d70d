//! [`Identity`]: the person who deploys.

use std::fmt;

use crate::engine::{
    context::{process_env::ProcessEnv, shared::Shared},
    run::attempt::host_name,
};
use crate::repo::Repo;

/// A name and an email address, as git uses them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::engine) struct Identity {
    pub(in crate::engine) name: String,
    pub(in crate::engine) address: String,
}

impl Identity {
    /// Returns the identity of the request, else of the engine, else of git's configuration. The
    /// last search is the user of this process.
    pub(in crate::engine) fn of(
        shared: &Shared,
        repo: &Repo,
        named: Option<&(String, String)>,
        env: &ProcessEnv,
    ) -> Self {
        let named = named.or(shared.options.by.as_ref());
        let (name, address) = named.cloned().or_else(|| repo.identity()).unwrap_or_else(|| {
            let number = || format!("uid {}", rustix::process::getuid().as_raw());
            let user = env.user.clone().unwrap_or_else(number);
            let address = format!("{}@{}", user.replace(' ', "-"), host_name());
            (user, address)
        });
        Self { name: clean(&name), address: clean(&address) }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} <{}>", self.name, self.address)
    }
}

/// Removes characters that would end a name early in a commit.
fn clean(text: &str) -> String {
    let of_text = |letter: &char| !letter.is_control() && !"<>".contains(*letter);
    let text: String = text.chars().filter(of_text).collect();
    let text = text.trim();
    // git rejects a name that only consists of these characters.
    let has_core = text.contains(|letter: char| !".,:;\"'\\ ".contains(letter));
    if has_core { text.to_owned() } else { "unknown".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_break_out_of_a_commit() {
        assert_eq!(clean(" Ada\n<x>\u{7} Lovelace "), "Adax Lovelace");
        for nobody in ["", " ", "<>", "..", "\n"] {
            assert_eq!(clean(nobody), "unknown");
        }
    }
}
