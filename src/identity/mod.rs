//! Credentials → [`Principal`].
//!
//! In: the authorization headers of a call, and the users file. Out: who calls, with the roles and attributes that
//! policy may ask about. Anonymous is a principal, never an absence. Absent on purpose: what a principal may do.

mod principal;
mod users;

mod credentials;

mod authenticator;
mod basic;
mod tokens;

pub use authenticator::Authenticator;
pub use credentials::Credentials;
pub use principal::{AttributeValue, Principal};
pub use tokens::Tokens;
pub use users::{ANONYMOUS, UsersFile, hash_password};
