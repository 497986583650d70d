//! Generated configs for the [`differential`](crate::steps::differential::compared) test: everything that a config
//! can ask, put together by a seed.

use std::fmt::Write as _;

/// Every step of a run, in order.
pub(crate) const STEPS: [&str; 11] = [
    "before_build",
    "build",
    "after_build_success",
    "after_build_failure",
    "after_build",
    "before_test",
    "test",
    "after_test_success",
    "after_test_failure",
    "after_test",
    "after_all",
];

/// One config, and all that a run of it depends on.
pub(crate) struct Case {
    pub(crate) seed: u64,
    pub(crate) is_script: bool,
    pub(crate) config: String,
    pub(crate) world: World,
    /// Every command that does not pass in silence: how it begins, and its ending as
    /// `.tinyci.test.rhai` says it.
    pub(crate) endings: Vec<(String, String)>,
    /// Whether a test of the pipeline can say all that decides: it knows no tree and no folder of
    /// secrets.
    pub(crate) testable: bool,
    /// Who approves of its deployment, if anybody is asked.
    pub(crate) approver: Approver,
    /// Whether a deployment may be of a commit that is not green.
    pub(crate) forced: bool,
}

/// Who approves of a deployment.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Approver {
    Nobody,
    /// Somebody did, in a ref.
    Person,
    /// The embedding program, when it is asked.
    Program,
}

/// The commit that holds the config, and what the machine has for it.
pub(crate) struct World {
    pub(crate) branch: &'static str,
    pub(crate) tag: Option<&'static str>,
    pub(crate) message: &'static str,
    /// The verdict of the parent; the outer option is none for a commit without a parent.
    pub(crate) parent: Option<Option<&'static str>>,
    /// The files that differ from the parent.
    pub(crate) changed: Vec<&'static str>,
    pub(crate) has_secret: bool,
    pub(crate) may_have_secrets: bool,
}

impl World {
    fn new(dice: &mut Dice) -> Self {
        let verdicts = [None, Some(None), Some(Some("success")), Some(Some("failure"))];
        let files = ["src/a", "docs/b", "README"];
        Self {
            branch: dice.pick(&["main", "main", "feature/x", "fix;odd"]),
            tag: dice.pick(&[None, Some("v1.2"), Some("odd;tag")]),
            message: dice.pick(&["plain", "A release: it's \"done\"", "Subject\n\nBody of it"]),
            parent: dice.pick(&verdicts),
            changed: files.into_iter().filter(|_| dice.one_in(2)).collect(),
            has_secret: dice.one_in(2),
            may_have_secrets: !dice.one_in(3),
        }
    }

    /// Whether a green ancestor is there to compare with.
    pub(crate) fn has_base(&self) -> bool {
        self.parent == Some(Some("success"))
    }
}

impl Case {
    /// A config that is run.
    pub(crate) fn new(seed: u64) -> Self {
        Self::written(seed, false)
    }

    /// A config whose commit is run and deployed.
    pub(crate) fn deployed(seed: u64) -> Self {
        Self::written(seed, true)
    }

    fn written(seed: u64, deploys: bool) -> Self {
        let mut dice = Dice(seed);
        let world = World::new(&mut dice);
        let is_script = dice.one_in(3) || dice.one_in(2);
        let approver = dice.pick(&[Approver::Nobody, Approver::Person, Approver::Program]);
        let forced = dice.one_in(3);
        let mut writer = Writer {
            fails: dice.one_in(2),
            errs: dice.one_in(2),
            dice,
            is_script,
            deploys,
            has_base: world.has_base(),
            commands: 0,
            endings: Vec::new(),
            testable: is_script,
        };
        let config = match (is_script, deploys) {
            (true, false) => writer.script(),
            (false, false) => writer.yaml(),
            (true, true) => writer.deploy_script(),
            (false, true) => writer.deploy_yaml(),
        };
        let Writer { endings, testable, .. } = writer;
        Self { seed, is_script, config, world, endings, testable, approver, forced }
    }

    /// The file that holds the config.
    pub(crate) fn file(&self) -> &'static str {
        if self.is_script { ".tinyci.rhai" } else { ".tinyci.yml" }
    }
}

/// Numbers that look like chance and are the same for a seed for ever.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % limit as u64) as usize
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }
}

