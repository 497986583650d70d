//! Tests of whole configs, from text to a pipeline or an error.

use std::time::{Duration, Instant};

use crate::model::{
    error::{Error, ErrorKind, Position},
    pipeline::{DeployRules, Format, Hook, Phase, Pipeline, StepName},
};

fn parse(text: impl AsRef<[u8]>) -> Result<Pipeline, Error> {
    Pipeline::parse(text, Format::Yaml, ".tinyci.yml")
}

/// Returns all commands with their steps, in the order of a job.
fn commands(pipeline: &Pipeline) -> Vec<(&'static str, &str)> {
    let commands = |step: &crate::pipeline::Step| step.commands().len();
    assert!(pipeline.steps().all(|step| commands(step) > 0), "no step is without a command");
    let steps = pipeline.steps();
    steps
        .flat_map(|step| step.commands().iter().map(|it| (step.name.as_str(), &*it.text)))
        .collect()
}

/// Checks the commands of a config without warnings.
#[track_caller]
fn check(text: &str, expected: &[(&str, &str)]) {
    let pipeline = parse(text).unwrap();
    assert_eq!(commands(&pipeline), expected);
    assert_eq!(pipeline.warnings, []);
}

#[track_caller]
fn check_error(text: impl AsRef<[u8]>, line: usize, column: usize, expected: &str) {
    let text = text.as_ref();
    let shown = String::from_utf8_lossy(text);
    let error = parse(text).expect_err(&shown);
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(error.path(), Some(".tinyci.yml".as_ref()));
    assert!(error.message().contains(expected), "{shown}\n{error}");
    assert_eq!(error.position(), Some(Position::new(line, column)), "{shown}\n{error}");
}

#[track_caller]
fn check_warnings(text: &str, expected: &[(usize, usize, &str)]) -> Pipeline {
    let pipeline = parse(text).unwrap();
    let shown = format!("{:#?}", pipeline.warnings);
    assert_eq!(pipeline.warnings.len(), expected.len(), "{shown}");
    for (warning, (line, column, message)) in pipeline.warnings.iter().zip(expected) {
        assert!(warning.message.contains(message), "{shown}");
        assert_eq!(warning.position, Position::new(*line, *column), "{shown}");
    }
    pipeline
}

#[test]
fn configs_of_tinyci_0_5_load() {
    check(
        "build: VERSION=<%= commit %> docker-compose build --force-rm test\n\
         test: export VERSION=<%= commit %> && docker-compose run --rm test && docker-compose down\n\
         hooks:\n  \
         after_test_success: VERSION=<%= commit %> docker-compose build app\n  \
         after_all: rm -rf <%= export %>#; docker rmi fml:<%= commit %>-test\n",
        &[
            ("build", "VERSION=<%= commit %> docker-compose build --force-rm test"),
            (
                "test",
                "export VERSION=<%= commit %> && docker-compose run --rm test && docker-compose down",
            ),
            ("after_test_success", "VERSION=<%= commit %> docker-compose build app"),
            ("after_all", "rm -rf <%= export %>#; docker rmi fml:<%= commit %>-test"),
        ],
    );
    check(
        "build: docker build -t tinyci .\n\
         test: docker run --rm tinyci bundle exec rspec --format documentation\n\
         hooks:\n  after_all: rm -rf <%= export %>\n",
        &[
            ("build", "docker build -t tinyci ."),
            ("test", "docker run --rm tinyci bundle exec rspec --format documentation"),
            ("after_all", "rm -rf <%= export %>"),
        ],
    );
    for (build, test) in [
        ("docker build -t podcast_feed_gen .", "docker run podcast_feed_gen bundle exec rspec"),
        (
            "docker-compose -f docker/docker-compose.yml run build",
            "docker-compose -f docker/docker-compose.yml run test",
        ),
        ("docker build -t tinyci .", "docker run tinyci bundle exec rspec --format documentation"),
        ("build.sh", "test.sh"),
        ("echo LOL", "echo LOL"),
    ] {
        check(
            &format!(
                "builder:\n  class: ScriptBuilder\n  config:\n    command: {build}\n\
                 tester:\n  class: ScriptTester\n  config:\n    command: {test}\n"
            ),
            &[("build", build), ("test", test)],
        );
    }
}

