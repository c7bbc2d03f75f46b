//! From an address and a login to a client with a bearer token.

use std::time::Duration;

use arrow_flight::HandshakeRequest;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::client::FlightSqlServiceClient;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures::TryStreamExt;
use secrecy::{ExposeSecret, SecretString};
use tonic::metadata::AsciiMetadataValue;
use tonic::transport::{Channel, Endpoint};
use url::Url;

use super::failure;
use crate::diagnostic::{Diagnostic, Kind, Result};

/// Where a gateway listens unless told otherwise.
const DEFAULT_PORT: u16 = 8815;

const EXAMPLE: &str = "write it like `grpc://127.0.0.1:8815`";

/// A server batches towards 2 MiB; one wide row may be larger.
const MAX_MESSAGE: usize = 64 << 20;

/// Who asks.
#[derive(Clone, Debug)]
pub enum Login {
    /// No credentials; the server decides whether it knows an anonymous principal.
    Anonymous,
    /// Checked once by Handshake and exchanged for a token.
    Password { user: String, password: SecretString },
    /// A bearer token that was issued elsewhere.
    Token(SecretString),
}

impl Login {
    /// The name that was given, if one was.
    pub fn user(&self) -> Option<&str> {
        match self {
            Self::Password { user, .. } => Some(user),
            Self::Anonymous | Self::Token(_) => None,
        }
    }
}

/// A connection with a login; cheap to clone, all clones share both.
#[derive(Clone, Debug)]
pub struct Client {
    channel: Channel,
    token: Option<SecretString>,
    /// Said with each call, where there is no login that remembers it.
    purpose: Option<String>,
}

/// Says what a call, or at Handshake a login, is for.
pub const PURPOSE_HEADER: &str = "x-meshgate-purpose";

/// Connects and logs in.
///
/// `url` is `grpc://host:port`; the port is 8815 when it is left out. A purpose goes with the login; without a login, with each call.
///
/// # Errors
/// `Invalid` for an address that cannot be used, `Unavailable` when nobody answers there, `Unauthenticated`
/// for wrong credentials.
pub async fn connect(url: &str, login: &Login, purpose: Option<&str>) -> Result<Client> {
    let endpoint = endpoint(url)?;
    let channel = endpoint.connect().await.map_err(|error| failure::unreachable(url, &error))?;
    if let Some(purpose) = purpose
        && purpose.parse::<AsciiMetadataValue>().is_err()
    {
        return Err(Diagnostic::error(Kind::Invalid, format!("the purpose `{purpose}` does not fit into a header"))
            .hint("use ASCII letters, or say it with `SET meshgate.purpose = '…'`"));
    }
    let (token, purpose) = match login {
        Login::Anonymous => (None, purpose),
        Login::Token(token) => (Some(token.clone()), purpose),
        Login::Password { user, password } => (Some(handshake(channel.clone(), user, password, purpose).await?), None),
    };
    Ok(Client { channel, token, purpose: purpose.map(str::to_owned) })
}

impl Client {
    pub(super) fn flight(&self) -> FlightSqlServiceClient<Channel> {
        let mut client = FlightSqlServiceClient::new_from_inner(inner(self.channel.clone()));
        if let Some(token) = &self.token {
            client.set_token(token.expose_secret().to_owned());
        }
        if let Some(purpose) = &self.purpose {
            client.set_header(PURPOSE_HEADER, purpose);
        }
        client
    }
}

fn inner(channel: Channel) -> FlightServiceClient<Channel> {
    FlightServiceClient::new(channel).max_decoding_message_size(MAX_MESSAGE)
}