/// What a text in a script can be made of, beside what holds only with a green ancestor.
const FACTS: [&str; 42] = [
    "ctx.commit",
    "ctx.short",
    "ctx.tree",
    "ctx.branch",
    "ctx.tags",
    "ctx.subject",
    "ctx.message.len()",
    "ctx.author",
    "ctx.time",
    "ctx.parents",
    "ctx.step",
    "ctx.environment",
    "ctx.trigger",
    "ctx.previous",
    "ctx.result.build",
    "ctx.result.test",
    "ctx.result.build",
    "if ctx.failure == () { \"none\" } else { ctx.failure.command }",
    "if ctx.failure == () { \"none\" } else { ctx.failure.code }",
    "if ctx.failure == () { \"none\" } else { ctx.failure.at }",
    "if ctx.failure == () { \"none\" } else { ctx.failure.tail.len() }",
    "ctx.changed(\"src/**\")",
    "ctx.changed([\"**\", \"!docs/**\"])",
    "ctx.machine.has(\"surely-no-such-program\")",
    "env(\"CI\", \"unset\")",
    "env(\"CI\")",
    "env(\"TINYCI\", \"unset\")",
    "env(\"TINYCI_STEP\")",
    "env(\"TINYCI_BRANCH\", \"none\")",
    "env(\"TINYCI_COMMIT\")",
    "env(\"TINYCI_SHORT\")",
    "env(\"TINYCI_TREE\")",
    "env(\"TINYCI_SUBJECT\")",
    "env(\"TINYCI_MESSAGE\").len()",
    "env(\"TINYCI_AUTHOR\")",
    "env(\"TINYCI_TIME\")",
    "env(\"TINYCI_ENVIRONMENT\", \"none\")",
    "env(\"DIFF_SET\")",
    "env(\"DIFF_UNSET\", \"unset\")",
    "recall(\"k1\", \"none\")",
    "recall(\"k2\", \"none\")",
    "q(ctx.subject)",
];

const FACTS_WITH_BASE: [&str; 2] = ["ctx.base", "ctx.changes"];

const CONDITIONS: [&str; 14] = [
    "ctx.branch == \"main\"",
    "ctx.tags.len() > 0",
    "ctx.subject.contains(\"release\")",
    "ctx.changed(\"src/**\")",
    "ctx.changed([\"docs/**\", \"README\"])",
    "env(\"CI\", \"false\") == \"true\"",
    "env(\"TINYCI_STEP\", \"\") == \"build\"",
    "env(\"DIFF_UNSET\", \"\") == \"\"",
    "ctx.result.build == \"success\"",
    "ctx.result.test == \"failure\"",
    "ctx.failure != ()",
    "ctx.trigger == \"named\"",
    "recall(\"k1\", 0) == 1",
    "ctx.previous == \"success\"",
];

/// What a placeholder can hold.
const PLACEHOLDERS: [&str; 15] = [
    "short",
    "commit",
    "tree",
    "branch",
    "time",
    "phase",
    "subject",
    "author",
    "ctx.trigger",
    "ctx.result.build",
    "ctx.tags.len()",
    "env(\"CI\", \"unset\")",
    "env(\"TINYCI_STEP\")",
    "recall(\"k1\", \"none\")",
    "if ctx.changed(\"src/**\") { \"yes\" } else { \"no\" }",
];

/// Placeholders that cannot be filled in, or not at every step.
const ODD_PLACEHOLDERS: [&str; 10] = [
    "nosuch",
    "environment",
    "ctx.environment",
    "ctx.nosuch",
    "env(\"DIFF_UNSET\")",
    "recall(\"never\")",
    "sh(1)",
    "",
    "ctx.failure.at",
    "if ctx.failure == () { \"none\" } else { ctx.failure.at }",
];

/// What holds in deployments alone.
const DEPLOY_FACTS: [&str; 6] = [
    "ctx.environment",
    "env(\"TINYCI_ENVIRONMENT\")",
    "ctx.trigger",
    "ctx.result.build",
    "ctx.result.test",
    "recall(\"k1\")",
];
const DEPLOY_CONDITIONS: [&str; 6] = [
    "ctx.environment == \"production\"",
    "env(\"TINYCI_ENVIRONMENT\", \"\") == \"production\"",
    "recall(\"k1\", 0) == 1",
    "ctx.result.build == \"success\"",
    "ctx.result.test == ()",
    "ctx.trigger == \"deploy\"",
];
const DEPLOY_PLACEHOLDERS: [&str; 5] = [
    "environment",
    "ctx.environment",
    "env(\"TINYCI_ENVIRONMENT\")",
    "ctx.result.build",
    "recall(\"k2\", \"none\")",
];

