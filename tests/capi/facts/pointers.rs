//! What the Rust signature says of a parameter or a result, checked against its documentation.

use std::collections::BTreeMap;

use syn::{
    Expr, ExprMethodCall, GenericArgument, ItemFn, PathArguments, ReturnType, Type,
    visit::{self, Visit},
};

use super::{
    groups::{Groups, type_name},
    null::accepts_null,
    sources::{Sources, parameters},
};
use crate::declarations::{Declarations, Doc, Function};

/// The numbers that cross the border without a group.
const NUMBERS: [&str; 6] = ["i32", "i64", "u32", "u64", "usize", "f64"];

/// What crosses the border, by its Rust type.
#[derive(Debug, PartialEq)]
enum Shape {
    Number(String),
    Text,
    Bytes,
    Object(String),
    Consumed(String),
    OutText,
    OutNumber(String),
    /// An object that is stored, and whether as `const`.
    OutObject(String, bool),
    OutError,
    ResultText,
    ResultBytes,
    /// An object that is returned, and whether as `const`.
    ResultObject(String, bool),
}

/// What is known of a parameter or a result.
#[derive(Default)]
pub(super) struct Facts {
    pub(super) direction: Option<&'static str>,
    pub(super) ownership: Option<&'static str>,
    pub(super) nullable: bool,
    /// The function that frees it.
    pub(super) free: Option<String>,
    /// The parameter whose object it belongs to.
    pub(super) owner: Option<String>,
    /// The parameter that has the number of its bytes.
    pub(super) length: Option<String>,
    /// The parameter whose bytes it counts, or `return`.
    pub(super) length_of: Option<String>,
    pub(super) group: Option<String>,
}

/// Reads the facts of functions.
pub(super) struct Reader<'a> {
    pub(super) sources: &'a Sources,
    pub(super) groups: &'a Groups,
    /// The function that frees each type.
    pub(super) frees: &'a BTreeMap<String, String>,
}

/// The function that frees each type: it takes one for good, and returns nothing.
pub(super) fn frees(sources: &Sources, header: &Declarations) -> BTreeMap<String, String> {
    let mut frees = BTreeMap::new();
    for it in &header.functions {
        let (_, function) = sources.exported(&it.name);
        let taken = parameters(function).into_iter().map(|(_, kind)| shape(kind));
        if let ([Some(Shape::Consumed(kind))], true) =
            (&taken.collect::<Vec<_>>()[..], it.returns == "void")
        {
            frees.insert(kind.clone(), it.name.clone());
        }
    }
    frees
}

impl Reader<'_> {
    /// The facts of each parameter, and of the result last.
    pub(super) fn facts(&self, declared: &Function, faults: &mut Vec<String>) -> Vec<Facts> {
        let (file, function) = self.sources.exported(&declared.name);
        let lengths = lengths(function);
        let typed = parameters(function);
        let returns = match &function.sig.output {
            ReturnType::Default => None,
            ReturnType::Type(_, kind) => Some(&**kind),
        };
        let result = returns.and_then(shape_of_result);
        let mut call = Call { reader: self, declared, file, function, lengths, result, faults };
        let mut facts: Vec<Facts> =
            typed.iter().map(|(name, kind)| call.parameter(name, kind)).collect();
        facts.push(call.result(returns));
        facts
    }
}

/// One function that is read.
struct Call<'a> {
    reader: &'a Reader<'a>,
    declared: &'a Function,
    file: &'a str,
    function: &'a ItemFn,
    /// Pairs of bytes and their length.
    lengths: Vec<(String, String)>,
    result: Option<Shape>,
    faults: &'a mut Vec<String>,
}

