//! One token for all callers: fetched by one of them, replaced early, dropped when the service refuses it.

use std::time::{Duration, Instant};

use hedge_http::{HttpClient, secret::Secret};
use tokio::sync::Mutex;

use super::{CredentialsError, metadata, service_account::ServiceAccount, token::Token};
use crate::firestore::config::Access;

/// How long a failed early refresh is not repeated while the old token still works.
const REFRESH_AGAIN: Duration = Duration::from_secs(30);

#[derive(Debug)]
enum Issuer {
    ServiceAccount(Box<ServiceAccount>),
    Metadata(String),
    /// Not issued at all.
    Emulator,
}

#[derive(Debug, Default)]
struct Cached {
    token: Option<Token>,
    /// Grows with every token, so that a refusal of an old one does not drop its successor.
    generation: u64,
}

/// The one source of tokens of a store.
#[derive(Debug)]
pub(in crate::firestore) struct Tokens {
    http: HttpClient,
    issuer: Issuer,
    /// Held while a token is fetched, so that only one caller fetches.
    cached: Mutex<Cached>,
}

/// A token to send, and which one it is.
#[derive(Debug)]
pub(in crate::firestore) struct Bearer {
    pub(in crate::firestore) secret: Secret<String>,
    pub(in crate::firestore) generation: u64,
}

impl Tokens {
    /// Reads the key file, where there is one. No network.
    pub(in crate::firestore) fn new(access: &Access, http: HttpClient) -> Result<Self, CredentialsError> {
        let issuer = match access {
            Access::ServiceAccount(path) => Issuer::ServiceAccount(Box::new(ServiceAccount::load(path)?)),
            Access::Metadata { host } => Issuer::Metadata(host.clone()),
            Access::Emulator => Issuer::Emulator,
        };
        Ok(Self { http, issuer, cached: Mutex::default() })
    }

    /// A token that is valid now. Early refreshes that fail leave the old one in use until its end.
    pub(in crate::firestore) async fn bearer(&self) -> Result<Bearer, CredentialsError> {
        let mut cached = self.cached.lock().await;
        let now = Instant::now();
        let held = cached.token.as_ref().filter(|token| now < token.expires_at).cloned();
        let token = match held {
            Some(token) if now < token.refresh_at => token,
            Some(old) => match self.fetch().await {
                Ok(fresh) => replace(&mut cached, fresh),
                Err(_) => replace_later(&mut cached, old, now),
            },
            None => {
                let fresh = self.fetch().await?;
                replace(&mut cached, fresh)
            }
        };
        Ok(Bearer { secret: token.secret, generation: cached.generation })
    }

    /// Forgets a token that the service refused, unless it has been replaced since. `false` where a new one cannot be had.
    pub(in crate::firestore) async fn refuse(&self, generation: u64) -> bool {
        let mut cached = self.cached.lock().await;
        if cached.generation == generation {
            cached.token = None;
        }
        !matches!(self.issuer, Issuer::Emulator)
    }

    async fn fetch(&self) -> Result<Token, CredentialsError> {
        match &self.issuer {
            Issuer::ServiceAccount(account) => account.fetch(&self.http).await,
            Issuer::Metadata(host) => metadata::fetch(&self.http, host).await,
            Issuer::Emulator => {
                let far = Instant::now() + Duration::from_secs(86_400);
                // The emulator's documented word for "skip the rules"; no secret.
                Ok(Token { secret: Secret::new("owner".to_owned()), refresh_at: far, expires_at: far })
            }
        }
    }
}

fn replace(cached: &mut Cached, token: Token) -> Token {
    cached.generation += 1;
    cached.token = Some(token.clone());
    token
}

fn replace_later(cached: &mut Cached, old: Token, now: Instant) -> Token {
    let token = Token { refresh_at: now + REFRESH_AGAIN, ..old };
    cached.token = Some(token.clone());
    token
}
