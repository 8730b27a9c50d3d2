//! Runs the real programs in folders of their own, and pictures what an exchange holds.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)] // each test uses a part

pub mod audit;
pub mod exchange;
pub mod fast;
pub mod following;
pub mod market;
pub mod picture;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::SystemTime,
};

use hedge_tests::workspace;

/// A folder that goes away with its test; kept when the test fails, so that one can look.
#[derive(Debug)]
pub struct Temp(PathBuf);

impl Temp {
    pub fn new(name: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Relaxed);
        let path = env::temp_dir().join(format!("hedge-system-{}-{number}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
    pub fn path(&self) -> &Path {
        &self.0
    }
    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("kept for a look: {}", self.0.display());
        } else {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// The recorded data; says that a test is skipped when there is none.
pub fn recorded(test: &str) -> Option<PathBuf> {
    let data = env::var_os("HEDGE_TEST_DATA").map(PathBuf::from);
    if data.is_none() {
        println!("SKIP {test}: HEDGE_TEST_DATA is not set");
    }
    data
}

/// The shipped configuration.
pub fn config() -> PathBuf {
    workspace().join("config")
}

/// A program of this workspace, built if it is missing or older than its sources.
pub fn program(name: &'static str) -> PathBuf {
    built(name, &profile_folder())
}

/// The same as it is shipped, whatever the tests were built as.
pub fn released(name: &'static str) -> PathBuf {
    built(name, &profile_folder().with_file_name("release"))
}

/// Tests run from `<target>/<profile>/deps`.
fn profile_folder() -> PathBuf {
    let here = env::current_exe().unwrap();
    here.parent().and_then(Path::parent).unwrap().to_owned()
}

fn built(name: &'static str, folder: &Path) -> PathBuf {
    static BUILT: OnceLock<std::sync::Mutex<std::collections::BTreeMap<PathBuf, PathBuf>>> = OnceLock::new();
    let mut built =
        BUILT.get_or_init(Default::default).lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    built.entry(folder.join(name)).or_insert_with(|| build(name, folder)).clone()
}

fn build(name: &str, folder: &Path) -> PathBuf {
    let program = folder.join(format!("{name}{}", env::consts::EXE_SUFFIX));
    if is_fresh(&program) {
        return program;
    }
    let profile = match folder.file_name().unwrap().to_str().unwrap() {
        "debug" => "dev",
        other => other,
    };
    let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .current_dir(workspace())
        .args(["build", "--locked", "--profile", profile, "--bins", "-p", name])
        .arg("--target-dir")
        .arg(folder.parent().unwrap())
        .output()
        .unwrap();
    assert!(output.status.success(), "building {name}: {}", String::from_utf8_lossy(&output.stderr));
    assert!(program.is_file(), "{} was not built", program.display());
    program
}

/// Whether a program is newer than everything that cargo noted it is made from.
fn is_fresh(program: &Path) -> bool {
    let modified = |path: &Path| fs::metadata(path).and_then(|data| data.modified()).ok();
    let (Some(built), Ok(notes)) = (modified(program), fs::read_to_string(program.with_extension("d")))
    else {
        return false;
    };
    let Some((_, sources)) = notes.split_once(": ") else { return false };
    let older = |source: &str| modified(Path::new(source)).is_some_and(|at: SystemTime| at <= built);
    // A blank in a path is written as `\ `.
    sources.trim().replace("\\ ", "\0").split(' ').all(|source| older(&source.replace('\0', " ")))
}

/// A program in an empty folder, without the variables of the person who runs the tests.
pub fn command(temp: &Temp, program: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(temp.path()).stdin(Stdio::null());
    let ours = ["LOG_LEVEL", "ENV", "DRY_RUN", "SAFE_MODE", "EVENT_STORE_ROOT", "RUST_LOG"];
    for (name, _) in env::vars() {
        if name.starts_with("HEDGE__") || name.starts_with("BINANCE_") || ours.contains(&name.as_str()) {
            command.env_remove(name);
        }
    }
    command
}

/// `hedge-executor` with the shipped configuration.
pub fn executor(temp: &Temp, args: &[&str]) -> Command {
    let mut command = command(temp, &program("hedge-executor"));
    command.arg("--config").arg(config()).args(args);
    command
}

/// `hedgectl`.
pub fn hedgectl(temp: &Temp, args: &[&str]) -> Command {
    let mut command = command(temp, &program("hedgectl"));
    command.args(args);
    command
}

pub fn stdout(output: &Output) -> Vec<String> {
    String::from_utf8(output.stdout.clone()).unwrap().lines().map(str::to_owned).collect()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A JSON file in a folder.
pub fn json(path: &Path) -> serde_json::Value {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
