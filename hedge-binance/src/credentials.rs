//! API keys, bound to the world they were made in.

use std::{
    fmt, fs, io,
    marker::PhantomData,
    path::{Path, PathBuf},
};

use hedge_http::{
    secret::Secret,
    sign::{KeyKind, SignError, SigningKey, sha256_hex},
};

use crate::environment::{Endpoints, Mainnet, Testnet, World};

/// Names of the variables that operators set.
const MAINNET_NAMES: [&str; 2] = ["BINANCE_API_KEY", "BINANCE_API_SECRET"];
const TESTNET_NAMES: [&str; 2] = ["BINANCE_UM_API_KEY_TESTNET", "BINANCE_UM_API_SECRET_TESTNET"];

/// Why there are no usable credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// A variable is not set, or empty.
    #[error("{name} is not set; the {environment} account needs it")]
    Missing {
        /// The variable.
        name: &'static str,
        /// The world it is for.
        environment: &'static str,
    },
    /// The same key stands under the names of both worlds: one of them was pasted into the wrong place.
    #[error(
        "{testnet} and {mainnet} are the same; keys of one world do not work in the other, copy the testnet one again"
    )]
    SameKey {
        /// The testnet's variable.
        testnet: &'static str,
        /// The mainnet's variable.
        mainnet: &'static str,
    },
    /// The secret is no key that can sign.
    #[error("{name}: {why}")]
    BadSecret {
        /// The variable or field.
        name: &'static str,
        /// What is wrong with it.
        why: SignError,
    },
    /// The secret names a file that cannot be used.
    #[error("{name} names the key file {path}: {why}")]
    KeyFile {
        /// The variable.
        name: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        why: String,
    },
    /// A key holds characters that no key has: usually a quote or a line end that came along.
    #[error("{name} holds spaces or other characters that no key has; copy it again")]
    Malformed {
        /// The variable or field.
        name: &'static str,
    },
}

/// Key and secret of one world; the secret is an HMAC secret, or an RSA or Ed25519 private key. `Debug` shows the digest of
/// the public half and the kind only.
#[derive(Clone)]
pub struct Credentials<E> {
    key: Secret<String>,
    signer: SigningKey,
    environment: PhantomData<E>,
}

impl<E: World> Credentials<E> {
    /// Checks the form of both halves. The secret is an HMAC secret, or a private key in PEM: RSA or Ed25519 (PKCS#8).
    ///
    /// # Errors
    /// [`CredentialsError`]; it never shows a value.
    pub fn new(key: String, secret: String) -> Result<Self, CredentialsError> {
        Self::named(key, secret, ["API key", "API secret"])
    }