#[test]
fn both_syntaxes_give_the_same_pipeline() {
    let expected = [
        ("build", "./build.sh"),
        ("after_build_success", "./after_build_success.sh"),
        ("test", "./test.sh"),
        ("after_test_success", "./after_test_success.sh"),
    ];
    let hooks = "after_build_success: ./after_build_success.sh\n    \
                 after_test_success: ./after_test_success.sh\n";
    check(&format!("build: ./build.sh\ntest: ./test.sh\nhooks:\n    {hooks}"), &expected);
    check(
        &format!(
            "builder:\n  class: ScriptBuilder\n  config:\n    command: ./build.sh\n\
             tester:\n  class: ScriptTester\n  config:\n    command: ./test.sh\n\
             hooker:\n  class: ScriptHooker\n  config:\n    {hooks}"
        ),
        &expected,
    );
}

#[test]
fn every_hook_is_known() {
    let names = StepName::ALL.into_iter().filter(|name| matches!(name, StepName::Hook(_)));
    let names: Vec<_> = names.map(StepName::as_str).collect();
    let hooks: String = names.iter().map(|name| format!("  {name}: run {name}\n")).collect();
    let pipeline = parse(format!("hooks:\n{hooks}")).unwrap();
    assert_eq!(pipeline.warnings, []);
    assert_eq!(commands(&pipeline).iter().map(|it| it.0).collect::<Vec<_>>(), names);
}

#[test]
fn absent_phases_and_empty_hooks_are_absent() {
    check("test: make\n", &[("test", "make")]);
    check("build: make\nhooks:\n", &[("build", "make")]);
    check("build: make\nhooks: {}\n", &[("build", "make")]);
    check("build: make\nhooker: {class: ScriptHooker, config: }\n", &[("build", "make")]);
    check("build: ''\n", &[("build", "")]);
    check("builder: {config: {command: make}}\n", &[("build", "make")]);
}

#[test]
fn commands_stay_as_they_are_written() {
    for command in [
        "echo 'it''s' \"$HOME\" 100% `date` $(id) # not a comment?",
        "printf '%s\\n' 'a' | awk '{print $1}'",
        "echo grün ✓ \u{1f600}",
        "-x --flag",
        "yes",
        "<%= commit %>",
    ] {
        let expected = command;
        let single = command.replace('\'', "''");
        check(&format!("build: '{single}'\n"), &[("build", expected)]);
        check(&format!("build: |-\n  {command}\n"), &[("build", expected)]);
        check(&format!("build: >-\r\n  {command}\r\n"), &[("build", expected)]);
    }
    check("build: echo 'a' \"b\" %s $x\n", &[("build", "echo 'a' \"b\" %s $x")]);
    check("build: |\n  a\n    b\n\n  c\n", &[("build", "a\n  b\n\nc\n")]);
    check("build: >\n  a\n  b\n", &[("build", "a b\n")]);
    check("build: make # say why\n", &[("build", "make")]);
}

#[test]
fn the_mapping_form_has_options() {
    let pipeline = parse(
        "build:\n  run:\n    - ./configure\n    - make\n  cwd: sub/dir\n  timeout: 10m\n  env:\n    \
         CC: clang\n    PORT: 8080\n    VERSION: 1.10\n    DEBUG: true\n    AT: <%= commit %>\n\
         test: [make check, make lint]\n\
         hooks: {after_all: {run: rm -rf tmp, timeout: 90}}\n",
    );
    let pipeline = pipeline.unwrap();
    assert_eq!(
        commands(&pipeline),
        [
            ("build", "./configure"),
            ("build", "make"),
            ("test", "make check"),
            ("test", "make lint"),
            ("after_all", "rm -rf tmp"),
        ]
    );
    let build = pipeline.step(Phase::Build).unwrap();
    let env: Vec<_> = build.env.iter().map(|(name, value)| (&**name, &*value.text)).collect();
    assert_eq!(
        env,
        [
            ("AT", "<%= commit %>"),
            ("CC", "clang"),
            ("DEBUG", "true"),
            ("PORT", "8080"),
            ("VERSION", "1.10"),
        ]
    );
    assert_eq!(build.cwd.as_ref().map(|cwd| &*cwd.text), Some("sub/dir"));
    assert_eq!(build.timeout, Some(Duration::from_secs(600)));
    let after_all = pipeline.step(Hook::AfterAll).unwrap();
    assert_eq!(after_all.timeout, Some(Duration::from_secs(90)));
}