/// Placeholders that only an engine with variables of its program can fill in.
const OWN_PLACEHOLDERS: [&str; 3] = ["release", "release", "odd"];

/// Writes one config.
struct Writer {
    dice: Dice,
    /// Whether commands of this config end badly.
    fails: bool,
    /// Whether it asks for what is refused.
    errs: bool,
    is_script: bool,
    deploys: bool,
    has_base: bool,
    commands: usize,
    endings: Vec<(String, String)>,
    testable: bool,
}

impl Writer {
    /// A name that no other command of the config has.
    fn id(&mut self) -> String {
        self.commands += 1;
        format!("n{:03}", self.commands)
    }

    /// A command that passes in silence.
    fn ok(&mut self) -> String {
        format!("ok {}", self.id())
    }

    /// A command, in a config that fails one that may end badly.
    fn command(&mut self) -> String {
        match self.fails && self.dice.one_in(4) {
            true => self.bad(),
            false => self.ok(),
        }
    }

    fn bad(&mut self) -> String {
        let code = self.dice.pick(&[1, 2, 3, 77]);
        let id = self.id();
        let begin = format!("bad {code} {id}");
        let ending = format!("#{{ code: {code}, stdout: \"out of {id}\\n\" }}");
        self.endings.push((begin.clone(), ending));
        begin
    }

    /// A command that passes when it is tried again.
    fn flaky(&mut self) -> String {
        let id = self.id();
        let begin = format!("flaky 2 {id}");
        let ending = format!("[#{{ code: 1, stdout: \"out of {id}\\n\" }}, 0]");
        self.endings.push((begin.clone(), ending));
        begin
    }

    /// A command that takes longer than it may, however often it is tried.
    fn slow(&mut self) -> String {
        let begin = format!("slow {}", self.id());
        self.endings.push((begin.clone(), "#{ timed_out: true }".to_owned()));
        begin
    }

    fn say(&mut self) -> String {
        let word = self.dice.pick(&["alpha", "beta"]);
        let begin = format!("say {word} {}", self.id());
        self.endings.push((begin.clone(), format!("\"{word}\\n\"")));
        begin
    }

    fn placeholder(&mut self) -> &'static str {
        if self.errs && self.dice.one_in(3) {
            self.dice.pick(&ODD_PLACEHOLDERS)
        } else if !self.is_script && self.dice.one_in(6) {
            self.dice.pick(&OWN_PLACEHOLDERS)
        } else if self.deploys && self.dice.one_in(2) {
            self.dice.pick(&DEPLOY_PLACEHOLDERS)
        } else {
            self.dice.pick(&PLACEHOLDERS)
        }
    }

    fn has_step(&mut self, name: &str) -> bool {
        matches!(name, "build") || !self.dice.one_in(if name == "test" { 4 } else { 2 })
    }
}

/// YAML.
impl Writer {
    fn yaml(&mut self) -> String {
        let mut config = String::new();
        for name in ["build", "test"] {
            if self.has_step(name) {
                let _ = write!(config, "{name}:\n{}", self.yaml_step("  "));
            }
        }
        config.push_str("hooks:\n");
        for name in STEPS.into_iter().filter(|name| !matches!(*name, "build" | "test")) {
            if self.has_step(name) {
                let _ = write!(config, "  {name}:\n{}", self.yaml_step("    "));
            }
        }
        config
    }

    fn yaml_step(&mut self, indent: &str) -> String {
        let mut step = format!("{indent}run:\n");
        let retries = self.dice.one_in(100);
        for _ in 0..=self.dice.below(2) {
            let command = if retries { self.flaky() } else { self.yaml_command() };
            let _ = writeln!(step, "{indent}  - '{}'", command.replace('\'', "''"));
        }
        if retries {
            let _ = writeln!(step, "{indent}retries: 1");
        }
        if self.dice.one_in(5) {
            let value = format!("x <%= {} %>", self.placeholder());
            let _ = writeln!(step, "{indent}env:\n{indent}  A: '{value}'");
        }
        if self.dice.one_in(6) {
            let _ = writeln!(step, "{indent}cwd: '{}'", self.yaml_cwd());
        }
        if self.dice.one_in(5) {
            let conditions = [
                "branch: main",
                "branch: ['*', '!fix*']",
                "tag: v*",
                "changed: 'src/**'",
                "message: '*release*'",
            ];
            let _ = writeln!(step, "{indent}when: {{{}}}", self.dice.pick(&conditions));
        }
        if self.dice.one_in(12) {
            let _ = writeln!(step, "{indent}secrets: [TOKEN]");
        }
        step
    }