    fn named(key: String, secret: String, names: [&'static str; 2]) -> Result<Self, CredentialsError> {
        for (value, name) in [(&key, names[0]), (&secret, names[1])] {
            if value.is_empty() {
                return Err(CredentialsError::Missing { name, environment: E::NAME });
            }
        }
        let signer = SigningKey::parse(&Secret::new(secret.clone()))
            .map_err(|why| CredentialsError::BadSecret { name: names[1], why })?;
        // Only PEM text has lines and spaces.
        let graphic = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        for (is_clean, name) in
            [(graphic(&key), names[0]), (signer.kind() != KeyKind::Hmac || graphic(&secret), names[1])]
        {
            if !is_clean {
                return Err(CredentialsError::Malformed { name });
            }
        }
        Ok(Self { key: Secret::new(key), signer, environment: PhantomData })
    }

    fn from_names(
        names: [&'static str; 2],
        lookup: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, CredentialsError> {
        let value = |name: &'static str| {
            let found = lookup(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
            found.ok_or(CredentialsError::Missing { name, environment: E::NAME })
        };
        Self::named(value(names[0])?, secret_of(names[1], value(names[1])?)?, names)
    }

    /// First 16 hex digits of the key's SHA-256: names the key in consent files and logs.
    pub fn key_digest(&self) -> String {
        sha256_hex(self.key.expose().as_bytes()).chars().take(16).collect()
    }

    pub(crate) const fn key(&self) -> &Secret<String> {
        &self.key
    }

    /// How requests are signed.
    pub const fn kind(&self) -> KeyKind {
        self.signer.kind()
    }

    pub(crate) const fn signer(&self) -> &SigningKey {
        &self.signer
    }
}

/// A secret is the text itself, or the path of a file with a private key.
fn secret_of(name: &'static str, value: String) -> Result<String, CredentialsError> {
    let is_path = value.starts_with(['/', '.', '~']) || value.ends_with(".pem");
    if !is_path || value.starts_with("-----") {
        return Ok(value);
    }
    let path = Path::new(&value);
    let bad = |why: String| CredentialsError::KeyFile { name, path: path.to_owned(), why };
    refuse_if_readable_by_others(path).map_err(bad)?;
    let text = fs::read_to_string(path).map_err(|error| bad(unreadable(&error)))?;
    if !text.trim_start().starts_with("-----BEGIN ") {
        return Err(bad(
            "it is not PEM text; a private key in PKCS#8 (BEGIN PRIVATE KEY) is expected".to_owned()
        ));
    }
    Ok(text)
}

fn unreadable(error: &io::Error) -> String {
    format!("it cannot be read: {error}; write its whole path, the program does not know what ~ stands for")
}

#[cfg(unix)]
fn refuse_if_readable_by_others(path: &Path) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt;
    let found = fs::metadata(path).map_err(|error| unreadable(&error))?;
    let mode = found.permissions().mode() & 0o777;
    if !found.is_file() {
        return Err("it is not a file".to_owned());
    }
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(format!("others may access it (mode {mode:04o}); run: chmod 600 {}", path.display()))
}

#[cfg(not(unix))]
fn refuse_if_readable_by_others(path: &Path) -> Result<(), String> {
    fs::metadata(path).map(|_| ()).map_err(|error| unreadable(&error))
}

impl Credentials<Mainnet> {
    /// Reads `BINANCE_API_KEY` and `BINANCE_API_SECRET` through `lookup`.
    ///
    /// # Errors
    /// [`CredentialsError`] naming the variable.
    pub fn from_env(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, CredentialsError> {
        Self::from_names(MAINNET_NAMES, lookup)
    }
}

impl Credentials<Testnet> {
    /// Reads `BINANCE_UM_API_KEY_TESTNET` and `BINANCE_UM_API_SECRET_TESTNET` through `lookup`. Only when the REST host
    /// is this machine, the mainnet names are taken where both of those are missing: a mainnet key never travels to the
    /// testnet.
    ///
    /// # Errors
    /// [`CredentialsError`] naming the variable; also one half of a pair without the other, and, unless the host is this
    /// machine, the mainnet key under the testnet's name.
    pub fn from_env(
        lookup: &dyn Fn(&str) -> Option<String>,
        endpoints: &Endpoints<Testnet>,
    ) -> Result<Self, CredentialsError> {
        let value = |name: &str| lookup(name).map(|v| v.trim().to_owned()).filter(|v| !v.is_empty());
        if endpoints.is_loopback() && TESTNET_NAMES.iter().all(|name| value(name).is_none()) {
            return Self::from_names(MAINNET_NAMES, lookup);
        }
        let [testnet, mainnet] = [TESTNET_NAMES[0], MAINNET_NAMES[0]];
        if !endpoints.is_loopback() && value(testnet).is_some() && value(testnet) == value(mainnet) {
            return Err(CredentialsError::SameKey { testnet, mainnet });
        }
        Self::from_names(TESTNET_NAMES, lookup)
    }
}

impl<E: World> fmt::Debug for Credentials<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("environment", &E::NAME)
            .field("key_digest", &self.key_digest())
            .field("kind", &self.kind())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &'static [(&'static str, &'static str)]) -> impl Fn(&str) -> Option<String> {
        move |name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    }

    const BOTH: &[(&str, &str)] = &[("BINANCE_API_KEY", "live-key"), ("BINANCE_API_SECRET", "live-secret")];

    #[test]
    fn the_testnet_does_not_take_mainnet_keys_over_the_network() {
        let remote = Endpoints::new(None, None).unwrap();
        let error = Credentials::<Testnet>::from_env(&env(BOTH), &remote).unwrap_err();
        assert_eq!(
            error,
            CredentialsError::Missing { name: "BINANCE_UM_API_KEY_TESTNET", environment: "testnet" }
        );
    }

    #[test]
    fn on_loopback_the_testnet_falls_back_to_the_usual_names() {
        let local = Endpoints::new(Some("http://localhost:1"), Some("ws://localhost:1")).unwrap();
        let credentials = Credentials::<Testnet>::from_env(&env(BOTH), &local).unwrap();
        assert_eq!(credentials.key().expose(), "live-key");
    }

    #[test]
    fn half_a_testnet_pair_is_named_and_nothing_else_is_taken_for_it() {
        let local = Endpoints::new(Some("http://localhost:1"), Some("ws://localhost:1")).unwrap();
        let half: &[_] =
            &[("BINANCE_UM_API_KEY_TESTNET", "t"), ("BINANCE_API_KEY", "k"), ("BINANCE_API_SECRET", "s")];
        let error = Credentials::<Testnet>::from_env(&env(half), &local).unwrap_err();
        assert_eq!(
            error,
            CredentialsError::Missing { name: "BINANCE_UM_API_SECRET_TESTNET", environment: "testnet" }
        );
    }

    #[test]
    fn a_mainnet_key_under_the_testnets_name_stays_here() {
        let remote = Endpoints::new(None, None).unwrap();
        let pasted: &[_] = &[
            ("BINANCE_UM_API_KEY_TESTNET", "live-key"),
            ("BINANCE_UM_API_SECRET_TESTNET", "live-secret"),
            ("BINANCE_API_KEY", "live-key"),
        ];
        let error = Credentials::<Testnet>::from_env(&env(pasted), &remote).unwrap_err();
        assert!(matches!(error, CredentialsError::SameKey { .. }), "{error}");
        assert!(!error.to_string().contains("live-key"), "{error}");
    }

    #[test]
    fn a_missing_half_is_named() {
        let error = Credentials::<Mainnet>::from_env(&env(&[("BINANCE_API_KEY", "k")])).unwrap_err();
        assert_eq!(error.to_string(), "BINANCE_API_SECRET is not set; the mainnet account needs it");
    }

    #[test]
    fn a_key_with_a_line_end_inside_is_refused_without_showing_it() {
        let error = Credentials::<Mainnet>::new("se cret".into(), "x".into()).unwrap_err();
        assert!(!error.to_string().contains("se cret"));
    }

    const ED25519: &str = "MC4CAQAwBQYDK2VwBCIEIKpgGBHhbp52NpR0gRJoasPG5NDKTj+AbRnHVWpY1SDT";

    fn pem(line_end: &str) -> String {
        ["-----BEGIN PRIVATE KEY-----", ED25519, "-----END PRIVATE KEY-----", ""].join(line_end)
    }

    /// Mainnet credentials whose secret is this value.
    fn with_secret(secret: &str) -> Result<Credentials<Mainnet>, CredentialsError> {
        Credentials::<Mainnet>::from_env(&|name| match name {
            "BINANCE_API_KEY" => Some("k".to_owned()),
            "BINANCE_API_SECRET" => Some(secret.to_owned()),
            _ => None,
        })
    }

    #[test]
    fn the_kind_of_key_is_read_from_the_secret() {
        assert_eq!(with_secret("hush").unwrap().kind(), KeyKind::Hmac);
        assert_eq!(with_secret(&pem("\n")).unwrap().kind(), KeyKind::Ed25519);
        assert_eq!(with_secret(&pem("\\n")).unwrap().kind(), KeyKind::Ed25519, "in one line");
        let error = with_secret("-----BEGIN PRIVATE KEY-----").unwrap_err().to_string();
        assert_eq!(
            error,
            "BINANCE_API_SECRET: the signing key cannot be used: its PEM text has no matching END line; copy the whole file"
        );
    }

    #[test]
    #[cfg(unix)]
    fn a_key_file_must_be_private_and_hold_a_key() {
        use std::os::unix::fs::PermissionsExt;
        let folder = std::env::temp_dir().join(format!("hedge-key-file-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("key.pem");
        let shown = path.display().to_string();
        let with = |text: &str, mode: u32| {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            with_secret(&shown)
        };
        assert_eq!(with(&pem("\n"), 0o600).unwrap().kind(), KeyKind::Ed25519);
        assert_eq!(
            with(&pem("\n"), 0o644).unwrap_err().to_string(),
            format!(
                "BINANCE_API_SECRET names the key file {shown}: others may access it (mode 0644); run: chmod 600 {shown}"
            )
        );
        let error = with("hush-hush", 0o600).unwrap_err().to_string();
        assert!(error.contains("not PEM text") && !error.contains("hush"), "{error}");
        fs::remove_dir_all(&folder).unwrap();
        let error = with_secret(&shown).unwrap_err().to_string();
        assert!(error.contains("cannot be read"), "{error}");
        assert!(
            with_secret(&std::env::temp_dir().display().to_string())
                .unwrap_err()
                .to_string()
                .contains("not a file")
        );
    }

    #[test]
    fn debug_shows_a_digest_only() {
        let credentials = Credentials::<Mainnet>::new("pub-half".into(), "sec-half".into()).unwrap();
        let shown = format!("{credentials:?}");
        assert!(!shown.contains("pub-half") && !shown.contains("sec-half"), "{shown}");
        assert!(shown.contains(&credentials.key_digest()));
    }
}
