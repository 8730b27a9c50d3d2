//! What a folder has of a series, and what is missing.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use flate2::read::MultiGzDecoder;

use super::{archive::Track, calendar::Stretch, error::FetchError};

/// Marks a file whose rows come from the API.
pub(super) const FROM_API: &str = "-rest.csv.gz";

/// The files of a series in its folder, ordered by name.
pub(super) fn files(track: &Track, out: &Path) -> Result<Vec<PathBuf>, FetchError> {
    let folder = track.folder(out);
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let begin = format!("{}-", track.stem());
    let mut files = Vec::new();
    for entry in fs::read_dir(&folder).map_err(FetchError::disk("reading", &folder))? {
        let path = entry.map_err(FetchError::disk("reading", &folder))?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with(&begin) && (name.ends_with(".csv") || name.ends_with(".csv.gz")) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The times in the first column of a file, as they stand there.
pub(super) fn times(path: &Path) -> Result<Vec<i64>, FetchError> {
    let file = File::open(path).map_err(FetchError::disk("reading", path))?;
    let plain: Box<dyn Read> = match path.extension().is_some_and(|extension| extension == "gz") {
        true => Box::new(MultiGzDecoder::new(file)),
        false => Box::new(file),
    };
    let mut lines = BufReader::with_capacity(128 * 1024, plain);
    let (mut times, mut row, mut line) = (Vec::new(), Vec::new(), 0);
    loop {
        row.clear();
        line += 1;
        if lines.read_until(b'\n', &mut row).map_err(FetchError::disk("reading", path))? == 0 {
            return Ok(times);
        }
        let first = row.split(|byte| *byte == b',').next().unwrap_or_default();
        let text = String::from_utf8_lossy(first);
        match text.trim().parse() {
            Ok(time) => times.push(time),
            // Newer files name their columns, older ones do not (fact sheet section 13).
            Err(_) if line == 1 || text.trim().is_empty() => {}
            Err(_) => {
                let found = text.trim().chars().take(40).collect();
                return Err(FetchError::Content { path: path.display().to_string(), line, found });
            }
        }
    }
}

/// The open times of a series inside a stretch, each once, in order.
pub(super) fn open_times(track: &Track, out: &Path, wanted: Stretch) -> Result<Vec<i64>, FetchError> {
    let mut all = Vec::new();
    for path in files(track, out)? {
        let inside = |time: &i64| (wanted.from_ms..wanted.to_ms).contains(time);
        all.extend(times(&path)?.into_iter().filter(inside));
    }
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

/// The stretches of a grid that have no time.
pub(super) fn holes(times: &[i64], step_ms: i64, wanted: Stretch) -> Vec<Stretch> {
    let first_ms = wanted.from_ms + (step_ms - wanted.from_ms.rem_euclid(step_ms)) % step_ms;
    let last_ms = wanted.to_ms - (wanted.to_ms - first_ms).rem_euclid(step_ms);
    let mut holes = Vec::new();
    let mut next_ms = first_ms;
    for &time in times.iter().chain([&last_ms]) {
        let hole = Stretch { from_ms: next_ms, to_ms: time };
        if !hole.is_empty() {
            holes.push(hole);
        }
        next_ms = next_ms.max(time + step_ms);
    }
    holes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_what_the_grid_lacks_at_both_ends_and_between() {
        let wanted = Stretch { from_ms: 0, to_ms: 600 };
        let hole = |from_ms, to_ms| Stretch { from_ms, to_ms };
        assert_eq!(holes(&[], 60, wanted), [hole(0, 600)]);
        assert_eq!(holes(&[0, 60, 180, 480], 60, wanted), [hole(120, 180), hole(240, 480), hole(540, 600)]);
        let all: Vec<i64> = (0..10).map(|n| n * 60).collect();
        assert_eq!(holes(&all, 60, wanted), []);
        // A stretch that does not begin or end on the grid wants only the bars that open inside it and end inside it.
        assert_eq!(holes(&[], 60, Stretch { from_ms: 30, to_ms: 150 }), [hole(60, 120)]);
    }
}
