//! What is valid in a config and perhaps not meant: warnings of `tinyci check`, which change no
//! verdict and no exit code.

use crate::engine::step::tag_condition;
use crate::{
    model::{
        error::Position,
        pipeline::{Phase, Pipeline, Step, Template, Warning},
    },
    rules::{glob, interpolate::uses_tag, shell_text},
};

/// What a pipeline in YAML says that is perhaps not meant, in the order of its lines.
pub(in crate::engine) fn of_pipeline(pipeline: &Pipeline) -> Vec<Warning> {
    let mut warnings: Vec<Warning> = never_together(pipeline).into_iter().collect();
    warnings.extend(pipeline.steps().filter_map(|step| tag_without_condition(pipeline, step)));
    let commands = pipeline.steps().flat_map(Step::commands);
    warnings.extend(commands.filter_map(goes_on_after_failure));
    warnings.sort_by_key(|warning| (warning.position.line, warning.position.column));
    warnings
}

/// Build and test that no ref would run both of: such a commit can never be green. Only branches
/// are compared, of which a commit is tested for one; it can have any number of tags.
fn never_together(pipeline: &Pipeline) -> Option<Warning> {
    let phase = |phase: Phase| pipeline.step(phase);
    let (build, test) = (phase(Phase::Build), phase(Phase::Test));
    let whole = &pipeline.when.branch;
    let excluded = [build, test]
        .into_iter()
        .flatten()
        .find(|step| glob::texts_are_disjoint(whole, &step.when.branch));
    if let Some(step) = excluded {
        let message = format!(
            "`{}` can never run: the `when` of the whole config excludes all of its branches",
            step.name
        );
        return Some(Warning::new(message, place(step)));
    }
    let (build, test) = build.zip(test)?;
    let message = "no commit can be green: `build` and `test` never run on the same branch";
    let apart = glob::texts_are_disjoint(&build.when.branch, &test.when.branch);
    apart.then(|| Warning::new(message, place(test)))
}

/// A placeholder `tag` in a step for which no condition asks for a tag.
fn tag_without_condition(pipeline: &Pipeline, step: &Step) -> Option<Warning> {
    if tag_condition(pipeline, step.name).is_some() {
        return None;
    }
    let texts = step.commands().iter().chain(step.cwd.as_ref()).chain(step.env.values());
    let named = texts.into_iter().find(|text| uses_tag(&text.text))?;
    let message = format!(
        "`{}` uses the placeholder `tag` and fails if no tag was pushed; add a condition such as \
         `when: {{tag: 'v*'}}`",
        step.name
    );
    Some(Warning::new(message, named.position))
}

/// A command of several lines that goes on after one that failed.
fn goes_on_after_failure(command: &Template) -> Option<Warning> {
    let lost = shell_text::lost_failure(&command.text)?;
    let message = format!(
        "a failure of `{lost}` is ignored, because the next line runs anyway; write `set -e` as \
         the first line"
    );
    Some(Warning::new(message, command.position))
}

fn place(step: &Step) -> Position {
    step.commands().first().map_or(Position::new(1, 1), |command| command.position)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::pipeline::Format;

    fn found(config: &str) -> Vec<String> {
        let pipeline = Pipeline::parse(config, Format::Yaml, "x").unwrap();
        let shown = |it: Warning| format!("{} {}", it.position, it.message);
        of_pipeline(&pipeline).into_iter().map(shown).collect()
    }

    #[test]
    fn branches_are_compared_only_where_the_answer_is_sure() {
        let config = |build: &str, test: &str| {
            let when = |branch: &str| match branch {
                "" => String::new(),
                branch => format!(", when: {{branch: {branch}}}"),
            };
            format!("build: {{run: a{}}}\ntest: {{run: b{}}}\n", when(build), when(test))
        };
        for (build, test) in [
            ("main", "topic"),
            ("[main, dev]", "['*', '!main', '!dev']"),
            ("release/*", "topic/*"),
            ("'*-a'", "['*-b', other]"),
            ("main", "'!main'"),
        ] {
            let found = found(&config(build, test));
            assert_eq!(found.len(), 1, "{build} {test}");
            assert!(found[0].starts_with("2:13 no commit can be green"), "{found:?}");
        }
        for (build, test) in [
            ("", "main"),
            ("main", "[topic, main]"),
            ("release/*", "'*/2'"),
            ("'!main'", "'!topic'"),
            ("'*a*'", "'*b*'"),
        ] {
            assert_eq!(found(&config(build, test)), [""; 0], "{build} {test}");
        }
        let by_tag = "build: {run: a, when: {tag: v*}}\ntest: {run: b, when: {branch: main}}\n";
        assert_eq!(found(by_tag), [""; 0], "a tagged commit on that branch runs both");
        let whole = "when: {branch: main}\nbuild: {run: a, when: {branch: x*}}\ntest: b\n";
        assert!(found(whole)[0].starts_with("2:14 `build` can never run"), "{:?}", found(whole));
    }

    #[test]
    fn a_text_of_several_lines_ends_at_a_failure_or_is_told_of() {
        let lines = found("build: |\n  make\n  make test\n");
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains("a failure of `make` is ignored"), "{lines:?}");
        let hook =
            found("build: a\nhooks:\n  after_all:\n    run:\n      - |\n        a\n        b\n");
        assert!(hook[0].contains("`set -e` as the first line"), "{hook:?}");
        for fine in [
            "build: |\n  set -e\n  make\n  make test\n",
            "build:\n  - make\n  - make test\n",
            "build: >\n  make\n  test\n",
            "build: |\n  make \\\n    test\n",
        ] {
            assert_eq!(found(fine), [""; 0], "{fine}");
        }
    }

    #[test]
    fn a_tag_is_named_where_a_condition_asks_for_one() {
        assert_eq!(found("build: echo <%= tags %> <%% tag %> tag\n"), [""; 0]);
        assert_eq!(found("build: {run: 'echo <%= tag %>', when: {tag: v*}}\n"), [""; 0]);
        assert_eq!(found("when: {tag: v*}\nbuild: echo <%= tag %>\n"), [""; 0]);
        let of_phase =
            "build: {run: a, when: {tag: v*}}\nhooks: {after_build: 'echo <%= tag %>'}\n";
        assert_eq!(found(of_phase), [""; 0]);
        let none = "build: a\nhooks:\n  after_all:\n    run: b\n    env: {T: <%=tag%>}\n";
        assert!(
            found(none)[0].starts_with("5:14 `after_all` uses the placeholder `tag`"),
            "{:?}",
            found(none)
        );
    }
}