#[test]
fn positions_point_at_the_first_character_of_a_text() {
    let text = "# é\nbuild: make\ntest: 'quoted'\nhooks:\n  before_build: |\n    \n    two\n  \
                after_build: &a !!str \"x\"\n  before_test: >2\n      indented\n  after_test:\n  \
                - { run: a }\n";
    let text = text.replace("- { run: a }", "  [ é, b,\n       c ]");
    let pipeline = parse(&text).unwrap();
    let places = |name: &str| -> Vec<_> {
        let step = pipeline.step(name.parse::<StepName>().unwrap()).unwrap();
        step.commands().iter().map(|it| (it.position.line, it.position.column)).collect()
    };
    assert_eq!(places("build"), [(2, 8)]);
    assert_eq!(places("test"), [(3, 8)]);
    assert_eq!(places("before_build"), [(6, 5)]);
    assert_eq!(places("after_build"), [(8, 26)]);
    assert_eq!(places("before_test"), [(10, 5)]);
    assert_eq!(places("after_test"), [(12, 7), (12, 10), (13, 8)]);
}

#[test]
fn unknown_keys_on_old_levels_are_warnings() {
    check_warnings(
        "build: make\nrelease: x\ntset: y\n5: z\n",
        &[
            (
                2,
                1,
                "`release` is not a key of the config; the keys are `build`, `test`, `hooks`, `deploy`",
            ),
            (3, 1, "did you mean `test`?"),
            (4, 1, "a number is not a key"),
        ],
    );
    check_warnings(
        "build: make\nhooks:\n  after_tets: x\n",
        &[(3, 3, "did you mean `after_test`?")],
    );
    let pipeline = check_warnings(
        "builder:\n  class: ScriptBuilder\n  colour: red\n  config:\n    command: make\n    \
         target: x\n",
        &[(3, 3, "`colour`"), (6, 5, "`target`")],
    );
    assert_eq!(commands(&pipeline), [("build", "make")]);
}

#[test]
fn the_later_of_two_spellings_or_equal_keys_applies() {
    let verbose = "builder: {class: ScriptBuilder, config: {command: verbose}}\n";
    let warning = "`builder` overrides `build` above";
    let pipeline = check_warnings(&format!("build: terse\n{verbose}"), &[(2, 1, warning)]);
    assert_eq!(commands(&pipeline), [("build", "verbose")]);
    let warning = "`build` overrides `builder` above";
    let pipeline = check_warnings(&format!("{verbose}build: terse\n"), &[(2, 1, warning)]);
    assert_eq!(commands(&pipeline), [("build", "terse")]);

    let warning = "`build` overrides `build` above";
    let pipeline = check_warnings("build: 5\nbuild: b\n", &[(2, 1, warning)]);
    assert_eq!(commands(&pipeline), [("build", "b")]);
    let text = "hooks:\n  after_all: a\n  after_all: b\n";
    let pipeline = check_warnings(text, &[(3, 3, "overrides")]);
    assert_eq!(commands(&pipeline), [("after_all", "b")]);

    let text = "hooks: {after_all: a}\nhooker: {class: ScriptHooker, config: {after_test: b}}\n";
    let pipeline = check_warnings(text, &[(2, 1, "overrides")]);
    assert_eq!(commands(&pipeline), [("after_test", "b")]);
}