    fn yaml_command(&mut self) -> String {
        let mut command = self.command();
        for _ in 0..self.dice.below(3) {
            let _ = write!(command, " <%= {} %>", self.placeholder());
        }
        command
    }

    fn yaml_cwd(&mut self) -> String {
        let odd = [
            "nowhere",
            "README",
            "out",
            "lost",
            "in",
            "<%= \"../x\" %>",
            "<%= \"/etc\" %>",
            "<%= branch %>",
        ];
        match self.errs {
            true => self.dice.pick(&odd).to_owned(),
            false => "src".to_owned(),
        }
    }
}

/// Scripts.
impl Writer {
    fn script(&mut self) -> String {
        let mut script = "const SECRETS = [\"TOKEN\"];\n".to_owned();
        for name in STEPS {
            if self.has_step(name) {
                let _ = write!(script, "\nfn {name}(ctx) {{\n{}}}\n", self.block(1));
            }
        }
        script
    }

    fn block(&mut self, depth: usize) -> String {
        let count = 1 + self.dice.below(3);
        (0..count).map(|_| self.statement(depth)).collect()
    }

    fn statement(&mut self, depth: usize) -> String {
        let indent = "    ".repeat(depth);
        let text = match self.dice.below(27) {
            0..=4 => self.plain(),
            5..=9 => self.fact(),
            10..=12 if depth < 3 => {
                let special = self.deploys && self.dice.one_in(2);
                let all = if special { &DEPLOY_CONDITIONS[..] } else { &CONDITIONS };
                let condition = self.dice.pick(all);
                let (yes, no) = (self.block(depth + 1), self.block(depth + 1));
                format!("if {condition} {{\n{yes}{indent}}} else {{\n{no}{indent}}}")
            }
            13 => self.parallel(),
            14 => self.remember(),
            15 => self.tried(),
            16 => self.captured(),
            17 => self.caught(),
            18 => self.controlled(),
            19 => format!("warn(\"w {}\");", self.id()),
            20 => self.ended(),
            21 => self.with_secret(),
            22 if self.errs => self.refused(),
            23 => self.nested(),
            24 => self.lent(),
            25 if self.fails => self.late(),
            _ => "artifact(\"README\");".to_owned(),
        };
        format!("{indent}{text}\n")
    }

    /// A command in each of its forms, with options.
    fn plain(&mut self) -> String {
        let mut command = self.command();
        if self.dice.one_in(3) {
            let _ = write!(command, " <%= {} %>", self.placeholder());
            return format!("sh({});", literal(&command));
        }
        if self.fails && self.dice.one_in(6) {
            let command = format!("{} allowed", self.bad());
            return format!("sh({}, #{{ allow: [1, 2, 3, 77] }});", literal(&command));
        }
        let program = match self.dice.one_in(2) {
            true => literal(&command),
            false => {
                let words: Vec<String> = command.split(' ').map(literal).collect();
                format!("[{}]", words.join(", "))
            }
        };
        let options = [
            "",
            "",
            "",
            ", #{ env: #{ A: 1, B: ctx.subject, C: () } }",
            ", #{ cwd: \"src\" }",
            ", #{ cwd: \"./src/\", label: \"own\" }",
            ", #{ cwd: \"in\", retries: 2, backoff: 0 }",
            ", #{ quiet: true, timeout: \"1m\" }",
            ", #{ input: ctx.message }",
        ];
        format!("sh({program}{});", self.dice.pick(&options))
    }

    /// A fact, printed and given to a command.
    fn fact(&mut self) -> String {
        let facts = match () {
            () if self.has_base && self.dice.one_in(8) => &FACTS_WITH_BASE[..],
            () if self.deploys && self.dice.one_in(3) => &DEPLOY_FACTS,
            () => &FACTS,
        };
        let fact = self.dice.pick(facts);
        let id = self.id();
        format!(
            "{{ let it = {fact}; print(`fact {id} ${{it}}`); sh([\"ok\", \"{id}\", `${{it}}`]); }}"
        )
    }

