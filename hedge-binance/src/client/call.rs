//! One exchange with the venue: budget, timestamp, signature, answer.

mod over_ws;

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use hedge_core::{BrokerError, Clock, Timestamp};
use hedge_http::{
    HttpClient, HttpError, Request, Response,
    clock_skew::{ClockOffset, Sample},
    limiter::{Acquire, Limiter, Permit, PoolName, Priority},
    retry::{RandomSource, RetryPolicy, SplitMix64, retry_read},
    secret::Secret,
    sign::{SignError, SigningKey},
};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::{call_error::CallError, names::OrderNames};
use crate::{
    codes::{ErrorBody, LONGEST_BAN, SHORTEST_BAN, Verdict, judge},
    config::{RecvWindow, VISIBILITY_DELAY},
    decode::json,
    encode::{ApiRequest, POOLS, Params, Security},
    last_look::LastLook,
    wire::market::{RateLimit, ServerTime},
    ws_api::{self, Deadline, Stamp},
};

use over_ws::Sent;

/// Room for window, timestamp and the longest signature that is usual.
const SIGNATURE_BYTES: usize = 512;
/// How often the venue's time is asked for one estimate, and how long an estimate is good for reads.
const TIME_SAMPLES: usize = 3;
/// 2017 to 2100: a time outside is a damaged answer, and nothing is signed with it.
const PLAUSIBLE_MS: std::ops::Range<i64> = 1_483_228_800_000..4_102_444_800_000;
/// By so much the difference of two clocks does not grow by itself between two measurements.
const LOST_MS: u32 = 1_000;
const OFFSET_LIFETIME: Duration = Duration::from_secs(10 * 60);
/// A panic close waits no longer for an answer: whatever hangs is asked about on a new connection. The symbol list is long.
const URGENT_TIMEOUT: Duration = Duration::from_millis(2_500);
const URGENT_TIMEOUT_OF_LISTS: Duration = Duration::from_secs(10);
/// After a failed measurement a panic close signs with our own clock for so long before it measures again.
const URGENT_CLOCK_PAUSE: Duration = Duration::from_secs(10);

/// The REST side of a client: every documented read as a typed method, and the one way in which anything is sent.
///
/// Reads are repeated on trouble that passes; commands never are, except that a command refused with -1021 (proof that it
/// was not executed) is signed once more after the clock offset was measured again.
pub struct Rest {
    http: HttpClient,
    base: String,
    key: Secret<String>,
    signer: SigningKey,
    clock: Arc<dyn Clock>,
    limiter: Limiter,
    offset: Mutex<Option<(ClockOffset, Instant)>>,
    retry: RetryPolicy,
    random: Mutex<SplitMix64>,
    recv_window: RecvWindow,
    /// What is added to the end of a window: the engine waits for the usual delay of queries from there on, and a fast
    /// clock needs more.
    extra_visibility: Duration,
    names: Mutex<OrderNames>,
    urgent: AtomicBool,
    clock_failed: Mutex<Option<Instant>>,
    ws_api: ws_api::Link,
    orders_over_ws: bool,
    last_look: LastLook,
}

impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rest").field("base", &self.base).finish_non_exhaustive()
    }
}

/// What a [`Rest`] is made of.
pub(crate) struct RestParts {
    pub(crate) http: HttpClient,
    pub(crate) base: String,
    pub(crate) key: Secret<String>,
    pub(crate) signer: SigningKey,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) retry: RetryPolicy,
    pub(crate) jitter_seed: u64,
    pub(crate) recv_window: RecvWindow,
    pub(crate) visibility_delay: Duration,
    pub(crate) ws_api: ws_api::Link,
    pub(crate) orders_over_ws: bool,
    pub(crate) last_look: LastLook,
}

/// One finished exchange, and until when the venue may still accept it.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// Timestamp plus window, when a signed request left.
    pub(crate) acceptable_until: Option<Timestamp>,
    pub(crate) result: Result<Response, CallError>,
}