#[test]
fn anchors_and_merge_keys_work() {
    check(
        "build: &make make\ntest: *make\nhooks: {after_all: *make}\n",
        &[("build", "make"), ("test", "make"), ("after_all", "make")],
    );
    let pipeline = parse(
        "build: &base {run: make, timeout: 5m, env: {A: 1}}\n\
         test: {<<: *base, run: make check, timeout: 1h}\n\
         hooks:\n  after_all:\n    run: c\n    <<: [{timeout: 7}, *base]\n",
    );
    let pipeline = pipeline.unwrap();
    let test = pipeline.step(Phase::Test).unwrap();
    assert_eq!((&*test.commands()[0].text, test.env.len()), ("make check", 1));
    assert_eq!(test.timeout, Some(Duration::from_secs(3600)));
    let last = pipeline.step(Hook::AfterAll).unwrap();
    assert_eq!((&*last.commands()[0].text, last.timeout), ("c", Some(Duration::from_secs(7))));
    check_error("build: {<<: 5, run: x}\n", 1, 8, "`<<` takes a map");
    check_error("build: *nowhere\n", 1, 8, "this alias refers to an anchor");
    check_error("build: &a [*a]\n", 1, 8, "");
}

#[test]
fn only_the_first_document_is_read() {
    let pipeline = check_warnings("---\nbuild: a\n---\nbuild: b\n", &[(4, 1, "second document")]);
    assert_eq!(commands(&pipeline), [("build", "a")]);
    check("---\nbuild: a\n...\n", &[("build", "a")]);
}

#[test]
fn what_is_not_a_config_is_an_error() {
    check_error("", 1, 1, "the config is empty");
    check_error("# nothing\n", 2, 1, "the config is empty");
    check_error("---\n", 2, 1, "the config is empty");
    check_error("- make\n", 1, 1, "expected a map with `build`, `test` and `hooks`, got an array");
    check_error("make\n", 1, 1, "got a string");
    check_error("true\n", 1, 1, "got a bool");
    check_error("{}\n", 1, 1, "no `build`, `test`, `deploy` or hook");
    check_error("hooks:\n", 1, 1, "no `build`, `test`, `deploy` or hook");
    check_error("\nbiuld: make\n", 2, 1, "did you mean `build`?");
    check_error("hooks: make\n", 1, 8, "expected a map of hooks to commands");
}

#[test]
fn what_is_not_a_command_is_an_error() {
    check_error("build: true\n", 1, 8, "if `true` is meant as a string, put it in quotes");
    check_error("build: 5\n", 1, 8, "expected a command");
    check_error("build: 1.50 # x\n", 1, 8, "if `1.50` is meant as a string");
    check_error("build:\n", 1, 7, "`build` is empty; add a command or remove it");
    check_error("build: []\n", 1, 8, "got an array");
    check_error("build: [a, [b]]\n", 1, 12, "expected a command (a string), got an array");
    check_error("build: [a, ~]\n", 1, 12, "got null");
    check_error("build:\n- a\n- b: c\n", 3, 3, "got a map");
    check_error("hooks:\n  after_all: 5\n", 2, 14, "expected a command");
    check_error("build: \"a\\0b\"\n", 1, 8, "U+0000");
    check_error("build: !ruby/object x\n", 1, 8, "tag");
}

