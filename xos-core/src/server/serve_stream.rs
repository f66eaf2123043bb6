//! Answers that never end by themselves, such as watching the health of a server, end with the server.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Response};
use hyper::body::{Body as _, Frame};
use tokio::sync::watch;
use tonic::Status;
use tonic::body::Body;

use super::serve::{Phase, reached};

/// Ends an answer when the server stops.
pub(super) fn until(answer: Response<Body>, mut phase: watch::Receiver<Phase>) -> Response<Body> {
    if answer.body().is_end_stream() {
        return answer;
    }
    let stop = Box::pin(async move { reached(&mut phase, Phase::Stopping).await });
    answer.map(|body| Body::new(Until { body, stop, ended: false }))
}

struct Until {
    body: Body,
    stop: Pin<Box<dyn Future<Output = ()> + Send>>,
    ended: bool,
}

impl hyper::body::Body for Until {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        // What is ready is told first.
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            return Poll::Ready(frame);
        }
        if self.stop.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.ended = true;
        let mut trailers = HeaderMap::new();
        match Status::unavailable("the server is stopping").add_header(&mut trailers) {
            Ok(()) => Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
            Err(status) => Poll::Ready(Some(Err(status))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.body.is_end_stream()
    }
}