impl Exchange {
    const fn unsent(error: CallError) -> Self {
        Self { acceptable_until: None, result: Err(error) }
    }
}

impl Rest {
    pub(crate) fn new(parts: RestParts) -> Self {
        Self {
            http: parts.http,
            base: parts.base,
            key: parts.key,
            signer: parts.signer,
            clock: parts.clock,
            limiter: Limiter::new(POOLS.iter().map(|pool| pool.spec()).collect()),
            offset: Mutex::new(None),
            retry: parts.retry,
            random: Mutex::new(SplitMix64::new(parts.jitter_seed)),
            recv_window: parts.recv_window,
            extra_visibility: parts.visibility_delay.saturating_sub(VISIBILITY_DELAY),
            names: Mutex::default(),
            urgent: AtomicBool::new(false),
            clock_failed: Mutex::new(None),
            ws_api: parts.ws_api,
            orders_over_ws: parts.orders_over_ws,
            last_look: parts.last_look,
        }
    }

    /// From here on every request is urgent: short time-outs, no repeats behind the caller's back, no waiting for our own
    /// count of the budgets, and our own clock where the venue's cannot be read.
    pub(crate) fn make_urgent(&self) {
        self.urgent.store(true, Ordering::Relaxed);
    }

    fn is_urgent(&self) -> bool {
        self.urgent.load(Ordering::Relaxed)
    }

    /// Until when the venue has banned this address, as far as it has told us. Units: the venue's clock.
    pub fn banned_until(&self) -> Option<Timestamp> {
        self.limiter.banned_until_ms(self.venue_now_ms()).map(Timestamp::from_ms)
    }

    /// What orders are called on both sides, for log lines.
    pub(crate) fn names(&self) -> MutexGuard<'_, OrderNames> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Best estimate of the venue's clock: ours until the first measurement.
    pub fn venue_now(&self) -> Timestamp {
        Timestamp::from_ms(self.venue_now_ms())
    }

    /// Units used of a budget in its current window, for metrics.
    pub fn budget_used(&self, pool: &'static str) -> Option<u64> {
        self.limiter.used(self.venue_now_ms(), pool)
    }

    pub(crate) fn local_now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn jitter(&self) -> SplitMix64 {
        let mut random = lock(&self.random);
        SplitMix64::new(random.next_u64())
    }

    /// A seed for somebody's pauses.
    pub(crate) fn seed(&self) -> u64 {
        self.jitter().next_u64()
    }

    /// Measures the venue's clock: several questions, the shortest round trip counts.
    ///
    /// # Errors
    /// When not one of them was answered.
    pub async fn sync_clock(&self) -> Result<ClockOffset, BrokerError> {
        let mut samples = Vec::with_capacity(TIME_SAMPLES);
        let mut failure = None;
        for _ in 0..if self.is_urgent() { 1 } else { TIME_SAMPLES } {
            match self.time_sample().await {
                Ok(sample) => samples.push(sample),
                Err(error) => failure = Some(error),
            }
        }
        let Some(offset) = ClockOffset::from_samples(&samples) else {
            return Err(failure.unwrap_or_else(|| BrokerError::NotSent {
                source: "our clock ran backwards while the venue's was measured".into(),
            }));
        };
        let before = lock(&self.offset).replace((offset, Instant::now()));
        if let Some((before, _)) = before {
            self.compare(before, offset);
        }
        Ok(offset)
    }

    /// A process that stood still with all its clocks, as a paused machine does, hears of it here.
    fn compare(&self, before: ClockOffset, now: ClockOffset) {
        let moved_ms = now.offset_ms().saturating_sub(before.offset_ms());
        // As long on walls on a fast clock.
        let least_ms = (self.recv_window.ms() / 3).max(LOST_MS);
        if moved_ms.unsigned_abs() > u64::from(least_ms) {
            let by = Duration::from_millis(moved_ms.unsigned_abs());
            let how = format!("the venue's clock and ours have moved apart by {moved_ms} ms");
            self.last_look.time_was_lost(by, &how);
        }
    }

