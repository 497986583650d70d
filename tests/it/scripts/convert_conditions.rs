//! `tinyci convert` and conditions: the script comes to the verdict of the config, and for the same
//! reasons, whatever holds.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    io::Write as _,
    process::Stdio,
    sync::{Arc, Mutex},
};

use tinyci::{
    CancelToken, Engine, Error, Format, Pipeline, Record, Selection,
    executor::{CancelView, Command, Executor, Exit, Output},
    pipeline::StepName,
    record::LeftOut,
};

use crate::support::TestRepo;

/// Each kind of condition with a value that holds for every commit here, and one that does not.
const CONDITIONS: [[&str; 3]; 4] = [
    ["branch", "[ma*, '*-*']", "[other, '!main']"],
    ["tag", "'v*'", "w*"],
    ["message", "'*ok'", "'*[full]*'"],
    ["changed", "'src/**'", "['docs/**', '*.md']"],
];

const STEPS: [&str; 9] = [
    "before_build",
    "build",
    "after_build_success",
    "after_build",
    "before_test",
    "test",
    "after_test_success",
    "after_test",
    "after_all",
];

/// The commands of each commit, in their order.
type Ran = Arc<Mutex<BTreeMap<String, Vec<String>>>>;

/// Writes down every command and runs none.
struct Recorder(Ran);

impl Executor for Recorder {
    fn execute(
        &self,
        command: &Command,
        _: &mut dyn FnMut(Output),
        _: &CancelView,
    ) -> Result<Exit, Error> {
        let commit = command.context.as_ref().unwrap().commit.id.to_string();
        let mut ran = self.0.lock().unwrap();
        ran.entry(commit).or_default().push(command.program.to_string());
        Ok(Exit::Code(0))
    }
}

/// Every choice of conditions: absent, holding or not.
fn choices() -> Vec<String> {
    let mut choices = vec![String::new()];
    for [name, holds, fails] in CONDITIONS {
        let with = |value: &str| format!("{name}: {value}, ");
        let more =
            |choice: &String| ["", &with(holds), &with(fails)].map(|it| format!("{choice}{it}"));
        choices = choices.iter().flat_map(more).collect();
    }
    choices.into_iter().map(|choice| choice.trim_end_matches(", ").to_owned()).collect()
}

/// A config with every step, each under its conditions. `None` stands for the whole commit.
fn config(conditions: &[(Option<&str>, &str)]) -> String {
    let of = |step: Option<&str>| {
        let found = conditions.iter().find(|(of, choice)| *of == step && !choice.is_empty());
        found.map(|(_, choice)| format!("{{{choice}}}"))
    };
    let mut config = of(None).map_or_else(String::new, |when| format!("when: {when}\n"));
    for step in STEPS {
        let when = of(Some(step)).map_or_else(String::new, |when| format!(", when: {when}"));
        let (key, indent) = match step {
            "build" | "test" => (step.to_owned(), ""),
            _ => (step.to_owned(), "  "),
        };
        let line = format!("{indent}{key}: {{run: echo {step}{when}}}\n");
        match indent {
            "" => config.insert_str(config.find("hooks:").unwrap_or(config.len()), &line),
            _ if config.contains("hooks:") => config.push_str(&line),
            _ => config.push_str(&format!("hooks:\n{line}")),
        }
    }
    config
}

/// Every config that is compared: each single condition of each step, `changed` with each other one
/// of a phase, and each pair for a phase and a hook of it.
fn configs() -> Vec<String> {
    let count = |choice: &str| choice.matches(": ").count();
    let (mut configs, choices) = (Vec::new(), choices());
    for step in STEPS {
        let is_phase = ["build", "test"].contains(&step);
        let is_compared = |choice: &&String| match count(choice) {
            1 => true,
            2 => is_phase && choice.contains("changed"),
            _ => false,
        };
        let chosen = choices.iter().filter(is_compared);
        configs.extend(chosen.map(|choice| config(&[(Some(step), choice)])));
    }
    let fails = |choice: &&String| {
        count(choice) == 1
            && CONDITIONS.iter().any(|[name, _, value]| **choice == format!("{name}: {value}"))
    };
    let failing: Vec<&String> = choices.iter().filter(fails).collect();
    for (hook, phase) in
        [("before_build", "build"), ("before_test", "test"), ("after_test", "test")]
    {
        let pairs = failing.iter().flat_map(|one| failing.iter().map(move |other| (one, other)));
        configs
            .extend(pairs.map(|(one, other)| config(&[(Some(hook), one), (Some(phase), other)])));
    }
    let of_commit = choices.iter().filter(|it| count(it) == 1 && !it.contains("changed"));
    configs.extend(of_commit.map(|choice| config(&[(None, choice), (Some("build"), "tag: w*")])));
    configs
}