    fn parallel(&mut self) -> String {
        let group = format!("p{}", self.id());
        let (one, two, three) = (self.command(), self.command(), self.command());
        match self.dice.below(3) {
            0 => format!(
                "parallel(#{{ one: || {{ sh(\"{one} {group}\"); sh(\"{two} {group}\"); }}, \
                 two: || sh(\"{three} {group}\", #{{ label: \"own\" }}) }});"
            ),
            1 => {
                let id = self.id();
                format!("parallel([\"a\", \"b\"], |it| sh([\"ok\", \"{id}\", it, \"{group}\"]));")
            }
            _ => {
                let id = self.id();
                format!(
                    "matrix(#{{ x: [1, 2], y: [\"a\"] }}, |m| sh([\"ok\", \"{id}\", m.x, m.y, \
                     \"{group}\"]));"
                )
            }
        }
    }

    /// Calls in calls: what ends the inner one passes through the outer one, or does not.
    fn nested(&mut self) -> String {
        let (command, id) = (self.command(), self.id());
        let inner = match self.dice.below(if self.fails { 6 } else { 3 }) {
            0 => format!("parallel([\"c\", \"d\"], |it| sh([\"ok\", \"{id}\", it, \"p{id}\"]))"),
            1 => format!("sh(\"{command}\")"),
            2 => format!("skip(\"because of {id}\")"),
            3 => format!("fail(\"because of {id}\")"),
            4 => format!("throw \"thrown at {id}\""),
            _ => format!("timeout(\"1m\", || {{ sh(\"{command}\"); throw \"late at {id}\" }})"),
        };
        match self.dice.below(6) {
            0 => format!("retry(2, || {{ {inner}; }}, #{{ backoff: 0 }});"),
            1 => format!("timeout(\"1m\", || {{ {inner}; }});"),
            2 => format!("group(\"o\", || {{ {inner}; }});"),
            3 => format!("defer(|| {{ {inner}; }});"),
            4 => format!("try {{ {inner}; }} catch (it) {{ print(`fact {id} ${{it}}`); }}"),
            _ => format!(
                "{{ let it = parallel(#{{ a: || {{ {inner}; 1 }}, b: || 2 }}); \
                 print(`fact {id} ${{it}}`); }}"
            ),
        }
    }

    /// A function of the embedding program.
    fn lent(&mut self) -> String {
        let id = self.id();
        let value = self.dice.pick(&["\"a\"", "[1, \"b\"]", "7", "()", "#{ a: 1.5 }"]);
        match self.dice.below(if self.errs { 4 } else { 3 }) {
            0 => format!("{{ let it = same({value}); print(`fact {id} ${{it}}`); }}"),
            1 => format!("{{ let it = told({value}); print(`fact {id} ${{it}}`); }}"),
            2 => format!("sh(\"ok {id} <%= same(\\\"{id}\\\") %>\");"),
            _ => format!(
                "try {{ same(\"refused\"); }} catch (it) {{ print(`fact {id} ${{it}}`); }} \
                 same({value}, 2);"
            ),
        }
    }

    /// A command that is ended, in each place where one may be.
    fn late(&mut self) -> String {
        let (command, id) = (self.slow(), self.id());
        let options = ["timeout: \"50ms\"", "timeout: \"50ms\", retries: 1, backoff: 0"];
        let options = self.dice.pick(&options);
        match self.dice.below(3) {
            0 => format!("sh(\"{command}\", #{{ {options} }});"),
            1 => format!(
                "{{ let it = try_sh(\"{command}\", #{{ {options} }}); \
                 print(`fact {id} ${{it.ok}} ${{it.code}}`); }}"
            ),
            _ => format!(
                "try {{ sh(\"{command}\", #{{ {options} }}); }} catch (it) {{ \
                 print(`fact {id} ${{it}} ${{it.timed_out}}`); }}"
            ),
        }
    }

    fn remember(&mut self) -> String {
        let key = self.dice.pick(&["k1", "k2"]);
        let values = ["1", "\"text\"", "[1, #{ a: true }]", "ctx.subject", "1.5", "()"];
        match self.errs && self.dice.one_in(3) {
            true => "{ let it = \"\"; it.pad(70000, 'x'); remember(\"big\", it); }".to_owned(),
            false => format!("remember(\"{key}\", {});", self.dice.pick(&values)),
        }
    }

