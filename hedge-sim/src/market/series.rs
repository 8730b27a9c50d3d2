//! Bars of one symbol, possibly joined from several files.

use hedge_core::{Bar, Interval, Symbol, Timestamp};

use super::{
    decimal_text::rescale,
    error::{Disagreement, MarketError},
};

/// A hole of more than this many bars is reported as a [`Gap`].
pub const GAP_BARS: i64 = 2;

/// The bars of one symbol in time order, all at one price and one volume scale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// Which symbol.
    pub symbol: Symbol,
    /// Length of every bar.
    pub interval: Interval,
    /// Strictly increasing in time.
    pub bars: Vec<Bar>,
    /// Names of the files the bars came from, without folders.
    pub sources: Vec<String>,
}

/// A stretch of time in which a symbol has no bars although it has some on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Which symbol.
    pub symbol: Symbol,
    /// End of the last bar before.
    pub from: Timestamp,
    /// Open of the first bar after.
    pub to: Timestamp,
    /// How many bars are missing; more than [`GAP_BARS`].
    pub missing_bars: i64,
}

impl Series {
    /// Decimal places of every price.
    pub fn price_scale(&self) -> u8 {
        self.bars.first().map_or(0, |bar| bar.price_scale)
    }
    /// Decimal places of every volume.
    pub fn volume_scale(&self) -> u8 {
        self.bars.first().map_or(0, |bar| bar.volume_scale)
    }
    /// Open of the first bar.
    pub fn start(&self) -> Option<Timestamp> {
        self.bars.first().map(|bar| bar.open_time)
    }
    /// End of the last bar.
    pub fn end(&self) -> Option<Timestamp> {
        self.bars.last().map(Bar::end)
    }
    /// Whether these are bars of one interval, on its grid, in time order, valid and at one scale.
    pub(super) fn check(&self, interval: Interval) -> Result<(), MarketError> {
        let scales = (self.price_scale(), self.volume_scale());
        let fits = |bar: &Bar| {
            bar.interval == interval
                && bar.open_time.ms() % interval.ms() == 0
                && (bar.price_scale, bar.volume_scale) == scales
                && bar.checked().is_ok()
        };
        let problem = match self.bars.iter().find(|bar| !fits(bar)) {
            Some(bar) => Some(bar.open_time),
            None => self
                .bars
                .windows(2)
                .find(|pair| pair[0].open_time >= pair[1].open_time)
                .map(|pair| pair[1].open_time),
        };
        match problem {
            None if self.interval == interval => Ok(()),
            at => Err(MarketError::Selection(format!(
                "bars of {} are not {interval} bars in time order, valid and at one scale (first bad one: {at:?})",
                self.symbol
            ))),
        }
    }
    /// The holes of more than [`GAP_BARS`] bars, in time order.
    pub fn gaps(&self) -> impl Iterator<Item = Gap> {
        self.bars.windows(2).filter_map(|pair| {
            let (from, to) = (pair[0].end(), pair[1].open_time);
            let missing_bars = (to.ms() - from.ms()) / self.interval.ms();
            (missing_bars > GAP_BARS).then_some(Gap { symbol: self.symbol, from, to, missing_bars })
        })
    }
    /// Joins files of one symbol and interval in time order. Bars that two files share must agree.
    /// Errors: [`MarketError::Disagreement`] naming both files.
    pub(super) fn join(mut files: Vec<Self>) -> Result<Self, MarketError> {
        files.sort_by_key(|file| (file.start(), file.end()));
        let price_scale = files.iter().map(Self::price_scale).max().unwrap_or(0);
        let volume_scale = files.iter().map(Self::volume_scale).max().unwrap_or(0);
        for file in &mut files {
            file.rescale(price_scale, volume_scale)?;
        }
        let in_order = files.windows(2).all(|pair| pair[0].end() <= pair[1].start());
        if !in_order {
            return Self::merge(files);
        }
        let mut files = files.into_iter();
        let Some(mut joined) = files.next() else {
            return Err(MarketError::Selection("no kline files to join".to_owned()));
        };
        for file in files {
            joined.bars.extend_from_slice(&file.bars);
            joined.sources.extend(file.sources);
        }
        Ok(joined)
    }
    fn merge(files: Vec<Self>) -> Result<Self, MarketError> {
        let mut bars: Vec<(usize, Bar)> = files
            .iter()
            .enumerate()
            .flat_map(|(file, series)| series.bars.iter().map(move |bar| (file, *bar)))
            .collect();
        bars.sort_by_key(|(file, bar)| (bar.open_time, *file));
        for pair in bars.windows(2) {
            let ((first_file, first), (second_file, second)) = (&pair[0], &pair[1]);
            if first.open_time == second.open_time && first != second {
                return Err(Box::new(Disagreement {
                    first: files[*first_file].sources.join(", "),
                    second: files[*second_file].sources.join(", "),
                    what: format!("{} {}", files[0].symbol, files[0].interval),
                    at: first.open_time,
                    first_value: describe(first),
                    second_value: describe(second),
                })
                .into());
            }
        }
        bars.dedup_by_key(|(_, bar)| bar.open_time);
        Ok(Self {
            symbol: files[0].symbol,
            interval: files[0].interval,
            bars: bars.into_iter().map(|(_, bar)| bar).collect(),
            sources: files.into_iter().flat_map(|file| file.sources).collect(),
        })
    }
    /// Brings every bar to scales that are not smaller than its own.
    pub(super) fn rescale(&mut self, price_scale: u8, volume_scale: u8) -> Result<(), MarketError> {
        for bar in &mut self.bars {
            if (bar.price_scale, bar.volume_scale) != (price_scale, volume_scale) {
                *bar = rescaled(bar, price_scale, volume_scale).ok_or_else(|| {
                    MarketError::file(
                        self.sources.join(", "),
                        format!(
                            "bar at {} does not fit 64 bits at {price_scale} price and {volume_scale} volume decimals",
                            bar.open_time
                        ),
                    )
                })?;
            }
        }
        Ok(())
    }
}

