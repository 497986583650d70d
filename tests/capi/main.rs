#[test]
fn trial() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut config = cbindgen::Config::from_file(root.join("src/capi/cbindgen.toml")).unwrap();
    let _ = &mut config;
    let mut b = cbindgen::Builder::new().with_config(config);
    for f in ["status", "error", "text", "guard", "vars"] {
        b = b.with_src(root.join(format!("src/capi/{f}.rs")));
    }
    b.generate().unwrap().write(std::io::stdout());
}
