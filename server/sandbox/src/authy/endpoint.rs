//! The endpoints of Authy's API that the sandbox has, read from method and path. Nothing is carried out here.
//! Invariant: a code in a path is never part of `name` or `path_without_code`, which are what is logged and
//! counted.

use axum::http::Method;
use percent_encoding::percent_decode_str;

/// What is asked. Ids and uuids are as they came, also where they are none.
pub(super) enum Endpoint {
    UsersNew,
    UsersStatus { authy_id: String },
    UsersDelete { authy_id: String },
    UsersUpdate { authy_id: String },
    UsersRegisterActivity { authy_id: String },
    Sms { authy_id: String },
    Call { authy_id: String },
    Verify { token: String, authy_id: String },
    AppDetails,
    AppStats,
    ApprovalRequests { authy_id: String },
    ApprovalRequestStatus { uuid: String },
}

/// Why a path is not an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoEndpoint {
    /// Authy speaks XML too; the sandbox does not.
    Xml,
    Unknown,
}

/// Every name that calls are counted under.
pub(crate) const NAMES: [&str; 13] = [
    "users/new",
    "users/status",
    "users/delete",
    "users/update",
    "users/register_activity",
    "sms",
    "call",
    "verify",
    "app/details",
    "app/stats",
    "approval_requests",
    "approval_request_status",
    UNKNOWN,
];

/// The name of calls to no endpoint.
pub(super) const UNKNOWN: &str = "unknown";

impl Endpoint {
    pub(super) fn parse(method: &Method, path: &str) -> Result<Self, NoEndpoint> {
        let steps: Vec<String> = path
            .split('/')
            .skip(1)
            .map(|step| percent_decode_str(step).decode_utf8_lossy().into_owned())
            .collect();
        let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
        let (api, rest) = match steps.as_slice() {
            [_, "xml", ..] => return Err(NoEndpoint::Xml),
            [api, "json", rest @ ..] => (*api, rest),
            _ => return Err(NoEndpoint::Unknown),
        };
        let is_post = *method == Method::POST;
        if !is_post && *method != Method::GET {
            return Err(NoEndpoint::Unknown);
        }
        let endpoint = match (api, is_post) {
            ("protected", true) => Self::parse_post(rest),
            ("protected", false) => Self::parse_get(rest),
            ("onetouch", _) => Self::parse_onetouch(is_post, rest),
            _ => None,
        };
        endpoint.ok_or(NoEndpoint::Unknown)
    }

    fn parse_post(steps: &[&str]) -> Option<Self> {
        let owned = |authy_id: &str| authy_id.to_owned();
        Some(match steps {
            ["users", "new"] => Self::UsersNew,
            ["users", id, "delete" | "remove"] | ["users", "delete", id] => {
                Self::UsersDelete { authy_id: owned(id) }
            }
            ["users", id, "update"] => Self::UsersUpdate { authy_id: owned(id) },
            ["users", id, "register_activity"] => Self::UsersRegisterActivity { authy_id: owned(id) },
            _ => return None,
        })
    }

    fn parse_get(steps: &[&str]) -> Option<Self> {
        let owned = |text: &str| text.to_owned();
        Some(match steps {
            ["users", id, "status"] => Self::UsersStatus { authy_id: owned(id) },
            ["sms", id] => Self::Sms { authy_id: owned(id) },
            ["call", id] => Self::Call { authy_id: owned(id) },
            ["verify", token, id] => Self::Verify { token: owned(token), authy_id: owned(id) },
            ["app", "details"] => Self::AppDetails,
            ["app", "stats"] => Self::AppStats,
            _ => return None,
        })
    }

    fn parse_onetouch(is_post: bool, steps: &[&str]) -> Option<Self> {
        match (is_post, steps) {
            (true, ["users", id, "approval_requests"]) => {
                Some(Self::ApprovalRequests { authy_id: (*id).to_owned() })
            }
            (false, ["approval_requests", uuid]) => {
                Some(Self::ApprovalRequestStatus { uuid: (*uuid).to_owned() })
            }
            _ => None,
        }
    }

    /// One of `NAMES`.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::UsersNew => "users/new",
            Self::UsersStatus { .. } => "users/status",
            Self::UsersDelete { .. } => "users/delete",
            Self::UsersUpdate { .. } => "users/update",
            Self::UsersRegisterActivity { .. } => "users/register_activity",
            Self::Sms { .. } => "sms",
            Self::Call { .. } => "call",
            Self::Verify { .. } => "verify",
            Self::AppDetails => "app/details",
            Self::AppStats => "app/stats",
            Self::ApprovalRequests { .. } => "approval_requests",
            Self::ApprovalRequestStatus { .. } => "approval_request_status",
        }
    }

    /// Whether the state is another one after a success.
    pub(super) fn changes_state(&self) -> bool {
        !matches!(
            self,
            Self::UsersStatus { .. }
                | Self::UsersRegisterActivity { .. }
                | Self::AppDetails
                | Self::AppStats
                | Self::ApprovalRequestStatus { .. }
        )
    }

    /// The path, as it may be kept: the code is `{token}`.
    pub(super) fn path_without_code(&self, path: &str) -> String {
        match self {
            Self::Verify { authy_id, .. } => format!("/protected/json/verify/{{token}}/{authy_id}"),
            _ => path.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(method: &Method, path: &str) -> Result<&'static str, NoEndpoint> {
        Endpoint::parse(method, path).map(|endpoint| endpoint.name())
    }

    #[test]
    fn a_user_is_deleted_in_three_spellings() {
        for path in ["users/9/delete", "users/delete/9", "users/9/remove"] {
            assert_eq!(name(&Method::POST, &format!("/protected/json/{path}")), Ok("users/delete"));
        }
    }

    #[test]
    fn xml_is_told_apart_from_the_unknown() {
        assert_eq!(name(&Method::POST, "/protected/xml/users/new"), Err(NoEndpoint::Xml));
        assert_eq!(name(&Method::GET, "/protected/json/users/new"), Err(NoEndpoint::Unknown));
        assert_eq!(name(&Method::PUT, "/protected/json/users/new"), Err(NoEndpoint::Unknown));
        assert_eq!(name(&Method::GET, "/onetouch/json/sms/9"), Err(NoEndpoint::Unknown));
    }

    #[test]
    fn an_encoded_slash_does_not_make_another_endpoint() {
        let endpoint = Endpoint::parse(&Method::GET, "/protected/json/verify/..%2Fsms/9");
        assert!(matches!(endpoint, Ok(Endpoint::Verify { token, .. }) if token == "../sms"));
    }

    #[test]
    fn a_kept_path_has_no_code() {
        let path = "/protected/json/verify/1234567/9";
        let endpoint = Endpoint::parse(&Method::GET, path).ok().unwrap();
        assert_eq!(endpoint.path_without_code(path), "/protected/json/verify/{token}/9");
    }
}
