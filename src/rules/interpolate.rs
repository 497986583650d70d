//! Fills placeholders such as `<%= name %>` into commands, always without quotes.
//!
//! Inside the quotes of a user, a quoted value could end the string and run as code. So tinyci
//! fills in a value unchanged if every shell reads it as part of a word. Otherwise the command does
//! not run.

use std::{borrow::Cow, collections::BTreeMap};

use crate::{
    model::{
        error::{Error, ErrorKind, Position},
        pipeline::{Phase, Pipeline, Step, StepName, Template, Warning},
    },
    util::suggestion::did_you_mean,
};

/// Placeholders whose values tinyci makes from hexadecimal digits. They are always safe.
const TRUSTED: [&str; 3] = ["commit", "short", "time"];

/// Placeholders whose values are paths. They may contain letters beyond ASCII, because users name
/// directories in their own language and shells do not treat such letters specially.
const PATHS: [&str; 3] = ["export", "repo", "target"];

/// How many placeholders one string may have. Each may be an expression, and each may be wrong.
const PLACEHOLDERS_MAX: usize = 1_000;

/// How many placeholders that cannot be filled in are told: more are of no use to a person.
const FAULTS_MAX: usize = 100;

/// Placeholders that are also environment variables of every command, as `TINYCI_` and the name in
/// capitals.
const IN_ENVIRONMENT: [&str; 15] = [
    "author",
    "branch",
    "commit",
    "environment",
    "export",
    "message",
    "step",
    "repo",
    "job_id",
    "short",
    "subject",
    "tag",
    "target",
    "time",
    "tree",
];

/// The placeholder that exists only in `deploy`.
pub(crate) const DEPLOY_ONLY: &str = "environment";

/// The placeholder that has a value only if a tag was pushed or selects the step.
const TAG: &str = "tag";

/// The placeholders for [`interpolate`]: names and their values.
///
/// ```
/// use tinyci::Vars;
/// let mut vars = Vars::new();
/// vars.set("release", "42")?;
/// assert_eq!(vars.get("release"), Some("42"));
/// assert_eq!(vars.names().collect::<Vec<_>>(), ["release"]);
/// # Ok::<(), tinyci::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vars {
    values: BTreeMap<String, String>,
    /// True if a run may have further placeholders that are not known here.
    allow_unknown: bool,
}

impl Vars {
    /// Returns all placeholders that a step may use, or any step for `None`, including the `own`
    /// ones of the embedding program. Each gets a value that is always safe.
    pub(crate) fn for_step(step: Option<StepName>, own: &Vars) -> Self {
        let may_deploy = step.is_none_or(|step| step == Phase::Deploy.into());
        let names = IN_ENVIRONMENT.into_iter().filter(|name| may_deploy || *name != DEPLOY_ONLY);
        let mut vars = Self::new();
        for name in names.chain(own.names()) {
            vars.set_fact(name, "x".to_owned());
        }
        vars
    }

    /// Makes an empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the value of a placeholder, and replaces an older one.
    ///
    /// # Errors
    ///
    /// [`InvalidArg`](ErrorKind::InvalidArg) if the name contains anything other than lowercase
    /// letters, digits and `_`, or begins with a digit. Every value is accepted; [`interpolate`]
    /// checks it.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) -> Result<(), Error> {
        let name = name.into();
        if !is_variable_name(&name) {
            let message = format!(
                "invalid placeholder name `{name}`: expected a-z, 0-9 and `_`, not beginning with \
                 a digit"
            );
            return Err(Error::new(ErrorKind::InvalidArg, message));
        }
        self.values.insert(name, value.into());
        Ok(())
    }

    /// Sets a placeholder of an embedding program. Fails for tinyci's own names.
    pub(crate) fn set_own(&mut self, name: &str, value: impl Into<String>) -> Result<(), Error> {
        if is_built_in(name) {
            let message = format!("placeholder name `{name}` is reserved; choose another");
            return Err(Error::new(ErrorKind::InvalidArg, message));
        }
        self.set(name, value)
    }

    /// Sets whether a real run may have placeholders that are not known here. If so, unknown
    /// placeholders remain unchanged.
    pub(crate) fn allow_unknown(&mut self, more: bool) {
        self.allow_unknown |= more;
    }

    /// Sets one of tinyci's own placeholders.
    pub(crate) fn set_fact(&mut self, name: &str, value: String) {
        self.values.insert(name.to_owned(), value);
    }

    /// Returns the value of this placeholder, if it is set.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// Returns the names of all placeholders that are set, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }
}

