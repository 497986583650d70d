//! Warnings of `tinyci check` about configs that are valid but probably unintended. They change
//! neither verdicts nor exit codes.

use crate::engine::step::tag_condition;
use crate::{
    model::{
        error::Position,
        pipeline::{Phase, Pipeline, Step, Template, Warning},
    },
    rules::{glob, interpolate::uses_tag, shell_text},
};

/// Returns the warnings about a YAML pipeline, sorted by line.
pub(in crate::engine) fn of_pipeline(pipeline: &Pipeline) -> Vec<Warning> {
    let mut warnings: Vec<Warning> = never_on_same_branch(pipeline).into_iter().collect();
    warnings.extend(pipeline.steps().filter_map(|step| tag_without_condition(pipeline, step)));
    let commands = pipeline.steps().flat_map(Step::commands);
    warnings.extend(commands.filter_map(continues_after_failure));
    warnings.sort_by_key(|warning| (warning.position.line, warning.position.column));
    warnings
}

/// Warns if build and test never run for the same branch, so that no commit can be green. Tags are
/// not compared, because a commit can have several of them, but is tested for one branch.
fn never_on_same_branch(pipeline: &Pipeline) -> Option<Warning> {
    let phase = |phase: Phase| pipeline.step(phase);
    let (build, test) = (phase(Phase::Build), phase(Phase::Test));
    let pipeline_branches = &pipeline.when.branch;
    let excluded = [build, test]
        .into_iter()
        .flatten()
        .find(|step| glob::texts_are_disjoint(pipeline_branches, &step.when.branch));
    if let Some(step) = excluded {
        let message = format!(
            "`{}` can never run: the `when` of the whole config excludes all of its branches",
            step.name
        );
        return Some(Warning::new(message, position_of(step)));
    }
    let (build, test) = build.zip(test)?;
    let message = "no commit can be green: `build` and `test` never run on the same branch";
    let are_disjoint = glob::texts_are_disjoint(&build.when.branch, &test.when.branch);
    are_disjoint.then(|| Warning::new(message, position_of(test)))
}

/// Warns about a placeholder `tag` in a step without a condition on tags.
fn tag_without_condition(pipeline: &Pipeline, step: &Step) -> Option<Warning> {
    if tag_condition(pipeline, step.name).is_some() {
        return None;
    }
    let texts = step.commands().iter().chain(step.cwd.as_ref()).chain(step.env.values());
    let with_placeholder = texts.into_iter().find(|text| uses_tag(&text.text))?;
    let message = format!(
        "`{}` uses the placeholder `tag` and fails if no tag was pushed; add a condition such as \
         `when: {{tag: 'v*'}}`",
        step.name
    );
    Some(Warning::new(message, with_placeholder.position))
}

/// Warns about a shell text of several lines that continues after a failed command.
fn continues_after_failure(command: &Template) -> Option<Warning> {
    let message = shell_text::lost_failure_warning(&command.text)?;
    Some(Warning::new(message, command.position))
}

fn position_of(step: &Step) -> Position {
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
    fn branches_are_compared_only_if_the_answer_is_certain() {
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
    fn a_text_of_several_lines_that_continues_after_a_failure_is_reported() {
        let lines = found("build: |\n  make\n  make test\n");
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(
            lines[0].contains("if `make` fails, the shell still runs the next line"),
            "{lines:?}"
        );
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
    fn a_placeholder_tag_needs_a_condition_on_tags() {
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