    fn tried(&mut self) -> String {
        let (command, id) = (self.command(), self.id());
        format!(
            "{{ let it = try_sh(\"{command}\"); print(`fact {id} ${{it.ok}} ${{it.code}}`); \
             if !it.ok {{ sh([\"ok\", \"{id}\", it.stdout]); }} }}"
        )
    }

    fn captured(&mut self) -> String {
        let (command, id) = (self.say(), self.id());
        if self.dice.one_in(4) {
            // In parts it is no placeholder; whole it is one, whatever it is put into.
            return format!(
                "{{ let it = q(\"<%= sho\" + \"rt %> \" + ctx.subject); \
                 sh(`ok {id} ${{it}} <%= short %>`); sh(\"ok {id} \" + q(ctx.message)); }}"
            );
        }
        let does = match self.dice.below(5) {
            0 => format!(
                "if it == \"alpha\" {{ sh(\"ok {id} if\"); }} else {{ sh(\"ok {id} else\"); }}"
            ),
            1 => format!(
                "switch it.len() {{ 5 => sh(\"ok {id} five\"), _ => sh(\"ok {id} four\") }}"
            ),
            2 => format!("for c in it.split(\"t\") {{ sh([\"ok\", \"{id}\", c]); }}"),
            3 => format!(
                "let m = #{{ k: [`v${{it}}`] }}; let f = |x| x + \".\"; \
                 sh([\"ok\", \"{id}\", f.call(m.k[0])]);"
            ),
            _ => format!("sh([\"ok\", \"{id}\", it]);"),
        };
        format!("{{ let it = capture(\"{command}\"); {does} }}")
    }

    fn caught(&mut self) -> String {
        let (command, id) = (self.command(), self.id());
        let (option, what) = match self.errs && self.dice.one_in(2) {
            true => (", #{ cwd: \"../x\" }", "${it}"),
            false => ("", "${it.command} ${it.code} ${it.tail.len()}"),
        };
        format!(
            "try {{ sh(\"{command}\"{option}); }} catch (it) {{ print(`fact {id} {what}`); \
             sh([\"ok\", \"{id}\", `{what}`]); }}"
        )
    }

    fn controlled(&mut self) -> String {
        match self.dice.below(5) {
            0 => format!("retry(3, || sh(\"{}\"), #{{ backoff: \"1ms\" }});", self.flaky()),
            1 => format!("sh(\"{}\", #{{ retries: 1, backoff: \"1ms\" }});", self.flaky()),
            2 => format!("defer(|| sh(\"{}\"));", self.command()),
            3 => format!("group(\"g\", || sh(\"{}\"));", self.command()),
            _ => format!("timeout(\"1m\", || sh(\"{}\"));", self.command()),
        }
    }

    /// The end of a step, now and then.
    fn ended(&mut self) -> String {
        let id = self.id();
        match self.dice.below(if self.fails { 7 } else { 4 }) {
            0 => format!("skip(\"because of {id}\");"),
            1 => "return;".to_owned(),
            2 => "discard_export();".to_owned(),
            3 => format!("print(\"fact {id} of nothing\");"),
            4 => format!("fail(\"because of {id}\");"),
            5 => format!("throw \"thrown at {id}\";"),
            _ => "{ let it = [1]; it[7]; }".to_owned(),
        }
    }

    fn with_secret(&mut self) -> String {
        self.testable = false;
        let command = self.command();
        match self.errs && self.dice.one_in(3) {
            true => format!("sh(`{command} ${{secret(\"TOKEN\")}}`);"),
            false => format!("sh(\"{command}\", #{{ env: #{{ T: secret(\"TOKEN\") }} }});"),
        }
    }