/// Returns true if tinyci sets this placeholder itself, so that programs cannot.
pub(crate) fn is_built_in(name: &str) -> bool {
    IN_ENVIRONMENT.contains(&name)
}

/// Fills in the placeholders of a template.
///
/// `<%= name %>` becomes the value, `<%%` becomes `<%`, and everything else remains unchanged.
/// Placeholders inside a value are not filled in.
///
/// The values of `commit`, `short` and `time` are always safe, because tinyci makes them from
/// digits and letters. A shell will read all other values. So they must consist of `A-Z a-z 0-9 _ .
/// / : @ + , = -` and must not begin with `-`. The paths `export`, `target` and `repo` may also
/// contain any character from U+0080 that is neither a space nor a control character. For other
/// values, use the environment variable in double quotes: `"$TINYCI_EXPORT"`.
///
/// ```
/// use tinyci::{Vars, interpolate};
///
/// let mut vars = Vars::new();
/// vars.set("commit", "f40785cbc4422f39c36118fbae071932774cb5b6")?;
/// vars.set("branch", "fix/it;reboot")?;
/// let command = interpolate("docker build -t app:<%= commit %> .", &vars)?;
/// assert_eq!(command, "docker build -t app:f40785cbc4422f39c36118fbae071932774cb5b6 .");
///
/// let error = interpolate("echo 'on <%= branch %>'", &vars).unwrap_err();
/// assert!(error.message().contains(r#""$TINYCI_BRANCH""#));
/// # Ok::<(), tinyci::Error>(())
/// ```
///
/// # Errors
///
/// [`Interpolate`](ErrorKind::Interpolate) with the position in the template, if a placeholder is
/// not closed, contains more than a name, is not set, or has an unsafe value.
pub fn interpolate(template: &str, vars: &Vars) -> Result<String, Error> {
    fill(template, vars, &no_expressions).map_err(|fault| {
        let position = position_in(template, fault.offset);
        Error::new(ErrorKind::Interpolate, fault.message).with_position(position)
    })
}

/// A function that returns the value of a placeholder that is an expression of the script language.
/// The error is a sentence.
pub(crate) type Expressions<'a> = dyn Fn(&str) -> Result<String, String> + 'a;

/// Rejects expressions, if there is no script language.
pub(crate) fn no_expressions(expression: &str) -> Result<String, String> {
    Err(format!("invalid placeholder `{expression}`: expected a name, not Ruby code"))
}

/// Fills in the placeholders of a string in a config. Errors name its position in the file.
///
/// The position is exact in single lines and in `|` blocks. If YAML folds lines or resolves
/// escapes, it is counted in the resulting string.
pub(crate) fn interpolate_expressions(
    template: &Template,
    vars: &Vars,
    config_name: &str,
    expressions: &Expressions<'_>,
) -> Result<String, Error> {
    fill(&template.text, vars, expressions).map_err(|fault| {
        Error::new(ErrorKind::Interpolate, fault.message)
            .with_path(config_name)
            .with_position(place_of(template, fault.offset))
    })
}

/// Returns a warning for each placeholder of a template that cannot be filled in.
pub(crate) fn faults_of(
    template: &Template,
    vars: &Vars,
    expressions: &Expressions<'_>,
) -> Vec<Warning> {
    let mut faults = Vec::new();
    let ended = fill_or(&template.text, vars, expressions, &mut |fault| {
        faults.push(fault);
        Ok(())
    });
    // After an unclosed placeholder, the rest of the template is not read.
    faults.extend(ended.err());
    let warning = |it: Fault| Warning::new(it.message, place_of(template, it.offset));
    faults.into_iter().map(warning).collect()
}

/// Returns the position of a byte of a template in its file.
fn place_of(template: &Template, offset: usize) -> Position {
    let relative = position_in(&template.text, offset);
    let begin = template.position;
    Position::new(begin.line + relative.line - 1, begin.column + relative.column - 1)
}