    /// Measures the venue's clock unless that was done before.
    pub(crate) async fn ensure_clock(&self) -> Result<(), BrokerError> {
        if lock(&self.offset).is_some() {
            return Ok(());
        }
        if !self.is_urgent() {
            return self.sync_clock().await.map(|_| ());
        }
        if lock(&self.clock_failed).is_some_and(|at| at.elapsed() < URGENT_CLOCK_PAUSE) {
            return Ok(());
        }
        if let Err(error) = self.sync_clock().await {
            // A stamp of our own clock is right or is refused with -1021; it is never accepted late, because what is waited
            // for is read from the venue.
            tracing::warn!(%error, "the venue's clock could not be read; signing with our own");
            *lock(&self.clock_failed) = Some(Instant::now());
        }
        Ok(())
    }

    async fn time_sample(&self) -> Result<Sample, BrokerError> {
        // Time is asked for orders too, so it may use the whole budget.
        let request = ApiRequest {
            priority: hedge_http::limiter::Priority::Protect,
            ..ApiRequest::public("/fapi/v1/time", 1, Params::new())
        };
        let sent_ms = self.clock.now().ms();
        let response = self.send_by_rest(&request, None).await.result?;
        let received_ms = self.clock.now().ms();
        let time: ServerTime = json("time", &response.body)?;
        if !PLAUSIBLE_MS.contains(&time.server_time) {
            return Err(crate::decode::err(
                "serverTime",
                format!("{} is not in this century", time.server_time),
            )
            .into());
        }
        Ok(Sample { sent_ms, received_ms, server_ms: time.server_time })
    }

    /// A read, repeated on trouble that passes.
    pub(crate) async fn read<T: DeserializeOwned>(
        &self,
        what: &'static str,
        request: ApiRequest,
    ) -> Result<T, BrokerError> {
        let mut random = self.jitter();
        let read = || async {
            self.refresh_clock(&request).await;
            self.exchange(&request).await.result
        };
        let response = if self.is_urgent() {
            read().await?
        } else {
            retry_read(&self.retry, &mut random, CallError::read_failure, read).await?
        };
        Ok(json(what, &response.body)?)
    }

    /// A command: sent once (see [`Rest`] for the one exception).
    pub(crate) async fn exchange(&self, request: &ApiRequest) -> Exchange {
        self.exchange_until(request, None).await
    }

    /// A command that must not leave after `valid_until` (our clock): measuring the venue's clock may take seconds, and an
    /// approval of an opening does not last that long.
    pub(crate) async fn exchange_until(
        &self,
        request: &ApiRequest,
        valid_until: Option<Timestamp>,
    ) -> Exchange {
        let deadline = valid_until.map(|until| Deadline { clock: Arc::clone(&self.clock), until });
        let is_stale = || deadline.as_ref().is_some_and(Deadline::is_over);
        if request.security == Security::Signed
            && let Err(error) = self.ensure_clock().await
        {
            // Without the venue's time we do not sign: the answer would be -1021, or an old stamp accepted late.
            return Exchange::unsent(CallError::Http(HttpError::NotSent {
                target: request.path.to_owned(),
                source: format!("the venue's clock could not be read: {error}").into(),
            }));
        }
        if is_stale() {
            return Exchange::unsent(CallError::Stale);
        }
        let first = self.send_once(request, deadline.as_ref()).await;
        let refused_clock = matches!(&first.result, Err(error) if error.verdict() == Some(Verdict::Clock));
        if !refused_clock {
            return first;
        }
        if request.priority == Priority::Open {
            // Before it is measured anew, and whatever that says: from here on an opening is admitted only if whoever is asked
            // has looked again. How much time was lost the measurement tells.
            self.last_look.time_was_lost(Duration::ZERO, "the venue refused the timestamp of an opening");
        }
        match self.sync_clock().await {
            Ok(_) if is_stale() => {
                tracing::warn!(
                    "timestamp refused; the approval went stale meanwhile, nothing is signed again"
                );
                first
            }
            Ok(offset) => {
                tracing::warn!(
                    offset_ms = offset.offset_ms(),
                    "timestamp refused; clock measured again, signing once more"
                );
                self.send_once(request, deadline.as_ref()).await
            }
            Err(_) => first,
        }
    }