fn endpoint(text: &str) -> Result<Endpoint> {
    let wrong = |why: &str, hint: &str| {
        Err(Diagnostic::error(Kind::Invalid, format!("cannot use the address `{text}`: {why}")).hint(hint))
    };
    let Ok(url) = Url::parse(text) else {
        return wrong("it is not a URL", EXAMPLE);
    };
    match url.scheme() {
        "grpc" | "grpc+tcp" => {}
        "grpc+tls" => {
            return wrong(
                "TLS is not offered yet",
                "use `grpc://` on a network you trust, or a tunnel to this machine",
            );
        }
        _ => return wrong("it does not start with `grpc://`", EXAMPLE),
    }
    let Some(host) = url.host_str().filter(|host| !host.is_empty()) else {
        return wrong("it names no host", EXAMPLE);
    };
    if !url.username().is_empty() || url.password().is_some() {
        // The text is not repeated: errors end up in logs.
        return Err(Diagnostic::error(Kind::Invalid, format!("the address of `{host}` holds credentials"))
            .hint("give them with `--user` and `MESHGATE_PASSWORD`"));
    }
    if !matches!(url.path(), "" | "/") || url.query().is_some() {
        return wrong("something follows the port", EXAMPLE);
    }
    let address = format!("http://{host}:{}", url.port().unwrap_or(DEFAULT_PORT));
    match Endpoint::from_shared(address) {
        Ok(endpoint) => Ok(endpoint
            .connect_timeout(Duration::from_secs(10))
            .tcp_nodelay(true)
            .tcp_keepalive(Some(Duration::from_mins(1)))),
        Err(_) => wrong("it names no host and port", EXAMPLE),
    }
}

/// Basic credentials for a bearer token: from the response header, as the standard clients expect, else
/// from the first message.
async fn handshake(
    channel: Channel,
    user: &str,
    password: &SecretString,
    purpose: Option<&str>,
) -> Result<SecretString> {
    if user.contains(':') {
        return Err(Diagnostic::error(Kind::Invalid, format!("the user name `{user}` has a colon"))
            .hint("Basic credentials end the name at the first colon; use another name"));
    }
    let basic =
        SecretString::from(format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{}", password.expose_secret()))));
    let mut header: AsciiMetadataValue = basic
        .expose_secret()
        .parse()
        .map_err(|_| Diagnostic::error(Kind::Invalid, "the credentials do not fit into a header"))?;
    header.set_sensitive(true);
    let mut request = tonic::Request::new(futures::stream::iter([HandshakeRequest::default()]));
    request.metadata_mut().insert("authorization", header);
    if let Some(purpose) = purpose.and_then(|purpose| purpose.parse().ok()) {
        request.metadata_mut().insert(PURPOSE_HEADER, purpose);
    }

    let response = inner(channel).handshake(request).await.map_err(|status| failure::from_status(&status))?;
    let from_header = response.metadata().get("authorization").and_then(|value| value.to_str().ok()).and_then(bearer);
    if let Some(token) = from_header {
        return Ok(token);
    }
    let messages: Vec<_> = response.into_inner().try_collect().await.map_err(|status| failure::from_status(&status))?;
    messages
        .first()
        .and_then(|message| std::str::from_utf8(&message.payload).ok())
        .map(str::trim)
        .filter(|token| !token.is_empty())
        .map(|token| bearer(token).unwrap_or_else(|| SecretString::from(token.to_owned())))
        .ok_or_else(|| {
            Diagnostic::error(Kind::Unsupported, "the server accepted the login and answered no token")
                .hint("give a token with `--token`")
        })
}

fn bearer(header: &str) -> Option<SecretString> {
    let (scheme, token) = header.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| SecretString::from(token.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_cannot_be_used_say_why() {
        for (url, why) in [
            ("127.0.0.1:8815", "cannot use the address `127.0.0.1:8815`: it is not a URL"),
            ("grpc+tls://mesh:8815", "cannot use the address `grpc+tls://mesh:8815`: TLS is not offered yet"),
            ("https://mesh", "cannot use the address `https://mesh`: it does not start with `grpc://`"),
            ("grpc://", "cannot use the address `grpc://`: it names no host"),
            ("grpc://ana:x@mesh", "the address of `mesh` holds credentials"),
            ("grpc://mesh:8815/db", "cannot use the address `grpc://mesh:8815/db`: something follows the port"),
        ] {
            assert_eq!(endpoint(url).unwrap_err().message, why);
        }
    }

    #[test]
    fn the_port_may_be_left_out() {
        assert_eq!(endpoint("grpc://mesh").unwrap().uri().to_string(), "http://mesh:8815/");
        assert_eq!(endpoint("grpc://[::1]:99/").unwrap().uri().to_string(), "http://[::1]:99/");
    }
}
