//! The four files: their names, where they are, and what ships with the program.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::problem::{Problem, distance, nearest};

/// The folder that is read when none is named.
const DEFAULT_DIR: &str = "config";

/// One of the four files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileKind {
    /// What may be traded.
    Universe,
    /// What trades, and how.
    Strategies,
    /// What may be risked.
    Limits,
    /// How the process runs.
    Runtime,
}

impl FileKind {
    /// All, in reading order.
    pub const ALL: [Self; 4] = [Self::Universe, Self::Strategies, Self::Limits, Self::Runtime];

    /// The name in the configuration folder.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Universe => "pairs_universe.json",
            Self::Strategies => "strategy_config.json",
            Self::Limits => "risk_limits.json",
            Self::Runtime => "runtime.toml",
        }
    }

    /// What the program ships with.
    const fn shipped(self) -> &'static str {
        match self {
            Self::Universe => include_str!("../../config/pairs_universe.json"),
            Self::Strategies => include_str!("../../config/strategy_config.json"),
            Self::Limits => include_str!("../../config/risk_limits.json"),
            Self::Runtime => include_str!("../../config/runtime.toml"),
        }
    }

    /// Which file a path is: by its name, else by its content.
    pub(crate) fn of(path: &Path, text: &str) -> Self {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if let Some(kind) = Self::ALL.into_iter().find(|kind| kind.name() == name) {
            return kind;
        }
        if path.extension().is_some_and(|extension| extension == "toml") {
            Self::Runtime
        } else if text.contains("\"strategies\"") {
            Self::Strategies
        } else if text.contains("\"symbols\"") {
            Self::Universe
        } else {
            Self::Limits
        }
    }
}

/// A file's text and what it is called in messages.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) kind: FileKind,
    pub(crate) name: String,
    pub(crate) text: String,
}

impl Source {
    pub(super) fn shipped(kind: FileKind) -> Self {
        Self { kind, name: format!("built-in {}", kind.name()), text: kind.shipped().to_owned() }
    }
}

/// Finds the four files. A folder must have the three JSON files; a single file stands in for the one of its kind beside
/// the others in its folder, or beside the built-in ones. Without a path: `config`, else what is built in.
pub(crate) fn find(path: Option<&Path>) -> Result<[Source; 4], Problem> {
    let Some(path) = path else {
        let dir = Path::new(DEFAULT_DIR);
        return if dir.is_dir() { in_dir(dir) } else { Ok(FileKind::ALL.map(Source::shipped)) };
    };
    if path.is_dir() {
        return in_dir(path);
    }
    let given = read_one(path)?;
    let dir = path.parent().map(Path::to_owned).unwrap_or_default();
    let [a, b, c, d] = FileKind::ALL.map(|kind| {
        if kind == given.kind {
            return Ok(given.clone());
        }
        let beside = dir.join(kind.name());
        if beside.exists() { read(kind, &beside) } else { Ok(Source::shipped(kind)) }
    });
    Ok([a?, b?, c?, d?])
}

/// Whether a file is one of the four by its name, with the others beside it.
pub(crate) fn is_of_a_folder(path: &Path) -> bool {
    let dir = path.parent().unwrap_or(Path::new(""));
    let is_there = |kind: FileKind| kind == FileKind::Runtime || dir.join(kind.name()).is_file();
    let name = path.file_name().and_then(|name| name.to_str());
    FileKind::ALL.iter().any(|kind| Some(kind.name()) == name) && FileKind::ALL.into_iter().all(is_there)
}

/// Files of a folder that look like configuration and are read by nobody: usually a misspelt name. One sentence each.
pub(crate) fn strangers(path: Option<&Path>) -> Vec<String> {
    let dir = path.unwrap_or(Path::new(DEFAULT_DIR));
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let mut names: Vec<String> =
        entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    let known = FileKind::ALL.map(FileKind::name);
    let is_strange = |name: &String| {
        let looks_like_one = name.ends_with(".json")
            || name.ends_with(".toml")
            || known.iter().any(|known| distance(name, known) <= 2);
        looks_like_one && !name.starts_with('.') && !known.contains(&name.as_str())
    };
    names
        .into_iter()
        .filter(is_strange)
        .map(|name| {
            let near = nearest(&name, known).unwrap_or_default();
            format!("{} is not read; nearest file name: {near}", dir.join(name).display())
        })
        .collect()
}

/// Reads one file and sees which it is.
pub(crate) fn read_one(path: &Path) -> Result<Source, Problem> {
    let text = read_text(path)?;
    Ok(Source { kind: FileKind::of(path, &text), name: path.display().to_string(), text })
}

fn in_dir(dir: &Path) -> Result<[Source; 4], Problem> {
    let [a, b, c, d] = FileKind::ALL.map(|kind| {
        let path: PathBuf = dir.join(kind.name());
        // Every key of runtime.toml has a default, so the file may be missing.
        if kind == FileKind::Runtime && !path.exists() {
            return Ok(Source { kind, name: path.display().to_string(), text: String::new() });
        }
        read(kind, &path)
    });
    Ok([a?, b?, c?, d?])
}

fn read(kind: FileKind, path: &Path) -> Result<Source, Problem> {
    Ok(Source { kind, name: path.display().to_string(), text: read_text(path)? })
}

fn read_text(path: &Path) -> Result<String, Problem> {
    fs::read_to_string(path).map_err(|error| {
        let why = match error.kind() {
            io::ErrorKind::NotFound => {
                "not found; name a folder that has it with --config, or copy the one in the project's config folder"
                    .to_owned()
            }
            io::ErrorKind::InvalidData => "it is not UTF-8 text".to_owned(),
            _ => format!("cannot be read: {error}"),
        };
        Problem::new(path.display().to_string(), why)
    })
}
