//! What is wrong with the head of a request, before anything else looks at it.
//!
//! hyper limits the buffer that it reads heads into, and takes a larger one that happens to arrive at once; here the limit is
//! exact. The size is that of the head as it is usually written: one blank after each colon, and none anywhere else.

use axum::{
    extract::Request,
    http::{StatusCode, Version, header},
    response::Response,
};

use super::{accept::AnswerMedia, answer};

/// The answer to a request whose head is not taken.
pub(super) fn refusal(request: &Request, limit_bytes: usize) -> Option<Response> {
    if size(request) > limit_bytes {
        let (status, message) =
            (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "The head of the request is too large.");
        return Some(answer::refuse(AnswerMedia::Json, status, "TOO_LARGE", message));
    }
    // RFC 9112, section 3.2.
    let hosts = request.headers().get_all(header::HOST).iter().count();
    if request.version() == Version::HTTP_11 && hosts != 1 {
        let message = "Send one `Host` header.";
        return Some(answer::refuse(AnswerMedia::Json, StatusCode::BAD_REQUEST, "BAD_REQUEST", message));
    }
    None
}

/// How many bytes the head takes.
fn size(request: &Request) -> usize {
    const LINE_END: usize = "\r\n".len();
    let uri = request.uri();
    let target = uri.path_and_query().map_or(0, |path| path.as_str().len())
        + uri.authority().map_or(0, |authority| authority.as_str().len())
        + uri.scheme_str().map_or(0, |scheme| scheme.len() + "://".len());
    let request_line = request.method().as_str().len() + target + "  HTTP/1.1".len() + LINE_END;
    let headers = request.headers().iter();
    let headers = headers.map(|(name, value)| name.as_str().len() + ": ".len() + value.len() + LINE_END);
    request_line + headers.sum::<usize>() + LINE_END
}
