//! A panic close takes an account over, and the next executor finds it.

use std::time::Duration;

use super::{
    error::Step,
    history::{History, after_takeover},
    record::Check,
    scene::Scene,
};

/// Six bars: it would have opened something.
const HALTED_FOR: Duration = Duration::from_secs(3);

/// A panic close takes the account over from a running executor: that one ends with 75 and sends nothing more.
pub(super) fn taken_over(scene: &mut Scene, within_s: u64) -> Step {
    scene.panic_close(within_s)?;
    scene.check_end(Duration::from_secs(10), 75, "ends, for somebody else leads")?;
    scene.record.add(nothing_late(&scene.exchange.history()));
    Ok(())
}

/// The next executor starts halted, books what the panic close has done, and the account is audited like any other.
pub(super) fn aftermath(scene: &mut Scene) -> Step {
    scene.dismiss();
    scene.start(&[])?;
    let openings = scene.tail.openings();
    scene.pause(HALTED_FOR)?;
    let opened = scene.tail.openings() - openings;
    let halted = scene.executor()?.find("\"posture\":\"halted\"").unwrap_or_default();
    let found = format!("{opened} openings in {} s; {halted}", HALTED_FOR.as_secs());
    let passed = opened == 0 && !halted.is_empty();
    scene.record.check("the next executor starts halted", "halted, 0 openings", found, passed);
    scene.finish()?;
    Ok(())
}

fn nothing_late(history: &History) -> Check {
    let (found, passed) = match after_takeover(history).as_deref() {
        None => ("the panic close has sent no order of its own".to_owned(), false),
        Some([]) => ("nothing".to_owned(), true),
        Some([first, ..]) => (format!("orders of somebody else, the first is {first}"), false),
    };
    Check::new("nothing is sent after the takeover", "nothing after the first close", found, passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_close_that_closes_nothing_shows_nothing() {
        assert!(!nothing_late(&History::new()).passed);
    }
}
