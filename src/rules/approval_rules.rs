//! Decides which approvals count, from the server's settings and the evidence of each approval.
//!
//! The author of a push also writes the commit's config. So the server relies only on its own
//! settings: which environments need an approval, who may approve, and which proof is valid.

use crate::model::{deployment::ApprovalProof, pipeline::is_environment};

/// The values of `tinyci.approve`, `tinyci.approvers` and `tinyci.fourEyes`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ApprovalRules {
    /// `tinyci.approve`, several values: environments, and prefixes of their names before a `*`.
    pub(crate) environments: Vec<String>,
    /// `tinyci.approve.ENV`, in the order of the configuration. The last value of a name applies.
    named: Vec<(String, bool)>,
    /// `tinyci.approvers`, several values: principals of the allowed signers file, and accounts.
    pub(crate) approvers: Vec<String>,
    /// `tinyci.fourEyes`.
    pub(crate) four_eyes: bool,
}

/// Words that a user could enter if he takes the list of environments for a boolean.
const SWITCHES: [&str; 6] = ["true", "false", "yes", "no", "on", "off"];

impl ApprovalRules {
    /// Adds a value of `tinyci.approve`.
    pub(crate) fn add_environments(&mut self, pattern: &str) -> Option<()> {
        let is_pattern = match pattern.strip_suffix('*') {
            Some("") => true,
            // The prefix of an environment's name may end with `.`, but a name may not.
            Some(beginning) => {
                is_environment(beginning) || is_environment(&format!("{beginning}x"))
            }
            None => is_environment(pattern),
        };
        self.environments.push(pattern.to_owned());
        (is_pattern && !SWITCHES.contains(&pattern)).then_some(())
    }

    /// Adds a value of `tinyci.approve.ENV`.
    pub(crate) fn name_environment(&mut self, environment: &str, is_needed: bool) {
        self.named.push((environment.to_owned(), is_needed));
    }

    /// Adds a value of `tinyci.approvers`.
    pub(crate) fn add_approver(&mut self, name: &str) -> Option<()> {
        let odd = |it: char| it.is_whitespace() || it.is_control() || ",\"'<>*?!:".contains(it);
        let is_name = !name.is_empty() && !name.starts_with('-') && !name.contains(odd);
        self.approvers.push(name.to_owned());
        is_name.then_some(())
    }

    /// Returns true if a deployment to this environment needs an approval, independent of the
    /// commit.
    ///
    /// git writes the last part of a key in lowercase, so case is ignored. If two environments
    /// differ only in case, both need an approval.
    pub(crate) fn wants(&self, environment: &str) -> bool {
        let named = |(name, _): &&(String, bool)| name.eq_ignore_ascii_case(environment);
        match self.named.iter().rfind(named) {
            Some((_, is_needed)) => *is_needed,
            None => self.environments.iter().any(|pattern| matches(pattern, environment)),
        }
    }

    /// Returns the proof of an approval that counts.
    ///
    /// # Errors
    ///
    /// Why it does not count, as the end of a sentence.
    pub(crate) fn judge(&self, known: &Evidence<'_>) -> Result<ApprovalProof, String> {
        let proof =
            if self.approvers.is_empty() { Ok(ApprovalProof::Unproven) } else { known.proof() };
        match proof {
            Ok(proof) if self.four_eyes && known.is_own(&proof) => Err(OWN.to_owned()),
            proof => proof,
        }
    }
}

const OWN: &str =
    "the approver wrote or committed the commit, and `tinyci.fourEyes` requires another person";

/// The evidence of an approval.
#[derive(Clone, Debug)]
pub(crate) struct Evidence<'a> {
    /// The approver's address, which is not verified.
    pub(crate) address: &'a str,
    pub(crate) signature: Signature,
    pub(crate) account: Account,
    /// The addresses of the deployed commit's author and committer, which are not verified.
    pub(crate) people: &'a [String],
}

/// The result of verifying an approval's signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Signature {
    /// There is no signature.
    Absent,
    /// The signature proves nothing, for this reason.
    Invalid(String),
    /// The signature is that of an approver.
    Of {
        principal: String,
        key: String,
        /// True if the same key or principal signed the deployed commit.
        is_own: bool,
    },
}

/// The account of this machine that gave an approval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Account {
    /// It was given on another machine.
    None,
    /// It was given here, by an account that is not an approver or is unknown.
    Invalid(String),
    /// It was given here, by an approver.
    Approver(String),
    /// The embedding program approves, and it runs as an approver's account.
    Program(String),
}

impl Evidence<'_> {
    /// Returns the proven approver, if there is one.
    fn proof(&self) -> Result<ApprovalProof, String> {
        match (&self.signature, &self.account) {
            (Signature::Of { principal, key, .. }, _) => {
                Ok(ApprovalProof::Signature { principal: principal.clone(), key: key.clone() })
            }
            (_, Account::Approver(account)) => Ok(ApprovalProof::Account(account.clone())),
            (_, Account::Program(account)) => Ok(ApprovalProof::Program(account.clone())),
            (Signature::Invalid(signed), Account::Invalid(given)) => {
                Err(format!("{signed}; {given}"))
            }
            (Signature::Invalid(reason), Account::None)
            | (Signature::Absent, Account::Invalid(reason)) => Err(reason.clone()),
            (Signature::Absent, Account::None) => Err(UNPROVEN.to_owned()),
        }
    }

    /// Returns true if the approver is known to be the commit's author or committer.
    fn is_own(&self, proof: &ApprovalProof) -> bool {
        let is_of_people =
            |address: &str| self.people.iter().any(|it| equal_ignoring_case(it, address));
        let by_signature = match (proof, &self.signature) {
            (ApprovalProof::Signature { principal, .. }, Signature::Of { is_own, .. }) => {
                *is_own || is_of_people(principal)
            }
            _ => false,
        };
        // An account's address is not verified, so compare names and addresses.
        let by_account = match proof {
            ApprovalProof::Account(account) => self
                .people
                .iter()
                .any(|it| equal_ignoring_case(it.split('@').next().unwrap_or(it), account)),
            _ => false,
        };
        by_signature || by_account || is_of_people(self.address)
    }
}

