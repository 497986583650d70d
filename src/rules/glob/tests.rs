use std::{
    collections::BTreeSet,
    io::Write,
    process::{Command, Stdio},
};

use super::*;
use crate::testing::TestRepo;

fn matches(globs: &[&str], path: &str) -> bool {
    let (path, is_directory) = path_of_text(path);
    PathGlobs::new(globs).unwrap().matches(path.as_bytes(), is_directory)
}

fn path_fault(globs: &[&str]) -> String {
    PathGlobs::new(globs).map_or_else(|fault| fault.message, |_| String::new())
}

/// A generator with the same numbers in every run.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    fn text(&mut self, from: &[&str], most: usize) -> String {
        let count = 1 + self.below(most);
        (0..count).map(|_| self.pick(from)).collect()
    }
}

#[test]
fn globs_of_paths_are_read_as_in_gitignore() {
    for (glob, path, expected) in [
        ("src", "src", true),
        ("src", "src/a/b.c", true),
        ("src", "lib/src/a.c", true),
        ("src", "lib/src.c", false),
        ("/src", "src/a.c", true),
        ("/src", "lib/src/a.c", false),
        ("src/", "src/a.c", true),
        ("src/", "lib/src/a.c", true),
        ("src/", "src", false),
        ("src/", "src/", true),
        ("a/b", "a/b/c", true),
        ("a/b", "x/a/b", false),
        ("services/web/**", "services/web/a/b.rs", true),
        ("services/web/**", "services/website/a", false),
        ("services/*", "services/web/a/b.rs", true),
        ("**", "a/b", true),
        ("**/b", "a/b/c", true),
        ("*.md", "docs/a/README.md", true),
        ("docs/*.md", "docs/a/README.md", false),
        ("/*.md", "docs/README.md", false),
        ("src/**/x.rs", "src/x.rs", true),
        ("src/?.rs", "src/a.rs", true),
        ("src/[!a].rs", "src/a.rs", false),
        ("[a-c].rs", "src/b.rs", true),
        ("\\[a\\].rs", "[a].rs", true),
        ("\\!a", "!a", true),
        ("#a", "#a", true),
        ("Src", "src/a", false),
        ("straße/*.é", "straße/ü.é", true),
        ("src ", "src/a", true),
        ("src\\ ", "src /a", true),
        ("src\\ ", "src/a", false),
        ("src/**", "./src/a", true),
    ] {
        assert_eq!(matches(&[glob], path), expected, "{glob} {path}");
    }
}

#[test]
fn braces_stand_for_each_of_their_parts() {
    for (glob, whole) in [
        ("src/*.{c,h}", vec!["src/*.c", "src/*.h"]),
        ("{a,b}/{c,d}", vec!["a/c", "a/d", "b/c", "b/d"]),
        ("{a,b{c,d{e,f}}}", vec!["a", "bc", "bde", "bdf"]),
        ("a{,/b}", vec!["a", "a/b"]),
        ("{a}", vec!["a"]),
        ("\\{a,b\\}", vec!["\\{a,b\\}"]),
        ("{a\\,b,c}", vec!["a\\,b", "c"]),
        ("{[,}],b}", vec!["[,}]", "b"]),
        ("[{]a", vec!["[{]a"]),
        ("a}", vec!["a}"]),
        ("a,b", vec!["a,b"]),
    ] {
        assert_eq!(braces::alternatives(glob).unwrap(), whole, "{glob}");
    }
    assert!(matches(&["\\{a,b\\}"], "x/{a,b}") && !matches(&["\\{a,b\\}"], "a"));
}

/// A glob with braces matches what one of its alternatives matches, also after `!`.
#[test]
fn braces_are_as_good_as_a_list() {
    let mut seeded = Seeded(7);
    let parts = ["a", "b", "*", "/", "**", "?", "[ab]", "x.c"];
    let mut compared = 0;
    while compared < 300 {
        let (before, behind) = (seeded.text(&parts, 2), seeded.text(&parts, 2));
        let inner: Vec<String> = (0..3).map(|_| seeded.text(&parts, 2)).collect();
        let braces = format!("{before}{{{}}}{behind}", inner.join(","));
        let list: Vec<String> = inner.iter().map(|it| format!("{before}{it}{behind}")).collect();
        let (one, many) = (PathGlobs::new(&[&braces]), PathGlobs::new(&list));
        assert_eq!(one.is_ok(), many.is_ok(), "{braces}");
        let (Ok(one), Ok(many)) = (one, many) else { continue };
        compared += 1;
        for _ in 0..20 {
            let (path, _) = path_of_text(&seeded.text(&["a", "b", "/", "x.c", "ab"], 5));
            let path = path.as_bytes();
            assert_eq!(one.matches(path, false), many.matches(path, false), "{braces} {path:?}");
        }
    }
}

