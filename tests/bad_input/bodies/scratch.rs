//! Folders for the readers that take a path.

use std::{cell::RefCell, fs, path::Path};

/// A folder of this thread, gone with it.
struct Scratch(std::path::PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

thread_local! {
    static FOLDER: RefCell<Option<Scratch>> = const { RefCell::new(None) };
}

/// Calls it with an empty folder.
pub(crate) fn with<T>(body: impl FnOnce(&Path) -> T) -> T {
    FOLDER.with_borrow_mut(|folder| {
        let path = &folder.get_or_insert_with(create).0;
        empty(path);
        let result = body(path);
        empty(path);
        result
    })
}

/// Also what a body has left that panicked.
fn empty(path: &Path) {
    fs::create_dir_all(path).unwrap();
    for entry in fs::read_dir(path).unwrap() {
        let entry = entry.unwrap().path();
        if entry.is_dir() { fs::remove_dir_all(&entry) } else { fs::remove_file(&entry) }.unwrap();
    }
}

fn create() -> Scratch {
    let thread = format!("{:?}", std::thread::current().id());
    let number: String = thread.chars().filter(char::is_ascii_digit).collect();
    let path = std::env::temp_dir().join(format!("hedge-bad-input-{}-{number}", std::process::id()));
    let _ = fs::remove_dir_all(&path);
    Scratch(path)
}