#[test]
fn the_mapping_form_is_strict() {
    check_error("build: {}\n", 1, 8, "`run` is missing: `build` has no command");
    check_error("build: {env: {A: b}}\n", 1, 8, "`run` is missing");
    check_error("build: {rnu: x}\n", 1, 9, "did you mean `run`?");
    check_error("build: {run: x, timeout: 5 days}\n", 1, 26, "`10m` or `1h`, got `5 days`");
    check_error("build: {run: x, timeout: 0}\n", 1, 26, "`10m` or `1h`, got `0`");
    check_error("build: {run: x, timeout: [1]}\n", 1, 26, "got an array");
    check_error(
        "build: {run: x, name: y}\n",
        1,
        17,
        "the keys are `run`, `env`, `cwd`, `timeout`, `when`, `retries` and `secrets`",
    );
    check_error("build: {run: x, when: y}\n", 1, 23, "expected a map of conditions");
    check_error("build: {run: x, when: {brnch: y}}\n", 1, 24, "did you mean `branch`?");
    check_error("build: {run: x, when: {branch: []}}\n", 1, 32, "expected a glob");
    check_error("build: {run: x, retries: -1}\n", 1, 26, "expected an int from 0 to 1000");
    check_error("build: {run: x, secrets: [a b]}\n", 1, 26, "expected the name of a secret");
    check_error("build: {run: x, run: y}\n", 1, 17, "duplicate key `run`");
    check_error("build: {run: {run: x}}\n", 1, 14, "got a map");
    check_error("build: {run: x, env: [a]}\n", 1, 22, "expected a map of variables");
    check_error("build: {run: x, env: {A: [b]}}\n", 1, 26, "expected a string, got an array");
    check_error("build: {run: x, env: {A: }}\n", 1, 26, "expected a string, got null");
    check_error("build: {run: x, env: {1A: b}}\n", 1, 23, "a variable name can contain only");
    check_error("build: {run: x, env: {A=B: b}}\n", 1, 23, "a variable name can contain only");
    check_error("build: {run: x, env: {A: b, A: c}}\n", 1, 29, "duplicate key `A`");
    check_error("build: {run: x, cwd: /tmp}\n", 1, 22, "outside the export directory");
    check_error("build: {run: x, cwd: a/../../b}\n", 1, 22, "outside the export directory");
    check_error("build: {run: x, cwd: ''}\n", 1, 22, "got an empty string");
    check_error("build: {run: x, timeout: soon}\n", 1, 26, "such as `90s`");
    for bad in ["0", "0s", "-5", "1.5", "400d", "true", "[1]", "1:30"] {
        check_error(format!("build: {{run: x, timeout: {bad}}}\n"), 1, 26, "such as `90s`");
    }
}

#[test]
fn the_verbose_form_is_checked() {
    check_error("builder: make\n", 1, 10, "expected a map with `class: ScriptBuilder`");
    check_error("builder: {class: ScriptBuilder}\n", 1, 10, "`config` is missing");
    let missing = "builder: {class: ScriptBuilder, config: {}}\n";
    check_error(missing, 1, 41, "`command` is missing");
    for (class, expected) in [
        ("RktBuilder", "`RktBuilder` is not a supported class; expected `ScriptBuilder`"),
        ("TestBuilder", "; expected `ScriptBuilder`"),
        ("5", "a number is not a supported class"),
    ] {
        let text = format!("builder: {{class: {class}, config: {{command: x}}}}\n");
        check_error(text, 1, 18, expected);
    }
    let text = "hooker:\n  class: ScriptHoker\n  config: {after_all: x}\n";
    check_error(text, 2, 10, "did you mean `ScriptHooker`?");
}

#[test]
fn broken_yaml_names_its_place() {
    check_error("build: make\n\ttest: x\n", 2, 1, "indent with spaces");
    check_error("build: echo a: b\n", 1, 14, "must be in quotes");
    check_error("build: %x\n", 1, 8, "a string without quotes cannot begin with `%`");
    check_error("build: `date`\n", 1, 8, "a string without quotes cannot begin with ``");
    check_error("build: 'open\n", 2, 1, "not valid YAML");
    check_error("build: [a\ntest: b\n", 2, 5, "not valid YAML");
    check_error("- a\nb: c\n", 2, 1, "not valid YAML");
    check_error(b"build: caf\xe9\n", 1, 11, "byte 11 is not UTF-8");
    check_error(b"a: \xc3\xa9\nbuild: \xff\n", 2, 8, "byte 14 is not UTF-8");
    check_error(b"\xff\xfeb\0u\0", 1, 1, "byte 1 is not UTF-8");
    check_error("build: a\u{7}b\n", 1, 9, "the character U+0007 is not allowed in YAML");
    check_error("build: a\r\n\r\ntest: \0\r\n", 3, 7, "U+0000");
}

#[test]
fn marks_and_line_ends_of_other_systems_are_read() {
    check("\u{feff}build: make\n", &[("build", "make")]);
    check("build: a\r\ntest: |\r\n  b\r\n  c\r\n", &[("build", "a"), ("test", "b\nc\n")]);
    check("build: a\rtest: b\r", &[("build", "a"), ("test", "b")]);
    check_error("\u{feff}build: 5\r\n", 1, 8, "expected a command");
}

