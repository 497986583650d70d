//! What a header declares, read without a C compiler: comments, `#define`, `typedef` and
//! prototypes. That this is enough is one of the header's promises, for bindings read it so.

/// Everything that the header declares, in its order.
#[derive(Debug, Default)]
pub(crate) struct Declarations {
    pub(crate) constants: Vec<Constant>,
    pub(crate) types: Vec<Type>,
    pub(crate) functions: Vec<Function>,
}

/// `#define NAME value`
#[derive(Debug)]
pub(crate) struct Constant {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) doc: Doc,
}

/// `typedef … name;`
#[derive(Debug)]
pub(crate) struct Type {
    pub(crate) name: String,
    /// What it stands for; none for a handle.
    pub(crate) meaning: Option<String>,
    pub(crate) doc: Doc,
}

/// `returns name(parameters);`
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) returns: String,
    /// Type and name.
    pub(crate) parameters: Vec<(String, String)>,
    pub(crate) doc: Doc,
}

/// A comment of the form that every item has.
#[derive(Debug, Default)]
pub(crate) struct Doc {
    /// The paragraphs before the first tag, each on one line.
    pub(crate) purpose: String,
    /// `@param name text`
    pub(crate) parameters: Vec<(String, String)>,
    /// `@return text`
    pub(crate) returns: Option<String>,
    /// The last paragraph of a function: who may call it.
    pub(crate) threads: Option<String>,
    /// The end of that paragraph: the version that first had the function.
    pub(crate) since: Option<String>,
}

impl Declarations {
    pub(crate) fn parse(header: &str) -> Self {
        let mut found = Self::default();
        let mut doc = Doc::default();
        let mut lines = header.lines();
        while let Some(line) = lines.next() {
            if line.trim() == "/**" {
                let comment: Vec<&str> =
                    lines.by_ref().take_while(|line| line.trim() != "*/").collect();
                doc = Doc::parse(&comment);
            } else if line.starts_with("/*") && !line.contains("*/") {
                lines.by_ref().take_while(|line| !line.contains("*/")).for_each(drop);
            } else if let Some(rest) = line.strip_prefix("#define ") {
                if let Some((name, value)) = rest.split_once(' ') {
                    let (name, value) = (name.to_owned(), value.to_owned());
                    found.constants.push(Constant { name, value, doc: std::mem::take(&mut doc) });
                }
            } else if !line.is_empty()
                && !line.starts_with(['#', '}', '/'])
                && line != "extern \"C\" {"
            {
                let mut statement = line.to_owned();
                while !statement.ends_with(';') {
                    let next = lines.next().expect("a statement ends");
                    statement.push_str(&format!(" {}", next.trim()));
                }
                found.statement(statement.trim_end_matches(';'), std::mem::take(&mut doc));
            }
        }
        found
    }

    fn statement(&mut self, statement: &str, doc: Doc) {
        if let Some(rest) = statement.strip_prefix("typedef ") {
            let (meaning, name) = rest.rsplit_once(' ').expect("a type and a name");
            let meaning = (!meaning.starts_with("struct ")).then(|| meaning.to_owned());
            self.types.push(Type { name: name.to_owned(), meaning, doc });
            return;
        }
        let (front, rest) = statement.split_once('(').expect("a prototype");
        let (returns, name) = typed(front);
        let list = rest.strip_suffix(')').expect("the end of the parameters");
        let parameters = list.split(',').map(str::trim).filter(|it| *it != "void").map(typed);
        self.functions.push(Function { name, returns, parameters: parameters.collect(), doc });
    }

    /// The types and prototypes, each on one line.
    pub(crate) fn prototypes(&self) -> String {
        let mut text = String::new();
        for it in &self.types {
            match &it.meaning {
                Some(meaning) => text.push_str(&format!("typedef {meaning} {};\n", it.name)),
                None => text.push_str(&format!("typedef struct {0} {0};\n", it.name)),
            }
        }
        for it in &self.functions {
            let parameters: Vec<String> =
                it.parameters.iter().map(|(kind, name)| declared(kind, name)).collect();
            let list = if parameters.is_empty() { "void".into() } else { parameters.join(", ") };
            text.push_str(&format!("{}({list});\n", declared(&it.returns, &it.name)));
        }
        text
    }
}

/// `const char *name` is a type and a name.
fn typed(text: &str) -> (String, String) {
    let at = text.rfind([' ', '*']).expect("a type and a name") + 1;
    (text[..at].trim_end().to_owned(), text[at..].to_owned())
}

fn declared(kind: &str, name: &str) -> String {
    if kind.ends_with('*') { format!("{kind}{name}") } else { format!("{kind} {name}") }
}

impl Doc {
    fn parse(comment: &[&str]) -> Self {
        let mut doc = Doc::default();
        let mut paragraphs: Vec<String> = Vec::new();
        let mut fresh = true;
        for line in comment {
            let text = line.trim().trim_start_matches('*').trim();
            if text.is_empty() {
                fresh = true;
            } else if fresh || text.starts_with('@') {
                paragraphs.push(text.to_owned());
                fresh = false;
            } else if let Some(paragraph) = paragraphs.last_mut() {
                paragraph.push_str(&format!(" {text}"));
            }
        }
        let has_tags = paragraphs.iter().any(|it| it.starts_with('@'));
        for paragraph in paragraphs {
            if let Some(text) = paragraph.strip_prefix("@param ") {
                let (name, text) = text.split_once(' ').unwrap_or((text, ""));
                doc.parameters.push((name.to_owned(), text.trim().to_owned()));
            } else if let Some(text) = paragraph.strip_prefix("@return ") {
                doc.returns = Some(text.to_owned());
            } else if has_tags && (doc.returns.is_some() || !doc.parameters.is_empty()) {
                let (threads, since) = match paragraph.split_once(" Since ") {
                    Some((threads, since)) => (threads, since.strip_suffix('.')),
                    None => (paragraph.as_str(), None),
                };
                doc.threads = Some(threads.to_owned());
                doc.since = since.map(str::to_owned);
            } else {
                let gap = if doc.purpose.is_empty() { "" } else { "\n" };
                doc.purpose.push_str(&format!("{gap}{paragraph}"));
            }
        }
        doc
    }
}
