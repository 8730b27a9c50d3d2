//! What `--out` leaves behind.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::Path,
};

use super::play::Played;

/// Creates a folder and sees whether something can be written there: before the work, not after it.
///
/// Errors: the disk's, with the folder's name.
pub fn prepare_folder(folder: &Path) -> io::Result<()> {
    let probe = folder.join(".hedge-probe");
    let tried = fs::create_dir_all(folder).and_then(|()| File::create(&probe)).and_then(|file| {
        drop(file);
        fs::remove_file(&probe)
    });
    tried.map_err(|error| {
        io::Error::new(error.kind(), format!("writing into {} failed: {error}", folder.display()))
    })
}

/// Writes `journal.jsonl`, `summary.json`, `equity.csv` and, where one was made, `report.html` into a folder, creating it.
/// `sha256sum journal.jsonl` gives the summary's `journal_sha256`.
///
/// Errors: the disk's, with the file's name.
pub fn write_folder(folder: &Path, played: &Played, report: Option<&str>) -> io::Result<()> {
    let named = |name: &str| {
        let path = folder.join(name);
        move |error: io::Error| {
            io::Error::new(error.kind(), format!("writing {} failed: {error}", path.display()))
        }
    };
    fs::create_dir_all(folder).map_err(named(""))?;
    journal(&folder.join("journal.jsonl"), played).map_err(named("journal.jsonl"))?;
    let line = played.line.json()? + "\n";
    fs::write(folder.join("summary.json"), line).map_err(named("summary.json"))?;
    fs::write(folder.join("equity.csv"), played.curve.csv()).map_err(named("equity.csv"))?;
    if let Some(html) = report {
        fs::write(folder.join("report.html"), html).map_err(named("report.html"))?;
    }
    Ok(())
}

/// The very bytes that the summary's hash covers.
fn journal(path: &Path, played: &Played) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    for record in played.backtest.each_record() {
        serde_json::to_writer(&mut file, &record.map_err(io::Error::other)?)?;
        file.write_all(b"\n")?;
    }
    file.flush()
}
