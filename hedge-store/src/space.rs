//! Free space on a disk.

use std::{io, path::Path, process::Command};

/// Free megabytes for this user on the disk that holds `path`, by asking `df`: the standard library cannot, and it is
/// asked seldom. Blocking, some milliseconds. Errors: where there is no `df`, or it answers in another form.
pub fn free_mb(path: &Path) -> io::Result<u64> {
    let output = Command::new("df").arg("-Pk").arg(path).env("LC_ALL", "C").output()?;
    if !output.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    available_kb(&text)
        .map(|kb| kb / 1024)
        .ok_or_else(|| io::Error::other(format!("df answered in an unknown form: {}", text.trim())))
}

/// The fourth column of the POSIX form; counted from the use percentage, since device names may contain spaces.
fn available_kb(df: &str) -> Option<u64> {
    let row = df.lines().nth(1)?;
    let columns: Vec<&str> = row.split_whitespace().collect();
    let percent = columns.iter().position(|column| column.ends_with('%'))?;
    columns.get(percent.checked_sub(1)?)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_available_column_is_read_from_the_posix_form() {
        let df = "Filesystem 1024-blocks Used Available Capacity Mounted on\n\
                  //server/a share 1000 400 600 40% /mnt/a share\n";
        assert_eq!(available_kb(df), Some(600));
        assert_eq!(available_kb("Filesystem\n"), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_missing_folder_is_an_error_not_zero() {
        assert!(free_mb(Path::new("/nowhere/at/all")).is_err());
        assert!(free_mb(&std::env::temp_dir()).is_ok());
    }
}
