//! `docs/configuration.md`, made from the tables that the program itself reads.

use std::fmt::Write;

use super::{describe::Entry, files::FileKind};

const INTRO: &str = "\
# Configuration

Four files in one folder, then variables over them. The program looks for the folder `config`, or takes the one named with
`--config`; without either it uses what is built in, which is what ships in `config/`. What cannot be understood is refused
with exit code 78 and one line: file and line, the key, what was found, what is expected. `hedgectl config show` prints the
effective values and where each came from, `hedgectl config explain KEY` one of the rows below, `hedgectl config check DIR`
looks at a folder without starting anything.

This page is generated from the tables that the program checks its input with; a test fails when it differs.

## Which profile runs

`--profile paper|testnet|mainnet-dry|mainnet` names it; without the flag it is `paper`. A variable may only forbid. What
contradicts the flag ends the program with exit code 78, before any request, and names both sides and where they come from.

| set | `paper` | `testnet` | `mainnet-dry` | `mainnet` |
|---|---|---|---|---|
| nothing | runs | runs | runs | runs; opens with a consent |
| `DRY_RUN=1` or `SAFE_MODE=true` | changes nothing | 78 | changes nothing | runs as `mainnet-dry` |
| `DRY_RUN=0` or `SAFE_MODE=false` | changes nothing | changes nothing | stays dry | changes nothing |
| `BINANCE_TESTNET=1` | changes nothing | fits | 78 | 78 |
| `BINANCE_TESTNET=0` | changes nothing | 78 | fits | fits |
| `ENV=prod` or `ENV=mainnet` | changes nothing | 78 | fits | fits |
| a mainnet host in `binance.rest_url` | 78 | 78 | fits | fits |
| a testnet host there | 78 | fits | 78 | 78 |
| a host on this machine there | fits | fits | fits | fits |

`mainnet` opens only with the consent of a person for this account and this configuration (`hedgectl arm`). Without one it starts in
`ExitOnly`: it keeps what is open protected and closes it, and says so.

The line before the first request says what was decided:

```text
[preflight] profile=mainnet-dry base=https://fapi.binance.com testnet=False dry_run=True
```

| profile | orders go to | keys | state directory |
|---|---|---|---|
| `paper` | an exchange in the same process, or one on this machine at `binance.rest_url` | none; `BINANCE_API_KEY` for the latter | a new one below `EVENT_STORE_ROOT/paper` for each run |
| `testnet` | the venue's demo | `BINANCE_UM_API_KEY_TESTNET`, `BINANCE_UM_API_SECRET_TESTNET` | `EVENT_STORE_ROOT` |
| `mainnet-dry` | nowhere: simulated from the real account's equity and positions on | `BINANCE_API_KEY`, `BINANCE_API_SECRET`, read only | `EVENT_STORE_ROOT/mainnet-dry` |
| `mainnet` | the venue | `BINANCE_API_KEY`, `BINANCE_API_SECRET` | `EVENT_STORE_ROOT` |

So `DRY_RUN=1` on a machine that runs `mainnet` starts a dry run beside its journal, which stays as it is. What is open there
keeps its stops at the venue and nothing else: nobody moves them while the run is dry.

A state directory belongs to one profile at one venue for good; another one needs another directory, named with
`--state-dir` or `EVENT_STORE_ROOT`.
";

/// The whole page.
pub fn reference() -> String {
    let mut page = INTRO.to_owned();
    for (file, text) in [
        (
            FileKind::Runtime,
            "How the process runs. Every key may be left out; a variable `HEDGE__SECTION__KEY` wins over the file.",
        ),
        (FileKind::Limits, "What may be risked. Decimals may stand in quotes."),
        (FileKind::Universe, "What may be traded."),
        (FileKind::Strategies, "What trades, and how: a list of strategies with these keys each."),
    ] {
        section(&mut page, file.name(), text);
    }
    section(
        &mut page,
        "variable",
        "From the process's environment, else from a file `.env` (or `--env-file`) that only its owner can read. The process wins.",
    );
    page
}

fn section(page: &mut String, file: &'static str, text: &str) {
    let title = if file == "variable" { "Variables".to_owned() } else { format!("`{file}`") };
    // Writing to a String cannot fail.
    write!(page, "\n## {title}\n\n{text}\n\n| key | unit | accepts | default | what it does, and why |\n|---|---|---|---|---|\n").ok();
    for entry in super::describe::entries().iter().filter(|entry| entry.file == file) {
        let Entry { name, unit, range, default, why, .. } = entry;
        let cells = [format!("`{name}`"), cell(unit), cell(range), cell(default), cell(why)];
        writeln!(page, "| {} |", cells.join(" | ")).ok();
    }
}

/// A bar would end the cell.
fn cell(text: &str) -> String {
    let text = text.replace('|', "\\|");
    if text.is_empty() { "–".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    const UPDATE: &str = "HEDGE_WRITE_DOCS=1 cargo test -p hedge-desk --lib the_page_about_configuration";

    #[test]
    fn the_page_about_configuration_is_what_the_types_say() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
        if std::env::var_os("HEDGE_WRITE_DOCS").is_some() {
            fs::write(&path, reference()).unwrap();
        }
        let found = fs::read_to_string(&path).unwrap_or_default();
        assert!(found == reference(), "docs/configuration.md is not current; run: {UPDATE}");
    }

    #[test]
    fn every_row_has_as_many_cells_as_its_table() {
        let page = reference();
        let rows = page.lines().filter(|line| line.starts_with("| `") && line.ends_with(" |"));
        let bars = |line: &str| line.matches('|').count() - line.matches("\\|").count();
        let counts: Vec<usize> = rows.map(bars).collect();
        assert!(counts.len() > 80, "{}", counts.len());
        assert!(counts.iter().all(|count| (5..=6).contains(count)), "{counts:?}");
    }
}
