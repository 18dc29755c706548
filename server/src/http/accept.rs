//! Which media type an answer has: content negotiation as the GraphQL-over-HTTP draft tells it.
//!
//! Not a general negotiator: it chooses between the two media types of GraphQL answers.

use axum::http::{HeaderMap, HeaderValue, header};

/// The media type of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AnswerMedia {
    /// `application/graphql-response+json`: the status says whether the request was executed.
    GraphqlResponse,
    /// `application/json`: a well-formed request is answered 200, whatever came of it.
    Json,
}

impl AnswerMedia {
    /// What the `Accept` headers prefer; `None`: neither is acceptable. A missing header and a wildcard mean
    /// `application/json`, which every client takes.
    pub(super) fn preferred(headers: &HeaderMap) -> Option<Self> {
        if !headers.contains_key(header::ACCEPT) {
            return Some(Self::Json);
        }
        let ranges = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let mut best: Option<(Self, f32)> = None;
        for range in ranges.flat_map(|ranges| ranges.split(',')) {
            if let Some((media, quality)) = Self::of_range(range)
                && quality > best.map_or(0.0, |(_, quality)| quality)
            {
                best = Some((media, quality));
            }
        }
        best.map(|(media, _)| media)
    }

    fn of_range(range: &str) -> Option<(Self, f32)> {
        let mut parts = range.split(';').map(str::trim);
        let media = match parts.next()?.to_ascii_lowercase().as_str() {
            "application/graphql-response+json" => Self::GraphqlResponse,
            "application/json" | "application/*" | "*/*" => Self::Json,
            _ => return None,
        };
        let quality = parts
            .filter_map(|parameter| parameter.split_once('='))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("q"))
            .map_or(Some(1.0), |(_, quality)| quality.trim().parse().ok())?;
        Some((media, quality))
    }

    /// The value of `Content-Type`.
    pub(super) fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
        })
    }
}

/// Whether a browser asks for a page.
pub(super) fn wants_page(headers: &HeaderMap) -> bool {
    headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).any(|ranges| {
        ranges.split(',').any(|range| {
            let media = range.split(';').next().unwrap_or_default();
            media.trim().eq_ignore_ascii_case("text/html")
        })
    })
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, header::ACCEPT};

    use super::AnswerMedia::{self, GraphqlResponse, Json};

    fn preferred(accept: &'static str) -> Option<AnswerMedia> {
        AnswerMedia::preferred(&HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]))
    }

    #[test]
    fn without_a_header_and_with_a_wildcard_the_answer_is_json() {
        assert_eq!(AnswerMedia::preferred(&HeaderMap::new()), Some(Json));
        assert_eq!(preferred("*/*"), Some(Json));
        assert_eq!(preferred("application/*"), Some(Json));
    }

    #[test]
    fn the_higher_quality_wins_and_the_earlier_one_of_equals() {
        assert_eq!(
            preferred("application/graphql-response+json, application/json;q=0.9"),
            Some(GraphqlResponse)
        );
        assert_eq!(
            preferred("application/json;q=0.9, Application/GraphQL-Response+JSON"),
            Some(GraphqlResponse)
        );
        assert_eq!(preferred("application/graphql-response+json;q=0.5, application/json"), Some(Json));
        assert_eq!(preferred("application/json, application/graphql-response+json"), Some(Json));
    }

    #[test]
    fn what_is_neither_or_of_no_quality_is_not_acceptable() {
        for accept in ["text/html", "application/json;q=0", "application/json;q=much", ""] {
            assert_eq!(preferred(accept), None, "{accept}");
        }
    }
}