/// Without limits, each of these configs would fill the memory or take hours to parse.
#[test]
fn hostile_configs_end_soon() {
    let begin = Instant::now();
    let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (name, of) in ["b", "c", "d", "e", "f", "g", "h", "i"].iter().zip("abcdefgh".chars()) {
        bomb += &format!("{name}: &{name} [{}]\n", vec![format!("*{of}"); 9].join(", "));
    }
    check_error(&bomb, 1, 32, "more than 2000 values after its aliases are expanded");

    let long = format!("a: &a '{}'\nb: [{}]\n", "x".repeat(10_000), vec!["*a"; 200].join(", "));
    check_error(&long, 1, 4, "bytes of text after its aliases are expanded");

    let deep = format!("build: {}x{}\n", "[".repeat(500), "]".repeat(500));
    check_error(&deep, 1, 135, "nested too deeply");
    for opening in ["[", "{", "- ", "? ", "a: ", "&a ", "!x ", "'", "\"", "|", "> "] {
        let text = opening.repeat(50_000 / opening.len());
        assert_eq!(parse(&text).expect_err(opening).kind(), ErrorKind::Config);
    }
    check_error("x".repeat(300_000), 1, 1, "the config has 300000 bytes");
    assert!(begin.elapsed() < Duration::from_secs(60));
}

/// Every text gives a result, and the positions of errors are inside the text.
#[test]
fn damaged_configs_never_panic() {
    let text = "build: &b\n  run: [a, 'b', \"c\\n\"]\n  env: {A: 1.5, B: é}\ntest: |2-\n    x\n\
                hooks:\n  after_all: *b\n  <<: {after_build: >\n    y\n }\n";
    for (index, _) in text.char_indices() {
        for patch in
            ["", "\t", "é", "&", "*b", "!", "\u{85}", "- ", ": ", "}", "'", "\n", "%", "<<"]
        {
            let mut damaged = text.to_owned();
            damaged.replace_range(
                index..=index + text[index..].chars().next().unwrap().len_utf8() - 1,
                patch,
            );
            if let Err(error) = parse(&damaged) {
                let place = error.position().unwrap();
                assert!(place.line <= damaged.lines().count() + 2, "{damaged}\n{error}");
            }
        }
    }
}

#[test]
fn a_deployment_is_a_phase_with_rules() {
    let pipeline = parse("build: make\ndeploy: ./release\n").unwrap();
    assert_eq!(commands(&pipeline), [("build", "make"), ("deploy", "./release")]);
    assert_eq!(pipeline.deploy(), Some(&DeployRules::default()));
    assert_eq!(parse("build: make\n").unwrap().deploy(), None);

    let text = "deploy:\n  run: ./release\n  timeout: 5m\n  branch: [main, 'v*']\n  \
                environment: staging\n  approve: True\n  auto: false\n";
    let pipeline = parse(text).unwrap();
    let rules = DeployRules {
        branch: vec!["main".into(), "v*".into()],
        environment: vec!["staging".into()],
        approve: true,
        auto: false,
    };
    assert_eq!(pipeline.deploy(), Some(&rules));
    assert_eq!(pipeline.deploy().unwrap().environments().collect::<Vec<_>>(), ["staging"]);
    let step = pipeline.step(Phase::Deploy).unwrap();
    assert_eq!(step.timeout, Some(Duration::from_secs(300)));
    let script = pipeline.to_rhai().unwrap();
    let constant =
        r#"const DEPLOY = #{ branch: ["main", "v*"], environment: ["staging"], approve: true };"#;
    assert!(script.contains(constant) && script.contains("fn deploy(ctx) {"), "{script}");

    check_error("build: {run: make, auto: true}\n", 1, 20, "`auto` is not a key");
    check_error("deploy: {auto: true}\n", 1, 9, "`run` is missing");
    check_error("deploy: {run: x, approve: yes please}\n", 1, 27, "expected `true` or `false`");
    check_error("deploy: {run: x, environment: ../etc}\n", 1, 31, "cannot name an environment");
    check_error("deploy: {run: x, brunch: main}\n", 1, 18, "did you mean `branch`?");
}
