//! The account's stream: a listen key that never lapses unnoticed, a connection that proves that it lives, and a back-fill
//! after each interruption.

use std::{sync::Arc, time::Duration};

use hedge_core::{AccountEvent, BrokerError, EventSource, Fill, RejectReason, Timestamp};
use hedge_http::{retry::Backoff, secret::Secret};
use tokio::{
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};

use super::{
    catch_up::{Heard, catch_up, flows_near},
    end::End,
    forced::name_forced,
    outlet::{Gone, Outlet, outlet},
    routes::Route,
    socket::{Frame, Socket, SocketError},
    user::{self, FeeHint, FlowHint, UserMessage},
};
use crate::{client::Shared, decode};

/// What the venue shall send. Passing the list is safe everywhere; without it production may stay mute (fact sheet 9.1).
const EVENTS: &str = "ORDER_TRADE_UPDATE/ACCOUNT_UPDATE/ALGO_UPDATE/ALGO_ORDER_UPDATE/MARGIN_CALL/ACCOUNT_CONFIG_UPDATE/listenKeyExpired";

/// The income history may lag behind the push; it is asked this often before the next back-fill has to find the flow.
const FLOW_ATTEMPTS: u32 = 8;
/// Longest time that a look at the income history may keep the socket unread.
const FLOW_TIMEOUT: Duration = Duration::from_secs(2);
/// An execution may be listed with a somewhat different time than its push.
const FEE_MARGIN: Duration = Duration::from_secs(60);

/// Connects the account's stream. Resolves once it stands, so that nothing after it is missed.
pub(crate) async fn account_events(
    shared: &Arc<Shared>,
) -> Result<Box<dyn EventSource<AccountEvent>>, BrokerError> {
    let (outlet, inlet) = outlet(shared.streams.buffer);
    // The back-fill begins at the venue's time of the last event, and there is none yet.
    shared.rest.ensure_clock().await?;
    let key = ListenKey::create(shared).await?;
    let socket =
        connect(shared, &key.text).await.map_err(|error| BrokerError::NotSent { source: error.into() })?;
    shared.tracker.forget_unmentioned();
    let account = Account {
        shared: Arc::clone(shared),
        outlet,
        key,
        heard: Heard::default(),
        last_event: shared.rest.venue_now(),
        pending_flows: None,
        failures: 0,
    };
    tokio::spawn(account.run(socket));
    Ok(Box::new(inlet))
}

async fn connect(shared: &Shared, key: &Secret<String>) -> Result<Socket, SocketError> {
    let url =
        format!("{}{}/ws?listenKey={}&events={EVENTS}", shared.ws_base, Route::Private.path(), key.expose());
    Socket::connect(&url, &shared.streams).await
}

/// Whoever knows the text reads the account's events.
#[derive(Debug)]
struct ListenKey {
    text: Secret<String>,
    renewed_at: Instant,
    renewal: Option<JoinHandle<Result<(), BrokerError>>>,
    failures: u32,
}

/// Two renewals in a row that failed: the key is replaced (fact sheet 15, row 12).
const RENEWAL_FAILURES: u32 = 2;

impl ListenKey {
    /// The active key of the account, or a new one; valid for an hour from now.
    async fn create(shared: &Shared) -> Result<Self, BrokerError> {
        let answer = shared.rest.create_listen_key().await?;
        let text = answer.listen_key.ok_or_else(|| decode::err("listenKey", "missing"))?;
        if !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(decode::err("listenKey", "it is not alphanumeric").into());
        }
        Ok(Self { text: Secret::new(text), renewed_at: Instant::now(), renewal: None, failures: 0 })
    }

    /// Starts and finishes renewals. Errors with the reason when the key has to be replaced.
    async fn keep_alive(&mut self, shared: &Arc<Shared>) -> Result<(), End> {
        let timing = shared.streams;
        if let Some(renewal) = self.renewal.take_if(|renewal| renewal.is_finished()) {
            self.finish(
                renewal.await.unwrap_or_else(|error| Err(BrokerError::NotSent { source: error.into() })),
            )?;
        }
        if self.renewed_at.elapsed() > timing.listen_key_max_age {
            return Err(End::Lost("the listen key could not be renewed in time".to_owned()));
        }
        let due = timing.listen_key_renewal + timing.listen_key_renewal / 4 * self.failures;
        if self.renewal.is_none() && self.renewed_at.elapsed() >= due {
            let shared = Arc::clone(shared);
            self.renewal =
                Some(tokio::spawn(async move { shared.rest.renew_listen_key().await.map(|_| ()) }));
        }
        Ok(())
    }

    fn finish(&mut self, result: Result<(), BrokerError>) -> Result<(), End> {
        match result {
            Ok(()) => {
                (self.renewed_at, self.failures) = (Instant::now(), 0);
                Ok(())
            }
            // -1125: a dead key cannot be renewed, only replaced (fact sheet 15, row 13).
            Err(error) if error.reason() == Some(RejectReason::NotFound) => {
                Err(End::Lost("the venue does not know the listen key any more".to_owned()))
            }
            Err(error) => {
                self.failures += 1;
                tracing::warn!(target: "hedge::stream", %error, failures = self.failures, "listen key not renewed");
                if self.failures >= RENEWAL_FAILURES {
                    return Err(End::Lost(format!("the listen key could not be renewed: {error}")));
                }
                Ok(())
            }
        }
    }
}