impl Call<'_> {
    fn fault(&mut self, text: impl AsRef<str>) {
        self.faults.push(format!("{}: {}", self.declared.name, text.as_ref()));
    }

    fn doc(&self, name: &str) -> String {
        let Doc { parameters, .. } = &self.declared.doc;
        let found = parameters.iter().find(|(it, _)| it == name);
        found.map(|(_, text)| text.clone()).unwrap_or_default()
    }

    /// The parameter whose object the function is about.
    fn subject(&self) -> Option<String> {
        parameters(self.function).into_iter().find_map(|(name, kind)| match shape(kind) {
            Some(Shape::Object(_)) => Some(name),
            _ => None,
        })
    }

    fn parameter(&mut self, name: &str, kind: &Type) -> Facts {
        let Some(shape) = shape(kind) else {
            self.fault(format!("nothing is known of the type of `{name}`"));
            return Facts::default();
        };
        let is_out = matches!(
            shape,
            Shape::OutText | Shape::OutNumber(_) | Shape::OutObject(..) | Shape::OutError
        );
        let direction = match &shape {
            Shape::Consumed(_) => "consumed",
            _ if is_out => "out",
            _ => "in",
        };
        let mut facts = Facts { direction: Some(direction), ..Facts::default() };
        let is_number = matches!(shape, Shape::Number(_));
        facts.nullable = !is_number && self.nullable(name, &shape, is_out);
        match &shape {
            Shape::Number(kind) => self.number(name, kind, &mut facts),
            Shape::Text | Shape::Bytes => {
                facts.ownership = Some("borrowed");
                facts.length = self.length(name);
                if shape == Shape::Bytes && facts.length.is_none() {
                    self.fault(format!("how many bytes are at `{name}`?"));
                }
            }
            Shape::Object(_) => facts.ownership = Some("borrowed"),
            Shape::Consumed(_) => {
                facts.ownership = Some("owned");
                self.says(name, &["consumed"]);
            }
            Shape::OutText => self.owned(name, "char", &mut facts),
            Shape::OutError => self.owned(name, "tinyci_error", &mut facts),
            Shape::OutObject(kind, is_const) => self.stored(name, kind, *is_const, &mut facts),
            Shape::OutNumber(kind) => {
                if kind == "usize" && self.result == Some(Shape::ResultBytes) {
                    facts.length_of = Some("return".to_owned());
                }
            }
            _ => self.fault(format!("`{name}` cannot be a parameter")),
        }
        facts
    }

    /// A number is one of a group, or the length of a pointer, or neither; and is named so.
    fn number(&mut self, name: &str, kind: &str, facts: &mut Facts) {
        facts.group = self.reader.groups.by_type.get(kind).map(|group| group.name.clone());
        if facts.group.is_none() && !NUMBERS.contains(&kind) {
            self.fault(format!("nothing is known of `{kind}`, the type of `{name}`"));
        }
        let pair = self.lengths.iter().find(|(_, length)| length == name);
        facts.length_of = pair.map(|(bytes, _)| bytes.clone());
        if ["len", "length"].contains(&name) && facts.length_of.is_none() {
            self.fault(format!("`{name}` is the length of what?"));
        }
        let doc = self.doc(name);
        if let Some(group) = self.named_group(&doc).filter(|_| facts.group.is_none()) {
            self.fault(format!("the type of `{name}` is not that of the group `{group}`"));
        }
    }

    /// The group whose constants a text names.
    fn named_group(&self, doc: &str) -> Option<String> {
        let mut groups = self.reader.groups.by_type.values();
        let named = groups.find(|it| it.prefix != "TINYCI_" && doc.contains(&it.prefix));
        named.map(|group| group.name.clone())
    }

    fn length(&self, name: &str) -> Option<String> {
        let pair = self.lengths.iter().find(|(bytes, _)| bytes == name);
        pair.map(|(_, length)| length.clone())
    }

    /// Whether NULL may be passed: the body shows it, and the documentation has to say the same.
    fn nullable(&mut self, name: &str, shape: &Shape, is_out: bool) -> bool {
        let returns_code = self.declared.returns == self.reader.code_type();
        let shown = match shape {
            Shape::OutError => Some(true),
            // By the rule of the header, such a function returns 0 or NULL.
            _ if !returns_code => Some(true),
            _ => accepts_null(self.reader.sources, self.file, self.function, name),
        };
        let doc = self.doc(name);
        let said = if is_out { doc.contains("or NULL") } else { doc.contains("NULL") };
        match shown {
            Some(shown) if shown == said => shown,
            Some(shown) => {
                let what = if shown { "accepts" } else { "refuses" };
                self.fault(format!("it {what} NULL for `{name}`, and its @param says otherwise"));
                shown
            }
            None => {
                self.fault(format!("its body does not show whether `{name}` may be NULL"));
                said
            }
        }
    }

    /// What the caller gets and frees.
    fn owned(&mut self, name: &str, kind: &str, facts: &mut Facts) {
        facts.ownership = Some("owned");
        facts.free = self.reader.frees.get(kind).cloned();
        match facts.free.clone() {
            // The header says of all errors how they are freed.
            Some(_) if kind == "tinyci_error" => {}
            Some(free) => {
                let words = ["it", "them"].map(|it| format!("free {it} with `{free}`"));
                self.says(name, &words.each_ref().map(String::as_str));
            }
            None => self.fault(format!("nothing frees `{name}`")),
        }
    }

    /// An object that is stored: the caller's, if it can be freed and is not `const`.
    fn stored(&mut self, name: &str, kind: &str, is_const: bool, facts: &mut Facts) {
        if !is_const && self.reader.frees.contains_key(kind) {
            return self.owned(name, kind, facts);
        }
        facts.ownership = Some("borrowed");
        facts.owner = self.subject();
        self.says(name, &["do not free it"]);
        if facts.owner.is_none() {
            self.fault(format!("what does `{name}` belong to?"));
        }
    }

    /// Has the documentation of a parameter say one of these.
    fn says(&mut self, name: &str, words: &[&str]) {
        let doc = self.doc(name);
        if !words.iter().any(|words| doc.contains(words)) {
            self.fault(format!("@param {name} does not say `{}`", words[0]));
        }
    }

    /// Has the documentation of the result say one of these.
    fn result_says(&mut self, doc: &str, words: &[&str]) {
        if !words.iter().any(|words| doc.contains(words)) {
            self.fault(format!("@return does not say `{}`", words[0]));
        }
    }

    fn result(&mut self, returns: Option<&Type>) -> Facts {
        let mut facts = Facts::default();
        let doc = self.declared.doc.returns.clone().unwrap_or_default();
        let Some(kind) = returns else { return facts };
        match shape_of_result(kind) {
            Some(Shape::Number(kind)) => {
                let group = self.reader.groups.by_type.get(&kind);
                facts.group = group.map(|group| group.name.clone());
                if let (None, Some(group)) = (&facts.group, self.named_group(&doc)) {
                    self.fault(format!("its result's type is not that of the group `{group}`"));
                }
            }
            Some(Shape::ResultObject(kind, false)) => {
                facts.ownership = Some("owned");
                facts.nullable = true;
                facts.free = self.reader.frees.get(&kind).cloned();
                let free = facts.free.clone().unwrap_or_default();
                let words = ["it", "them"].map(|it| format!("free {it} with `{free}`"));
                self.result_says(&doc, &words.each_ref().map(String::as_str));
                self.result_says(&doc, &["NULL"]);
            }
            Some(shape) => {
                self.borrowed_result(&doc, &mut facts);
                if shape == Shape::ResultBytes {
                    facts.length = self.out_length();
                    if facts.length.is_none() {
                        self.fault("how many bytes does it return?");
                    }
                }
            }
            None => self.fault("nothing is known of the type of its result"),
        }
        facts
    }

    /// What belongs to the object that the function is about, or lives for ever.
    fn borrowed_result(&mut self, doc: &str, facts: &mut Facts) {
        facts.owner = self.subject();
        facts.nullable = doc.contains("NULL");
        if facts.owner.is_some() {
            facts.ownership = Some("borrowed");
            self.result_says(doc, &["valid as long as the "]);
            self.result_says(doc, &["NULL"]);
        } else {
            facts.ownership = Some("static");
            self.result_says(doc, &["Static"]);
            if facts.nullable != mentions_null(self.function) {
                self.fault("@return and the body differ on whether it returns NULL");
            }
        }
    }

    /// The parameter that gets the number of the bytes that are returned.
    fn out_length(&self) -> Option<String> {
        let mut typed = parameters(self.function).into_iter();
        let found = typed.find(|(_, kind)| shape(kind) == Some(Shape::OutNumber("usize".into())));
        found.map(|(name, _)| name)
    }
}

