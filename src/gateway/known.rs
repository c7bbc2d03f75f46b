//! Which connections somebody has logged in on.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tonic::body::Body;
use tonic::codegen::Service;
use tonic::codegen::http::{Request, Response, StatusCode};
use tonic::server::NamedService;

use super::places::Guest;

/// The service, which notes of a connection that one of its calls was answered.
#[derive(Debug, Clone)]
pub(super) struct Remembering<S>(pub S);

impl<S: NamedService> NamedService for Remembering<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<Request<Body>> for Remembering<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let guest = request.extensions().get::<Arc<Guest>>().cloned();
        let answer = self.0.call(request);
        Box::pin(async move {
            let response = answer.await?;
            // A call that is refused has its status in the place of an answer; every other one has asked for credentials first.
            let is_answered = response.status() == StatusCode::OK && !response.headers().contains_key("grpc-status");
            if let Some(guest) = guest.filter(|_| is_answered) {
                guest.note_login();
            }
            Ok(response)
        })
    }
}