/// Signs of life of one connection.
struct Life {
    heard_at: Instant,
    asked_at: Option<Instant>,
}

impl Life {
    fn new() -> Self {
        Self { heard_at: Instant::now(), asked_at: None }
    }

    fn heard(&mut self) {
        *self = Self::new();
    }
}

/// A new connection beside the old one.
struct Standby {
    socket: Socket,
    /// When it answered: from then on it carries everything.
    alive_at: Option<Instant>,
}

/// Flows that pushes have hinted at and the income history does not show yet.
#[derive(Debug)]
struct PendingFlows {
    hints: Vec<FlowHint>,
    attempts: u32,
    next_at: Instant,
}

impl PendingFlows {
    const fn new(hints: Vec<FlowHint>, next_at: Instant) -> Self {
        Self { hints, attempts: 0, next_at }
    }
}

#[derive(Debug)]
struct Account {
    shared: Arc<Shared>,
    outlet: Outlet<AccountEvent>,
    key: ListenKey,
    heard: Heard,
    last_event: Timestamp,
    pending_flows: Option<PendingFlows>,
    failures: u32,
}

impl Account {
    async fn run(mut self, mut socket: Socket) {
        loop {
            let reason = match self.read(socket).await {
                End::ConsumerGone => return,
                End::Lost(reason) => reason,
            };
            tracing::warn!(target: "hedge::stream", reason, "account stream lost");
            if self.outlet.push(AccountEvent::Disconnected { reason }).await.is_err() {
                return;
            }
            socket = match self.recover().await {
                Ok(socket) => socket,
                Err(Gone) => return,
            };
        }
    }

    /// A key, a connection, and everything missed, in this order: what happens meanwhile waits in the new connection.
    async fn recover(&mut self) -> Result<Socket, Gone> {
        let (base, cap) = self.shared.streams.reconnect;
        let backoff = Backoff { base, cap };
        let mut random = self.shared.rest.jitter();
        loop {
            self.failures = self.failures.saturating_add(1);
            tokio::select! {
                () = self.outlet.closed() => return Err(Gone),
                () = sleep(backoff.delay(self.failures, &mut random)) => {}
            }
            match self.try_recover().await {
                Ok((socket, events)) => {
                    for event in events {
                        self.hand_on(event).await?;
                    }
                    self.failures = 0;
                    self.outlet.push(AccountEvent::Reconnected).await?;
                    tracing::info!(target: "hedge::stream", "account stream is back");
                    return Ok(socket);
                }
                Err(error) => {
                    tracing::warn!(target: "hedge::stream", %error, "account stream cannot recover yet")
                }
            }
        }
    }

    async fn try_recover(&mut self) -> Result<(Socket, Vec<AccountEvent>), BrokerError> {
        self.key = ListenKey::create(&self.shared).await?;
        let socket = connect(&self.shared, &self.key.text)
            .await
            .map_err(|error| BrokerError::NotSent { source: error.into() })?;
        self.shared.tracker.forget_unmentioned();
        let events = catch_up(&self.shared, self.last_event).await?;
        Ok((socket, events))
    }

