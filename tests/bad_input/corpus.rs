//! The inputs that are kept, each through the body of its folder.

use std::{collections::BTreeSet, fs, path::PathBuf};

use hedge_tests::workspace;

use crate::bodies::SURFACES;

fn folder() -> PathBuf {
    workspace().join("tests/fuzz")
}

fn names(path: PathBuf) -> BTreeSet<String> {
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    fs::read_dir(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).map(name).collect()
}

#[test]
fn every_surface_has_a_fuzz_target_and_kept_inputs() {
    let surfaces: BTreeSet<String> = SURFACES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(surfaces.len(), SURFACES.len(), "two of one name");
    assert_eq!(names(folder().join("corpus")), surfaces);
    let targets: BTreeSet<String> =
        names(folder().join("targets")).iter().map(|file| file.trim_end_matches(".rs").to_owned()).collect();
    assert_eq!(targets, surfaces);
    let manifest = fs::read_to_string(folder().join("Cargo.toml")).unwrap();
    for name in &surfaces {
        assert!(manifest.contains(&format!("path = \"targets/{name}.rs\"")), "{name} is not built");
        let text = fs::read_to_string(folder().join(format!("targets/{name}.rs"))).unwrap();
        assert!(text.contains(&format!("body(\"{name}\")")), "{name} calls another body");
    }
}

#[test]
fn every_kept_input_ends_with_a_value_or_an_error() {
    let mut bytes = 0;
    for (name, body) in SURFACES {
        let inputs = names(folder().join("corpus").join(name));
        assert!(inputs.len() >= 3, "{name} has {} inputs", inputs.len());
        for input in inputs {
            let content = fs::read(folder().join("corpus").join(name).join(&input)).unwrap();
            bytes += content.len();
            println!("{name}/{input}");
            body(&content);
        }
    }
    assert!(bytes < 300_000, "{bytes} bytes of inputs: minimise them");
}

#[test]
fn a_configuration_that_is_kept_as_a_good_one_is_read() {
    use hedge_desk::{
        config::{Config, FileKind},
        env::Env,
    };
    for (input, kind) in [("shipped_runtime", FileKind::Runtime), ("shipped_risk_limits", FileKind::Limits)] {
        let content = fs::read(folder().join("corpus/config").join(input)).unwrap();
        let (name, content) = crate::bodies::headed(&content).unwrap();
        assert_eq!(name, kind.name());
        crate::bodies::scratch::with(|dir| {
            let file = dir.join(name);
            fs::write(&file, content).unwrap();
            Config::load(Some(&file), &Env::default()).unwrap_or_else(|error| panic!("{input}: {error}"));
        });
    }
}
