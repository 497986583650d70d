//! Finds the [`Identity`] of the person the person who deploys.

use crate::engine::{
    context::{process_env::ProcessEnv, shared::Shared},
    run::attempt::host_name,
};
pub(in crate::engine) use crate::model::identity::Identity;
use crate::repo::Repo;

/// A name and an email address, as git uses them.
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
        let named = named.cloned().map(|(name, address)| Self { name, address });
        let identity = named.or_else(|| repo.identity()).unwrap_or_else(|| {
            let number = || format!("uid {}", rustix::process::getuid().as_raw());
            let name = env.user.clone().unwrap_or_else(number);
            let address = format!("{}@{}", name.replace(' ', "-"), host_name());
            Self { name, address }
        });
        Self { name: clean(&identity.name), address: clean(&identity.address) }
    }
}

/// Removes the characters that would end a name early in a commit.
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