#[test]
fn a_list_takes_away_in_its_order() {
    let globs = ["**", "!docs/**", "!*.md", "docs/keep"];
    for (path, expected) in
        [("src/a.rs", true), ("docs/a.rs", false), ("a/README.md", false), ("docs/keep", true)]
    {
        assert_eq!(matches(&globs, path), expected, "{path}");
    }
    assert!(!matches(&["**", "!{docs,*.md}"], "docs/a") && matches(&["**", "!{docs,*.md}"], "a"));
}

#[test]
fn globs_of_paths_that_can_never_match_are_told_with_what_is_right() {
    for (glob, why) in [
        ("./src/**", "without `.`; write `src/**`"),
        ("./src", "write `/src`"),
        ("././src/", "write `/src/`"),
        (".", "write `**`"),
        ("", "it is empty; write `**`"),
        (" ", "it is empty; write `**`"),
        ("/", "it is empty; write `**`"),
        ("../x", "without `..`; write `/x`"),
        ("a/../b", "write `/b`"),
        ("a/..", "write `**`"),
        ("\\./a/b", "write `a/b`"),
        ("//a", "paths cannot contain `//`; write `/a`"),
        ("a//b", "paths cannot contain `//`; write `a/b`"),
        ("a//", "write `/a/`"),
        (".git/**", "a commit cannot contain `.git`"),
        ("x/.GIT", "a commit cannot contain"),
        ("a{b", "its `{` is not closed; write `\\{`"),
        ("{a,{b}", "its `{` is not closed"),
        ("{a,./b}", "write `/b`"),
        ("{a,}", "it is empty"),
        ("{1..3}", "is not a range"),
        ("a[b", "its `[` is not closed; write `\\[`"),
        ("[[:foo:]]", "no character matches `[[:foo:]]`"),
        ("a[/]b", "no character matches `[/]`"),
        ("a\\", "it ends with `\\`; write `\\\\`"),
        ("a\0", "U+0000"),
    ] {
        let message = path_fault(&["ok", glob]);
        assert!(message.starts_with(&format!("`{glob}` can never match: ")), "{glob}: {message}");
        assert!(message.contains(why), "{glob}: {message}");
        assert_eq!(PathGlobs::new(&["ok", glob]).unwrap_err().index, 1);
        assert!(!path_fault(&["ok", &format!("!{glob}")]).is_empty(), "!{glob}");
    }
    assert!(
        path_fault(&["!docs"])
            .contains("excludes nothing: no glob comes before it; begin with `**`")
    );
    assert!(path_fault(&[]).contains("an empty array"));
    for list in [["a", "!a"], ["src/**", "!**"], ["a/b", "!*"]] {
        assert!(
            path_fault(&list).contains("later ones exclude what earlier ones match"),
            "{list:?}"
        );
    }
    let many = "{a,b}".repeat(20);
    assert!(path_fault(&[&many]).contains("more than 1000"), "{}", path_fault(&[&many]));
    assert!(path_fault(&[&"*a".repeat(40)]).contains("more than 32 `*`"));
    assert!(path_fault(&[&"{".repeat(5_000)]).contains("longer than"));
    assert_eq!(path_fault(&["...", "..a", "a..", "**/", ".github", ".gitignore", "a }"]), "");
}

/// Compares with `git check-ignore`, also for globs that are reported to match nothing.
#[test]
fn git_reads_a_line_of_gitignore_alike() {
    let paths = [
        "a",
        "b/a",
        "b/c/a",
        "src/a.c",
        "src/b/a.c",
        "src/b/c.d/e",
        "lib/src/x.c",
        "lib/a b/c ",
        "é/ü.c",
        "[a]/b",
        "a!b/c",
        "x.c",
        "Src/y",
        "d*/e",
        "q\\r/s",
        "{a,b}/c",
        "-a/.x/y",
    ];
    let directories = ["sub", "src/sub", "b/c/d"];
    let repo = TestRepo::new();
    let mut all: BTreeSet<(String, bool)> = BTreeSet::new();
    for path in paths.iter().filter(|path| !["a"].contains(*path)) {
        repo.write(path, "");
        all.insert(((*path).to_owned(), false));
    }
    repo.write("a", "");
    all.insert(("a".to_owned(), false));
    for path in directories {
        std::fs::create_dir_all(repo.path().join(path)).unwrap();
        all.insert((path.to_owned(), true));
    }
    let mut seeded = Seeded(42);
    let parts = [
        "a",
        "b",
        "c",
        "src",
        "/",
        "/",
        "/",
        "*",
        "**",
        "**/",
        "/**",
        "?",
        "[ab]",
        "[!a]",
        "[a-",
        "]",
        "\\",
        ".c",
        "sub",
        "é",
        "x",
        " ",
        ".",
        "..",
        "[[:alpha:]]",
        "S",
        "lib",
        "d",
        "!",
    ];
    let mut refused = 0;
    for _ in 0..300 {
        let glob = seeded.text(&parts, 5);
        if glob.starts_with(['!', '#']) {
            continue;
        }
        let found = ignored(&repo, &glob, &all);
        let ours: BTreeSet<String> = match PathGlobs::new(&[&glob]) {
            Ok(globs) => {
                let of_globs = all
                    .iter()
                    .filter(|(path, is_directory)| globs.matches(path.as_bytes(), *is_directory));
                of_globs.map(|(path, _)| path.clone()).collect()
            }
            Err(_) => {
                refused += 1;
                BTreeSet::new()
            }
        };
        assert_eq!(ours, found, "{glob:?}");
    }
    assert!((20..200).contains(&refused), "{refused}");
}