impl Pipeline {
    /// Finds the placeholders that no run could fill in. `check` validates an expression; its
    /// second argument has the placeholders that the expression may use.
    pub(crate) fn check_placeholders_with(
        &self,
        own: &Vars,
        check: &dyn Fn(&str, &Vars) -> Result<(), String>,
    ) -> Vec<Warning> {
        let steps = self.steps();
        let faults = steps.flat_map(|step| self.check_placeholders_of(step, own, check));
        faults.take(FAULTS_MAX).collect()
    }

    fn check_placeholders_of(
        &self,
        step: &Step,
        own: &Vars,
        check: &dyn Fn(&str, &Vars) -> Result<(), String>,
    ) -> Vec<Warning> {
        let vars = Vars::for_step(Some(step.name), own);
        let texts = step.commands().iter().chain(step.cwd.as_ref()).chain(step.env.values());
        // The value of an expression is known only in a run.
        let value_of = |expression: &str| check(expression, &vars).map(|()| "x".to_owned());
        texts.flat_map(|text| faults_of(text, &vars, &value_of)).take(FAULTS_MAX).collect()
    }
}

/// What is wrong with a placeholder, and the byte at which it begins in the template.
struct Fault {
    offset: usize,
    message: String,
}

fn fill(template: &str, vars: &Vars, expressions: &Expressions<'_>) -> Result<String, Fault> {
    fill_or(template, vars, expressions, &mut Err)
}

/// Fills in the placeholders. `on_fault` decides whether a placeholder without a value ends this.
fn fill_or(
    template: &str,
    vars: &Vars,
    expressions: &Expressions<'_>,
    on_fault: &mut dyn FnMut(Fault) -> Result<(), Fault>,
) -> Result<String, Fault> {
    let mut filled = String::with_capacity(template.len());
    let (mut rest, mut placeholders) = (template, 0);
    while let Some((text, tag)) = rest.split_once("<%") {
        filled.push_str(text);
        let offset = template.len() - tag.len() - "<%".len();
        if let Some(literal) = tag.strip_prefix('%') {
            filled.push_str("<%");
            rest = literal;
            continue;
        }
        let fault = |message| Fault { offset, message };
        placeholders += 1;
        if placeholders > PLACEHOLDERS_MAX {
            return Err(fault(format!("more than {PLACEHOLDERS_MAX} placeholders in one string")));
        }
        let (contents, rest_after) = split_placeholder(tag).map_err(fault)?;
        match value(contents.trim(), vars, expressions) {
            Ok(value) => filled.push_str(&value),
            Err(message) => on_fault(fault(message))?,
        }
        rest = rest_after;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// Splits the text after `<%` into the contents of the placeholder and the rest.
fn split_placeholder(tag: &str) -> Result<(&str, &str), String> {
    let Some(tag) = tag.strip_prefix('=') else {
        let message =
            "invalid placeholder: expected `<%= name %>`; write `<%%` for the characters `<%`";
        return Err(message.into());
    };
    match tag.split_once("%>") {
        Some((contents, rest_after)) if !contents.contains("<%") => Ok((contents, rest_after)),
        _ => Err("unclosed placeholder: `%>` is missing".into()),
    }
}

fn value<'v>(
    name: &str,
    vars: &'v Vars,
    expressions: &Expressions<'_>,
) -> Result<Cow<'v, str>, String> {
    if let Some(value) = vars.get(name) {
        return safe(name, value).map(Cow::Borrowed);
    }
    let known = match vars.names().collect::<Vec<_>>() {
        names if names.is_empty() => "there are no placeholders here".to_owned(),
        names => format!("there are {}", names.join(", ")),
    };
    let word = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
    if name.is_empty() {
        return Err(format!("empty placeholder: expected a name ({known})"));
    }
    if name == DEPLOY_ONLY {
        return Err(format!("the placeholder `{name}` exists only in `deploy` ({known})"));
    }
    if name == TAG {
        let message = "the placeholder `tag` has no value: no tag of this commit was pushed, and \
                       no `when` of the step, its phase or the config has `tag`";
        return Err(format!("{message} ({known})"));
    }
    if vars.allow_unknown && is_variable_name(name) {
        return Ok(Cow::Owned(format!("<%= {name} %>")));
    }
    if name.chars().all(word) {
        let hint = did_you_mean(name, vars.names());
        return Err(format!("unknown placeholder `{name}`{hint} ({known})"));
    }
    let value = expressions(name).map_err(|why| format!("{why} ({known})"))?;
    safe(name, &value).map(|value| Cow::Owned(value.to_owned()))
}

