//! [`SshAddress`]: the host, port and path in the URL of a remote. Pure.

use crate::console::failure::Failure;

/// Hosts that serve repositories and do not run commands.
const FORGES: [&str; 9] = [
    "github.com",
    "gitlab.com",
    "bitbucket.org",
    "codeberg.org",
    "sr.ht",
    "gitea.com",
    "dev.azure.com",
    "visualstudio.com",
    "savannah.gnu.org",
];

/// The location of a repository that ssh can reach.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SshAddress {
    /// `host` or `user@host`. It never starts with `-`, which ssh would read as an option.
    pub(crate) destination: String,
    pub(crate) port: Option<u16>,
    /// The path in the URL: absolute, relative to the home directory, or `~…`.
    pub(crate) path: String,
}

impl SshAddress {
    /// Reads `ssh://[user@]host[:port]/path` and `[user@]host:path`, as git does.
    pub(crate) fn parse(url: &str) -> Result<Self, Failure> {
        let address = match url.split_once("://") {
            Some(("ssh" | "git+ssh" | "ssh+git", rest)) => Self::of_url(rest),
            Some((scheme, _)) => {
                return Err(no_ssh(url, &format!("`{scheme}` does not run commands")));
            }
            None => match scp_parts(url) {
                Some((place, path)) => Self::of_scp(place, path),
                None => return Err(no_ssh(url, "it is a directory on this machine")),
            },
        };
        let address = address.ok_or_else(|| {
            Failure::usage(format!(
                "invalid ssh address `{url}`: expected `ssh://user@host:port/path` or `user@host:path`"
            ))
        })?;
        address.refuse_forges()
    }

    /// Reads `[user@]host[:port]/path`, percent-encoded.
    fn of_url(rest: &str) -> Option<Self> {
        let (place, path) = rest.split_at(rest.find('/')?);
        let (place, path) = (percent_decode(place)?, percent_decode(path)?);
        // `ssh://host/~user/repo` is in the home directory of a user.
        let path = match path.strip_prefix("/~") {
            Some(rest) => format!("~{rest}"),
            None => path,
        };
        let (user, host) = split_user(&place);
        let (host, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, port)) => (host, port.strip_prefix(':')),
            None => match host.rsplit_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (host, None),
            },
        };
        Self::new(user, host, port, path)
    }

    /// Reads `[user@]host` and a path; brackets contain an IPv6 address or `host:port`.
    fn of_scp(place: &str, path: &str) -> Option<Self> {
        let (user, host) = split_user(place);
        let inner = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let (host, port) = match inner {
            Some(inner) if inner.matches(':').count() == 1 => {
                inner.split_once(':').map(|(host, port)| (host, Some(port)))?
            }
            _ => (inner.unwrap_or(host), None),
        };
        Self::new(user, host, port, path.to_owned())
    }

    fn new(user: Option<&str>, host: &str, port: Option<&str>, path: String) -> Option<Self> {
        let port = match port {
            None | Some("") => None,
            Some(port) => Some(port.parse().ok()?),
        };
        let destination = match user {
            Some(user) => format!("{user}@{host}"),
            None => host.to_owned(),
        };
        let sound = |word: &str| {
            !word.is_empty()
                && !word.starts_with('-')
                && !word.contains(|letter: char| letter.is_control() || letter.is_whitespace())
        };
        let usable = sound(host) && sound(&destination) && !path.is_empty() && !path.contains('\0');
        usable.then_some(Self { destination, port, path })
    }

    fn refuse_forges(self) -> Result<Self, Failure> {
        let host = split_user(&self.destination).1.trim_end_matches('.').to_ascii_lowercase();
        let is_forge = |forge: &str| {
            host.strip_suffix(forge).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        match FORGES.into_iter().find(|forge| is_forge(forge)) {
            None => Ok(self),
            Some(_) => Err(Failure::usage(format!(
                "cannot run tinyci on `{host}`: it serves repositories but does not run commands"
            ))
            .hint("`tinyci -r NAME` takes a remote on your own server")),
        }
    }
}

fn no_ssh(url: &str, why: &str) -> Failure {
    let url = without_password(url);
    Failure::usage(format!("cannot reach the remote `{url}` over ssh: {why}"))
        .hint("`tinyci -D DIR` uses a repository on this machine")
}

/// Returns the URL without user and password: `https://***@host/…`.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (place, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    match split_user(place) {
        (Some(_), host) => format!("{scheme}://***@{host}{path}"),
        (None, _) => url.to_owned(),
    }
}

/// Splits at the colon, unless a slash comes first: then it is a path on this machine.
fn scp_parts(url: &str) -> Option<(&str, &str)> {
    let bracket =
        url.find('[').and_then(|open| url.get(open..)?.find("]:").map(|at| open + at + 1));
    let colon = bracket.or_else(|| url.find(':'))?;
    let slash = url.find('/').unwrap_or(url.len());
    (colon < slash).then(|| (&url[..colon], &url[colon + 1..]))
}

fn split_user(place: &str) -> (Option<&str>, &str) {
    match place.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, place),
    }
}

fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_parsed_as_in_git() {
        let cases = [
            ("ci@host:srv/app.git", ("ci@host", None, "srv/app.git")),
            ("host:/srv/app.git", ("host", None, "/srv/app.git")),
            ("host:~/app", ("host", None, "~/app")),
            ("[host:2222]:app", ("host", Some(2222), "app")),
            ("ci@[::1]:app", ("ci@::1", None, "app")),
            ("ssh://ci@host:2222/srv/my%20app", ("ci@host", Some(2222), "/srv/my app")),
            ("ssh://host/~/app", ("host", None, "~/app")),
            ("ssh://host/~ci/app", ("host", None, "~ci/app")),
            ("ssh://ci@[::1]:22/a", ("ci@::1", Some(22), "/a")),
            ("git+ssh://host/a", ("host", None, "/a")),
        ];
        for (url, (destination, port, path)) in cases {
            let expected =
                SshAddress { destination: destination.to_owned(), port, path: path.to_owned() };
            assert_eq!(SshAddress::parse(url).unwrap(), expected, "{url}");
        }
    }

    #[test]
    fn unreachable_addresses_are_refused_with_a_reason() {
        let cases = [
            ("https://ada:secret@host/app", "`https` does not run commands"),
            ("git://host/app", "`git` does not run commands"),
            ("file:///srv/app", "`file` does not run commands"),
            ("/srv/app:x", "a directory on this machine"),
            ("../app", "a directory on this machine"),
            ("git@github.com:a/b.git", "does not run commands"),
            ("ssh://git@ssh.GitHub.com.:443/a/b", "does not run commands"),
            ("git@git.sr.ht:~a/b", "does not run commands"),
            ("-oProxyCommand=x:app", "invalid ssh address"),
            ("ssh://-oProxyCommand=x/app", "invalid ssh address"),
            ("ssh://%2doProxyCommand=x/app", "invalid ssh address"),
            ("ssh://-l@host/app", "invalid ssh address"),
            ("ssh://ci@-host/app", "invalid ssh address"),
            ("ssh://host:port/app", "invalid ssh address"),
            ("ssh://host%0a/app", "invalid ssh address"),
            ("ssh://host", "invalid ssh address"),
            (":app", "invalid ssh address"),
            ("host:", "invalid ssh address"),
        ];
        for (url, reason) in cases {
            let text = SshAddress::parse(url).unwrap_err().to_string();
            assert!(text.contains(reason), "{url}: {text}");
            assert!(!text.contains("secret"), "{text}");
        }
        assert!(SshAddress::parse("git@mygithub.com:a").is_ok());
    }
}
