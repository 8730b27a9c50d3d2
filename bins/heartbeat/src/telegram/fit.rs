//! A message has a longest length.

/// The API takes 4,096 UTF-16 units; a reserve stays for what a client may add.
const LONGEST_UNITS: usize = 4_000;
const CUT: &str = "…";

/// The text, or its first lines and `…` when it is too long.
pub(super) fn fit(text: &str) -> String {
    let units = |text: &str| text.encode_utf16().count();
    if units(text) <= LONGEST_UNITS {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = units(CUT);
    for line in text.split_inclusive('\n') {
        used += units(line);
        if used > LONGEST_UNITS {
            break;
        }
        kept.push_str(line);
    }
    if kept.is_empty() {
        // One endless line: nothing to cut between.
        let mut used = units(CUT);
        kept.extend(text.chars().take_while(|letter| {
            used += letter.len_utf16();
            used <= LONGEST_UNITS
        }));
    }
    kept + CUT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_message_is_sent_as_it_is() {
        assert_eq!(fit("a\nb"), "a\nb");
        let longest = "x".repeat(LONGEST_UNITS);
        assert_eq!(fit(&longest), longest);
    }

    #[test]
    fn a_long_message_ends_between_two_lines() {
        // Outside the basic plane a letter is two units.
        let line = format!("{}\n", "😀".repeat(49));
        let cut = fit(&line.repeat(60));
        assert_eq!(cut, format!("{}…", line.repeat(40)));
        assert!(cut.encode_utf16().count() <= LONGEST_UNITS);
    }

    #[test]
    fn one_endless_line_is_cut_inside() {
        let cut = fit(&"😀".repeat(3_000));
        assert!(cut.ends_with("😀…") && cut.encode_utf16().count() <= LONGEST_UNITS);
    }
}