/// Returns true if every shell reads the string as part of a word: only letters, digits and
/// `_./:@+,=-`, and no `-` at the start.
pub(crate) fn is_safe(value: &str) -> bool {
    safe("", value).is_ok()
}

/// Returns true if a byte is a character that every shell reads literally.
pub(crate) fn is_safe_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_./:@+,=-".contains(&byte)
}

/// Returns why one of tinyci's paths is unsafe in a command, as the predicate of a sentence:
/// `contains ' '`.
pub(crate) fn path_fault(path: &str) -> Option<String> {
    fault_in(path, true)
}

/// Returns why a value is unsafe in a command, as the predicate of a sentence.
fn fault_in(value: &str, is_path: bool) -> Option<String> {
    let is_safe_char = |letter: char| u8::try_from(letter).is_ok_and(is_safe_byte);
    // U+FFFD replaces invalid bytes, so such a string would name another path.
    let is_path_letter =
        |it: char| !it.is_ascii() && !it.is_whitespace() && !it.is_control() && it != '\u{fffd}';
    match value
        .chars()
        .find(|letter| !(is_safe_char(*letter) || is_path && is_path_letter(*letter)))
    {
        Some(letter) => Some(format!("contains {letter:?}")),
        None if value.is_empty() => Some("is empty".to_owned()),
        None if value.starts_with('-') => Some("begins with `-`".to_owned()),
        None => None,
    }
}

/// Returns the value if it is safe in a command.
fn safe<'v>(name: &str, value: &'v str) -> Result<&'v str, String> {
    if TRUSTED.contains(&name) {
        return Ok(value);
    }
    // An expression that only reads a field of `ctx` has the rules of the placeholder with that
    // name.
    let fact = match name {
        "ctx.export_dir" => "export",
        _ => name.strip_prefix("ctx.").unwrap_or(name),
    };
    let Some(reason) = fault_in(value, PATHS.contains(&fact)) else { return Ok(value) };
    let suggestion = if IN_ENVIRONMENT.contains(&fact) {
        format!("write \"$TINYCI_{}\" instead", fact.to_uppercase())
    } else {
        "only A-Z a-z 0-9 _ . / : @ + , = - are allowed, and no `-` at the start".to_owned()
    };
    Err(format!("unsafe in a command: the value of `{name}` {reason}; {suggestion}"))
}

/// Returns true if a placeholder of this text is exactly `tag`.
pub(crate) fn uses_tag(text: &str) -> bool {
    let contents = text.split("<%=").skip(1).filter_map(|rest| rest.split("%>").next());
    contents.into_iter().any(|name| name.trim() == TAG)
}

fn is_variable_name(name: &str) -> bool {
    let letters = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_';
    name.chars().all(letters)
        && !name.starts_with(|it: char| it.is_ascii_digit())
        && !name.is_empty()
}

