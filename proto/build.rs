//! Generates the Rust side of the schemas beside this file.
fn main() {
    let schemas = ["entry", "peer", "snapshot", "record"].map(|name| format!("proto/{name}.proto"));
    for schema in &schemas {
        println!("cargo:rerun-if-changed={schema}");
    }
    protobuf_build::Builder::new().files(&schemas).includes(&["proto".to_string()]).generate();
}