fn rescaled(bar: &Bar, price_scale: u8, volume_scale: u8) -> Option<Bar> {
    let price = |mantissa| rescale(mantissa, bar.price_scale, price_scale);
    Some(Bar {
        open: price(bar.open)?,
        high: price(bar.high)?,
        low: price(bar.low)?,
        close: price(bar.close)?,
        price_scale,
        volume: rescale(bar.volume, bar.volume_scale, volume_scale)?,
        volume_scale,
        ..*bar
    })
}

fn describe(bar: &Bar) -> String {
    let [open, high, low, close] = [bar.open, bar.high, bar.low, bar.close].map(|price| bar.decimal(price));
    format!("{open} {high} {low} {close} volume {}", bar.volume_decimal())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(name: &str, opens: &[i64], close: i64, price_scale: u8) -> Series {
        let bar = |at: &i64| Bar {
            open_time: Timestamp::from_ms(at * 60_000),
            interval: Interval::M1,
            open: close,
            high: close,
            low: close,
            close,
            price_scale,
            volume: 1,
            volume_scale: 0,
        };
        Series {
            symbol: Symbol::parse("BTCUSDT").unwrap(),
            interval: Interval::M1,
            bars: opens.iter().map(bar).collect(),
            sources: vec![name.to_owned()],
        }
    }
    fn minutes(series: &Series) -> Vec<i64> {
        series.bars.iter().map(|bar| bar.open_time.ms() / 60_000).collect()
    }

    #[test]
    fn files_are_joined_in_time_order_at_one_scale() {
        let joined = Series::join(vec![series("b", &[3, 4], 1000, 2), series("a", &[1, 2], 100, 1)]).unwrap();
        assert_eq!(minutes(&joined), [1, 2, 3, 4]);
        assert_eq!(joined.sources, ["a", "b"]);
        assert!(joined.bars.iter().all(|bar| bar.price_scale == 2 && bar.close == 1000));
    }

    #[test]
    fn bars_that_two_files_share_are_kept_once() {
        let joined =
            Series::join(vec![series("a", &[1, 2, 5], 7, 0), series("b", &[2, 3, 4], 70, 1)]).unwrap();
        assert_eq!(minutes(&joined), [1, 2, 3, 4, 5]);
    }

    #[test]
    fn files_that_disagree_are_an_error_naming_both() {
        let error = Series::join(vec![series("a", &[1, 2], 7, 0), series("b", &[2, 3], 8, 0)]).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("a and b disagree"), "{text}");
        assert!(text.contains("1970-01-01T00:02"), "{text}");
    }

    #[test]
    fn only_a_hole_of_more_than_two_bars_is_a_gap() {
        let gaps: Vec<Gap> = series("a", &[1, 2, 5, 9], 7, 0).gaps().collect();
        assert_eq!(gaps.len(), 1);
        assert_eq!((gaps[0].from.ms(), gaps[0].to.ms(), gaps[0].missing_bars), (360_000, 540_000, 3));
    }
}