impl Reader<'_> {
    /// The C type of codes.
    fn code_type(&self) -> &str {
        let mut groups = self.groups.by_type.iter();
        groups.find(|(_, group)| group.kind == "code").map_or("", |(name, _)| name)
    }
}

/// The type in the angle brackets of `NAME<…>`.
fn argument<'a>(kind: &'a Type, name: &str) -> Option<&'a Type> {
    let Type::Path(it) = kind else { return None };
    let segment = it.path.segments.last().filter(|segment| segment.ident == name)?;
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(kind) => Some(kind),
        _ => None,
    })
}

/// What a parameter of this type is.
fn shape(kind: &Type) -> Option<Shape> {
    if let Some(inner) = argument(kind, "Option") {
        if let Some(owned) = argument(inner, "Box") {
            return type_name(owned).map(Shape::Consumed);
        }
        let Type::Reference(reference) = inner else { return None };
        return match argument(&reference.elem, "MaybeUninit") {
            Some(stored) => stored_shape(stored),
            None => type_name(&reference.elem).map(Shape::Object),
        };
    }
    match type_name(kind)?.as_str() {
        "CText" => Some(Shape::Text),
        "CBytes" => Some(Shape::Bytes),
        "Owned" => Some(Shape::Consumed("char".to_owned())),
        "ErrorOut" => Some(Shape::OutError),
        number => Some(Shape::Number(number.to_owned())),
    }
}