/// A branch with two commits for each file: a green one, and one above it that changes a source.
fn imported(files: &[(String, String)]) -> String {
    let data = |text: &str| format!("data {}\n{text}\n", text.len());
    let mut all = String::new();
    for (index, (name, text)) in files.iter().enumerate() {
        let (green, tip) = (2 * index + 1, 2 * index + 2);
        let branch = format!("refs/heads/case-{index}");
        let person = "Ada <ada@example.org> 1500000000 +0000";
        for (mark, message) in [(green, "green"), (tip, &*format!("{index} all ok\n"))] {
            let _ = write!(
                all,
                "commit {branch}\nmark :{mark}\nauthor {person}\ncommitter {person}\n{}",
                data(message)
            );
            let _ = match mark == green {
                true => write!(all, "M 100644 inline {name}\n{}", data(text)),
                false => write!(all, "from :{green}\nM 100644 inline src/a\n{}", data("1")),
            };
        }
        let _ = writeln!(all, "reset refs/tags/v{index}\nfrom :{tip}\n");
    }
    let person = "Ada <ada@example.org> 1500000000 +0000";
    let _ = write!(all, "commit refs/notes/tinyci-result\ncommitter {person}\n{}", data("green"));
    for index in 0..files.len() {
        let _ = write!(all, "N inline :{}\n{}", 2 * index + 1, data("success"));
    }
    all
}

/// What is compared: the verdict, what was left out and whether that counts as passed, and the
/// commands.
type Seen = (String, Vec<(StepName, bool)>, Vec<String>);

fn seen(record: &Record, ran: &Ran) -> Seen {
    let left_out = |it: &LeftOut| (it.step, it.by.counts_as_passed());
    let ran = ran.lock().unwrap().remove(&record.commit.to_string()).unwrap_or_default();
    (record.outcome.to_string(), record.left_out.iter().map(left_out).collect(), ran)
}

/// Runs a commit for each file in a repository of its own, and holds that what looks for the word
/// alone finds no commit of which a phase was left out.
fn run(files: &[(String, String)]) -> Vec<Seen> {
    let repo = TestRepo::bare();
    let mut import = repo.command();
    let mut import = import.args(["fast-import", "--quiet"]).stdin(Stdio::piped()).spawn().unwrap();
    import.stdin.take().unwrap().write_all(imported(files).as_bytes()).unwrap();
    assert!(import.wait().unwrap().success());

    let ran = Ran::default();
    let engine =
        Engine::builder(repo.path()).executor(Recorder(ran.clone())).jobs(4).open().unwrap();
    let tips = (1..files.len()).map(|index| format!("refs/heads/case-{index}"));
    let first = Selection::revision("refs/heads/case-0");
    let selection = tips.fold(first, |selection, tip| selection.and_revision(tip));
    let mut quiet = |_: &tinyci::Event| {};
    let records = engine.run(&selection, &CancelToken::new(), &mut quiet).unwrap().records;
    assert_eq!(records.len(), files.len());

    let log = repo.git(&["log", "--all", "--notes=tinyci*", "--format=%H %N"]);
    let green = log.lines().filter(|line| line.contains("success"));
    let green: BTreeSet<&str> = green.filter_map(|line| line.split(' ').next()).collect();
    assert!(green.len() >= files.len(), "each has a green parent");
    for record in &records {
        let untested = record.left_out.iter().any(|it| !it.by.counts_as_passed());
        assert!(!(untested && green.contains(&*record.commit.to_string())), "{record:?}");
    }
    let branch = |record: &Record| record.branch.as_ref().unwrap().to_string();
    let seen: BTreeMap<_, _> =
        records.iter().map(|record| (branch(record), seen(record, &ran))).collect();
    (0..files.len()).map(|index| seen[&format!("case-{index}")].clone()).collect()
}

#[test]
fn the_script_has_the_verdict_of_the_config_for_every_choice_of_conditions() {
    let configs = configs();
    let mut verdicts = BTreeMap::new();
    // What one repository holds grows with each case, and so does what each costs.
    for configs in configs.chunks(30) {
        let script = |config: &String| {
            let pipeline = Pipeline::parse(config, Format::Yaml, ".tinyci.yml");
            pipeline.unwrap().to_rhai().unwrap()
        };
        let scripts: Vec<String> = configs.iter().map(script).collect();
        let files = |name: &str, texts: &[String]| -> Vec<(String, String)> {
            texts.iter().map(|text| (name.to_owned(), text.clone())).collect()
        };
        let all = run(&[files(".tinyci.yml", configs), files(".tinyci.rhai", &scripts)].concat());
        let (of_configs, of_scripts) = all.split_at(configs.len());
        for (index, (of_config, of_script)) in of_configs.iter().zip(of_scripts).enumerate() {
            let (config, script) = (&configs[index], &scripts[index]);
            assert_eq!(of_script, of_config, "{config}\n{script}");
            *verdicts.entry(of_config.0.clone()).or_insert(0) += 1;
            let is_tested = of_config.1.iter().all(|(_, counts_as_passed)| *counts_as_passed);
            assert_eq!(of_config.0 == "success", is_tested, "{config}");
        }
    }
    assert!(verdicts["success"] > 50 && verdicts["skipped"] > 50, "{verdicts:?}");
}
