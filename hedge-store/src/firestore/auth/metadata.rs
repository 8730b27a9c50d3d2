//! The token of the machine's own service account. Source: fact sheet "services", section a.8.

use std::time::Instant;

use hedge_http::{HttpClient, Method, Request};

use super::{
    CredentialsError,
    token::{self, Token},
};

/// Asks the metadata server at `host`.
pub(super) async fn fetch(http: &HttpClient, host: &str) -> Result<Token, CredentialsError> {
    let url = format!("http://{host}/computeMetadata/v1/instance/service-accounts/default/token");
    let issuer = format!("the metadata server {host}");
    let asked_at = Instant::now();
    let request = Request::new(Method::Get, url).header("Metadata-Flavor", "Google");
    let response = http.send(request).await.map_err(|error| CredentialsError::IssuerUnavailable {
        issuer: issuer.clone(),
        detail: format!(
            "{error}; outside Google's machines set GOOGLE_APPLICATION_CREDENTIALS to a service account's key file"
        ),
    })?;
    token::read(&response, asked_at, &issuer)
}