    /// Something that no run does.
    fn refused(&mut self) -> String {
        let command = self.ok();
        match self.dice.below(17) {
            0 => {
                self.testable = false;
                let cwd = self.dice.pick(&["nowhere", "out", "lost", "in/..", "lost/../a"]);
                format!("sh(\"{command}\", #{{ cwd: \"{cwd}\" }});")
            }
            12 => format!("sh(\"{command}\\x00\");"),
            13 => format!("sh([\"ok\", \"{command}\\x00\"]);"),
            14 => format!("sh(\"{command} \" + env(\"TINYCI_AUTHOR\"));"),
            15 => format!("sh([\"sh\", \"-c\", `{command} ${{ctx.author}}`]);"),
            16 => format!("sh(`{command} \"${{q(ctx.author)}}\"`);"),
            1 => format!("sh(\"{command}\", #{{ cwd: \"../x\" }});"),
            2 => format!("try_sh(\"{command}\", #{{ cwd: \"/etc\" }});"),
            3 => format!("capture(\"{}\", #{{ cwd: \"\" }});", self.say()),
            4 => format!("sh(`{command} ${{ctx.subject}}`);"),
            5 => format!("sh(`{command} ${{ctx.branch}}`);"),
            6 => "artifact(\"../README\");".to_owned(),
            7 => "recall(\"never\");".to_owned(),
            8 => "env(\"DIFF_UNSET\");".to_owned(),
            9 => "sh([]);".to_owned(),
            10 => format!("sh(\"{command}\", #{{ nosuch: 1 }});"),
            _ => format!("sh(\"{command}\", #{{ env: #{{ \"A=B\": 1 }} }});"),
        }
    }
}

/// Deployments.
impl Writer {
    /// A run that remembers something and is green, mostly, and what deploys its build.
    fn deploy_script(&mut self) -> String {
        let rules = self.deploy_rules();
        let rules: Vec<String> =
            rules.into_iter().map(|(key, value)| format!("{key}: {value}")).collect();
        let (value, text) = (self.dice.pick(&["1", "[1, 2]", "ctx.subject"]), self.ok());
        let mut script = format!(
            "const SECRETS = [\"TOKEN\"];\nconst DEPLOY = #{{ {} }};\n\nfn build(ctx) {{\n    \
             remember(\"k1\", {value});\n    sh(\"{text}\");\n}}\n",
            rules.join(", ")
        );
        if self.dice.one_in(2) {
            let command = self.run_command();
            let _ = write!(script, "\nfn test() {{\n    sh(\"{command}\");\n}}\n");
        }
        let (asks, body) = (self.asks(), self.block(1));
        let _ = write!(script, "\nfn deploy(ctx) {{\n{asks}{body}{}}}\n", self.asks());
        script
    }

    fn deploy_yaml(&mut self) -> String {
        let mut config = format!("build: '{}'\n", self.ok());
        if self.dice.one_in(2) {
            let _ = writeln!(config, "test: '{}'", self.run_command());
        }
        let _ = write!(config, "deploy:\n{}", self.yaml_step("  "));
        for (key, value) in self.deploy_rules() {
            let _ = writeln!(config, "  {key}: {value}");
        }
        config
    }

    /// A command of the run before, which passes mostly.
    fn run_command(&mut self) -> String {
        if self.errs && self.dice.one_in(6) { self.bad() } else { self.ok() }
    }

    /// Rules as both languages write them.
    fn deploy_rules(&mut self) -> Vec<(&'static str, &'static str)> {
        let mut rules = Vec::new();
        if self.dice.one_in(6) {
            // Tests call the phase, which comes behind this question.
            self.testable = false;
            rules.push(("approve", "true"));
        }
        if self.dice.one_in(4) {
            rules.push(("environment", "[\"staging\", \"production\"]"));
        } else if self.errs && self.dice.one_in(8) {
            rules.push(("environment", "[\"staging\"]"));
        }
        if self.errs && self.dice.one_in(6) {
            rules.push(("branch", "[\"main\"]"));
        }
        rules
    }

    /// A question to whoever approves, now and then, in one of the places where it may stand.
    fn asks(&mut self) -> String {
        if !self.dice.one_in(4) {
            return String::new();
        }
        let id = self.id();
        let asks = match self.dice.below(6) {
            0 => {
                let condition = self.dice.pick(&DEPLOY_CONDITIONS);
                format!("if {condition} {{ approve(\"may {id}?\"); }}")
            }
            1 => format!("group(\"g\", || approve(\"may {id}?\"));"),
            2 => format!(
                "try {{ approve(\"may {id}?\"); }} catch (it) {{ print(`fact {id} ${{it}}`); }}"
            ),
            3 => format!("parallel([1, 2], |it| approve(`may {id} ${{it}}?`));"),
            _ => format!("approve(`may {id} go to ${{ctx.environment}}?`);"),
        };
        format!("    {asks}\n")
    }
}

/// A text as a script writes it.
pub(crate) fn literal(text: &str) -> String {
    format!("{text:?}")
}