/// What a function stores where such a pointer leads.
fn stored_shape(kind: &Type) -> Option<Shape> {
    let Type::Ptr(pointer) = kind else { return type_name(kind).map(Shape::OutNumber) };
    let is_const = pointer.const_token.is_some();
    match type_name(&pointer.elem)?.as_str() {
        "c_char" if !is_const => Some(Shape::OutText),
        "c_char" => None,
        object => Some(Shape::OutObject(object.to_owned(), is_const)),
    }
}

fn shape_of_result(kind: &Type) -> Option<Shape> {
    let Type::Ptr(pointer) = kind else { return type_name(kind).map(Shape::Number) };
    let is_const = pointer.const_token.is_some();
    match type_name(&pointer.elem)?.as_str() {
        "c_char" if is_const => Some(Shape::ResultText),
        "u8" if is_const => Some(Shape::ResultBytes),
        "c_char" | "u8" => None,
        object => Some(Shape::ResultObject(object.to_owned(), is_const)),
    }
}

/// The pairs of a parameter and its length: `data.of_length(len, …)` takes them together.
fn lengths(function: &ItemFn) -> Vec<(String, String)> {
    struct Pairs(Vec<(String, String)>);
    impl<'ast> Visit<'ast> for Pairs {
        fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
            let name = |it: &Expr| match it {
                Expr::Path(it) => it.path.get_ident().map(ToString::to_string),
                _ => None,
            };
            let length = call.args.first().filter(|_| call.method == "of_length").and_then(name);
            self.0.extend(name(&call.receiver).zip(length));
            visit::visit_expr_method_call(self, call);
        }
    }
    let mut pairs = Pairs(Vec::new());
    pairs.visit_block(&function.block);
    pairs.0
}