/// Returns the paths that git ignores because of this line.
fn ignored(repo: &TestRepo, line: &str, all: &BTreeSet<(String, bool)>) -> BTreeSet<String> {
    std::fs::write(repo.path().join(".git/info/exclude"), format!("{line}\n")).unwrap();
    let mut command: Command = repo.command();
    command.args(["check-ignore", "--no-index", "-z", "--stdin"]);
    let mut git = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let text: String = all.iter().map(|(path, _)| format!("{path}\0")).collect();
    git.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = git.wait_with_output().unwrap();
    assert!(matches!(output.status.code(), Some(0 | 1)), "{line:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_terminator('\0').map(str::to_owned).collect()
}

#[test]
fn a_list_over_texts_takes_away_too() {
    for (patterns, text, expected) in [
        (vec!["main", "release/*"], "release/a/b", true),
        (vec!["main"], "feature/main", false),
        (vec!["*", "!wip*"], "wip-1", false),
        (vec!["!*[skip ci]*"], "Add a [skip ci] b", false),
        (vec!["!*[skip ci]*"], "Add", true),
    ] {
        assert_eq!(text_matches_list(patterns.iter().copied(), text), expected, "{text}");
    }
}

fn name_fault(names: Names, glob: &str) -> String {
    names_fault(names, &[glob]).map(|fault| fault.message).unwrap_or_default()
}

#[test]
fn globs_of_names_that_can_never_match_are_told_with_what_is_right() {
    use Names::{Branches, Messages, Tags};
    for (names, glob, why) in [
        (Branches, "refs/heads/main", "write `main`"),
        (Branches, "refs/heads/*", "write `*`"),
        (Branches, "origin/main", "write `main`"),
        (Branches, "refs/remotes/origin/a/b", "write `a/b`"),
        (Branches, "heads/main", "write `main`"),
        (Branches, "refs/tags/v*", "write `v*` in `tag`"),
        (Branches, "refs/pull/*", "write a branch name"),
        (Branches, "HEAD", "a branch cannot have this name"),
        (Branches, "", "write `*`"),
        (Branches, "main ", "has a space; write `main`"),
        (Branches, "a..b", "has `..`"),
        (Branches, "a~1", "has one of"),
        (Branches, "/main", "write `main`"),
        (Branches, "feature/", "write `feature`"),
        (Branches, "*.lock", "ends with `.lock`"),
        (Branches, "release/.*", "begins with `.`"),
        (Branches, "{main,dev}", "support only `*`"),
        (Branches, "release/[0-9]*", "support only `*`"),
        (Tags, "v?", "support only `*`"),
        (Tags, "refs/tags/v*", "write `v*`"),
        (Tags, "refs/heads/main", "write `main` in `branch`"),
        (Tags, "tags/v1", "write `v1`"),
        (Tags, "v1 beta", "has a space"),
        (Tags, "", "write `*`"),
        (Messages, "Release ", "write `Release`"),
        (Messages, "\n*", "whitespace"),
    ] {
        let message = name_fault(names, glob);
        assert!(message.starts_with(&format!("`{glob}` can never match: ")), "{glob}: {message}");
        assert!(message.contains(why), "{glob}: {message}");
        assert_ne!(name_fault(names, &format!("!{glob}")), "", "!{glob}");
    }
    for (names, glob) in [
        (Branches, "main"),
        (Branches, "*"),
        (Branches, "**"),
        (Branches, "!main"),
        (Branches, "feature/*"),
        (Branches, "*/main"),
        (Branches, "@"),
        (Branches, "origin"),
        (Branches, "größe"),
        (Tags, "v*.*"),
        (Messages, "*[skip ci]*"),
        (Messages, "refs/heads/main"),
        (Messages, ""),
    ] {
        assert_eq!(name_fault(names, glob), "", "{glob}");
    }
    for list in [vec!["main", "!m*"], vec!["!*"], vec!["a*", "!*"], vec!["a", "b*", "!*", "!a"]] {
        let fault = names_fault(Branches, &list).unwrap();
        assert!(fault.message.contains("later ones exclude what earlier ones match"), "{list:?}");
    }
    assert!(names_fault(Branches, &["*", "!main"]).is_none());
    assert!(names_fault::<&str>(Branches, &[]).is_some());
}

#[test]
fn globs_of_full_refs_begin_with_refs() {
    for (glob, right) in [
        ("main", "write `refs/heads/main`"),
        ("heads/*", "write `refs/heads/*`"),
        ("origin/main", "write `refs/heads/main`"),
        ("tags/v*", "write `refs/tags/v*`"),
        ("refs/heads", "write `refs/heads/*`"),
        ("refs/heads/", "write `refs/heads/*`"),
        ("!refs/heads/x", "full ref names"),
        ("", "full ref names"),
        ("refs/heads/a b", "has a space"),
        ("refs/heads/[ab]", "has one of"),
    ] {
        let fault = ref_fault(glob).unwrap();
        assert!(fault.contains(right), "{glob}: {fault}");
        assert_eq!(secret_ref_fault(glob), Some(fault), "{glob}");
    }
    for glob in ["refs/heads/main", "refs/*", "refs/*/v1", "refs/tags/*"] {
        assert_eq!((ref_fault(glob), secret_ref_fault(glob)), (None, None), "{glob}");
    }
    for glob in ["refs/head/main", "refs/pull/*", "refs/heads-*"] {
        assert_eq!(ref_fault(glob), None);
        assert!(secret_ref_fault(glob).unwrap().contains("only branches"), "{glob}");
    }
}

/// Names are invalid here exactly if `git check-ref-format` rejects them.
#[test]
fn git_allows_the_same_names() {
    let repo = TestRepo::new();
    let mut seeded = Seeded(3);
    let parts =
        ["a", "b", "/", ".", "..", ".lock", "@", "{", "@{", "~", " ", "-", "\u{7f}", "é", "\\"];
    let (mut right, mut wrong) = (0, 0);
    for _ in 0..400 {
        let name = seeded.text(&parts, 4);
        let full = format!("refs/heads/{name}");
        let is_name = repo.try_git(&["check-ref-format", &full]).status.success();
        assert_eq!(ref_fault(&full).is_none(), is_name, "{name:?}");
        let is_named_otherwise = name_fault(Names::Branches, &name).is_empty();
        assert_eq!(is_named_otherwise, is_name, "{name:?}");
        *(if is_name { &mut right } else { &mut wrong }) += 1;
    }
    assert!(right > 50 && wrong > 50, "{right} {wrong}");
}

/// Returns the rows of the guide's tables under a heading: the cells, without backticks.
fn rows(heading: &str, columns: &str) -> Vec<Vec<Vec<String>>> {
    let guide = include_str!("../../guide/globs.md");
    let begin = guide.split_once(&format!("# {heading}\n")).unwrap().1;
    let part = begin.split("\n# ").next().unwrap();
    let table = part.split_once(&format!("| {columns} |\n")).unwrap().1;
    let lines = table.lines().skip(1).take_while(|line| line.starts_with('|'));
    let cell = |cell: &str| -> Vec<String> {
        let quoted = cell.split('`').skip(1).step_by(2);
        if quoted.clone().next().is_none() {
            vec![cell.trim().to_owned()]
        } else {
            quoted.map(str::to_owned).collect()
        }
    };
    let row = |line: &str| line.trim_matches('|').split('|').map(cell).collect();
    lines.map(row).collect()
}

/// Checks every row of the guide's tables.
#[test]
fn the_guide_says_what_globs_match() {
    let (paths, names) = ("Paths", "Branches, tags, messages");
    let mut tried = 0;
    for (heading, first) in [(paths, "glob"), (paths, "array"), (names, "glob"), (names, "array")] {
        for row in rows(heading, &format!("{first} | matches | does not match")) {
            let globs: Vec<&str> = row[0].iter().map(String::as_str).collect();
            for (texts, expected) in [(&row[1], true), (&row[2], false)] {
                for text in texts.iter().filter(|it| !it.is_empty()) {
                    let found = match heading == paths {
                        true => matches(&globs, text),
                        false => text_matches_list(globs.iter().copied(), text),
                    };
                    assert_eq!(found, expected, "{globs:?} {text}");
                    tried += 1;
                }
            }
        }
    }
    for row in rows("Globs that can never match", "kind | wrong | right") {
        let written = row[1][0].as_str();
        let fault = match row[0][0].as_str() {
            "paths" => path_fault(&["ok", written]),
            "branches" => name_fault(Names::Branches, written),
            "tags" => name_fault(Names::Tags, written),
            _ => ref_fault(written).unwrap(),
        };
        assert!(fault.contains(&format!("`{}`", row[2][0])), "{written}: {fault}");
        tried += 1;
    }
    assert!(tried > 90, "{tried}");
}
