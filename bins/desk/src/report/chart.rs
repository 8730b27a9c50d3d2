//! Small inline SVG charts. Colours come from the page's style sheet, so they follow light and dark.

use std::fmt::Write;

/// Drawing area of a chart. Units: SVG user units.
const WIDTH: f64 = 960.0;
const LEFT: f64 = 78.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 22.0;
/// More points than this are thinned out, keeping the extremes of each group.
const MOST_POINTS: usize = 1_200;

/// A line or area over time.
pub(crate) struct Series<'a> {
    /// Style class.
    pub(crate) class: &'a str,
    /// Seconds since the epoch, and the value.
    pub(crate) points: Vec<(f64, f64)>,
    /// Whether the area to zero is filled.
    pub(crate) filled: bool,
}

/// One chart with a shared time axis.
pub(crate) struct Chart<'a> {
    pub(crate) label: &'a str,
    pub(crate) height: f64,
    pub(crate) series: Vec<Series<'a>>,
    /// Whether zero must be visible.
    pub(crate) with_zero: bool,
    pub(crate) time_label: fn(f64) -> String,
}

impl Chart<'_> {
    pub(crate) fn svg(&self) -> String {
        let all = || self.series.iter().flat_map(|series| series.points.iter());
        let (mut t0, mut t1) = bounds(all().map(|point| point.0));
        let (mut low, mut high) = bounds(all().map(|point| point.1));
        if self.with_zero {
            (low, high) = (low.min(0.0), high.max(0.0));
        }
        if t1 <= t0 {
            (t0, t1) = (t0 - 1.0, t1 + 1.0);
        }
        let room = if high > low { (high - low) * 0.05 } else { high.abs().max(1.0) * 0.01 };
        (low, high) = (if low < 0.0 || !self.with_zero { low - room } else { low }, high + room);
        let scale = Scale { t0, t1, low, high, height: self.height };
        let mut svg = String::new();
        let _ = write!(
            svg,
            r#"<svg viewBox="0 0 {WIDTH} {}" role="img" aria-label="{}" preserveAspectRatio="none">"#,
            self.height,
            escape(self.label)
        );
        self.grid(&scale, &mut svg);
        for series in &self.series {
            draw(series, &scale, &mut svg);
        }
        svg.push_str("</svg>");
        svg
    }

    fn grid(&self, scale: &Scale, svg: &mut String) {
        for value in ticks(scale.low, scale.high) {
            let y = scale.y(value);
            let _ = write!(
                svg,
                r#"<line class="grid" x1="{LEFT}" x2="{:.1}" y1="{y:.1}" y2="{y:.1}"/><text class="axis" x="{:.1}" y="{:.1}" text-anchor="end">{}</text>"#,
                WIDTH - RIGHT,
                LEFT - 6.0,
                y + 4.0,
                number(value)
            );
        }
        for part in 0..=4 {
            let t = scale.t0 + (scale.t1 - scale.t0) * f64::from(part) / 4.0;
            let anchor = ["start", "middle", "middle", "middle", "end"][part as usize];
            let _ = write!(
                svg,
                r#"<text class="axis" x="{:.1}" y="{:.1}" text-anchor="{anchor}">{}</text>"#,
                scale.x(t),
                self.height - 6.0,
                (self.time_label)(t)
            );
        }
    }
}

struct Scale {
    t0: f64,
    t1: f64,
    low: f64,
    high: f64,
    height: f64,
}

impl Scale {
    fn x(&self, t: f64) -> f64 {
        LEFT + (t - self.t0) / (self.t1 - self.t0) * (WIDTH - LEFT - RIGHT)
    }
    fn y(&self, value: f64) -> f64 {
        TOP + (self.high - value) / (self.high - self.low) * (self.height - TOP - BOTTOM)
    }
}

fn draw(series: &Series<'_>, scale: &Scale, svg: &mut String) {
    let points = thinned(&series.points);
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return };
    let mut path = String::new();
    for (i, (t, value)) in points.iter().enumerate() {
        let _ = write!(path, "{}{:.1} {:.1}", if i == 0 { 'M' } else { 'L' }, scale.x(*t), scale.y(*value));
    }
    if series.filled {
        let zero = scale.y(0.0_f64.clamp(scale.low, scale.high));
        let _ = write!(
            svg,
            r#"<path class="area {}" d="{path}L{:.1} {zero:.1}L{:.1} {zero:.1}Z"/>"#,
            series.class,
            scale.x(last.0),
            scale.x(first.0)
        );
    }
    let _ = write!(svg, r#"<path class="line {}" d="{path}"/>"#, series.class);
}

/// Keeps lowest and highest point of each group, in time order.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    if points.len() <= MOST_POINTS {
        return points.to_vec();
    }
    let size = points.len().div_ceil(MOST_POINTS / 2);
    let mut kept = Vec::with_capacity(MOST_POINTS + 2);
    for group in points.chunks(size) {
        let by_value = |a: &&(f64, f64), b: &&(f64, f64)| a.1.total_cmp(&b.1);
        let (Some(low), Some(high)) = (group.iter().min_by(by_value), group.iter().max_by(by_value)) else {
            continue;
        };
        let (first, second) = if low.0 <= high.0 { (low, high) } else { (high, low) };
        kept.push(*first);
        if second != first {
            kept.push(*second);
        }
    }
    kept.extend(points.last());
    kept
}

fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) =
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    if low.is_finite() && high.is_finite() { (low, high) } else { (0.0, 0.0) }
}

/// Three to seven round values inside a range.
fn ticks(low: f64, high: f64) -> Vec<f64> {
    let rough = (high - low) / 4.0;
    if !(rough.is_finite() && rough > 0.0) {
        return vec![low];
    }
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().map(|k| k * power).find(|step| *step >= rough);
    let step = step.unwrap_or(power * 10.0);
    let first = (low / step).ceil() as i64;
    let last = (high / step).floor() as i64;
    (first..=last).map(|n| n as f64 * step).collect()
}

/// `12,345.6`: as many decimals as a value of that size needs.
fn number(value: f64) -> String {
    let decimals = match value.abs() {
        v if v >= 1_000.0 || v == 0.0 => 0,
        v if v >= 10.0 => 1,
        _ => 2,
    };
    let text = format!("{value:.decimals$}");
    super::page::grouped(&text)
}

/// Text inside HTML and SVG.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(ticks(9_930.0, 10_410.0), [10_000.0, 10_200.0, 10_400.0]);
        assert_eq!(ticks(3.0, 3.0), [3.0]);
    }

    #[test]
    fn thinning_keeps_the_extremes() {
        let mut points: Vec<(f64, f64)> = (0..10_000).map(|i| (f64::from(i), 0.0)).collect();
        points[4_321].1 = 9.0;
        points[8_765].1 = -9.0;
        let kept = thinned(&points);
        assert!(kept.len() <= MOST_POINTS + 1);
        assert!(kept.contains(&(4_321.0, 9.0)) && kept.contains(&(8_765.0, -9.0)));
    }
}