    async fn read(&mut self, mut socket: Socket) -> End {
        let timing = self.shared.streams;
        let mut tick = interval(tick_of(&timing));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut life = Life::new();
        let mut rotate_at = Instant::now() + timing.rotate_after;
        let mut opening: Option<JoinHandle<Option<Standby>>> = None;
        let mut standby: Option<Standby> = None;
        loop {
            let step: Result<(), End> = tokio::select! {
                () = self.outlet.closed() => return End::ConsumerGone,
                frame = socket.next() => match frame {
                    Ok(frame) => {
                        life.heard();
                        self.on_frame(frame, &mut socket).await
                    }
                    // The old connection may end once the new one has proven itself; before that, something may be lost.
                    Err(error) => match standby.take() {
                        Some(Standby { socket: new, alive_at: Some(_) }) => {
                            socket = new;
                            life.heard();
                            rotate_at = Instant::now() + timing.rotate_after;
                            Ok(())
                        }
                        _ => Err(error.into()),
                    },
                },
                frame = next_of(standby.as_mut()) => match (frame, standby.as_mut()) {
                    // What befalls the new connection is no reason to give up the old one.
                    (Ok(Frame::Ping), Some(new)) => {
                        new.alive_at.get_or_insert_with(Instant::now);
                        match self.outlet.drained().await {
                            Err(gone) => Err(gone.into()),
                            Ok(()) => {
                                if let Err(error) = new.socket.pong().await {
                                    tracing::warn!(target: "hedge::stream", %error, "the new connection failed; the old one stays");
                                    standby = None;
                                    rotate_at = Instant::now() + timing.connect_timeout;
                                }
                                Ok(())
                            }
                        }
                    }
                    (Ok(frame), Some(new)) => {
                        new.alive_at.get_or_insert_with(Instant::now);
                        self.on_frame(frame, &mut new.socket).await
                    }
                    (Err(error), _) => {
                        tracing::warn!(target: "hedge::stream", %error, "the new connection failed; the old one stays");
                        standby = None;
                        rotate_at = Instant::now() + timing.connect_timeout;
                        Ok(())
                    }
                    (Ok(_), None) => Ok(()),
                },
                _ = tick.tick() => {
                    let ready = standby.as_ref().and_then(|new| new.alive_at);
                    if ready.is_some_and(|at| at.elapsed() >= timing.rotate_overlap) {
                        if let Some(new) = standby.take() {
                            std::mem::replace(&mut socket, new.socket).close().await;
                            life.heard();
                            rotate_at = Instant::now() + timing.rotate_after;
                            tracing::info!(target: "hedge::stream", "account stream rotated");
                        }
                    } else if let Some(opened) = opening.take_if(|opening| opening.is_finished()) {
                        standby = opened.await.ok().flatten();
                    } else if standby.is_none() && opening.is_none() && Instant::now() >= rotate_at {
                        opening = Some(self.open_standby());
                        rotate_at = Instant::now() + timing.connect_timeout;
                    }
                    self.on_tick(&mut socket, &mut life).await
                }
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    /// A second connection on the same key, made beside the reading: a fill must not wait for a handshake.
    fn open_standby(&self) -> JoinHandle<Option<Standby>> {
        let (shared, key) = (Arc::clone(&self.shared), self.key.text.clone());
        tokio::spawn(async move {
            let opened = async {
                let mut socket = connect(&shared, &key).await?;
                // The account may be quiet for hours, so it is asked for a pong.
                socket.ping().await?;
                Ok::<_, SocketError>(Standby { socket, alive_at: None })
            };
            opened
                .await
                .inspect_err(|error| tracing::warn!(target: "hedge::stream", %error, "rotation must wait"))
                .ok()
        })
    }

    async fn on_frame(&mut self, frame: Frame, socket: &mut Socket) -> Result<(), End> {
        match frame {
            Frame::Text(text) => self.on_text(&text).await,
            Frame::Ping => {
                // The pong says that everything before it was dealt with.
                self.outlet.drained().await?;
                Ok(socket.pong().await?)
            }
            Frame::Other => Ok(()),
        }
    }

    async fn on_text(&mut self, text: &str) -> Result<(), End> {
        // A message that cannot be read is a fact that is lost: the account is read again.
        let message =
            user::parse(text).map_err(|error| End::Lost(format!("a message could not be read: {error}")))?;
        let UserMessage { events, flow, fee_unknown, key_expired, mentioned, at } = message;
        if key_expired {
            return Err(End::Lost("the listen key has expired".to_owned()));
        }
        if let Some(at) = at {
            self.last_event = self.last_event.max(at);
        }
        if let Some(order_id) = mentioned {
            self.shared.tracker.note_mentioned(order_id);
        }
        for event in events {
            self.hand_on(event).await?;
        }
        if let Some(hint) = flow {
            self.look_for_flow(hint).await?;
        }
        match fee_unknown {
            Some(hint) => self.look_for_fee(hint).await,
            None => Ok(()),
        }
    }

    /// The list of executions states the fee that a push left out. Where it cannot be had there, the account is read again.
    async fn look_for_fee(&mut self, hint: FeeHint) -> Result<(), End> {
        let lost = |why: String| {
            End::Lost(format!("the fee of forced execution {} is not known: {why}", hint.trade_id))
        };
        let (symbol, since) = (hint.instrument.symbol, hint.at.minus(FEE_MARGIN));
        let fills = match timeout(FLOW_TIMEOUT, self.shared.rest.fills_since(symbol.as_str(), since)).await {
            Ok(fills) => fills.map_err(|error| lost(error.to_string()))?,
            Err(_) => return Err(lost("no answer in time".to_owned())),
        };
        // Only this one: whatever else is listed may have no name yet, and is told once.
        let mut fills: Vec<Fill> =
            fills.into_iter().filter(|fill| fill.trade_id == hint.trade_id).take(1).collect();
        name_forced(&self.shared, &mut fills).await.map_err(|unnamed| lost(unnamed.error.to_string()))?;
        let Some(fill) = fills.pop() else { return Err(lost("it is not listed yet".to_owned())) };
        Ok(self.hand_on(AccountEvent::Fill { fill }).await?)
    }

    async fn hand_on(&mut self, event: AccountEvent) -> Result<(), Gone> {
        match &event {
            AccountEvent::Order { report } => self.shared.tracker.note_report(report),
            AccountEvent::Fill { fill } => self.shared.tracker.note_symbol(fill.instrument),
            _ => {}
        }
        if !self.heard.is_new(&event) {
            return Ok(());
        }
        self.outlet.push(event).await
    }

    /// A push says that money moved, the income history says how. It is asked before the next frame is read, and again later
    /// while it lags behind.
    async fn look_for_flow(&mut self, hint: FlowHint) -> Result<(), Gone> {
        if self.heard.knows_flow(&hint) {
            return Ok(());
        }
        match &mut self.pending_flows {
            // One question answers all hints; the next one is due soon.
            Some(pending) => {
                pending.hints.push(hint);
                Ok(())
            }
            None => self.ask_for_flows(PendingFlows::new(vec![hint], Instant::now())).await,
        }
    }

    async fn ask_for_flows(&mut self, mut pending: PendingFlows) -> Result<(), Gone> {
        let Some(oldest) = pending.hints.iter().min_by_key(|hint| hint.at).copied() else { return Ok(()) };
        match timeout(FLOW_TIMEOUT, flows_near(&self.shared, &oldest)).await {
            Ok(Ok(flows)) => {
                for flow in flows {
                    self.hand_on(AccountEvent::CashFlow { flow }).await?;
                }
            }
            Ok(Err(error)) => tracing::warn!(target: "hedge::stream", %error, "income could not be read"),
            Err(_) => tracing::warn!(target: "hedge::stream", "income could not be read in time"),
        }
        pending.hints.retain(|hint| !self.heard.knows_flow(hint));
        if pending.hints.is_empty() {
            return Ok(());
        }
        if pending.attempts >= FLOW_ATTEMPTS {
            let hints = &pending.hints;
            tracing::error!(target: "hedge::stream", ?hints, "money moved and the income history does not say how");
            return Ok(());
        }
        pending.next_at = Instant::now() + Duration::from_secs(1 << pending.attempts.min(6));
        pending.attempts += 1;
        self.pending_flows = Some(pending);
        Ok(())
    }

    async fn on_tick(&mut self, socket: &mut Socket, life: &mut Life) -> Result<(), End> {
        let timing = self.shared.streams;
        self.key.keep_alive(&self.shared).await?;
        if let Some(reason) = self.doubt(life) {
            return match socket.last_look().await {
                Some(Ok(frame)) => {
                    life.heard();
                    self.on_frame(frame, socket).await
                }
                Some(Err(error)) => Err(error.into()),
                None => Err(End::Lost(reason)),
            };
        }
        if life.asked_at.is_none() && life.heard_at.elapsed() > timing.private_ping {
            socket.ping().await?;
            life.asked_at = Some(Instant::now());
        }
        if let Some(pending) = self.pending_flows.take_if(|pending| Instant::now() >= pending.next_at) {
            self.ask_for_flows(pending).await?;
        }
        Ok(())
    }

    /// Why the connection may be dead, if there is a reason to think so.
    fn doubt(&self, life: &Life) -> Option<String> {
        let timing = self.shared.streams;
        if life.asked_at.is_some_and(|at| at.elapsed() > timing.pong_timeout) {
            return Some(format!("no pong within {:?}", timing.pong_timeout));
        }
        let order_id = self.shared.tracker.overdue(timing.ack_silence)?;
        Some(format!("order {order_id} was acknowledged and the stream does not mention it"))
    }
}

/// Often enough for the shortest of the times to be watched, once a second at most.
fn tick_of(timing: &crate::config::StreamConfig) -> Duration {
    [
        timing.private_ping,
        timing.pong_timeout,
        timing.ack_silence,
        timing.listen_key_renewal,
        timing.rotate_after,
        timing.rotate_overlap,
    ]
    .into_iter()
    .fold(Duration::from_secs(4), Duration::min)
    .div_f64(4.0)
    .max(Duration::from_millis(5))
}

async fn next_of(standby: Option<&mut Standby>) -> Result<Frame, SocketError> {
    match standby {
        Some(standby) => standby.socket.next().await,
        None => std::future::pending().await,
    }
}