    /// A measurement ages; reads renew it, orders are not delayed by it.
    async fn refresh_clock(&self, request: &ApiRequest) {
        let stale = lock(&self.offset).is_some_and(|(_, at)| at.elapsed() > OFFSET_LIFETIME);
        if stale
            && request.security == Security::Signed
            && let Err(error) = self.sync_clock().await
        {
            tracing::warn!(%error, "the venue's clock could not be measured again; the old offset stays");
        }
    }

    async fn send_once(&self, request: &ApiRequest, deadline: Option<&Deadline>) -> Exchange {
        let Some(method) = self.method_over_ws(request) else {
            return self.send_by_rest(request, deadline).await;
        };
        let error = match self.send_over_ws(request, method, deadline).await {
            Sent::Once(exchange) => return exchange,
            Sent::NotAtAll(error) => error,
        };
        // No byte of it has left, so the other way cannot double it. An opening that cannot go its way stays where it is.
        if request.priority < Priority::Protect {
            return Exchange::unsent(error);
        }
        if deadline.is_some_and(Deadline::is_over) {
            return Exchange::unsent(CallError::Stale);
        }
        let error = BrokerError::from(error);
        tracing::warn!(method, %error, "the WebSocket API did not take it; sending by REST");
        self.send_by_rest(request, deadline).await
    }

    fn permit(&self, request: &ApiRequest, now_ms: i64) -> Result<Permit, CallError> {
        self.acquire(request.priority, now_ms, &request.cost.pools())
    }

    fn acquire(
        &self,
        priority: Priority,
        now_ms: i64,
        cost: &[(PoolName, u32)],
    ) -> Result<Permit, CallError> {
        let priority = if self.is_urgent() { Priority::Urgent } else { priority };
        match self.limiter.acquire(now_ms, priority, cost) {
            Acquire::Granted(permit) => Ok(permit),
            Acquire::Wait(wait) => Err(CallError::Budget(wait)),
            Acquire::Never { pool } => Err(CallError::TooDear(pool)),
        }
    }

    /// The last look comes after the timestamp and the signature, and nothing stands between it and the transport. A
    /// connection that must be opened first delays the write; then the window, which began before the look and ends with the
    /// approval, is over at the venue.
    async fn send_by_rest(&self, request: &ApiRequest, deadline: Option<&Deadline>) -> Exchange {
        let now_ms = self.venue_now_ms();
        let permit = match self.permit(request, now_ms) {
            Ok(permit) => permit,
            Err(error) => return Exchange::unsent(error),
        };
        let (http, acceptable_until) = match self.sign(request, deadline) {
            Ok(signed) => signed,
            Err(error) => {
                self.limiter.refund(permit);
                return Exchange::unsent(CallError::Sign(error));
            }
        };
        tracing::trace!(method = ?request.method, path = %request.path, query = %shown(&request.params), "request");
        if deadline.is_some_and(Deadline::is_over) {
            self.limiter.refund(permit);
            return Exchange::unsent(CallError::Stale);
        }
        let look = self.last_look.at(request);
        if let Some(because) = look.and_then(|(look, what)| look.admits(what).err()) {
            self.limiter.refund(permit);
            return Exchange::unsent(CallError::Guarded(because));
        }
        let answer = self.http.send(http).await;
        if let Some((look, _)) = look {
            look.answered();
        }
        let result = match answer {
            Ok(response) => self.receive(request, now_ms, response),
            Err(error) if error.may_have_been_sent() => {
                self.heed_head(request, error.status());
                Err(CallError::Http(error))
            }
            Err(error) => {
                self.limiter.refund(permit);
                return Exchange::unsent(CallError::Http(error));
            }
        };
        Exchange { acceptable_until, result }
    }