const UNPROVEN: &str = "`tinyci.approvers` is set, and the approval is neither signed with an ssh \
                        key nor given on this machine";

/// Returns true if two addresses or names are equal, ignoring case. Empty ones are never equal.
fn equal_ignoring_case(one: &str, other: &str) -> bool {
    !one.is_empty() && one.eq_ignore_ascii_case(other)
}

/// Returns true if a name, or a prefix before `*`, matches an environment. Ignores case, as git
/// does for keys.
fn matches(pattern: &str, environment: &str) -> bool {
    let (pattern, environment) = (pattern.to_ascii_lowercase(), environment.to_ascii_lowercase());
    match pattern.strip_suffix('*') {
        Some(beginning) => environment.starts_with(beginning),
        None => pattern == environment,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(approvers: &[&str], four_eyes: bool) -> ApprovalRules {
        let mut rules = ApprovalRules { four_eyes, ..ApprovalRules::default() };
        approvers.iter().for_each(|name| rules.add_approver(name).unwrap());
        rules
    }

    #[test]
    fn any_environment_can_be_named_and_the_nearest_word_holds() {
        let mut rules = ApprovalRules::default();
        assert!(!rules.wants("production"));
        rules.add_environments("eu_*").unwrap();
        rules.add_environments("2nd").unwrap();
        rules.name_environment("production", true);
        rules.name_environment("eu.West", true);
        rules.name_environment("eu_test", true);
        rules.name_environment("eu_test", false);
        let covered = ["production", "Production", "eu.west", "EU_1", "2ND"];
        assert!(covered.iter().all(|name| rules.wants(name)));
        let free = ["eu_test", "eu", "staging", "productions", "2n"];
        assert!(free.iter().all(|name| !rules.wants(name)), "{rules:?}");
    }

    #[test]
    fn what_names_nobody_is_refused() {
        let takes = |name: &str| ApprovalRules::default().add_approver(name).is_some();
        for name in ["grace@example.org", "deploy", "Grace.H", "svc_1", "x"] {
            assert!(takes(name), "{name}");
        }
        for name in ["", "Grace Hopper", "a,b", "<g@x>", "*@example.org", "-x", "a\nb", "account:x"]
        {
            assert!(!takes(name), "{name}");
        }
        let lists = |name: &str| ApprovalRules::default().add_environments(name).is_some();
        assert!(lists("*") && lists("prod-*") && lists("eu.west_1"));
        let refused = ["true", "off", "", "a b", "*x", "!x", "-a", "a..b", ".*", "a..*"];
        assert!(refused.iter().all(|pattern| !lists(pattern)));
    }

    /// Tests every kind of evidence with every kind of rule.
    #[test]
    fn an_approval_counts_only_as_the_rules_say() {
        let signed =
            |is_own| Signature::Of { principal: "g@x".into(), key: "SHA256:1".into(), is_own };
        let signatures =
            [Signature::Absent, Signature::Invalid("bad".into()), signed(false), signed(true)];
        let accounts = [
            Account::None,
            Account::Invalid("stranger".into()),
            Account::Approver("grace".into()),
            Account::Program("grace".into()),
        ];
        let people = [vec!["ada@x".to_owned()], vec!["grace@y".to_owned()], vec!["G@X".to_owned()]];
        for signature in &signatures {
            for account in &accounts {
                for (people, address) in people.iter().flat_map(|it| [(it, "ada@x"), (it, "z@x")]) {
                    let (signature, account) = (signature.clone(), account.clone());
                    let known = Evidence { address, signature, account, people };
                    check(&known);
                }
            }
        }
    }

    fn check(known: &Evidence<'_>) {
        let has = |address: &str| known.people.iter().any(|it| it.eq_ignore_ascii_case(address));
        let by_word = rules(&[], false).judge(known);
        assert_eq!(by_word, Ok(ApprovalProof::Unproven), "nobody is listed: a word is enough");
        let own_word = rules(&[], true).judge(known).is_err();
        assert_eq!(own_word, has(known.address), "{known:?}");

        let listed = rules(&["g@x", "grace"], false).judge(known);
        let is_signed = matches!(known.signature, Signature::Of { .. });
        let is_given = matches!(known.account, Account::Approver(_) | Account::Program(_));
        assert_eq!(listed.is_ok(), is_signed || is_given, "{known:?}");
        let four = rules(&["g@x", "grace"], true).judge(known);
        let own = match (&listed, &known.signature) {
            (Err(_), _) => true,
            (Ok(ApprovalProof::Signature { .. }), Signature::Of { is_own, .. }) => {
                *is_own || has("g@x")
            }
            (Ok(ApprovalProof::Account(_)), _) => has("grace@y"),
            _ => false,
        };
        assert_eq!(four.is_err(), own || has(known.address), "{known:?}");
    }

    #[test]
    fn a_reason_says_all_that_is_wrong() {
        let known =
            |signature, account| Evidence { address: "m@x", signature, account, people: &[] };
        let reason = |known: Evidence<'_>| rules(&["g@x"], false).judge(&known).unwrap_err();
        assert_eq!(reason(known(Signature::Absent, Account::None)), UNPROVEN);
        let both = known(Signature::Invalid("one".into()), Account::Invalid("two".into()));
        assert_eq!(reason(both), "one; two");
    }
}