/// Returns the line and column of a byte of this text.
fn position_in(text: &str, offset: usize) -> Position {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Position::new(line, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vars() -> Vars {
        let mut vars = Vars::new();
        for (name, value) in [
            ("commit", "f40785cbc4422f39c36118fbae071932774cb5b6"),
            ("export", "/srv/d\u{e9}p\u{f4}t-\u{5b89}"),
            ("branch", "feature/a-b"),
            ("subject", "Fix `rm -rf /`"),
            ("release", "42"),
            ("note", "a b"),
        ] {
            vars.set(name, value).unwrap();
        }
        vars
    }

    #[test]
    fn tags_become_values_and_everything_else_stays() {
        let cases = [
            ("", ""),
            ("<%= commit %>", "f40785cbc4422f39c36118fbae071932774cb5b6"),
            ("<%=commit%>", "f40785cbc4422f39c36118fbae071932774cb5b6"),
            ("a<%=\n release\t%>b<%= release %>", "a42b42"),
            ("cd <%= export %>", "cd /srv/d\u{e9}p\u{f4}t-\u{5b89}"),
            ("git push origin <%= branch %>", "git push origin feature/a-b"),
            (
                "printf '%s\\n' \"$HOME\" 100% %> % < <= é…\nawk '{print $1}' # 'x'",
                "printf '%s\\n' \"$HOME\" 100% %> % < <= é…\nawk '{print $1}' # 'x'",
            ),
            ("<%%= commit %>", "<%= commit %>"),
            ("<%%%= <%= release %>", "<%%= 42"),
            ("<%= release %>%>", "42%>"),
        ];
        for (template, expected) in cases {
            assert_eq!(interpolate(template, &vars()).unwrap(), expected, "{template}");
        }
    }

    #[test]
    fn values_are_not_looked_at_again() {
        let mut vars = Vars::new();
        vars.set("commit", "<%= short %>").unwrap();
        assert_eq!(interpolate("<%= commit %>", &vars).unwrap(), "<%= short %>");
    }

    #[test]
    fn a_path_may_hold_letters_of_any_language_and_nothing_that_a_shell_reads() {
        for name in ["export", "target", "repo"] {
            let tag = format!("rm -rf <%= {name} %>/target");
            let filled = |path: &str| {
                let mut vars = Vars::new();
                vars.set(name, path).unwrap();
                interpolate(&tag, &vars)
            };
            for good in ["/srv/a-b_c.git", "/srv/\u{fc}\u{3a9}\u{5b89}\u{1f600}/e\u{301}"] {
                assert_eq!(filled(good).unwrap(), format!("rm -rf {good}/target"));
            }
            let ascii = (0..0x80u8).map(char::from);
            let ascii =
                ascii.filter(|it| !it.is_ascii_alphanumeric() && !"_./:@+,=-".contains(*it));
            let beyond =
                ['\u{80}', '\u{85}', '\u{a0}', '\u{2003}', '\u{2028}', '\u{3000}', '\u{fffd}'];
            for bad in ascii.chain(beyond) {
                let error = filled(&format!("/srv/a{bad}b")).unwrap_err();
                let expected = format!(
                    "1:8: unsafe in a command: the value of `{name}` contains {bad:?}; write \
                     \"$TINYCI_{}\" instead",
                    name.to_uppercase()
                );
                assert_eq!(error.to_string(), expected);
            }
        }
        let mut vars = Vars::new();
        vars.set("note", "\u{e9}").unwrap();
        assert!(interpolate("<%= note %>", &vars).is_err(), "other values stay as they were");
    }

    #[test]
    fn an_expression_that_asks_the_context_obeys_the_rule_of_its_fact() {
        let fill = |expression: &str, value_of: &str| {
            let template = Template::new(format!("<%= {expression} %>"), Position::new(1, 1));
            interpolate_expressions(&template, &Vars::new(), "x", &|_| Ok(value_of.to_owned()))
        };
        assert_eq!(fill("ctx.export_dir", "/\u{e9}").unwrap(), "/\u{e9}");
        for (expression, variable) in
            [("ctx.export_dir", "EXPORT"), ("ctx.repo", "REPO"), ("ctx.branch", "BRANCH")]
        {
            let error = fill(expression, "/a b").unwrap_err();
            assert!(error.message().contains(&format!("\"$TINYCI_{variable}\"")), "{error}");
        }
        assert!(fill("ctx.branch", "\u{e9}").is_err());
    }

    #[test]
    fn malformed_and_unknown_tags_are_errors_at_their_place() {
        let cases = [
            (
                "echo <%= commti %>",
                (1, 6),
                "unknown placeholder `commti`; did you mean `commit`? (there are",
            ),
            ("echo é <%= nothing_near %>", (1, 8), "there are branch, commit, export"),
            ("a\nbé <%= commit", (2, 4), "unclosed"),
            ("<%= commit <%= commit %>", (1, 1), "unclosed"),
            ("x <% puts 1 %>", (1, 3), "invalid placeholder: expected"),
            ("x <%- commit %>", (1, 3), "invalid placeholder: expected"),
            ("x <%# commit %>", (1, 3), "invalid placeholder: expected"),
            ("x <%", (1, 3), "invalid placeholder: expected"),
            ("<%= commit[0..6] %>", (1, 1), "not Ruby code"),
            ("<%= commit -%>", (1, 1), "not Ruby code"),
            ("<%= `date` %>", (1, 1), "not Ruby code"),
            ("<%= %>", (1, 1), "empty placeholder"),
            ("<%=%>", (1, 1), "empty placeholder"),
        ];
        for (template, (line, column), expected) in cases {
            let error = interpolate(template, &vars()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Interpolate);
            assert_eq!(error.position(), Some(Position::new(line, column)), "{template}");
            assert!(error.message().contains(expected), "{template}: {error}");
        }
        let error = interpolate("<%= x %>", &Vars::new()).unwrap_err();
        assert!(error.message().ends_with("(there are no placeholders here)"), "{error}");
    }

    #[test]
    fn only_harmless_values_go_in_where_others_chose_them() {
        for good in ["a", "A.b/c:d@e+f,g=h-i_9", "/", "=x", "v1.0"] {
            let mut vars = Vars::new();
            vars.set("version", good).unwrap();
            assert_eq!(interpolate("<%= version %>", &vars).unwrap(), good);
        }
        let bad = [
            "",
            "-rf",
            "a b",
            "a\nb",
            "a'b",
            "a\"b",
            "$x",
            "`x`",
            "a;b",
            "a|b",
            "a&b",
            "a*b",
            "a?b",
            "[a]",
            "{a}",
            "~",
            "#a",
            "!a",
            "a\\b",
            "a(b)",
            "<a",
            ">a",
            "a%b",
            "a^b",
            "é",
            "a\0b",
            "<%= commit %>",
            "a\tb",
            "a\u{200b}b",
        ];
        for bad in bad {
            let mut vars = Vars::new();
            vars.set("version", bad).unwrap();
            let error = interpolate("<%= version %>", &vars).unwrap_err();
            assert!(error.message().contains("only A-Z"), "{bad:?}: {error}");
        }
    }

    #[test]
    fn the_way_out_is_the_environment_for_what_is_there() {
        let text = |template| interpolate(template, &vars()).unwrap_err().to_string();
        assert_eq!(
            text("echo '<%= subject %>'"),
            "1:7: unsafe in a command: the value of `subject` contains ' '; write \
             \"$TINYCI_SUBJECT\" instead"
        );
        assert!(!text("echo <%= note %>").contains("TINYCI"));
    }

    #[test]
    fn each_step_has_names_of_its_own() {
        let text = "build:\n  run: [echo <%= step %>, echo <%= environment %>]\n  \
                    env: {A: 'x<%= environment %>'}\n  cwd: <%= environment %>\n\
                    deploy: {run: echo <%= environment %>, env: {A: <%= environment %>}}\n\
                    hooks: {after_all: echo <%= environment %>}\n";
        let pipeline = Pipeline::parse(text, crate::model::pipeline::Format::Yaml, "x").unwrap();
        let found = pipeline.check_placeholders_with(&Vars::new(), &|_, _| Ok(()));
        let places: Vec<_> =
            found.iter().map(|it| (it.position.line, it.position.column)).collect();
        assert_eq!(places, [(2, 32), (4, 8), (3, 14), (6, 25)]);
        for warning in &found {
            let expected =
                "the placeholder `environment` exists only in `deploy` (there are author, branch, ";
            assert!(warning.message.starts_with(expected), "{warning:?}");
        }
    }

    #[test]
    fn names_of_variables_are_checked() {
        let mut vars = Vars::new();
        for good in ["a", "_", "a_1", "release"] {
            assert!(vars.set(good, "x").is_ok(), "{good}");
        }
        for bad in ["", "1a", "A", "a-b", "a b", "é", "a\n"] {
            assert_eq!(vars.set(bad, "x").unwrap_err().kind(), ErrorKind::InvalidArg, "{bad}");
        }
        vars.set("a", "y").unwrap();
        assert_eq!(vars.get("a"), Some("y"));
        assert!(is_built_in("branch") && !is_built_in("release"));
    }

    #[test]
    fn a_template_of_a_config_names_its_place_there() {
        let check = |text: &str, expected| {
            let template = Template::new(text, Position::new(3, 8));
            let error = interpolate_expressions(&template, &vars(), ".tinyci.yml", &no_expressions)
                .unwrap_err();
            assert!(error.to_string().starts_with(expected), "{error}");
        };
        check("echo <%= nope %>", ".tinyci.yml:3:13: unknown placeholder `nope`");
        check("echo é\nx <%= nope %>", ".tinyci.yml:4:10: ");
        let template = Template::new("echo <%= release %>", Position::new(1, 1));
        assert_eq!(
            interpolate_expressions(&template, &vars(), "x", &no_expressions).unwrap(),
            "echo 42"
        );
    }
}