    fn stamp(&self, deadline: Option<&Deadline>) -> Stamp<'_> {
        let at = Timestamp::from_ms(self.stamp_ms());
        Stamp { at, window_ms: self.window_ms(deadline), key: &self.key }
    }

    /// How long the venue may accept a request that is stamped now: no longer than it is good.
    fn window_ms(&self, deadline: Option<&Deadline>) -> u32 {
        let window_ms = self.recv_window.ms();
        let left_ms = deadline.map_or(i64::MAX, |deadline| deadline.left_ms());
        // The venue takes no window of nothing; what is over is not sent.
        u32::try_from(left_ms.max(1)).map_or(window_ms, |left_ms| left_ms.min(window_ms))
    }

    fn sign(
        &self,
        request: &ApiRequest,
        deadline: Option<&Deadline>,
    ) -> Result<(Request, Option<Timestamp>), SignError> {
        let mut until = None;
        let room = request.path.len() + request.params.encoded().len() + SIGNATURE_BYTES;
        let mut url = Vec::with_capacity(self.base.len() + room);
        url.extend_from_slice(self.base.as_bytes());
        url.extend_from_slice(request.path.as_bytes());
        match request.security {
            Security::Open | Security::Key if request.params.is_empty() => {}
            Security::Open | Security::Key => {
                url.push(b'?');
                url.extend_from_slice(request.params.encoded().as_bytes());
            }
            Security::Signed => {
                let (stamp_ms, window_ms) = (self.stamp_ms(), self.window_ms(deadline));
                let window_ends = Timestamp::from_ms(stamp_ms + i64::from(window_ms));
                until = Some(window_ends.plus(self.extra_visibility));
                url.push(b'?');
                request.append_signed_query(&mut url, window_ms, stamp_ms, &self.signer)?;
            }
        }
        // The base is text and the rest is ASCII, so this always works; an empty URL is refused before sending.
        let url = String::from_utf8(url).unwrap_or_default();
        let http = Request::new(request.method, url);
        let http = match request.security {
            Security::Open => http,
            Security::Key | Security::Signed => http.header("X-MBX-APIKEY", self.key.expose()),
        };
        let http = match request.path {
            _ if !self.is_urgent() => http,
            "/fapi/v1/exchangeInfo" => http.timeout(URGENT_TIMEOUT_OF_LISTS),
            _ => http.timeout(URGENT_TIMEOUT),
        };
        Ok((http, until))
    }

    fn receive(&self, request: &ApiRequest, sent_ms: i64, response: Response) -> Result<Response, CallError> {
        for (name, value) in response.headers() {
            let pool =
                name.strip_prefix("x-mbx-").and_then(|name| POOLS.iter().find(|pool| pool.name == name));
            if let (Some(pool), Ok(used)) = (pool, value.trim().parse()) {
                self.limiter.observe_used(sent_ms, pool.name, used);
            }
        }
        tracing::trace!(path = %request.path, status = response.status, bytes = response.body.len(), "answer");
        if (200..300).contains(&response.status) {
            return Ok(response);
        }
        let body = ErrorBody::parse(&response.body);
        let verdict = judge(response.status, body.as_ref());
        let retry_after = match (verdict, response.status) {
            // Whoever said so: slower.
            (Verdict::Unknown, 429) => self.back_off(request, Verdict::Limited, None, response.retry_after()),
            _ => self.back_off(request, verdict, body.as_ref(), response.retry_after()),
        };
        Err(CallError::Answer { verdict, status: response.status, body, retry_after })
    }

    /// The head of an answer whose body was cut off says nothing of the request. That the venue wants quiet it says.
    fn heed_head(&self, request: &ApiRequest, status: Option<u16>) {
        let verdict = match status {
            Some(418) => Verdict::Banned { until_ms: None },
            Some(429) => Verdict::Limited,
            _ => return,
        };
        self.back_off(request, verdict, None, None);
    }

    /// One refused item of a batch: its code means what it means in an answer of its own.
    pub(super) fn refused_item(&self, request: &ApiRequest, body: ErrorBody) -> CallError {
        let verdict = judge(400, Some(&body));
        let retry_after = self.back_off(request, verdict, Some(&body), None);
        CallError::Answer { verdict, status: 200, body: Some(body), retry_after }
    }

    /// Freezes what the venue wants frozen, and says for how long.
    fn back_off(
        &self,
        request: &ApiRequest,
        verdict: Verdict,
        body: Option<&ErrorBody>,
        retry_after: Option<Duration>,
    ) -> Duration {
        let now_ms = self.venue_now_ms();
        match verdict {
            Verdict::Banned { until_ms } => {
                let asked = retry_after.map(|wait| now_ms + millis(wait));
                let until_ms = until_ms
                    .max(asked)
                    .unwrap_or_else(|| now_ms + millis(SHORTEST_BAN))
                    // A damaged text must not silence closes for ever; a ban that lasts answers again.
                    .min(now_ms + millis(LONGEST_BAN));
                self.limiter.freeze_all_until(until_ms);
                let wait = Duration::from_millis((until_ms - now_ms).max(0).unsigned_abs());
                tracing::error!(?wait, "the venue has banned this address; nothing is sent until then");
                wait
            }
            Verdict::Limited => {
                let code = body.map(|body| body.code);
                let pool = if code == Some(-1015) { POOLS[1].name } else { request.cost.main_pool() };
                let mut wait = self.limiter.freeze_pool(now_ms, pool, retry_after);
                // -1003 is about the address's weight, whatever was asked: reads that went on would end in a ban.
                if code == Some(-1003) && pool != POOLS[0].name {
                    wait = wait.max(self.limiter.freeze_pool(now_ms, POOLS[0].name, retry_after));
                }
                tracing::warn!(pool, ?wait, "the venue says that a budget is used up");
                wait
            }
            _ => retry_after.unwrap_or_default(),
        }
    }

    /// Takes over the limits of this host.
    pub(crate) fn learn_limits(&self, limits: &[RateLimit]) {
        for limit in limits {
            let pool = match (limit.rate_limit_type.as_str(), limit.interval.as_str(), limit.interval_num) {
                ("REQUEST_WEIGHT", "MINUTE", 1) => POOLS[0].name,
                ("ORDERS", "SECOND", 10) => POOLS[1].name,
                ("ORDERS", "MINUTE", 1) => POOLS[2].name,
                _ => continue,
            };
            if let Ok(units) = u32::try_from(limit.limit) {
                self.limiter.set_limit(pool, units);
            }
        }
    }

    fn venue_now_ms(&self) -> i64 {
        let local_ms = self.clock.now().ms();
        lock(&self.offset).map_or(local_ms, |(offset, _)| offset.server_ms(local_ms))
    }

    fn stamp_ms(&self) -> i64 {
        let local_ms = self.clock.now().ms();
        lock(&self.offset).map_or(local_ms, |(offset, _)| offset.stamp_ms(local_ms))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 2)
}

// What these locks guard is replaced as a whole, so a panic elsewhere leaves nothing half-done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The parameters of a request as a trace shows them: without a listen key, and before anything is signed.
fn shown(params: &Params) -> String {
    let hide = |pair: &str| match pair.split_once('=') {
        Some((name @ "listenKey", _)) => format!("{name}=hidden"),
        _ => pair.to_owned(),
    };
    params.encoded().split('&').map(hide).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests;