/// True if the body makes a NULL.
fn mentions_null(function: &ItemFn) -> bool {
    struct Nulls(bool);
    impl<'ast> Visit<'ast> for Nulls {
        fn visit_path(&mut self, path: &'ast syn::Path) {
            self.0 |= path.segments.last().is_some_and(|segment| segment.ident == "null");
            visit::visit_path(self, path);
        }
    }
    let mut nulls = Nulls(false);
    nulls.visit_block(&function.block);
    nulls.0
}

/// Reads one function of made-up sources, and gives what it does not say.
fn faults_of(rust: &str, c: &str) -> Vec<String> {
    let common = "#[doc = \"A.\"] pub type tinyci_code = i32; pub const TINYCI_OK: tinyci_code = 0;
        #[doc = \"A.\"] pub type OutcomeNumber = i32; pub const TINYCI_OUTCOME_SUCCESS: OutcomeNumber = 1;
        pub fn required<H>(handle: Option<&H>) -> &H { handle.ok_or_else(fail) }
        pub extern \"C\" fn tinyci_a_free(a: Option<Box<tinyci_a>>) { drop(a); }";
    let sources = Sources::parse(vec![("made_up".into(), format!("{common} {rust}"))]);
    let header = Declarations::parse(&format!("void tinyci_a_free(tinyci_a *a);\n{c}"));
    let mut faults = Vec::new();
    let groups = Groups::read(&sources, &mut faults);
    let frees = frees(&sources, &header);
    let reader = Reader { sources: &sources, groups: &groups, frees: &frees };
    reader.facts(header.functions.last().expect("a function"), &mut faults);
    faults
}

#[test]
fn what_is_not_known_for_sure_is_a_fault() {
    let c = |docs: &str, parameters: &str| {
        format!("/**\n{docs} * @return x\n */\ntinyci_code tinyci_x({parameters});\n")
    };
    let rust = |parameters: &str, body: &str| {
        format!("pub extern \"C\" fn tinyci_x({parameters}) -> tinyci_code {{ {body} }}")
    };
    let faults = |docs: &str, in_c: &str, in_rust: &str, body: &str| {
        faults_of(&rust(in_rust, body), &c(docs, in_c)).join("; ")
    };
    let text = |docs: &str, body: &str| faults(docs, "const char *text", "text: CText<'_>", body);
    assert_eq!(text(" * @param text A text.\n", "text.required(\"text\")"), "");
    assert!(text(" * @param text A text.\n", "opaque!(text)").contains("does not show whether"));
    assert!(text(" * @param text A text.\n", "text.optional(\"text\")").contains("accepts NULL"));
    let said = " * @param text A text, or NULL.\n";
    assert!(text(said, "text.required(\"text\")").contains("refuses NULL"));
    let bytes = faults(
        " * @param data Bytes.\n * @param len Their number.\n",
        "const uint8_t *data, size_t len",
        "data: CBytes<'_>, len: usize",
        "data.path(\"data\")",
    );
    assert!(bytes.contains("how many bytes are at `data`?"), "{bytes}");
    assert!(bytes.contains("`len` is the length of what?"), "{bytes}");
    let out = |docs: &str| {
        let in_rust = "a: Option<&tinyci_a>, out: Option<&mut MaybeUninit<*mut tinyci_a>>";
        let in_c = "const tinyci_a *a, tinyci_a **out";
        let docs = format!(" * @param a An a.\n * @param out {docs}\n");
        faults(&docs, in_c, in_rust, "required(a); out.ok_or_else(fail)")
    };
    assert_eq!(out("Where to store it; free it with `tinyci_a_free`."), "");
    assert!(out("Where to store it.").contains("free it with `tinyci_a_free`"));
    let number = " * @param n One of `TINYCI_OUTCOME_*`.\n";
    assert!(faults(number, "int32_t n", "n: i32", "n").contains("the group `outcome`"));
    assert!(faults(" * @param n A.\n", "bool n", "n: bool", "n").contains("known of `bool`"));
}
