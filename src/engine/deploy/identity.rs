//! Finds the [`Identity`] of the person who deploys.

use crate::engine::{
    context::{process_env::ProcessEnv, shared::Shared},
    run::attempt::host_name,
};
pub(in crate::engine) use crate::model::identity::Identity;
use crate::repo::Repo;

impl Identity {
    /// Returns the identity that the request names, or the engine's options, or git's configuration.
    /// Without these, returns the user of this process, by the name in the environment if it is set.
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
    // git rejects a name that consists of these characters only.
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
