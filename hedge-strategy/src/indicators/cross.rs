//! When one line crosses another.

/// A crossing of the fast line over the slow one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crossing {
    /// From below to above.
    Up,
    /// From above to below.
    Down,
}

/// Tells the one bar on which two lines changed places.
///
/// Lines that only touch have not crossed: the crossing is told when the fast line is first strictly on the other side.
/// The first known side is no crossing.
///
/// ```
/// use hedge_strategy::indicators::{Cross, Crossing};
///
/// let mut cross = Cross::default();
/// assert_eq!(cross.update(1.0, 2.0), None);
/// assert_eq!(cross.update(2.0, 2.0), None);
/// assert_eq!(cross.update(3.0, 2.0), Some(Crossing::Up));
/// assert_eq!(cross.update(4.0, 2.0), None);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Cross {
    above: Option<bool>,
}

impl Cross {
    /// Takes both lines of one bar in.
    #[inline]
    pub fn update(&mut self, fast: f64, slow: f64) -> Option<Crossing> {
        if fast == slow {
            return None;
        }
        let above = fast > slow;
        match self.above.replace(above) {
            Some(before) if before != above => Some(if above { Crossing::Up } else { Crossing::Down }),
            _ => None,
        }
    }
    /// Whether the fast line was last above the slow one.
    pub fn is_above(&self) -> Option<bool> {
        self.above
    }
    /// Forgets everything.
    pub fn reset(&mut self) {
        self.above = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crossing_is_told_once_and_on_its_bar() {
        let mut cross = Cross::default();
        let told: Vec<_> = [(1.0, 2.0), (3.0, 2.0), (3.0, 2.0), (1.0, 2.0), (1.0, 2.0)]
            .into_iter()
            .map(|(fast, slow)| cross.update(fast, slow))
            .collect();
        assert_eq!(told, [None, Some(Crossing::Up), None, Some(Crossing::Down), None]);
    }

    #[test]
    fn a_touch_that_turns_back_is_no_crossing() {
        let mut cross = Cross::default();
        for (fast, slow) in [(3.0, 2.0), (2.0, 2.0), (3.0, 2.0)] {
            assert_eq!(cross.update(fast, slow), None);
        }
    }

    #[test]
    fn the_first_side_after_a_reset_is_no_crossing() {
        let mut cross = Cross::default();
        cross.update(3.0, 2.0);
        cross.reset();
        assert_eq!(cross.update(1.0, 2.0), None);
        assert_eq!(cross.is_above(), Some(false));
    }
}
